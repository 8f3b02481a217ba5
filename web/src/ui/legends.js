// Legends: signs and their names.

import { shownMeasure } from "../lib/choices.js";
import { measured } from "../lib/units.js";
import { dot, h } from "./elements.js";

/** @import { Content, Measure } from "../types.js" */

/**
 * A line as it is drawn, before its name; `kind` is how the style sheet draws it.
 *
 * @param {string} kind
 */
export function lineSample(kind) {
  return h("i", { class: "line", "data-line": kind, "aria-hidden": "true" });
}

/**
 * A legend of `entries`, each a sign and its name.
 *
 * @param {Content[]} entries
 */
export function legendOf(entries) {
  return h("ul", { class: "legend" }, entries.map((entry) => h("li", {}, entry)));
}

/**
 * A legend of sports, or of what else has a colour here.
 *
 * @param {string[]} sports
 */
export function legend(sports) {
  return legendOf(sports.map((sport) => [dot(sport), sport]));
}

/**
 * A legend of shades, whose darkest begins above the last of `steps`.
 *
 * @param {number[]} steps
 * @param {Measure} measure
 */
export function heatLegend(steps, measure = shownMeasure()) {
  return h(
    "p",
    { class: "heat-legend" },
    h("span", {}, "less"),
    [0, 1, 2, 3, 4, 5].map((step) => h("i", { "data-heat": step, "aria-hidden": "true" })),
    h("span", {}, steps[3] ? `more than ${measured(measure, steps[3])}` : "more"),
  );
}
