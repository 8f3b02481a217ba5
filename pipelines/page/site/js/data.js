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

/** The sums over the days from `first` to `last` of a sport group, or of all. */
function sumOf(sport, first, last) {
  const sums = Object.fromEntries(SUMMED.map((name) => [name, 0]));
  for (const row of DAYS) {
    if (row.day >= first && row.day <= last && (sport === "All" || row.sport_group === sport)) {
      for (const name of SUMMED) sums[name] += row[name] ?? 0;
    }
  }
  return sums;
}

/** The rows of a table that carries both year and sport group, or one of them, as the filters choose. */
function chosen(rows, { sport = null, year = null }) {
  return rows.filter((row) => (sport === null || row.sport_group === sport) && (year === null || row.year === year));
}
