// Records: best efforts.

import { chosenText, isOfGroup } from "../lib/choices.js";
import { rowsOf } from "../lib/data.js";
import { clock, NONE } from "../lib/formats.js";
import { state } from "../lib/state.js";
import { cardIn } from "../ui/card.js";
import { h } from "../ui/elements.js";
import { whichActivity } from "../ui/links.js";
import { panel } from "../ui/panels.js";
import { table } from "../ui/table.js";

/** @import { BestEffort } from "../types.js" */

export default panel("efforts", ["year", "sport"], (host) => {
  const card = cardIn(host, "Best efforts", { kind: "wide-table" });
  const all = rowsOf("best_efforts");
  const rows = all.filter(
    (row) =>
      isOfGroup(row) &&
      (state.year === null ? row.rank_all_time <= 3 : row.year === state.year && row.rank_in_year === 1),
  );
  if (!rows.length) {
    return card.empty(
      all.length
        ? `No best efforts in this choice: ${chosenText()}.`
        : "Best efforts come with the details of runs; none have been fetched yet.",
    );
  }
  const efforts = [...new Map(rows.map((row) => [`${row.effort}/${row.sport_group}`, row])).values()].sort((a, b) => a.distance_m - b.distance_m);
  const place = (/** @type {BestEffort} */ effort, /** @type {number} */ rank) =>
    rows.find((row) => row.effort === effort.effort && row.sport_group === effort.sport_group && (state.year === null ? row.rank_all_time : row.rank_in_year) === rank);
  const cell = (/** @type {BestEffort | undefined} */ row) => (row ? [h("b", {}, clock(row.elapsed_time_s)), whichActivity(row.activity_id, row.activity_name, row.activity_date)] : NONE);
  card.show(
    table({
      caption: `Best efforts, ${chosenText()}`,
      kind: "efforts",
      columns: [{ text: "Distance", row: true }, ...(state.year === null ? ["Best", "Second", "Third"] : [`Best of ${state.year}`])],
      rows: efforts.map((effort) => [effort.effort, ...(state.year === null ? [1, 2, 3] : [1]).map((rank) => cell(place(effort, rank)))]),
    }),
  );
  card.say("The fastest stretch of each length within an activity, as Strava finds it (elapsed time).");
});
