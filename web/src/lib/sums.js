// What days add up to.

import { ACTIVITIES } from "./data.js";
import { dayNumber, yearOf } from "./dates.js";

const SUMMED = ["activities", "distance_m", "moving_time_s", "total_elevation_gain_m"];

/** The sums over `days` from `first` to `last`. */
export function sumOf(days, first, last) {
  const sums = nothing();
  for (const row of days) {
    if (row.day >= first && row.day <= last) {
      for (const name of SUMMED) sums[name] += row[name] ?? 0;
    }
  }
  return sums;
}

/** Days of one sport type, from its activities: the warehouse sums by group. */
export function daysOfType(type) {
  const days = new Map();
  for (const row of ACTIVITIES) {
    if (row.sport_type !== type) continue;
    const date = row.started_local.slice(0, 10);
    if (!days.has(date)) {
      days.set(date, { activity_date: date, sport_group: row.sport_group, day: dayNumber(date), year: yearOf(date), ...nothing() });
    }
    const day = days.get(date);
    for (const name of SUMMED) day[name] += name === "activities" ? 1 : (row[name] ?? 0);
  }
  return [...days.values()].sort((a, b) => a.day - b.day);
}

function nothing() {
  return { activities: 0, distance_m: 0, moving_time_s: 0, total_elevation_gain_m: 0 };
}
