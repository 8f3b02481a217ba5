// Activities: all of them, searched by name and sorted.

import { activitiesChosen, chosenText, noneChosen } from "../lib/choices.js";
import { clock, counted, dateText, NONE, sportText, whole } from "../lib/formats.js";
import { namedLike, sortedBy } from "../lib/listing.js";
import { climbed, distance, speedOf } from "../lib/units.js";
import { cardIn, thin } from "../ui/card.js";
import { bdi, byId, dot, h } from "../ui/elements.js";
import { activityLink } from "../ui/links.js";
import { panel, redraw } from "../ui/panels.js";
import { table } from "../ui/table.js";

/** @import { Activity, Content } from "../types.js" */
/** @typedef {{ text: string, sort: string, of: (row: Activity) => Content, row?: boolean, number?: boolean, descending?: boolean }} Column */

const AT_ONCE = 50;
/** @type {Column[]} what a column is called, what it is sorted by, and what it says; figures begin with the largest */
const COLUMNS = [
  { text: "Day", sort: "started_local", descending: true, of: (row) => h("span", { class: "day" }, dateText(row.started_local)) },
  { text: "Name", sort: "name", row: true, of: (row) => [h("span", { class: "dot-of-phone" }, dot(row.sport_group)), activityLink(row.id, bdi(row.name))] },
  { text: "Sport", sort: "sport_type", of: (row) => h("span", { class: "day" }, dot(row.sport_group), sportText(row.sport_type)) },
  { text: "Distance", sort: "distance_m", number: true, of: (row) => (row.distance_m ? distance(row.distance_m) : NONE) },
  { text: "Time", sort: "moving_time_s", number: true, of: (row) => clock(row.moving_time_s) },
  { text: "Speed", sort: "speed", number: true, of: speedOf },
  { text: "Climbed", sort: "total_elevation_gain_m", number: true, of: (row) => climbed(row.total_elevation_gain_m) },
  { text: "Heart rate", sort: "average_heartrate", number: true, of: (row) => (row.average_heartrate ? whole.format(row.average_heartrate) : NONE) },
  { text: "Kudos", sort: "kudos", number: true, of: (row) => (row.kudos === null || row.kudos === undefined ? NONE : whole.format(row.kudos)) },
];

let words = "";
let sort = "started_local";
let descending = true;
let first = 0;
let chosenBefore = "";

export default panel("listing", ["year", "sport", "type", "units"], (host) => {
  const card = cardIn(host, "All activities", { kind: "wide-table" });
  const chosen = activitiesChosen();
  if (!chosen.length) return card.empty(noneChosen());
  if (!card.aside.childElementCount) card.aside.append(search(), sorting());
  /** @type {HTMLSelectElement} */ (byId("sorted-by")).value = sort;
  const found = sortedBy(namedLike(chosen, words), sort, descending);
  // another choice begins at its first page
  if (chosenText() !== chosenBefore) first = 0;
  chosenBefore = chosenText();
  first = Math.max(0, Math.min(first, Math.ceil(found.length / AT_ONCE) * AT_ONCE - AT_ONCE));
  const shown = found.slice(first, first + AT_ONCE);
  const columns = thin(host) ? columnsOfPhone() : COLUMNS;
  card.show(
    found.length
      ? table({
          caption: `Activities, ${chosenText()}`,
          kind: "listing",
          columns: columns.map((column) => ({ row: column.row, number: column.number, text: sorter(column), sort: sortedAs(column) })),
          rows: shown.map((row) => columns.map(({ of }) => of(row))),
        })
      : h("p", { class: "empty" }, "No name has all of these words, in ", chosenText(), "."),
    found.length > AT_ONCE ? pages(host, found.length) : "",
  );
  card.say(
    h(
      "span",
      { role: "status" },
      `${words.trim() ? `${whole.format(found.length)} of ` : ""}${counted(chosen.length, "activity", "activities")}, ${chosenText()}.`,
    ),
  );
});

/** The name, and two figures: the distance or what the list is sorted by, and the time. */
function columnsOfPhone() {
  const [day, name, , distanceOf, time] = COLUMNS;
  const sorted = COLUMNS.find((column) => column.sort === sort && column.number && column !== time) ?? distanceOf;
  return [{ ...name, of: (/** @type {Activity} */ row) => [name.of(row), h("span", { class: "under" }, day.of(row))] }, sorted, time];
}

/** @param {Column} column */
function sortedAs(column) {
  if (column.sort !== sort) return "none";
  return descending ? "descending" : "ascending";
}

function search() {
  return h(
    "label",
    { class: "pick search" },
    h("span", {}, "Search names"),
    h("input", {
      type: "search",
      id: "search",
      autocomplete: "off",
      spellcheck: "false",
      on: {
        input: (event) => {
          words = event.target.value;
          first = 0;
          redraw("listing");
        },
      },
    }),
  );
}

/** On a phone, where most columns have no heading that one could press. */
function sorting() {
  const options = COLUMNS.map(({ text, sort: key }) => h("option", { value: key }, text));
  const change = (/** @type {{ target: HTMLSelectElement }} */ { target }) => sortBy(/** @type {Column} */ (COLUMNS.find(({ sort: key }) => key === target.value)));
  return h("label", { class: "pick sorting" }, h("span", {}, "Sorted by"), h("select", { id: "sorted-by", on: { change } }, options));
}

/** @param {Column} column */
function sortBy({ sort: key, number, descending: newest }) {
  descending = sort === key ? !descending : Boolean(number || newest);
  sort = key;
  first = 0;
  redraw("listing");
}

/**
 * A column's heading, which sorts by it, and the other way round when it does already.
 *
 * @param {Column} column
 */
function sorter(column) {
  const id = `sort-${column.sort}`;
  const act = () => {
    sortBy(column);
    byId(id).focus();
  };
  return h("button", { type: "button", class: "sort", id, on: { click: act } }, column.text);
}

/**
 * @param {HTMLElement} host
 * @param {number} count
 */
function pages(host, count) {
  const go = (/** @type {number} */ by) => () => {
    first += by;
    redraw("listing");
    // the button that was used may be the one that is switched off now
    const buttons = [.../** @type {NodeListOf<HTMLButtonElement>} */ (host.querySelectorAll(".pages button"))];
    (by < 0 ? buttons : buttons.reverse()).find(({ disabled }) => !disabled)?.focus();
  };
  const button = (/** @type {string} */ text, /** @type {number} */ by, /** @type {boolean} */ disabled) => h("button", { type: "button", class: "more", disabled, on: { click: go(by) } }, text);
  return h(
    "div",
    { class: "pages" },
    button("Previous", -AT_ONCE, first === 0),
    h("span", {}, `${whole.format(first + 1)} to ${whole.format(Math.min(first + AT_ONCE, count))} of ${whole.format(count)}`),
    button("Next", AT_ONCE, first + AT_ONCE >= count),
  );
}
