// Trends: years as they grow.

import { DAYS_OF_YEAR, growth, placeInYear } from "../lib/bins.js";
import { measureName, noneChosen, shownMeasure, sportChosen, sportDays } from "../lib/choices.js";
import { THIS_YEAR, TODAY } from "../lib/data.js";
import { dayOf, dayText, MONTHS } from "../lib/dates.js";
import { whole } from "../lib/formats.js";
import { newestOf } from "../lib/spans.js";
import { state } from "../lib/state.js";
import { amount, measured, MEASURES } from "../lib/units.js";
import { cardIn, thin } from "../ui/card.js";
import { chartBase, colours } from "../ui/charts.js";
import { legendOf, lineSample } from "../ui/legends.js";
import { panel } from "../ui/panels.js";
import { tipContent } from "../ui/tip.js";

export default panel("cumulative", ["year", "sport", "type", "measure", "units"], (host) => {
  const card = cardIn(host, "Years as they grow");
  const measure = shownMeasure();
  const days = sportDays();
  if (!days.length) return card.empty(noneChosen());
  const ink = colours();
  const { axis, option, roomy } = chartBase(ink);
  const { number } = MEASURES[measure];
  const grown = growth(days, measure);
  const years = [...grown.keys()];
  const main = state.year !== null && years.includes(state.year) ? state.year : newestOf(years);
  const before = years.includes(main - 1) ? main - 1 : null;
  const style = (/** @type {number} */ year) => {
    if (year === main) return { color: ink.accent, width: 2.6, z: 5 };
    if (year === before) return { color: ink.ink, width: 1.4, z: 4 };
    return { color: ink.fatigue, width: 1, z: 2 };
  };
  const dayName = (/** @type {string} */ day) => `${+day.slice(3)}\u00a0${MONTHS[+day.slice(0, 2) - 1]}`;
  const rest = years.length - (before ? 2 : 1);
  card.aside.replaceChildren(
    legendOf([
      [lineSample("main"), `${main}`],
      ...(before ? [[lineSample("before"), `${before}`]] : []),
      ...(rest > 0 ? [[lineSample("others"), "other years"]] : []),
    ]),
  );
  const of = (/** @type {number} */ year, /** @type {number} */ day) => grown.get(year)?.[day] ?? null;
  const lastOf = (/** @type {number} */ year) => grown.get(year)?.findLast((value) => value !== null) ?? 0;
  card.say(
    `${measureName()} from 1 January on.${state.year || years.length < 2 ? "" : " Choose a year to bring it forward."}`,
  );
  card.draw(
    {
      ...option,
      tooltip: {
        ...option.tooltip,
        formatter: ([{ dataIndex }]) => {
          const there = years.filter((year) => of(year, dataIndex) !== null);
          const near = there.sort((a, b) => b - a).sort((a, b) => Number(b === main) - Number(a === main)).slice(0, 8);
          return tipContent(
            `To ${dayName(DAYS_OF_YEAR[dataIndex])}`,
            near.map((year) => [null, `${year}`, measured(measure, of(year, dataIndex) ?? 0)]),
            there.length > near.length ? `and ${there.length - near.length} more years` : null,
          );
        },
      },
      grid: { ...roomy, right: 8 },
      xAxis: {
        ...axis,
        type: "category",
        boundaryGap: false,
        data: DAYS_OF_YEAR,
        axisLabel: { ...axis.axisLabel, interval: (i) => DAYS_OF_YEAR[i].endsWith("-15") && (!thin(host) || +DAYS_OF_YEAR[i].slice(0, 2) % 3 === 1), formatter: (day) => MONTHS[+day.slice(0, 2) - 1] },
      },
      yAxis: { ...axis, type: "value", axisLabel: { ...axis.axisLabel, formatter: (value) => whole.format(value) } },
      series: years.map((year) => ({
        type: "line",
        name: `${year}`,
        showSymbol: false,
        step: false,
        z: style(year).z,
        lineStyle: { color: style(year).color, width: style(year).width },
        itemStyle: { color: style(year).color },
        emphasis: { disabled: true },
        data: grown.get(year)?.map((value) => (value === null ? null : +number(value).toFixed(2))),
      })),
    },
    `${MEASURES[measure].label} of each year as it grows, ${sportChosen("all sports")}: ${years
      .filter((year) => year <= main)
      .slice(-3)
      .map((year) => `${year} ${measured(measure, lastOf(year))}`)
      .join(", ")}.`,
    () => {
      const ends = Array.from({ length: 12 }, (_, month) => placeInYear(dayText(dayOf(2024, month + 2, 0))));
      return {
        caption: `${measureName()} from 1 January to the end of each month`,
        columns: [{ text: "Year", row: true }, ...MONTHS.map((text) => ({ text, number: true }))],
        rows: [...years].reverse().map((year) => [
          `${year}`,
          ...ends.map((end, month) => {
            const begun = year !== THIS_YEAR || dayOf(year, month + 1, 1) <= TODAY;
            return begun ? amount(measure, of(year, end) ?? lastOf(year)) : "";
          }),
        ]),
      };
    },
    300,
  );
});
