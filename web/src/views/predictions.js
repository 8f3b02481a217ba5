// Records: what the best efforts predict.

import { rowsOf } from "../lib/data.js";
import { clock, dateText } from "../lib/formats.js";
import { state } from "../lib/state.js";
import { cardIn } from "../ui/card.js";
import { h } from "../ui/elements.js";
import { panel } from "../ui/panels.js";
import { table } from "../ui/table.js";

export default panel("predictions", ["sport"], (host) => {
  const card = cardIn(host, "Race predictions", { kind: "wide-table" });
  const rows = state.sport === "All" || state.sport === "Run" ? rowsOf("race_predictions") : [];
  if (!rows.length) {
    return card.empty(
      state.sport === "All" || state.sport === "Run"
        ? "Predictions need a best effort of 3.5 to 230 minutes within the last 365 days."
        : "Predictions are for runs.",
    );
  }
  const from = [...new Map(rows.map((row) => [row.from_effort, row])).values()].sort((a, b) => a.from_distance_m - b.from_distance_m);
  const to = [...new Map(rows.map((row) => [row.to_effort, row])).values()].sort((a, b) => a.to_distance_m - b.to_distance_m);
  card.show(
    table({
      caption: "Race predictions: rows are what was run, columns what it predicts",
      columns: [{ text: "From", row: true }, ...to.map((row) => ({ text: row.to_effort, number: true }))],
      rows: from.map((source) => [
        [source.from_effort, h("span", { class: "under" }, `${clock(source.from_time_s)}, ${dateText(source.from_activity_date)}`)],
        ...to.map((target) => {
          const row = rows.find((one) => one.from_effort === source.from_effort && one.to_effort === target.to_effort);
          return row ? clock(row.predicted_time_s) : "";
        }),
      ]),
    }),
  );
  card.say("Riegel's formula, T₂ = T₁ · (D₂ / D₁)^1.06, from the best efforts of the last 365 days.");
});
