// Records: the Eddington number.

import { rowsOf, SPORTS } from "../lib/data.js";
import { counted, whole } from "../lib/formats.js";
import { state } from "../lib/state.js";
import { roundStep } from "../lib/steps.js";
import { cardIn, thin } from "../ui/card.js";
import { chartBase, colours } from "../ui/charts.js";
import { dot, h } from "../ui/elements.js";
import { panel } from "../ui/panels.js";
import { tipContent } from "../ui/tip.js";

export default panel("eddington", ["sport", "units"], (host) => {
  const card = cardIn(host, "Eddington number");
  const of = (/** @type {string} */ sport) => rowsOf("eddington").find((row) => row.sport_group === sport && row.unit === state.units);
  const days = rowsOf("eddington_days")
    .filter((row) => row.sport_group === state.sport && row.unit === state.units)
    .sort((a, b) => a.distance - b.distance);
  const number = of(state.sport);
  if (!days.length || !number) return card.empty(`An Eddington number begins with a day of one ${state.units === "km" ? "kilometre" : "mile"}.`);
  const ink = colours();
  const { axis, option, overBars, roomy } = chartBase(ink);
  const e = number.eddington;
  const next = e + 1;
  const top = Math.max(10, Math.ceil((3 * e) / 50) * 50);
  const step = roundStep(days[days.length - 1].distance / (thin(host) ? 5 : 10));
  card.aside.replaceChildren(
    h(
      "dl",
      { class: "now" },
      ["All", ...SPORTS]
        .filter((sport) => sport === state.sport || state.sport === "All")
        .map((sport) => ({ sport, eddington: of(sport)?.eddington ?? 0 }))
        .filter(({ eddington }) => eddington)
        .map(({ sport, eddington }) => h("div", {}, h("dt", {}, sport === "All" ? "All" : [dot(sport), sport]), h("dd", {}, whole.format(eddington)))),
    ),
  );
  card.say(
    `${counted(e, "day", "days")} with at least ${e} ${state.units}. ${counted(number.days_needed_for_next, "more day", "more days")} of at least ${next} ${state.units} ${number.days_needed_for_next === 1 ? "makes" : "make"} it ${next}. All years.${days[0].days > top ? " The highest bars are cut off." : ""}`,
  );
  card.draw(
    {
      ...option,
      tooltip: {
        ...overBars,
        formatter: ([{ dataIndex }]) => {
          const row = days[dataIndex];
          return tipContent(`At least ${row.distance} ${state.units}`, [[null, "Days", whole.format(row.days)]]);
        },
      },
      grid: { ...roomy, right: 8 },
      xAxis: { ...axis, type: "category", data: days.map((row) => `${row.distance}`), axisLabel: { ...axis.axisLabel, interval: (i) => days[i].distance % step === 0, formatter: (text) => `${text} ${state.units}` } },
      yAxis: { ...axis, type: "value", max: days[0].days > top ? top : null, axisLabel: { ...axis.axisLabel, formatter: (value) => whole.format(value) } },
      series: [
        {
          type: "bar",
          name: "Days",
          barCategoryGap: "15%",
          barMaxWidth: 46,
          data: days.map((row) => ({ value: row.days, itemStyle: { color: row.distance === e ? ink.accent : ink.fatigue, opacity: row.distance === e ? 1 : row.distance < e ? 0.75 : 0.4 } })),
        },
        {
          type: "line",
          name: "As many days as distance",
          showSymbol: false,
          silent: true,
          tooltip: { show: false },
          lineStyle: { color: ink.ink, width: 1, type: "dashed" },
          itemStyle: { color: ink.ink },
          data: days.map((row) => row.distance),
        },
      ],
    },
    `Days with at least each distance, ${state.sport === "All" ? "all sports" : state.sport}: the Eddington number is ${e} ${state.units}.`,
    () => ({
      caption: `Days with at least each distance (${state.units})`,
      columns: [{ text: `At least (${state.units})`, row: true }, { text: "Days", number: true }],
      rows: days.map((row) => [`${row.distance}`, whole.format(row.days)]),
    }),
    260,
  );
});
