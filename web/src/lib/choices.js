// What the choices mean: which days, activities and measure, in words and in the address.

import { ACTIVITIES, activityOf, DATA, DAYS, SPORTS, typesOf, YEARS } from "./data.js";
import { yearOf } from "./dates.js";
import { sportText } from "./formats.js";
import { state } from "./state.js";
import { daysOfType } from "./sums.js";
import { MEASURES, METRES } from "./units.js";

const ALLOWED = {
  year: (text) => (YEARS.includes(+text) ? +text : null),
  sport: (text) => (SPORTS.includes(text) ? text : "All"),
  type: (text) => text,
  measure: (text) => (Object.hasOwn(MEASURES, text) ? text : "distance_m"),
  span: (text) => (["week", "month", "year", "all"].includes(text) ? text : "year"),
  units: (text) => (Object.hasOwn(METRES, text) ? text : DATA.units),
  theme: (text) => (["light", "dark"].includes(text) ? text : "auto"),
  activity: (text) => (activityOf(text) ? text : null),
};

/** What is chosen as long as the reader has chosen nothing. */
function defaults() {
  return { year: null, sport: "All", type: null, measure: "distance_m", span: "year", units: DATA.units, theme: "auto", activity: null };
}

/** The choices that the address has after "#"; null when it names a place on the page instead. */
export function choicesOf(hash) {
  const text = hash.slice(1);
  if (text && !text.includes("=")) return null;
  const given = new Map(new URLSearchParams(text));
  return consistent(
    Object.fromEntries(Object.entries(defaults()).map(([name, value]) => [name, given.has(name) ? ALLOWED[name](given.get(name)) : value])),
  );
}

/** What the address has after "#" for what is chosen: "year=2025&sport=Run", empty when nothing is. */
export function addressOf(choices) {
  return Object.entries(defaults())
    .filter(([name, value]) => choices[name] !== value)
    .map(([name]) => `${name}=${encodeURIComponent(choices[name])}`)
    .join("&");
}

/** These choices without a sport type that is none of the sport's. */
export function consistent(choices) {
  return typesOf(choices.sport).includes(choices.type) ? choices : { ...choices, type: null };
}

/** The sport that is chosen, in words: "All sports", "Run", "Trail Run". */
export function sportChosen(all = "All sports") {
  if (state.sport === "All") return all;
  return state.type ? sportText(state.type) : state.sport;
}

/** What is chosen, in words: "Run, 2025". */
export function chosenText() {
  return `${sportChosen("all sports")}, ${state.year ?? "all years"}`;
}

/** Why there is nothing to see. */
export function noneChosen() {
  return DAYS.length
    ? `No activities in this choice: ${chosenText()}.`
    : "No activities yet. They appear here after the first pull and build.";
}

/** Whether this row of a table by group of sports is of the sport that is chosen. */
export function isOfGroup(row) {
  return state.sport === "All" || row.sport_group === state.sport;
}

/** Whether the year is the one that is chosen. */
export function isOfYear(year) {
  return state.year === null || year === state.year;
}

/** The activities that are chosen, the newest first. */
export function activitiesChosen() {
  return ACTIVITIES.filter((row) => isOfSport(row) && isOfYear(yearOf(row.started_local)));
}

/** The days that are chosen. */
export function daysChosen() {
  return sportDays().filter((row) => isOfYear(row.year));
}

let known = { of: null, sport: null, type: null, days: [] };

/** The days of the sport that is chosen, of all years; found once, since nearly every panel asks. */
export function sportDays() {
  const { sport, type } = state;
  if (known.of !== DAYS || known.sport !== sport || known.type !== type) {
    known = { of: DAYS, sport, type, days: type ? daysOfType(type) : DAYS.filter(isOfSport) };
  }
  return known.days;
}

function isOfSport(row) {
  return isOfGroup(row) && (state.type === null || row.sport_type === state.type);
}

/** The measure that is drawn: the one chosen, unless there is none of it in this sport, as lifting has no distance. */
export function shownMeasure() {
  const days = sportDays();
  const some = (measure) => days.some((row) => row[measure] > 0);
  return [state.measure, "moving_time_s", "activities"].find(some) ?? state.measure;
}

/** What the measure that is drawn is called: "Distance (km)". */
export function measureName() {
  const { label, unit } = MEASURES[shownMeasure()];
  return `${label}${unit() ? ` (${unit()})` : ""}`;
}
