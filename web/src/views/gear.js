// Gear: how far each bike and pair of shoes has come.

import { rowsOf } from "../lib/data.js";
import { NONE, rangeText, whole } from "../lib/formats.js";
import { amount, climbed, measured } from "../lib/units.js";
import { cardIn } from "../ui/card.js";
import { bdi, h } from "../ui/elements.js";
import { panel } from "../ui/panels.js";
import { table } from "../ui/table.js";

export default panel("gear", ["units"], (host) => {
  const card = cardIn(host, "Bikes and shoes", { kind: "wide-table" });
  const rows = rowsOf("gear");
  if (!rows.length) return card.empty("No activity names any gear.");
  /** @type {[string | null, string][]} */
  const kinds = [
    ["bike", "Bikes"],
    ["shoes", "Shoes"],
    [null, "Other gear"],
  ];
  const known = kinds.map(([kind]) => kind);
  card.show(
    ...kinds.flatMap(([kind, title]) => {
      const used = rows
        .filter((row) => (known.includes(row.kind) ? row.kind : null) === kind)
        .sort((a, b) => Number(a.retired === true) - Number(b.retired === true) || b.distance_m - a.distance_m);
      if (!used.length) return [];
      const most = Math.max(...used.map((row) => row.distance_m), 1);
      return [
        h("h4", {}, title),
        table({
          caption: title,
          kind: "gear",
          columns: [
            { text: "Name", row: true },
            { text: h("span", { class: "unseen" }, "Share of the furthest") },
            ...["Distance", "Activities", "Time (h)", "Climbed"].map((text) => ({ text, number: true })),
            "Used",
            { text: "Strava says", number: true },
          ],
          rows: used.map((row) => [
            [
              row.name ? bdi(row.name) : h("span", { class: "under" }, `Unnamed (${row.gear_id})`),
              row.retired ? h("span", { class: "badge" }, "retired") : null,
              row.is_primary ? h("span", { class: "badge" }, "primary") : null,
            ],
            h("div", { class: `meter${row.retired ? " past" : ""}`, "aria-hidden": "true" }, h("i", { css: { width: `${(row.distance_m / most) * 100}%` } })),
            h("b", {}, measured("distance_m", row.distance_m)),
            whole.format(row.activities),
            amount("moving_time_s", row.moving_time_s),
            climbed(row.total_elevation_gain_m),
            h("span", { class: "under" }, rangeText(row.first_used_date, row.last_used_date)),
            row.strava_distance_m === null || row.strava_distance_m === undefined ? NONE : measured("distance_m", row.strava_distance_m),
          ]),
        }),
      ];
    }),
  );
  card.say(
    "All years and sports. Sums of the activities here; Strava's own total, as of the last answer, may be more: it counts distances entered by hand. Names come with details or an export, retirement with details.",
  );
});
