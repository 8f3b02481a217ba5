// Spans of days that are compared.

import { DATA, THIS_YEAR, TODAY } from "./data.js";
import { dayOf, dayText, mondayOf, yearOf } from "./dates.js";
import { state } from "./state.js";

/** @import { DateText, DayNumber } from "../types.js" */

/**
 * @typedef {object} Spans
 * @property {[DayNumber, DayNumber]} now from its first day to its last
 * @property {[DayNumber, DayNumber] | null} before
 * @property {string} text
 * @property {string | null} against what `before` is, in words
 */

/**
 * The span of the tiles, and the same span before it, as [first, last] days with words for both.
 *
 * @returns {Spans}
 */
export function spans() {
  /** @type {(year: number) => Spans} */
  const yearsSpan = (year) => {
    const so = year === THIS_YEAR;
    const [, month, day] = DATA.today.split("-").map(Number);
    const last = so ? TODAY : dayOf(year, 12, 31);
    // 29 February is compared with 28 February
    const lastBefore = so ? Math.min(dayOf(year - 1, month, day), dayOf(year - 1, month + 1, 0)) : dayOf(year - 1, 12, 31);
    return {
      now: [dayOf(year, 1, 1), last],
      before: [dayOf(year - 1, 1, 1), lastBefore],
      text: so ? `${year} so far` : `${year}`,
      against: so ? `${year - 1} to the same day` : `${year - 1}`,
    };
  };
  if (state.year !== null) return yearsSpan(state.year);
  if (state.span === "year") return yearsSpan(THIS_YEAR);
  if (state.span === "week") {
    const monday = mondayOf(TODAY);
    return {
      now: [monday, TODAY],
      before: [monday - 7, TODAY - 7],
      text: "This week so far",
      against: "last week to the same day",
    };
  }
  if (state.span === "month") {
    const [year, month, day] = DATA.today.split("-").map(Number);
    return {
      now: [dayOf(year, month, 1), TODAY],
      before: [dayOf(year, month - 1, 1), Math.min(dayOf(year, month - 1, day), dayOf(year, month, 0))],
      text: "This month so far",
      against: "last month to the same day",
    };
  }
  return { now: [-Infinity, Infinity], before: null, text: "All years", against: null };
}

/**
 * The year that a part of the page opens at: this one if it has anything, else the last one that has and is not to come.
 *
 * @param {number[]} years
 */
export function newestOf(years) {
  return Math.max(...(years.some((year) => year <= THIS_YEAR) ? years.filter((year) => year <= THIS_YEAR) : years));
}

/**
 * The months from the first to the last of `found`, all of them; at most five years, wherever a wrong clock has put one.
 *
 * @param {DateText[]} found
 * @returns {DateText[]}
 */
export function monthsTo(found) {
  const last = found.reduce((latest, month) => (month > latest && month <= DATA.today ? month : latest), "") || ([...found].sort().at(-1) ?? "");
  const first = found.reduce((earliest, month) => (month < earliest ? month : earliest), last);
  const months = [];
  for (let month = last; month >= first && months.length < 60; month = dayText(dayOf(yearOf(month), +month.slice(5, 7) - 1, 1))) months.unshift(month);
  return months;
}
