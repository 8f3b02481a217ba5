// Overview: weeks by sport.

import { chosenText, measureName, noneChosen, shownMeasure, sportChosen, sportDays } from "../lib/choices.js";
import { DAYS, SPORTS, THIS_YEAR, TODAY } from "../lib/data.js";
import { dayOf, dayText, mondayOf, MONTHS } from "../lib/dates.js";
import { rangeText, whole } from "../lib/formats.js";
import { state } from "../lib/state.js";
import { amount, measured, MEASURES } from "../lib/units.js";
import { cardIn, thin } from "../ui/card.js";
import { chartBase, colours } from "../ui/charts.js";
import { legend } from "../ui/legends.js";
import { panel } from "../ui/panels.js";
import { tipContent } from "../ui/tip.js";

/** Weeks of the choice: those of a year, else the last 52 (26 on a phone). */
function weeksShown(host) {
  const last = state.year === null || state.year === THIS_YEAR ? mondayOf(TODAY) : mondayOf(dayOf(state.year, 12, 31));
  const first = state.year === null ? last - 7 * (thin(host) ? 25 : 51) : mondayOf(dayOf(state.year, 1, 1));
  const weeks = [];
  for (let monday = first; monday <= last; monday += 7) weeks.push(monday);
  return weeks;
}

export default panel("weekly", ["year", "sport", "type", "measure", "units"], (host) => {
  const card = cardIn(host, "Weeks");
  const measure = shownMeasure();
  const weeks = weeksShown(host);
  const sports = state.sport === "All" ? SPORTS : [state.sport];
  const sums = new Map(sports.map((sport) => [sport, new Map(weeks.map((monday) => [monday, 0]))]));
  for (const row of sportDays()) {
    const monday = mondayOf(row.day);
    const ofSport = sums.get(row.sport_group);
    // a year's first and last weeks are whole weeks, its neighbours' days included
    if (ofSport?.has(monday)) ofSport.set(monday, ofSport.get(monday) + (row[measure] ?? 0));
  }
  const used = sports.filter((sport) => [...sums.get(sport).values()].some((value) => value > 0));
  if (!used.length) {
    const nothing = `Nothing in the last ${weeks.length} weeks${state.sport === "All" ? "" : ` for ${sportChosen()}`}.`;
    return card.empty(DAYS.length && state.year === null ? nothing : noneChosen());
  }
  const ink = colours();
  const { axis, option, roomy } = chartBase(ink);
  const { number } = MEASURES[measure];
  const week = (monday) => rangeText(dayText(monday), dayText(monday + 6));
  const total = (monday) => used.reduce((sum, sport) => sum + sums.get(sport).get(monday), 0);
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
        ...option.tooltip,
        axisPointer: { ...option.tooltip.axisPointer, type: "shadow" },
        formatter: ([{ dataIndex }]) => {
          const monday = weeks[dataIndex];
          const parts = used.filter((sport) => sums.get(sport).get(monday) > 0);
          return tipContent(week(monday), [
            ...parts.map((sport) => [sport, sport, measured(measure, sums.get(sport).get(monday))]),
            ...(parts.length > 1 || !parts.length ? [[null, "Total", measured(measure, total(monday))]] : []),
          ]);
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
        data: weeks.map((monday) => number(sums.get(sport).get(monday))),
      })),
    },
    `${MEASURES[measure].label} by week, ${weeks.length} weeks, ${chosenText()}; the last week has ${measured(measure, total(weeks.at(-1)))}.`,
    () => ({
      caption: `${measureName()} by week`,
      columns: [{ text: "Week", row: true }, ...used.map((sport) => ({ text: sport, number: true })), { text: "Total", number: true }],
      rows: weeks.map((monday) => [
        week(monday),
        ...used.map((sport) => amount(measure, sums.get(sport).get(monday))),
        amount(measure, total(monday)),
      ]),
    }),
    260,
  );
});
