// Periods of days that are compared with each other, as [first, last] day numbers.

import { SPORTS, THIS_YEAR, TODAY, YEARS } from "./data.js";
import { dayNumber, dayOf, dayText, mondayOf, yearOf } from "./dates.js";
import { sumOf } from "./sums.js";

/** @import { Day, DayNumber, Measure, Period } from "../types.js" */

// what is typed into a date has a year of fewer digits first
export const [EARLIEST, LATEST] = ["1900-01-01", "2199-12-31"];

/** @type {{ [key: string]: [string, (period: Period) => Period] }} what a period is by the one that it is compared with */
export const RELATED = {
  "year-before": ["The same days a year before", yearBefore],
  "days-before": ["The days just before", daysBefore],
};

/**
 * The periods that have a name, as [key, name]: those up to today, then years.
 *
 * @returns {[string, string][]}
 */
export function namedPeriods() {
  return [
    ["this-year", "This year so far"],
    ["this-month", "This month so far"],
    ["this-week", "This week so far"],
    ["last-28", "Last 28 days"],
    ["last-365", "Last 365 days"],
    ...YEARS.map((year) => /** @type {[string, string]} */ ([`${year}`, year === THIS_YEAR ? `${year}, all of it` : `${year}`])),
  ];
}

/**
 * The key of a period without a name: "2025-01-01..2025-03-31".
 *
 * @param {[DayNumber, DayNumber]} days in whatever order
 */
export function keyOf([one, other]) {
  return `${dayText(one)}..${dayText(other)}`;
}

/**
 * The days that such a key has, in its order; null when it is none.
 *
 * @param {string} key
 * @returns {[DayNumber, DayNumber] | null}
 */
export function daysOfKey(key) {
  const days = key.split("..");
  const exist = days.length === 2 && days.every((day) => day >= EARLIEST && day <= LATEST && isDate(day));
  return exist ? [dayNumber(days[0]), dayNumber(days[1])] : null;
}

/** @param {string} text */
function isDate(text) {
  return /^\d{4}-\d\d-\d\d$/.test(text) && dayText(dayNumber(text)) === text;
}

/**
 * Whether a period has this key.
 *
 * @param {string} key
 */
export function isPeriod(key) {
  return daysOfKey(key) !== null || namedPeriods().some(([named]) => named === key);
}

/**
 * The days of a period by its key.
 *
 * @param {string} key
 * @returns {Period}
 */
export function periodOf(key) {
  const today = dayText(TODAY);
  const days = daysOfKey(key);
  if (days) return [Math.min(...days), Math.max(...days)];
  if (key === "this-year") return [dayOf(THIS_YEAR, 1, 1), TODAY];
  if (key === "this-month") return [dayOf(THIS_YEAR, +today.slice(5, 7), 1), TODAY];
  if (key === "this-week") return [mondayOf(TODAY), TODAY];
  if (key.startsWith("last-")) return [TODAY - +key.slice(5) + 1, TODAY];
  return [dayOf(+key, 1, 1), dayOf(+key, 12, 31)];
}

/**
 * The days just before a period, as many as it has.
 *
 * @param {Period} period
 * @returns {Period}
 */
export function daysBefore([first, last]) {
  return [2 * first - last - 1, first - 1];
}

/**
 * The same days of the year before; 29 February becomes 28 February.
 *
 * @param {Period} period
 * @returns {Period}
 */
export function yearBefore(period) {
  const before = (/** @type {number} */ day) => {
    const date = dayText(day);
    const [year, month] = [yearOf(date) - 1, +date.slice(5, 7)];
    return Math.min(dayOf(year, month, +date.slice(8, 10)), dayOf(year, month + 1, 0));
  };
  return [before(period[0]), before(period[1])];
}

/**
 * The sums of `days` over a period, how many of its days are active, and how many days it has.
 *
 * @param {Day[]} days
 * @param {Period} period
 */
export function sumsOver(days, [first, last]) {
  const active = new Set(days.filter(({ day, activities }) => day >= first && day <= last && activities > 0).map(({ day }) => day));
  return { ...sumOf(days, first, last), active_days: active.size, days: Math.max(0, last - first + 1) };
}

/**
 * What a measure has come to by the end of each day of a period; null for days to come.
 *
 * @param {Day[]} days
 * @param {Period} period
 * @param {Measure} measure
 */
export function grownOver(days, [first, last], measure) {
  const sums = new Array(Math.max(0, last - first + 1)).fill(0);
  for (const row of days) if (row.day >= first && row.day <= last) sums[row.day - first] += row[measure] ?? 0;
  let sum = 0;
  return sums.map((value, i) => ((sum += value), first + i > TODAY ? null : sum));
}

/**
 * The sums of a measure by sport over each of the periods, of the sports that have any.
 *
 * @param {Day[]} days
 * @param {Period[]} periods
 * @param {Measure} measure
 * @returns {{ sport: string, sums: number[] }[]}
 */
export function bySport(days, periods, measure) {
  return SPORTS.map((sport) => {
    const own = days.filter((row) => row.sport_group === sport);
    return { sport, sums: periods.map((period) => sumOf(own, ...period)[measure]) };
  }).filter(({ sums }) => sums.some((sum) => sum > 0));
}
