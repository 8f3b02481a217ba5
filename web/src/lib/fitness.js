// Fitness, fatigue and form: names, warm-up, and what the chart opens at.

/** @import { Colour, DateText, LoadOfDay } from "../types.js" */

/**
 * What form is called, from its lowest value on, with the colour of its band.
 *
 * @type {[string, number, Colour | null][]}
 */
export const FORMS = [
  ["High risk", -Infinity, "accent"],
  ["Optimal", -30, "band-3"],
  ["Grey zone", -10, null],
  ["Fresh", 5, "band-2"],
  ["Transition", 25, "band-1"],
];

/**
 * What a form is called: "Fresh".
 *
 * @param {number} form
 */
export function formText(form) {
  return (FORMS.findLast(([, lowest]) => form >= lowest) ?? FORMS[0])[0];
}

/**
 * The days of warm-up as [first, last] dates of each run of rows.
 *
 * @param {LoadOfDay[]} rows
 * @returns {[DateText, DateText][]}
 */
export function warmUps(rows) {
  /** @type {[DateText, DateText][]} */
  const runs = [];
  rows.forEach((row, i) => {
    if (!row.is_warm_up) return;
    if (i && rows[i - 1].is_warm_up) runs[runs.length - 1][1] = row.date;
    else runs.push([row.date, row.date]);
  });
  return runs;
}

/**
 * The dates that the chart shows at first: the last year of it, and of who has been idle since the last load, that time.
 *
 * @param {LoadOfDay[]} rows
 * @returns {[DateText, DateText]}
 */
export function lastYearOf(rows) {
  const idle = rows.length - 1 - rows.findLastIndex((row) => row.load);
  const last = Math.max(0, rows.length - 1 - Math.max(0, idle - 90));
  return [rows[Math.max(0, last - 364)].date, rows[last].date];
}
