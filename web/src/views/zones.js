// Fitness: time in heart-rate zones.

import { byZone } from "../lib/bins.js";
import { chosenText, isOfGroup, isOfYear } from "../lib/choices.js";
import { DATA, rowsOf } from "../lib/data.js";
import { MONTHS, yearOf } from "../lib/dates.js";
import { counted, monthText, whole } from "../lib/formats.js";
import { monthsTo } from "../lib/spans.js";
import { state } from "../lib/state.js";
import { amount, measured } from "../lib/units.js";
import { cardIn, thin } from "../ui/card.js";
import { chartBase, colours } from "../ui/charts.js";
import { h } from "../ui/elements.js";
import { legendOf } from "../ui/legends.js";
import { missingSentence } from "../ui/missing.js";
import { panel } from "../ui/panels.js";
import { tipContent } from "../ui/tip.js";

export default panel("zones", ["year", "sport"], (host) => {
  const card = cardIn(host, "Time in heart-rate zones");
  const all = rowsOf("zones");
  const rows = all.filter(
    (row) => isOfGroup(row) && isOfYear(yearOf(row.month_start_date)),
  );
  if (!rows.length) {
    if (all.length) return card.empty(`No heart rate in this choice: ${chosenText()}.`);
    return card.empty(["Zones need heart rate and your own numbers. ", DATA.missing.includes("max_hr") ? missingSentence(["max_hr", "rest_hr"]) : "No activity has heart rate yet."]);
  }
  const ink = colours();
  const { axis, option, overBars, roomy } = chartBase(ink);
  // a month without heart rate has its place too, else half a year's gap would look like none
  const months = monthsTo(rows.map((row) => row.month_start_date)).slice(state.year === null ? (thin(host) ? -12 : -24) : 0);
  const sums = byZone(rows, months);
  const seconds = (/** @type {string} */ month, /** @type {number} */ i) => sums.get(month)?.[i] ?? 0;
  const bounds = [1, 2, 3, 4, 5].map((zone) => rowsOf("zone_bounds").find((row) => row.zone === zone));
  const named = (/** @type {number} */ i) => {
    const row = bounds[i];
    if (!row) return `Zone ${i + 1}`;
    const [low, high] = [row.lowest_bpm, row.highest_bpm].map((bpm) => (bpm === null ? null : whole.format(bpm)));
    // both bounds belong to the zone
    return `Zone ${i + 1} (${i === 0 ? `up to ${high}` : high === null ? `from ${low}` : `${low}–${high}`} bpm)`;
  };
  const estimates = rows.some((row) => row.source === "average");
  card.aside.replaceChildren(
    legendOf([0, 1, 2, 3, 4].map((i) => [h("span", { class: "dot", "data-heat": i + 1, "aria-hidden": "true" }), named(i)])),
  );
  card.say(
    `Hours by month${state.year === null ? `, ${counted(months.length, "month", "months")} to the last with heart rate` : ""}. ${
      estimates ? "Where an activity's splits are not known, all of its time counts in the zone of its average: an estimate." : "From the heart rate of each split."
    }`,
  );
  card.draw(
    {
      ...option,
      tooltip: {
        ...overBars,
        formatter: ([{ dataIndex }]) =>
          tipContent(monthText(months[dataIndex]), [4, 3, 2, 1, 0].map((i) => [null, named(i), measured("moving_time_s", seconds(months[dataIndex], i))])),
      },
      grid: { ...roomy, right: 4 },
      xAxis: { ...axis, type: "category", data: months, axisLabel: { ...axis.axisLabel, formatter: (month) => (state.year === null ? monthText(month) : MONTHS[+month.slice(5, 7) - 1]) } },
      yAxis: { ...axis, type: "value", axisLabel: { ...axis.axisLabel, formatter: (value) => `${value} h` } },
      series: [0, 1, 2, 3, 4].map((i) => ({
        type: "bar",
        name: named(i),
        stack: "month",
        barCategoryGap: "28%",
        barMaxWidth: 46,
        itemStyle: { color: ink.heat[i], borderColor: ink.card, borderWidth: 0.5 },
        data: months.map((month) => +(seconds(month, i) / 3600).toFixed(2)),
      })),
    },
    `Hours in each of five heart-rate zones by month, ${chosenText()}, ${months.length} months.`,
    () => ({
      caption: "Hours in each heart-rate zone by month",
      columns: [{ text: "Month", row: true }, ...[0, 1, 2, 3, 4].map((i) => ({ text: named(i), number: true }))],
      rows: months.map((month) => [monthText(month), ...[0, 1, 2, 3, 4].map((i) => amount("moving_time_s", seconds(month, i)))]),
    }),
    240,
  );
});
