// What the warehouse says. Dates are local ones and stay text or whole day numbers: the viewer's time zone has no say.

import { dayNumber, yearOf } from "./dates.js";

export const GROUPS = ["Ride", "Run", "Walk", "Swim", "Snow", "Water", "Gym", "Other"];

export let DATA;
export let TODAY;
export let THIS_YEAR;
export let ACTIVITIES;
export let DAYS;
export let YEARS;
export let SPORTS;

const tables = new Map();
const byId = new Map();

/** Take up the page's data; whatever else is asked for here is of the data taken up last. */
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

/** The rows of a table as objects; none where the page has no such table. */
export function rowsOf(name) {
  if (!tables.has(name)) {
    const { columns, rows } = DATA.tables[name] ?? { columns: [], rows: [] };
    tables.set(name, rows.map((row) => Object.fromEntries(columns.map((column, i) => [column, row[i]]))));
  }
  return tables.get(name);
}

/** The activity of this id; undefined without one. */
export function activityOf(id) {
  return byId.get(id);
}

/** The sport types of a group, the most frequent first; none where no more is known than the group (a public page). */
export function typesOf(sport) {
  const counts = new Map();
  for (const { sport_group: group, sport_type: type } of ACTIVITIES) {
    if (type && group === sport) counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || (a < b ? -1 : 1));
}
