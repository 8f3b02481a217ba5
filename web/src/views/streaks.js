// Overview: streaks.

import { rowsOf } from "../lib/data.js";
import { counted, dateText, rangeText, whole } from "../lib/formats.js";
import { state } from "../lib/state.js";
import { cardIn } from "../ui/card.js";
import { h } from "../ui/elements.js";
import { panel } from "../ui/panels.js";

export default panel("streaks", ["sport"], (host) => {
  const card = cardIn(host, "Streaks", { kind: "list" });
  const rows = rowsOf("streaks").filter((row) => row.sport_group === state.sport);
  if (!rows.length) return card.empty("A streak begins with the first activity.");
  card.show(
    h(
      "dl",
      { class: "streaks" },
      ["day", "week", "month"]
        .flatMap((period) => rows.find((row) => row.period === period) ?? [])
        .map((row) =>
          h(
            "div",
            {},
            h("dt", {}, `${row.period[0].toUpperCase()}${row.period.slice(1)}s in a row`),
            h(
              "dd",
              {},
              h("span", { class: "big" }, whole.format(row.current)),
              h("span", { class: "under" }, row.current ? `since ${dateText(row.current_start_date)}` : "now"),
            ),
            h(
              "dd",
              {},
              h("span", { class: "mid" }, `longest ${counted(row.longest, row.period, `${row.period}s`)}`),
              h("span", { class: "under" }, rangeText(row.longest_start_date, row.longest_end_date)),
            ),
          ),
        ),
    ),
  );
  card.say(`With at least one activity each${state.sport === "All" ? "" : ` (${state.sport})`}. All years.`);
});
