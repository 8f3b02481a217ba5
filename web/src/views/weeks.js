// Overview: weeks by sport.

import { byWeek, mondays } from "../lib/bins.js";
import { chosenText, measureName, noneChosen, shownMeasure, sportChosen, sportDays } from "../lib/choices.js";
import { DAYS, SPORTS } from "../lib/data.js";
import { dayText, MONTHS } from "../lib/dates.js";
import { rangeText, whole } from "../lib/formats.js";
import { state } from "../lib/state.js";
import { amount, measured, MEASURES } from "../lib/units.js";
import { cardIn, thin } from "../ui/card.js";
import { chartBase, colours } from "../ui/charts.js";
import { legend } from "../ui/legends.js";
import { panel } from "../ui/panels.js";
import { tipContent } from "../ui/tip.js";

export default panel("weekly", ["year", "sport", "type", "measure", "units"], (host) => {
  const card = cardIn(host, "Weeks");
  const measure = shownMeasure();
  const weeks = mondays(state.year, thin(host) ? 26 : 52);
  const sums = byWeek(sportDays(), measure, weeks);
  const used = SPORTS.filter((sport) => sums.has(sport));
  const of = (/** @type {string} */ sport, /** @type {number} */ monday) => sums.get(sport)?.get(monday) ?? 0;
  if (!used.length) {
    const nothing = `Nothing in the last ${weeks.length} weeks${state.sport === "All" ? "" : ` for ${sportChosen()}`}.`;
    return card.empty(DAYS.length && state.year === null ? nothing : noneChosen());
  }
  const ink = colours();
  const { axis, option, overBars, roomy } = chartBase(ink);
  const { number } = MEASURES[measure];
  const week = (/** @type {number} */ monday) => rangeText(dayText(monday), dayText(monday + 6));
  const total = (/** @type {number} */ monday) => used.reduce((sum, sport) => sum + of(sport, monday), 0);
  card.aside.replaceChildren(legend(used));
  card.say(
    state.year === null
      ? `${measureName()} of each of the last ${weeks.length} weeks, Monday to Sunday.`
      : `${measureName()} of each week with a day in ${state.year}, Monday to Sunday.`,
  );
  card.draw(
    {
      ...option,
      tooltip: {
        ...overBars,
        formatter: ([{ dataIndex }]) => {
          const monday = weeks[dataIndex];
          const parts = used.filter((sport) => of(sport, monday) > 0);
          /** @type {[string | null, string, string][]} */
          const found = parts.map((sport) => [sport, sport, measured(measure, of(sport, monday))]);
          if (parts.length !== 1) found.push([null, "Total", measured(measure, total(monday))]);
          return tipContent(week(monday), found);
        },
      },
      grid: { ...roomy, right: 4 },
      xAxis: {
        ...axis,
        type: "category",
        data: weeks.map(String),
        axisLabel: {
          ...axis.axisLabel,
          // a month's name stands under its first week
          interval: (i) => i === 0 || dayText(weeks[i] + 6).slice(5, 7) !== dayText(weeks[i - 1] + 6).slice(5, 7),
          formatter: (monday) => MONTHS[+dayText(+monday + 6).slice(5, 7) - 1],
        },
      },
      yAxis: { ...axis, type: "value", axisLabel: { ...axis.axisLabel, formatter: (value) => whole.format(value) } },
      series: used.map((sport) => ({
        type: "bar",
        name: sport,
        stack: "week",
        barCategoryGap: "28%",
        barMaxWidth: 46,
        itemStyle: { color: ink.sport[sport] ?? ink.sport.Other, borderColor: ink.card, borderWidth: 0.5 },
        data: weeks.map((monday) => number(of(sport, monday))),
      })),
    },
    `${MEASURES[measure].label} by week, ${weeks.length} weeks, ${chosenText()}; the last week has ${measured(measure, total(weeks[weeks.length - 1]))}.`,
    () => ({
      caption: `${measureName()} by week`,
      columns: [{ text: "Week", row: true }, ...used.map((sport) => ({ text: sport, number: true })), { text: "Total", number: true }],
      rows: weeks.map((monday) => [
        week(monday),
        ...used.map((sport) => amount(measure, of(sport, monday))),
        amount(measure, total(monday)),
      ]),
    }),
    260,
  );
});
