// What the choices mean: which days, activities and measure, in words and in the address.

import { ACTIVITIES, DATA, DAYS, SPORTS, typesOf, YEARS } from "./data.js";
import { yearOf } from "./dates.js";
import { sportText } from "./formats.js";
import { isPeriod, RELATED } from "./periods.js";
import { state } from "./state.js";
import { daysOfType } from "./sums.js";
import { MEASURES, METRES } from "./units.js";

/** @import { Choices, Day, Measure, Span, Theme, Units } from "../types.js" */

// what the address may say of each choice, and what is chosen when it says something else
const ALLOWED = {
  year: (/** @type {string} */ text) => (YEARS.includes(+text) ? +text : null),
  sport: (/** @type {string} */ text) => (SPORTS.includes(text) ? text : "All"),
  type: (/** @type {string} */ text) => text,
  measure: oneOf(/** @type {Measure[]} */ (Object.keys(MEASURES)), () => "distance_m"),
  span: oneOf(/** @type {Span[]} */ (["week", "month", "year", "all"]), () => "year"),
  units: oneOf(/** @type {Units[]} */ (Object.keys(METRES)), () => DATA.units),
  theme: oneOf(/** @type {Theme[]} */ (["light", "dark", "auto"]), () => "auto"),
  compare: (/** @type {string} */ text) => (isPeriod(text) ? text : "this-year"),
  with: (/** @type {string} */ text) => (Object.hasOwn(RELATED, text) || isPeriod(text) ? text : "year-before"),
  // one that the page has not can be asked for, too
  activity: (/** @type {string} */ text) => (!DATA.public && /^-?\d+$/.test(text) ? text : null),
};

/**
 * @template {string} Value
 * @param {Value[]} values
 * @param {() => Value} otherwise
 * @returns {(text: string) => Value}
 */
function oneOf(values, otherwise) {
  return (text) => values.find((value) => value === text) ?? otherwise();
}

/**
 * What is chosen as long as the reader has chosen nothing.
 *
 * @returns {Choices}
 */
function defaults() {
  return { year: null, sport: "All", type: null, measure: "distance_m", span: "year", units: DATA.units, theme: "auto", compare: "this-year", with: "year-before", activity: null };
}

/**
 * The choices that the address has after "#"; null when it names a place on the page instead.
 *
 * @param {string} hash
 * @returns {Choices | null}
 */
export function choicesOf(hash) {
  const text = hash.slice(1);
  if (text && !text.includes("=")) return null;
  const given = new URLSearchParams(text);
  const choices = Object.entries(ALLOWED).flatMap(([name, allowed]) => {
    const said = given.getAll(name).at(-1);
    return said === undefined ? [] : [[name, allowed(said)]];
  });
  return consistent({ ...defaults(), ...Object.fromEntries(choices) });
}

/**
 * What the address has after "#" for what is chosen: "year=2025&sport=Run", empty when nothing is.
 *
 * @param {Choices} choices
 */
export function addressOf(choices) {
  const usual = new Map(Object.entries(defaults()));
  return Object.entries(choices)
    .filter(([name, value]) => value !== usual.get(name))
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join("&");
}

/**
 * These choices without a sport type that is none of the sport's.
 *
 * @param {Choices} choices
 * @returns {Choices}
 */
export function consistent(choices) {
  return choices.type !== null && typesOf(choices.sport).includes(choices.type) ? choices : { ...choices, type: null };
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

/**
 * Whether this row of a table by group of sports is of the sport that is chosen.
 *
 * @param {{ sport_group: string }} row
 */
export function isOfGroup(row) {
  return state.sport === "All" || row.sport_group === state.sport;
}

/**
 * Whether the year is the one that is chosen.
 *
 * @param {number} year
 */
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

/** @type {{ of: Day[] | null, sport: string, type: string | null, days: Day[] }} */
let known = { of: null, sport: "All", type: null, days: [] };

/** The days of the sport that is chosen, of all years; found once, since nearly every panel asks. */
export function sportDays() {
  const { sport, type } = state;
  if (known.of !== DAYS || known.sport !== sport || known.type !== type) {
    known = { of: DAYS, sport, type, days: type ? daysOfType(type) : DAYS.filter(isOfSport) };
  }
  return known.days;
}

/** @param {{ sport_group: string, sport_type?: string | null }} row */
function isOfSport(row) {
  return isOfGroup(row) && (state.type === null || row.sport_type === state.type);
}

/**
 * The measure that is drawn: the one chosen, unless there is none of it in this sport, as lifting has no distance.
 *
 * @returns {Measure}
 */
export function shownMeasure() {
  const days = sportDays();
  const some = (/** @type {Measure} */ measure) => days.some((row) => (row[measure] ?? 0) > 0);
  if (some(state.measure)) return state.measure;
  if (some("moving_time_s")) return "moving_time_s";
  return some("activities") ? "activities" : state.measure;
}

/** What the measure that is drawn is called: "Distance (km)". */
export function measureName() {
  const { label, unit } = MEASURES[shownMeasure()];
  return `${label}${unit() ? ` (${unit()})` : ""}`;
}
