// What days add up to.

import { ACTIVITIES } from "./data.js";
import { dayNumber, yearOf } from "./dates.js";

/** @import { DateText, Day, DayNumber, Measure, Sums } from "../types.js" */

/** @type {Measure[]} */
const SUMMED = ["activities", "distance_m", "moving_time_s", "total_elevation_gain_m"];

/**
 * The sums over `days` from `first` to `last`.
 *
 * @param {Day[]} days
 * @param {DayNumber} first
 * @param {DayNumber} last
 */
export function sumOf(days, first, last) {
  const sums = nothing();
  for (const row of days) {
    if (row.day >= first && row.day <= last) {
      for (const name of SUMMED) sums[name] += row[name] ?? 0;
    }
  }
  return sums;
}

/**
 * Days of one sport type, from its activities: the warehouse sums by group.
 *
 * @param {string} type
 * @returns {Day[]}
 */
export function daysOfType(type) {
  /** @type {Map<DateText, Day & Sums>} */
  const days = new Map();
  for (const row of ACTIVITIES) {
    if (row.sport_type !== type) continue;
    const date = row.started_local.slice(0, 10);
    const day = days.get(date) ?? { activity_date: date, sport_group: row.sport_group, day: dayNumber(date), year: yearOf(date), ...nothing() };
    days.set(date, day);
    for (const name of SUMMED) day[name] += name === "activities" ? 1 : (row[name] ?? 0);
  }
  return [...days.values()].sort((a, b) => a.day - b.day);
}

/** @returns {Sums} */
function nothing() {
  return { activities: 0, distance_m: 0, moving_time_s: 0, total_elevation_gain_m: 0 };
}
