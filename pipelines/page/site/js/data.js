"use strict";

// What the warehouse says. Dates are local ones and stay text or whole day numbers: the viewer's time zone has no say.

const DATA = JSON.parse(document.getElementById("data").textContent);
const GROUPS = ["Ride", "Run", "Walk", "Swim", "Snow", "Water", "Gym", "Other"];

const rowsHeld = new Map();

/** The rows of a table as objects; none where the page has no such table. */
function rowsOf(name) {
  if (!rowsHeld.has(name)) {
    const table = DATA.tables[name] ?? { columns: [], rows: [] };
    rowsHeld.set(name, table.rows.map((row) => Object.fromEntries(table.columns.map((column, i) => [column, row[i]]))));
  }
  return rowsHeld.get(name);
}

// a public page holds nothing for these
const LEFT_OUT = DATA.public ? ["hours", "load", "zones", "efforts", "predictions", "map", "routes", "gear", "left_out"] : [];

/** Days since 1970-01-01 of "2026-11-26". */
function dayNumber(text) {
  return Date.UTC(+text.slice(0, 4), +text.slice(5, 7) - 1, +text.slice(8, 10)) / 86400000;
}

/** The date, as text, of a day number. */
function dayText(number) {
  return new Date(number * 86400000).toISOString().slice(0, 10);
}

/** 0 for Monday to 6 for Sunday. */
function weekdayOf(number) {
  return (((number + 3) % 7) + 7) % 7;
}

function mondayOf(number) {
  return number - weekdayOf(number);
}

function yearOf(text) {
  return +text.slice(0, 4);
}

function dayOf(year, month, day) {
  return Date.UTC(year, month - 1, day) / 86400000;
}

const TODAY = dayNumber(DATA.today);
const THIS_YEAR = yearOf(DATA.today);
const DAYS = rowsOf("activities_daily").map((row) => ({
  ...row,
  day: dayNumber(row.activity_date),
  year: yearOf(row.activity_date),
}));
const YEARS = [...new Set(DAYS.map((row) => row.year))].sort((a, b) => b - a);
const SPORTS = [...new Set(DAYS.map((row) => row.sport_group))].sort(
  (a, b) => (GROUPS.indexOf(a) + 99) % 99 - (GROUPS.indexOf(b) + 99) % 99,
);
const ACTIVITIES = rowsOf("activities");
const SUMMED = ["activities", "distance_m", "moving_time_s", "total_elevation_gain_m"];

/** The sport types of a group, the most frequent first; none where no more is known than the group (a public page). */
function typesOf(sport) {
  const counts = new Map();
  for (const { sport_group: group, sport_type: type } of ACTIVITIES) {
    if (type && group === sport) counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || (a < b ? -1 : 1));
}

/** Days of one sport type, from its activities: the warehouse sums by group. */
function daysOfType(type) {
  const days = new Map();
  for (const row of ACTIVITIES) {
    if (row.sport_type !== type) continue;
    const date = row.started_local.slice(0, 10);
    if (!days.has(date)) {
      const sums = Object.fromEntries(SUMMED.map((name) => [name, 0]));
      days.set(date, { activity_date: date, sport_group: row.sport_group, day: dayNumber(date), year: yearOf(date), ...sums });
    }
    const day = days.get(date);
    for (const name of SUMMED) day[name] += name === "activities" ? 1 : (row[name] ?? 0);
  }
  return [...days.values()].sort((a, b) => a.day - b.day);
}

/** The years from the newest to the oldest, those without any of `years` in between as [first, last]. */
function yearsWithGaps(years) {
  const sorted = [...new Set(years)].sort((a, b) => b - a);
  return sorted.flatMap((year, i) => {
    const next = sorted[i + 1];
    return next === undefined || next === year - 1 ? [year] : [year, [next + 1, year - 1]];
  });
}

/** "2020", "1975 – 2023". */
function yearsText([first, last]) {
  return first === last ? `${first}` : `${first} – ${last}`;
}

/** The year that a part of the page opens at: this one if it has anything, else the last one that has and is not to come. */
function newestOf(years) {
  return Math.max(...(years.some((year) => year <= THIS_YEAR) ? years.filter((year) => year <= THIS_YEAR) : years));
}

/** The sums over `days` from `first` to `last`. */
function sumOf(days, first, last) {
  const sums = Object.fromEntries(SUMMED.map((name) => [name, 0]));
  for (const row of days) {
    if (row.day >= first && row.day <= last) {
      for (const name of SUMMED) sums[name] += row[name] ?? 0;
    }
  }
  return sums;
}

/** The rows of a table that carries both year and sport group, or one of them, as the filters choose. */
function chosen(rows, { sport = null, year = null }) {
  return rows.filter((row) => (sport === null || row.sport_group === sport) && (year === null || row.year === year));
}
