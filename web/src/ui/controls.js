// The filters and switches.

import { chosenText, daysChosen, shownMeasure } from "../lib/choices.js";
import { SPORTS, typesOf, YEARS } from "../lib/data.js";
import { counted, sportText } from "../lib/formats.js";
import { state } from "../lib/state.js";
import { sumOf } from "../lib/sums.js";
import { measured, MEASURES } from "../lib/units.js";
import { byId, h, put, selectById, switchOf } from "./elements.js";
import { afterChoices, choose } from "./panels.js";

/** @import { Measure, Option, Theme, Units } from "../types.js" */

/** @type {Option<Units>[]} */
const UNITS = [
  { value: "km", text: "km" },
  { value: "mi", text: "mi" },
];
/** @type {Option<Theme>[]} */
const THEMES = [
  { value: "auto", text: "Auto" },
  { value: "light", text: "Light" },
  { value: "dark", text: "Dark" },
];

/** Put the controls into their places, and make them follow what is chosen. */
export function makeControls() {
  const sports = ["All", ...SPORTS];
  byId("filters").append(
    control("Year", "year", [["", "All years"], ...YEARS.map((year) => [`${year}`, `${year}`])], (value) =>
      choose({ year: value ? +value : null }),
    ),
    control("Measure", "measure", Object.entries(MEASURES).map(([name, { label }]) => [name, label]), (measure) =>
      choose({ measure: /** @type {Measure} */ (measure) }),
    ),
    h(
      "fieldset",
      { class: "chips", id: "sport" },
      h("legend", { class: "unseen" }, "Sport"),
      switchOf("sport", sports.map((sport) => ({ value: sport, text: sport, sport: sport === "All" ? null : sport })), state.sport, (sport) => choose({ sport })),
    ),
    control("Sport type", "type", [], (type) => choose({ type: type || null })),
  );
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("units").append(
    ...switchOf("units", UNITS, state.units, (units) => choose({ units })),
  );
  byId("theme").append(
    ...switchOf("theme", THEMES, state.theme, (theme) => choose({ theme })),
  );
  syncControls();
  afterChoices(syncControls);
}

/**
 * @param {string} label
 * @param {string} id
 * @param {string[][]} options each its value and its text
 * @param {(value: string) => void} onChange
 */
function control(label, id, options, onChange) {
  return h(
    "label",
    { class: "pick" },
    h("span", {}, label),
    h("select", { id, on: { change: (event) => onChange(event.target.value) } }, options.map(([value, text]) => h("option", { value }, text))),
  );
}

/** Make the controls show what is chosen, and say so to who does not see it. */
function syncControls() {
  selectById("year").value = `${state.year ?? ""}`;
  const drawn = shownMeasure();
  selectById("measure").value = drawn;
  const types = typesOf(state.sport);
  const type = selectById("type");
  put(type, [["", `All of ${state.sport}`], ...types.map((one) => [one, sportText(one)])].map(([value, text]) => h("option", { value }, text)));
  type.value = state.type ?? "";
  type.hidden = types.length < 2;
  for (const [name, value] of Object.entries({ sport: state.sport, units: state.units, theme: state.theme })) {
    /** @type {NodeListOf<HTMLInputElement>} */
    const inputs = document.querySelectorAll(`input[name="${name}"]`);
    for (const input of inputs) input.checked = input.value === value;
  }
  const sums = sumOf(daysChosen(), -Infinity, Infinity);
  const measure = drawn === "activities" ? "distance_m" : drawn;
  byId("said").textContent = `${chosenText()}: ${counted(sums.activities, "activity", "activities")}, ${measured(measure, sums[measure])}`;
}
