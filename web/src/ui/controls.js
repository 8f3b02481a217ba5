// The filters and switches.

import { chosenText, daysChosen, shownMeasure } from "../lib/choices.js";
import { SPORTS, typesOf, YEARS } from "../lib/data.js";
import { counted, sportText } from "../lib/formats.js";
import { state } from "../lib/state.js";
import { sumOf } from "../lib/sums.js";
import { measured, MEASURES } from "../lib/units.js";
import { h, put, switchOf } from "./elements.js";
import { afterChoices, choose } from "./panels.js";

/** Put the controls into their places, and make them follow what is chosen. */
export function makeControls() {
  const sports = ["All", ...SPORTS];
  document.getElementById("filters").append(
    control("Year", "year", [["", "All years"], ...YEARS.map((year) => [`${year}`, `${year}`])], (value) =>
      choose({ year: value ? +value : null }),
    ),
    control("Measure", "measure", Object.entries(MEASURES).map(([name, { label }]) => [name, label]), (measure) => choose({ measure })),
    h(
      "fieldset",
      { class: "chips", id: "sport" },
      h("legend", { class: "unseen" }, "Sport"),
      switchOf("sport", sports.map((sport) => ({ value: sport, text: sport, sport: sport === "All" ? null : sport })), state.sport, (sport) => choose({ sport })),
    ),
    control("Sport type", "type", [], (type) => choose({ type: type || null })),
  );
  document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("units").append(
    ...switchOf("units", [{ value: "km", text: "km" }, { value: "mi", text: "mi" }], state.units, (units) => choose({ units })),
  );
  document.getElementById("theme").append(
    ...switchOf(
      "theme",
      [{ value: "auto", text: "Auto" }, { value: "light", text: "Light" }, { value: "dark", text: "Dark" }],
      state.theme,
      (theme) => choose({ theme }),
    ),
  );
  syncControls();
  afterChoices(syncControls);
}

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
  document.getElementById("year").value = state.year ?? "";
  const drawn = shownMeasure();
  document.getElementById("measure").value = drawn;
  const types = typesOf(state.sport);
  const type = document.getElementById("type");
  put(type, [["", `All of ${state.sport}`], ...types.map((one) => [one, sportText(one)])].map(([value, text]) => h("option", { value }, text)));
  type.value = state.type ?? "";
  type.hidden = types.length < 2;
  for (const name of ["sport", "units", "theme"]) {
    for (const input of document.querySelectorAll(`input[name="${name}"]`)) input.checked = input.value === state[name];
  }
  const sums = sumOf(daysChosen(), -Infinity, Infinity);
  const measure = drawn === "activities" ? "distance_m" : drawn;
  document.getElementById("said").textContent = `${chosenText()}: ${counted(sums.activities, "activity", "activities")}, ${measured(measure, sums[measure])}`;
}
