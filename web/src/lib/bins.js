// Sums of days by week, month, year as it grows, hour of the week, and zone.

import { DATA, THIS_YEAR, TODAY } from "./data.js";
import { dayOf, dayText, mondayOf } from "./dates.js";

/** @import { DateText, Day, DayNumber, Measure, TimeInZone, WeekdayHour } from "../types.js" */

/** The days of a leap year as "MM-DD": what other years lack stays as it was the day before. */
export const DAYS_OF_YEAR = Array.from({ length: 366 }, (_, i) => dayText(dayOf(2024, 1, 1) + i).slice(5));

const placeOf = new Map(DAYS_OF_YEAR.map((day, i) => [day, i]));

/**
 * The Mondays of the weeks with a day in `year`, to this week; without a year the last `count`.
 *
 * @param {number | null} year
 * @param {number} count
 * @returns {DayNumber[]}
 */
export function mondays(year, count) {
  const last = year === null || year === THIS_YEAR ? mondayOf(TODAY) : mondayOf(dayOf(year, 12, 31));
  const first = year === null ? last - 7 * (count - 1) : mondayOf(dayOf(year, 1, 1));
  const weeks = [];
  for (let monday = first; monday <= last; monday += 7) weeks.push(monday);
  return weeks;
}

/**
 * The sums of `measure` by sport and by these weeks' Mondays; sports without any are left out.
 *
 * @param {Day[]} days
 * @param {Measure} measure
 * @param {DayNumber[]} weeks
 * @returns {Map<string, Map<DayNumber, number>>}
 */
export function byWeek(days, measure, weeks) {
  /** @type {Map<string, Map<DayNumber, number>>} */
  const sums = new Map();
  const known = new Set(weeks);
  for (const row of days) {
    const monday = mondayOf(row.day);
    // a year's first and last weeks are whole weeks, its neighbours' days included
    const value = row[measure] ?? 0;
    if (!known.has(monday) || value <= 0) continue;
    const ofSport = sums.get(row.sport_group) ?? new Map(weeks.map((week) => [week, 0]));
    ofSport.set(monday, (ofSport.get(monday) ?? 0) + value);
    sums.set(row.sport_group, ofSport);
  }
  return sums;
}

/**
 * The twelve sums of `measure` by year.
 *
 * @param {Day[]} days
 * @param {Measure} measure
 * @returns {Map<number, number[]>}
 */
export function byMonth(days, measure) {
  const years = new Map();
  for (const row of days) {
    const months = years.get(row.year) ?? new Array(12).fill(0);
    months[+row.activity_date.slice(5, 7) - 1] += row[measure] ?? 0;
    years.set(row.year, months);
  }
  return years;
}

/**
 * What `measure` has come to on each of `DAYS_OF_YEAR`, by year, the earliest first; null for days to come.
 *
 * @param {Day[]} days
 * @param {Measure} measure
 * @returns {Map<number, (number | null)[]>}
 */
export function growth(days, measure) {
  const years = [...new Set(days.map((row) => row.year))].sort((a, b) => a - b);
  return new Map(
    years.map((year) => {
      const daily = new Array(366).fill(0);
      for (const row of days) if (row.year === year) daily[placeInYear(row.activity_date)] += row[measure] ?? 0;
      let sum = 0;
      const end = year === THIS_YEAR ? placeInYear(DATA.today) : 365;
      return [year, daily.map((value, i) => ((sum += value), i <= end ? sum : null))];
    }),
  );
}

/**
 * The place of a date in `DAYS_OF_YEAR`.
 *
 * @param {DateText} date
 * @returns {number}
 */
export function placeInYear(date) {
  return placeOf.get(date.slice(5, 10)) ?? 0;
}

/**
 * Activities and moving time of the 168 hours of the week, from Monday at midnight.
 *
 * @param {WeekdayHour[]} rows
 */
export function byHour(rows) {
  const sums = Array.from({ length: 168 }, () => ({ activities: 0, moving_time_s: 0 }));
  for (const row of rows) {
    const sum = sums[(row.weekday - 1) * 24 + row.hour];
    sum.activities += row.activities;
    sum.moving_time_s += row.moving_time_s ?? 0;
  }
  return sums;
}

/**
 * Seconds in each of the five zones by month, of these months alone.
 *
 * @param {TimeInZone[]} rows
 * @param {DateText[]} months
 * @returns {Map<DateText, number[]>}
 */
export function byZone(rows, months) {
  const sums = new Map(months.map((month) => [month, [0, 0, 0, 0, 0]]));
  for (const row of rows) {
    const ofMonth = sums.get(row.month_start_date);
    if (ofMonth) ofMonth[row.zone - 1] += row.moving_time_s;
  }
  return sums;
}
