// Overview: goals.

import { isOfGroup } from "../lib/choices.js";
import { DATA, rowsOf } from "../lib/data.js";
import { counted, percent, whole } from "../lib/formats.js";
import { state } from "../lib/state.js";
import { amount, measured } from "../lib/units.js";
import { cardIn } from "../ui/card.js";
import { dot, h } from "../ui/elements.js";
import { panel } from "../ui/panels.js";

/** @import { Goal } from "../types.js" */

/**
 * "412 of 1,000 km", "119 of 200 active days": the unit once.
 *
 * @param {Goal} goal
 */
function ofTarget({ measure, achieved, target }) {
  if (measure === "active_days") return `${whole.format(achieved)} of ${counted(target, "active day", "active days")}`;
  return `${amount(measure, achieved)} of ${measured(measure, target)}`;
}

export default panel("goals", ["sport", "units"], (host) => {
  const card = cardIn(host, "Goals", { kind: "list" });
  const all = rowsOf("goals");
  const rows = all.filter(isOfGroup);
  if (!rows.length) {
    return card.empty(
      all.length
        ? `No goal for ${state.sport}.`
        : DATA.public
          ? "No goals set."
          : ["No goals set. ", h("code", {}, "STRAVA_GOALS=\"Run 1000 km/year, All 8 h/week\""), " in .env sets two."],
    );
  }
  card.show(
    h(
      "ul",
      { class: "goals" },
      rows.map((row) => {
        const ahead = row.share >= row.expected_share;
        const what = `${row.sport_group === "All" ? "All sports" : row.sport_group}, this ${row.period}`;
        return h(
          "li",
          {},
          h("p", {}, dot(row.sport_group), h("strong", {}, what), h("span", { class: "right" }, percent(row.share))),
          h(
            "div",
            { class: "bar", "aria-hidden": "true" },
            h("i", { css: { width: `${Math.min(100, row.share * 100)}%` } }),
            h("b", { css: { left: `${Math.min(100, row.expected_share * 100)}%` } }),
          ),
          h(
            "p",
            { class: "under" },
            `${ofTarget(row)}; `,
            row.share >= 1 ? "done" : `${ahead ? "ahead of" : "behind"} an even pace (${percent(row.expected_share)})`,
          ),
        );
      }),
    ),
  );
  card.say("The mark shows how much of the span is gone, today included.");
});
