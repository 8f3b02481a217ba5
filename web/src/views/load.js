// Fitness, fatigue, form, and what they rest on.

import { isOfYear } from "../lib/choices.js";
import { ACTIVITIES, rowsOf } from "../lib/data.js";
import { dayNumber, MONTHS, weekdayOf, WEEKDAYS, yearOf } from "../lib/dates.js";
import { FORMS, formText, lastYearOf, warmUps } from "../lib/fitness.js";
import { dateText, hundredths, monthText, NONE, percent, rangeText, signed, tenths, whole } from "../lib/formats.js";
import { state } from "../lib/state.js";
import { cardIn, thin } from "../ui/card.js";
import { chartBase, colours } from "../ui/charts.js";
import { h } from "../ui/elements.js";
import { legendOf, lineSample } from "../ui/legends.js";
import { LOAD_NEEDS, missingSentence } from "../ui/missing.js";
import { panel } from "../ui/panels.js";
import { tipContent } from "../ui/tip.js";

/** @import { Colours, LoadOfDay } from "../types.js" */

export default panel("load", ["year"], (host) => {
  const card = cardIn(host, "Fitness, fatigue, form");
  const all = rowsOf("training_load_daily");
  if (!all.some((row) => row.load !== null)) {
    return card.empty([
      ACTIVITIES.length ? "No activity has a training load. It is computed from heart rate or power, with your own numbers. " : "Training load appears with the first activities that have heart rate or power. ",
      missingSentence(LOAD_NEEDS),
    ]);
  }
  const rows = all.filter((row) => isOfYear(yearOf(row.date)));
  if (!rows.length) return card.empty(`No days of ${state.year} are known.`);
  const ink = colours();
  const last = rows[rows.length - 1];
  // without a year: the last twelve months, the rest by the slider
  const zoomed = state.year === null && rows.length > 380;
  const { axis, option } = chartBase(ink);
  card.aside.replaceChildren(...legendsOf(last));
  card.draw(
    {
      ...option,
      axisPointer: { link: [{ xAxisIndex: "all" }], label: { show: false } },
      tooltip: { ...option.tooltip, formatter: ([{ dataIndex }]) => tipOf(rows[dataIndex]) },
      ...gridsOf(rows, axis, ink),
      dataZoom: zoomed ? zoomOf(rows, ink, thin(host)) : [],
      series: seriesOf(rows, ink),
    },
    `Training load, all sports, ${rangeText(rows[0].date, last.date)}: on the last day fitness ${rounded(last.fitness)}, fatigue ${rounded(last.fatigue)}, form ${rounded(last.form)}.`,
    () => tableOf(rows),
    zoomed ? 586 : 552,
  );
  card.say([
    "All sports. From the first day with a load. Days whose load is unknown count as rest, which the green strip shows. 42 days are warm-up: the first ones, and those after six weeks of which no load is known. ",
    missingSentence(LOAD_NEEDS),
  ]);
});

/** @param {number | null} value */
function rounded(value) {
  return value === null ? NONE : tenths.format(value);
}

/**
 * How fit the last day was, and the bands of form.
 *
 * @param {LoadOfDay} last
 */
function legendsOf(last) {
  return [
    h(
      "dl",
      { class: "now" },
      [
        { name: "Fitness", value: last.fitness, key: "fitness" },
        { name: "Fatigue", value: last.fatigue, key: "fatigue" },
        { name: "Form", value: last.form, key: "form" },
      ].map(({ name, value, key }) => h("div", { "data-key": key }, h("dt", {}, lineSample(key), name), h("dd", {}, rounded(value)))),
      h("div", {}, h("dt", {}, "which is"), h("dd", {}, formText(last.form).toLowerCase())),
    ),
    legendOf(FORMS.map(([name, lowest], i) => [h("span", { class: "dot", "data-form": i, "aria-hidden": "true" }), `${name} ${i ? `from ${signed(lowest)}` : `below ${signed(FORMS[1][1])}`}`])),
  ];
}

/** @param {LoadOfDay} row */
function tipOf(row) {
  return tipContent(
    `${WEEKDAYS[weekdayOf(dayNumber(row.date))].slice(0, 3)}, ${dateText(row.date)}`,
    [
      [null, "Fitness", rounded(row.fitness)],
      [null, "Fatigue", rounded(row.fatigue)],
      [null, "Form", `${rounded(row.form)}, ${formText(row.form).toLowerCase()}`],
      [null, "Load", row.load === null ? (row.coverage === null ? "rest" : "unknown") : rounded(row.load)],
      [null, "Time with a load", percent(row.coverage)],
      [null, "Monotony, strain", `${row.monotony === null ? NONE : hundredths.format(row.monotony)}, ${row.strain === null ? NONE : whole.format(row.strain)}`],
    ],
    row.is_warm_up ? "Warm-up: too little is known of the days before" : null,
  );
}

/**
 * Four diagrams above each other: their places and axes.
 *
 * @param {LoadOfDay[]} rows
 * @param {ReturnType<typeof chartBase>["axis"]} axis
 * @param {Colours} ink
 */
function gridsOf(rows, axis, ink) {
  const dates = rows.map((row) => row.date);
  const grid = (/** @type {number} */ top, /** @type {number} */ height) => ({ left: 44, right: 10, top, height });
  // a month's name stands under its first day, with the year where there are several
  const labels = {
    ...axis.axisLabel,
    interval: (/** @type {number} */ i) => dates[i].endsWith("-01") || dates.length < 20,
    formatter: (/** @type {string} */ date) => (dates.length < 20 ? dateText(date).slice(0, 6) : state.year === null ? monthText(date) : MONTHS[+date.slice(5, 7) - 1]),
  };
  const x = (/** @type {number} */ gridIndex, shown = false) => ({
    ...axis,
    type: "category",
    gridIndex,
    data: dates,
    boundaryGap: true,
    axisLabel: shown ? labels : { show: false },
    axisLine: { ...axis.axisLine, onZero: false },
  });
  const y = (/** @type {number} */ gridIndex, /** @type {string} */ name, extra = {}) => ({
    ...axis,
    type: "value",
    gridIndex,
    name,
    nameLocation: "end",
    nameGap: 12,
    nameTextStyle: { color: ink.muted, fontSize: 11, align: "left", padding: [0, 0, 0, -36] },
    splitNumber: 3,
    ...extra,
  });
  return {
    grid: [grid(30, 160), grid(232, 120), grid(394, 64), grid(500, 22)],
    xAxis: [x(0), x(1), x(2), x(3, true)],
    yAxis: [
      y(0, "Fitness and fatigue"),
      y(1, "Form"),
      y(2, "Load of the day", { splitNumber: 2 }),
      y(3, "Share of the moving time with a load", { min: 0, max: 1, interval: 1, axisLabel: { ...axis.axisLabel, formatter: (/** @type {number} */ value) => `${value * 100} %` } }),
    ],
  };
}

/**
 * @param {LoadOfDay[]} rows
 * @param {Colours} ink
 * @param {boolean} phone
 */
function zoomOf(rows, ink, phone) {
  const [from, until] = lastYearOf(rows);
  return [
    { type: "inside", xAxisIndex: [0, 1, 2, 3], startValue: from, endValue: until, zoomOnMouseWheel: "ctrl", moveOnMouseMove: !phone, moveOnMouseWheel: false, preventDefaultMouseMove: false },
    {
      type: "slider",
      xAxisIndex: [0, 1, 2, 3],
      bottom: 4,
      height: 22,
      left: 44,
      right: 10,
      brushSelect: false,
      showDetail: false,
      borderColor: ink.line,
      fillerColor: "rgba(128,128,128,0.18)",
      dataBackground: { lineStyle: { color: ink.fatigue }, areaStyle: { color: ink.grid } },
      selectedDataBackground: { lineStyle: { color: ink.accent }, areaStyle: { color: ink.grid } },
      handleStyle: { color: ink.card, borderColor: ink.muted },
      moveHandleStyle: { color: ink.line },
      emphasis: { handleStyle: { borderColor: ink.accent }, moveHandleStyle: { color: ink.muted } },
    },
  ];
}

/**
 * A line without symbols in one of the grids.
 *
 * @param {string} name
 * @param {number} grid
 * @param {{ color: string, width: number }} style
 * @param {(number | null)[]} data
 */
function lineOf(name, grid, style, data) {
  return {
    type: "line",
    name,
    xAxisIndex: grid,
    yAxisIndex: grid,
    showSymbol: false,
    lineStyle: style,
    itemStyle: { color: style.color },
    emphasis: { disabled: true },
    data,
  };
}

/**
 * @param {LoadOfDay[]} rows
 * @param {Colours} ink
 */
function seriesOf(rows, ink) {
  return [
    {
      ...lineOf("Fitness", 0, { color: ink.accent, width: 2.4 }, rows.map((row) => row.fitness)),
      areaStyle: { color: ink.accent, opacity: 0.1 },
      markArea: {
        silent: true,
        itemStyle: { color: ink.grid, opacity: 0.7 },
        label: { color: ink.muted, fontSize: 11, position: "insideTopLeft" },
        data: warmUps(rows).map(([first, until]) => [{ name: dayNumber(until) - dayNumber(first) > 30 ? "warm-up" : "", xAxis: first }, { xAxis: until }]),
      },
    },
    lineOf("Fatigue", 0, { color: ink.fatigue, width: 1.2 }, rows.map((row) => row.fatigue)),
    {
      ...lineOf("Form", 1, { color: ink.ink, width: 1.3 }, rows.map((row) => row.form)),
      markArea: {
        silent: true,
        label: { show: false },
        data: FORMS.map(([, lowest, color], i) => [{ yAxis: lowest, itemStyle: { color: color ? ink[color] : "transparent", opacity: color ? 0.16 : 0 } }, { yAxis: FORMS[i + 1]?.[1] ?? Infinity }]),
      },
    },
    {
      type: "bar",
      name: "Load",
      xAxisIndex: 2,
      yAxisIndex: 2,
      large: false,
      barMinWidth: 0.6,
      barMaxWidth: 14,
      itemStyle: { color: ink.fatigue },
      data: rows.map((row) => row.load),
    },
    {
      type: "bar",
      name: "Coverage",
      xAxisIndex: 3,
      yAxisIndex: 3,
      barMinWidth: 0.6,
      barMaxWidth: 14,
      itemStyle: { color: ink.good },
      data: rows.map((row) => row.coverage),
    },
  ];
}

/** @param {LoadOfDay[]} rows */
function tableOf(rows) {
  return {
    caption: "Training load by day",
    columns: [
      { text: "Day", row: true },
      ...["Load", "Time with a load", "Fitness", "Fatigue", "Form", "Monotony", "Strain"].map((text) => ({ text, number: true })),
    ],
    rows: [...rows].reverse().map((row) => [
      dateText(row.date) + (row.is_warm_up ? " (warm-up)" : ""),
      rounded(row.load),
      percent(row.coverage),
      rounded(row.fitness),
      rounded(row.fatigue),
      rounded(row.form),
      row.monotony === null ? NONE : hundredths.format(row.monotony),
      row.strain === null ? NONE : whole.format(row.strain),
    ]),
  };
}
