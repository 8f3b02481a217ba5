// What the warehouse says. Dates are local ones and stay text or whole day numbers: the viewer's time zone has no say.

import { dayNumber, yearOf } from "./dates.js";

/** @import { Activity, Day, DayNumber, PageData, Tables } from "../types.js" */

export const GROUPS = ["Ride", "Run", "Walk", "Swim", "Snow", "Water", "Gym", "Other"];

/** @type {PageData} */
export let DATA;
/** @type {DayNumber} */
export let TODAY;
/** @type {number} */
export let THIS_YEAR;
/** @type {Activity[]} the newest first */
export let ACTIVITIES;
/** @type {Day[]} one of each sport of a day, the earliest first */
export let DAYS;
/** @type {number[]} the newest first */
export let YEARS;
/** @type {string[]} groups with an activity */
export let SPORTS;

/** @type {Map<string, any[]>} */
const tables = new Map();
/** @type {Map<string | null | undefined, Activity>} */
const byId = new Map();

/**
 * Take up the page's data; whatever else is asked for here is of the data taken up last.
 *
 * @param {PageData} data
 */
export function load(data) {
  tables.clear();
  DATA = data;
  TODAY = dayNumber(data.today);
  THIS_YEAR = yearOf(data.today);
  ACTIVITIES = rowsOf("activities");
  byId.clear();
  for (const row of ACTIVITIES) if (row.id) byId.set(row.id, row);
  DAYS = rowsOf("activities_daily").map((row) => ({
    ...row,
    day: dayNumber(row.activity_date),
    year: yearOf(row.activity_date),
  }));
  YEARS = [...new Set(DAYS.map((row) => row.year))].sort((a, b) => b - a);
  SPORTS = [...new Set(DAYS.map((row) => row.sport_group))].sort(
    (a, b) => ((GROUPS.indexOf(a) + 99) % 99) - ((GROUPS.indexOf(b) + 99) % 99),
  );
}

/**
 * The rows of a table as objects; none where the page has no such table.
 *
 * @template {keyof Tables} Name
 * @param {Name} name
 * @returns {Tables[Name][]}
 */
export function rowsOf(name) {
  if (!tables.has(name)) {
    const { columns, rows } = DATA.tables[name] ?? { columns: [], rows: [] };
    tables.set(name, rows.map((row) => Object.fromEntries(columns.map((column, i) => [column, row[i]]))));
  }
  return tables.get(name) ?? [];
}

/**
 * The activity of this id; undefined without one.
 *
 * @param {string | null | undefined} id
 */
export function activityOf(id) {
  return byId.get(id);
}

/**
 * The sport types of a group, the most frequent first; none where no more is known than the group (a public page).
 *
 * @param {string} sport
 * @returns {string[]}
 */
export function typesOf(sport) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  const of = (/** @type {string} */ type) => counts.get(type) ?? 0;
  for (const { sport_group: group, sport_type: type } of ACTIVITIES) {
    if (type && group === sport) counts.set(type, of(type) + 1);
  }
  return [...counts.keys()].sort((a, b) => of(b) - of(a) || (a < b ? -1 : 1));
}
