import { NONE } from "../lib/formats.js";
import { h } from "./elements.js";

/**
 * A table. Columns are texts, or { text, number: true } for figures, or { text, row: true } for the rows' headings.
 * `sort` of a column says how the rows are sorted by it: "ascending", "descending" or "none".
 */
export function table({ caption, columns, rows, foot = null, kind = "" }) {
  const shown = columns.map((column) => (typeof column === "string" ? { text: column } : column));
  const cells = (row) =>
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
