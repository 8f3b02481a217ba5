// Days as whole numbers and dates as text: the viewer's time zone has no say.

/** @import { DateText, DayNumber } from "../types.js" */

export const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
export const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/**
 * Days since 1970-01-01 of "2026-11-26".
 *
 * @param {DateText} text
 */
export function dayNumber(text) {
  return Date.UTC(+text.slice(0, 4), +text.slice(5, 7) - 1, +text.slice(8, 10)) / 86400000;
}

/**
 * The date, as text, of a day number.
 *
 * @param {DayNumber} number
 * @returns {DateText}
 */
export function dayText(number) {
  return new Date(number * 86400000).toISOString().slice(0, 10);
}

/**
 * 0 for Monday to 6 for Sunday.
 *
 * @param {DayNumber} number
 */
export function weekdayOf(number) {
  return (((number + 3) % 7) + 7) % 7;
}

/** @param {DayNumber} number */
export function mondayOf(number) {
  return number - weekdayOf(number);
}

/** @param {string} text */
export function yearOf(text) {
  return +text.slice(0, 4);
}

/**
 * @param {number} year
 * @param {number} month from 1
 * @param {number} day
 * @returns {DayNumber}
 */
export function dayOf(year, month, day) {
  return Date.UTC(year, month - 1, day) / 86400000;
}

/**
 * The years from the newest to the oldest, those without any of `years` in between as [first, last].
 *
 * @param {number[]} years
 * @returns {(number | [number, number])[]}
 */
export function yearsWithGaps(years) {
  const sorted = [...new Set(years)].sort((a, b) => b - a);
  return sorted.flatMap((year, i) => {
    const next = sorted[i + 1];
    return next === undefined || next === year - 1 ? [year] : [year, [next + 1, year - 1]];
  });
}
