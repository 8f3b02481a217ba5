// A figure with a bar below it.

import { NONE } from "../lib/formats.js";
import { h } from "./elements.js";

/**
 * `text` with a bar below it.
 *
 * @param {string} text
 * @param {number | null} share of the room that the bar takes; null for no bar
 * @param {string} kind the bar's colour in the style sheet
 */
export function gauge(text, share, kind) {
  if (text === NONE || share === null) return text;
  const width = share && Math.max(2, share * 100);
  return [text, h("i", { class: "gauge", "data-gauge": kind, "aria-hidden": "true" }, h("b", { css: { width: `${width}%` } }))];
}
