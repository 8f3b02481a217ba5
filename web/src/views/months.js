// Trends: months by year.

import { byMonth } from "../lib/bins.js";
import { measureName, noneChosen, shownMeasure, sportChosen, sportDays } from "../lib/choices.js";
import { TODAY } from "../lib/data.js";
import { dayOf, MONTHS, yearsWithGaps } from "../lib/dates.js";
import { yearsText } from "../lib/formats.js";
import { newestOf } from "../lib/spans.js";
import { stepOf, stepsOf } from "../lib/steps.js";
import { amount, measured } from "../lib/units.js";
import { cardIn } from "../ui/card.js";
import { h } from "../ui/elements.js";
import { heatLegend } from "../ui/legends.js";
import { panel } from "../ui/panels.js";

export default panel("months", ["sport", "type", "measure", "units"], (host) => {
  const card = cardIn(host, "Months by year", { kind: "wide-table" });
  const measure = shownMeasure();
  const days = sportDays();
  if (!days.length) return card.empty(noneChosen());
  const sums = byMonth(days, measure);
  const years = yearsWithGaps([...sums.keys(), newestOf([...sums.keys()])]);
  const monthsOf = (/** @type {number} */ year) => sums.get(year) ?? [];
  const steps = stepsOf([...sums.values()].flat());
  const begun = days.reduce((first, row) => Math.min(first, row.day), Infinity);
  // months that are to come, and those before the first activity, have nothing to say
  const passed = (/** @type {number} */ year, /** @type {number} */ month) => dayOf(year, month + 1, 1) <= TODAY && dayOf(year, month + 2, 0) >= begun;
  const cell = (/** @type {number} */ year, /** @type {number} */ value, /** @type {number} */ month) =>
    h(
      "td",
      { class: "number", "data-heat": stepOf(value, steps), title: passed(year, month) ? `${MONTHS[month]} ${year}: ${measured(measure, value)}` : null },
      passed(year, month) || value ? h("span", {}, amount(measure, value)) : null,
    );
  card.aside.replaceChildren(heatLegend(steps));
  const longest = Math.max(...[...sums.values()].flat().map((value) => amount(measure, value).length));
  const matrix = h(
    "table",
    { class: "matrix", css: { "--longest": longest } },
    h("caption", { class: "unseen" }, `${measureName()} by month and year, ${sportChosen("all sports")}`),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, "Year"),
        MONTHS.map((name) =>
          h("th", { scope: "col", class: "number" }, name[0], h("span", { class: "rest" }, name.slice(1))),
        ),
        h("th", { scope: "col", class: "number" }, "Total"),
      ),
    ),
    h(
      "tbody",
      {},
      years.map((year) =>
        Array.isArray(year)
          ? h("tr", { class: "gap-of-years" }, h("th", { scope: "row", colspan: 14 }, `${yearsText(year)}: nothing`))
          : h(
              "tr",
              {},
              h("th", { scope: "row" }, `${year}`),
              monthsOf(year).map((value, month) => cell(year, value, month)),
              h("td", { class: "number total" }, amount(measure, monthsOf(year).reduce((a, b) => a + b, 0))),
            ),
      ),
    ),
  );
  card.show(h("div", { class: "months" }, matrix));
  card.say(`${measureName()}, all years.`);
});
