import { NONE } from "../lib/formats.js";
import { h } from "./elements.js";

/** @import { Content, TableContent } from "../types.js" */

/**
 * A table that scrolls where it is wider than its place.
 *
 * @param {TableContent} content
 */
export function table({ caption, columns, rows, foot = null, kind = "" }) {
  const shown = columns.map((column) => (typeof column === "string" ? { text: column, row: false, number: false, sort: undefined } : column));
  const cells = (/** @type {Content[]} */ row) =>
    row.map((cell, i) =>
      h(
        shown[i].row ? "th" : "td",
        { scope: shown[i].row ? "row" : null, class: shown[i].number ? "number" : null },
        cell ?? NONE,
      ),
    );
  const made = h(
    "table",
    { class: kind || null },
    h("caption", { class: "unseen" }, caption),
    h(
      "thead",
      {},
      h("tr", {}, shown.map(({ text, number, sort }) => h("th", { scope: "col", class: number ? "number" : null, "aria-sort": sort }, text))),
    ),
    h("tbody", {}, rows.map((row) => h("tr", {}, cells(row)))),
    foot && h("tfoot", {}, h("tr", {}, cells(foot))),
  );
  return h("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": caption }, made);
}
