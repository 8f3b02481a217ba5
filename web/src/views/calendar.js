// Calendar: a square a day, a band a year.

import { daysChosen, measureName, noneChosen, shownMeasure } from "../lib/choices.js";
import { THIS_YEAR, TODAY } from "../lib/data.js";
import { dayOf, dayText, mondayOf, MONTHS, weekdayOf, WEEKDAYS, yearOf, yearsWithGaps } from "../lib/dates.js";
import { counted, dateText, yearsText } from "../lib/formats.js";
import { state } from "../lib/state.js";
import { stepOf, stepsOf } from "../lib/steps.js";
import { amount, measured, MEASURES } from "../lib/units.js";
import { cardIn, thin } from "../ui/card.js";
import { h, moreButton, svg } from "../ui/elements.js";
import { heatLegend } from "../ui/legends.js";
import { panel, redraw } from "../ui/panels.js";
import { tipContent, tipsOver } from "../ui/tip.js";

/** @import { Day, DayNumber } from "../types.js" */

const CELL = 14;
let calendarYears = 3;

/**
 * The months of a year as columns of weeks.
 *
 * @param {number} year
 * @param {number} firstMonth
 * @param {number} lastMonth
 * @param {(day: DayNumber) => number} valueOf
 * @param {number[]} steps
 */
function yearBand(year, firstMonth, lastMonth, valueOf, steps) {
  const first = dayOf(year, firstMonth, 1);
  const last = dayOf(year, lastMonth + 1, 0);
  const origin = mondayOf(first);
  const column = (/** @type {number} */ day) => Math.floor((day - origin) / 7);
  const left = 26;
  const top = 16;
  const width = left + (column(last) + 1) * CELL;
  const cells = [];
  for (let day = first; day <= last; day += 1) {
    cells.push(
      svg("rect", {
        x: left + column(day) * CELL,
        y: top + weekdayOf(day) * CELL,
        width: CELL - 2,
        height: CELL - 2,
        rx: 2.5,
        "data-heat": day > TODAY ? "future" : stepOf(valueOf(day), steps),
        "data-tip": day > TODAY ? null : day,
      }),
    );
  }
  const months = [];
  for (let month = firstMonth; month <= lastMonth; month += 1) {
    const at = column(dayOf(year, month, 1) + 6);
    months.push(svg("text", { x: left + at * CELL, y: 10 }, MONTHS[month - 1]));
  }
  const weekdays = [0, 2, 4].map((weekday) => svg("text", { x: 0, y: top + weekday * CELL + 10 }, WEEKDAYS[weekday].slice(0, 3)));
  return svg("svg", { class: "heat", viewBox: `0 0 ${width} ${top + 7 * CELL}` }, months, weekdays, cells);
}

export default panel("calendar", ["year", "sport", "type", "measure", "units"], (host) => {
  const card = cardIn(host, "Every day");
  const measure = shownMeasure();
  const days = daysChosen();
  if (!days.length) return card.empty(noneChosen());
  /** @type {Map<DayNumber, Day[]>} */
  const byDay = new Map();
  for (const row of days) byDay.set(row.day, [...(byDay.get(row.day) ?? []), row]);
  const valueOf = (/** @type {number} */ day) => (byDay.get(day) ?? []).reduce((sum, row) => sum + (row[measure] ?? 0), 0);
  const steps = stepsOf([...byDay.keys()].map(valueOf));
  // what a wrong clock dates into the future comes last: nobody opens the calendar for it
  const activeYears = days.map((row) => row.year);
  const entries =
    state.year !== null
      ? [state.year]
      : [...yearsWithGaps([THIS_YEAR, ...activeYears.filter((year) => year < THIS_YEAR)]), ...yearsWithGaps(activeYears.filter((year) => year > THIS_YEAR))];
  const shown = entries.slice(0, calendarYears);
  const years = shown.filter(Number.isInteger);
  const bands = shown.map((year) => {
    if (Array.isArray(year)) return h("p", { class: "gap-of-years under" }, `${yearsText(year)}: nothing`);
    const active = new Set(days.filter((row) => row.year === year).map((row) => row.day)).size;
    return h(
      "div",
      { class: "band" },
      h("h4", {}, `${year}`, h("span", { class: "under" }, counted(active, "active day", "active days"))),
      h(
        "div",
        { class: "picture", role: "img", "aria-label": `${MEASURES[measure].label} of each day of ${year}: ${counted(active, "active day", "active days")}` },
        thin(host)
          ? [yearBand(year, 1, 6, valueOf, steps), yearBand(year, 7, 12, valueOf, steps)]
          : yearBand(year, 1, 12, valueOf, steps),
      ),
    );
  });
  card.aside.replaceChildren(heatLegend(steps));
  card.show(
    ...bands,
    shown.length < entries.length
      ? moreButton(`Show all ${entries.filter(Number.isInteger).length} years`, () => {
          calendarYears = entries.length;
          redraw("calendar");
        })
      : "",
  );
  tipsOver(card.stage, (day) =>
    tipContent(
      `${WEEKDAYS[weekdayOf(day)]}, ${dateText(dayText(day))}`,
      (byDay.get(day) ?? []).map((row) => [row.sport_group, row.sport_group, measured(measure, row[measure] ?? 0)]),
      byDay.has(day) ? null : "Rest",
    ),
  );
  card.say(`${measureName()} of each day, by local date.`);
  card.tableBehind(() => ({
    caption: `${measureName()} by day`,
    columns: [{ text: "Day", row: true }, "Sports", { text: measureName(), number: true }],
    rows: [...byDay.keys()]
      .filter((day) => years.includes(yearOf(dayText(day))))
      .sort((a, b) => b - a)
      .map((day) => [dateText(dayText(day)), (byDay.get(day) ?? []).map((row) => row.sport_group).join(", "), amount(measure, valueOf(day))]),
  }));
});
