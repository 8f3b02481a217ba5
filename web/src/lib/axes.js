// What an axis shows.

import { DATA } from "./data.js";
import { dayOf, dayText, yearOf } from "./dates.js";

/** The least of 1, 2, 5, 10, 20 … that is no less than `least`. */
export function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return power * [1, 2, 5, 10].find((step) => step * power >= least);
}

/** The months from the first to the last of `found`, all of them; at most five years, wherever a wrong clock has put one. */
export function monthsTo(found) {
  const last = found.reduce((latest, month) => (month > latest && month <= DATA.today ? month : latest), "") || [...found].sort().at(-1);
  const first = found.reduce((earliest, month) => (month < earliest ? month : earliest), last);
  const months = [];
  for (let month = last; month >= first && months.length < 60; month = dayText(dayOf(yearOf(month), +month.slice(5, 7) - 1, 1))) months.unshift(month);
  return months;
}

/** The dates that the chart shows at first: the last year of it, and of who has been idle since the last load, that time. */
export function lastYearOf(rows) {
  const idle = rows.length - 1 - rows.findLastIndex((row) => row.load);
  const last = Math.max(0, rows.length - 1 - Math.max(0, idle - 90));
  return [rows[Math.max(0, last - 364)].date, rows[last].date];
}

/** The days of warm-up as [first, last] dates of each run of rows. */
export function warmUps(rows) {
  const runs = [];
  rows.forEach((row, i) => {
    if (!row.is_warm_up) return;
    if (i && rows[i - 1].is_warm_up) runs.at(-1)[1] = row.date;
    else runs.push([row.date, row.date]);
  });
  return runs;
}
