// Compare: one period with another.

import { measureName, noneChosen, shownMeasure, sportChosen, sportDays } from "../lib/choices.js";
import { dayNumber, dayText } from "../lib/dates.js";
import { change, counted, NONE, rangeText, whole } from "../lib/formats.js";
import { bySport, daysOfKey, EARLIEST, grownOver, keyOf, LATEST, namedPeriods, periodOf, RELATED, sumsOver } from "../lib/periods.js";
import { state } from "../lib/state.js";
import { amount, measured, MEASURES } from "../lib/units.js";
import { cardIn } from "../ui/card.js";
import { chartBase, colours } from "../ui/charts.js";
import { dot, h, put } from "../ui/elements.js";
import { legendOf, lineSample } from "../ui/legends.js";
import { choose, panel } from "../ui/panels.js";
import { table } from "../ui/table.js";
import { tipContent } from "../ui/tip.js";

/** @import { Content, Measure, Period } from "../types.js" */

const OWN = ["own", "Own dates"];
/** @typedef {"compare" | "with"} Which */

/** @typedef {{ [which in Which]: { select: HTMLSelectElement, dates: HTMLInputElement[] } } & { lines: HTMLElement }} Controls */

/** @type {Controls | null} */
let controls = null;
/**
 * The days of both periods.
 *
 * @returns {Period[]}
 */
function periods() {
  const first = periodOf(state.compare);
  const related = RELATED[state.with]?.[1];
  return [first, related ? related(first) : periodOf(state.with)];
}

export default panel("compare", ["sport", "type", "measure", "units", "compare", "with"], (host) => {
  const card = cardIn(host, "One period with another", { kind: "wide-table" });
  const days = sportDays();
  if (!days.length) return card.empty(noneChosen());
  const both = periods();
  const measure = shownMeasure();
  const sums = both.map((period) => sumsOver(days, period));
  const names = both.map(([first, last]) => rangeText(dayText(first), dayText(last)));
  const ink = colours();
  const { axis, option, roomy } = chartBase(ink);
  const grown = both.map((period) => grownOver(days, period, measure));
  const { number, label } = MEASURES[measure];
  const slots = Array.from({ length: Math.max(...grown.map((sums) => sums.length)) }, (_, i) => i + 1);
  const styles = [
    { color: ink.accent, width: 2.6, z: 5 },
    { color: ink.ink, width: 1.4, z: 4 },
  ];
  // who types a date stays in it
  if (!controls || !card.aside.childElementCount) {
    controls = { compare: picker("compare", "Compare"), with: picker("with", "with"), lines: h("div", {}) };
    card.aside.replaceChildren(pickers(controls), controls.lines);
  }
  syncPickers(both);
  put(controls.lines, legendOf([[lineSample("main"), names[0]], [lineSample("before"), names[1]]]));
  card.draw(
    {
      ...option,
      tooltip: {
        ...option.tooltip,
        formatter: ([{ dataIndex }]) =>
          tipContent(
            `Day ${slots[dataIndex]}`,
            names.map((name, i) => [null, name, measured(measure, grown[i][dataIndex] ?? grown[i].findLast((value) => value !== null) ?? 0)]),
          ),
      },
      grid: { ...roomy, right: 12 },
      xAxis: { ...axis, type: "category", boundaryGap: false, data: slots.map(String), axisLabel: { ...axis.axisLabel, alignMinLabel: "left", alignMaxLabel: "right", formatter: (day) => (hasRoom(Number(day), slots.length) ? `day ${day}` : "") } },
      yAxis: { ...axis, type: "value", axisLabel: { ...axis.axisLabel, formatter: (value) => whole.format(value) } },
      series: grown.map((sums, i) => ({
        type: "line",
        name: names[i],
        // of a single day there is no line
        showSymbol: slots.length === 1,
        z: styles[i].z,
        lineStyle: { color: styles[i].color, width: styles[i].width },
        itemStyle: { color: styles[i].color },
        emphasis: { disabled: true },
        data: sums.map((value) => (value === null ? null : +number(value).toFixed(2))),
      })),
    },
    `${label} day by day, ${sportChosen("all sports")}: ${names.map((name, i) => `${name} ${measured(measure, sums[i][measure])}`).join(", ")}.`,
    () => ({
      caption: `${measureName()} day by day`,
      columns: [{ text: "Day", row: true }, ...names.map((text) => ({ text, number: true }))],
      rows: daysOf(slots.length).map((day) => [`${day}`, ...grown.map((sums) => (day > sums.length ? "" : amount(measure, sums[day - 1] ?? null)))]),
    }),
    260,
  );
  card.root.querySelector(".compared")?.remove();
  card.root.append(h("div", { class: "compared" }, compared("Sums", names, sumsTable(sums)), bySports(both, measure, names)));
  const [length, other] = sums.map((sum) => sum.days);
  card.say(
    `${sportChosen()}. The year that the filters choose does not count here.${length === other ? "" : ` ${counted(length, "day", "days")} against ${other}.`}`,
  );
});

/**
 * Days of a table behind the chart: about a dozen, and the last one.
 *
 * @param {number} count
 */
function daysOf(count) {
  const step = Math.max(1, Math.ceil(count / 12));
  return Array.from({ length: Math.ceil(count / step) }, (_, i) => Math.min((i + 1) * step, count));
}

/** @typedef {{ name: Content, figures: number[], written: (value: number) => string }} Compared */

/**
 * @param {ReturnType<typeof sumsOver>[]} sums
 * @returns {Compared[]}
 */
function sumsTable(sums) {
  const measures = /** @type {Measure[]} */ (Object.keys(MEASURES));
  return [
    ...measures.map((measure) => {
      const { label, unit } = MEASURES[measure];
      return {
        name: `${label}${unit() ? ` (${unit()})` : ""}`,
        figures: sums.map((sum) => sum[measure]),
        written: (/** @type {number} */ value) => amount(measure, value),
      };
    }),
    { name: "Active days", figures: sums.map((sum) => sum.active_days), written: (value) => whole.format(value) },
  ];
}

/**
 * @param {Period[]} both
 * @param {Measure} measure
 * @param {string[]} names
 */
function bySports(both, measure, names) {
  const rows = bySport(sportDays(), both, measure);
  if (state.sport !== "All" || rows.length < 2) return null;
  return compared(
    `${measureName()} by sport`,
    names,
    rows.map(({ sport, sums }) => ({ name: [dot(sport), sport], figures: sums, written: (value) => amount(measure, value) })),
  );
}

/**
 * @param {string} caption
 * @param {string[]} names of the periods
 * @param {Compared[]} rows
 */
function compared(caption, names, rows) {
  return table({
    caption,
    kind: "periods-table",
    columns: [{ text: caption, row: true }, ...names.map((text) => ({ text, number: true })), { text: "Difference", number: true }, { text: "Change", number: true }],
    rows: rows.map(({ name, figures: [now, before], written }) => [name, h("b", {}, written(now)), written(before), difference(now - before, written), change(now, before) ?? NONE]),
  });
}

/**
 * @param {number} value
 * @param {(value: number) => string} written
 */
function difference(value, written) {
  if (!value) return "±0";
  return `${value > 0 ? "+" : "−"}${written(Math.abs(value))}`;
}

/** @param {Controls} controls */
function pickers({ compare, with: other }) {
  return h(
    "div",
    { class: "periods" },
    Object.entries({ Compare: compare, with: other }).map(([text, { select, dates }]) =>
      h("div", { class: "period" }, h("label", { class: "pick" }, h("span", {}, text), select), h("span", { class: "dates" }, dates[0], " to ", dates[1])),
    ),
  );
}

/**
 * A choice among periods, and its dates, which can be anybody's own.
 *
 * @param {Which} which
 * @param {string} text
 */
function picker(which, text) {
  /** @type {string[][]} */
  const options = [...(which === "with" ? Object.entries(RELATED).map(([key, [name]]) => [key, name]) : []), ...namedPeriods(), OWN];
  const shown = () => periods()[which === "compare" ? 0 : 1];
  const pick = (/** @type {string} */ key) => choose({ [which]: key });
  const select = h(
    "select",
    { id: `period-${which}`, on: { change: ({ target }) => pick(target.value === OWN[0] ? keyOf(shown()) : target.value) } },
    options.map(([value, name]) => h("option", { value }, name)),
  );
  const date = (/** @type {0 | 1} */ at, /** @type {string} */ name) =>
    h("input", {
      type: "date",
      id: `period-${which}-${at}`,
      min: EARLIEST,
      max: LATEST,
      "aria-label": name,
      on: {
        change: ({ target }) => {
          if (!target.value || target.value < EARLIEST || target.value > LATEST) return;
          const typed = daysOfKey(state[which]) ?? shown();
          pick(keyOf(at ? [typed[0], dayNumber(target.value)] : [dayNumber(target.value), typed[1]]));
        },
        blur: () => syncPickers(periods()),
      },
    });
  return { select, dates: [date(0, `${text}: first day`), date(1, `${text}: last day`)] };
}

/**
 * Make the choices and dates show what is compared, but for the date that is being typed.
 *
 * @param {Period[]} both
 */
function syncPickers(both) {
  for (const [i, which] of /** @type {Which[]} */ (["compare", "with"]).entries()) {
    const { select, dates } = controls?.[which] ?? { select: null, dates: [] };
    const typed = daysOfKey(state[which]);
    if (select) select.value = typed ? OWN[0] : state[which];
    for (const [at, date] of dates.entries()) if (!typed || date !== document.activeElement) date.value = dayText((typed ?? both[i])[at]);
  }
}

/**
 * Whether a label of `day` has room: near the end, only that of the last day does, which ends at the edge.
 *
 * @param {number} day
 * @param {number} days
 */
function hasRoom(day, days) {
  return day === days || day <= days * 0.94;
}
