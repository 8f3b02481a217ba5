// Method: what was left out, and why.

import { rowsOf } from "../lib/data.js";
import { dateText, whole } from "../lib/formats.js";
import { cardIn } from "../ui/card.js";
import { bdi, h } from "../ui/elements.js";
import { activityLink } from "../ui/links.js";
import { panel } from "../ui/panels.js";
import { table } from "../ui/table.js";

export default panel("left_out", [], (host) => {
  const card = cardIn(host, "What was left out, and why", { kind: "wide-table" });
  const rows = rowsOf("left_out");
  if (!rows.length) return card.empty("Nothing was left out.");
  card.show(
    table({
      caption: "What was left out, and why",
      columns: [{ text: "Why", row: true }, "Left out of", { text: "Activities", number: true }, "The latest"],
      rows: rows.map((row) => [
        row.explanation,
        row.left_out_of.replaceAll("_", " "),
        whole.format(row.activities),
        [activityLink(row.latest_activity_id, bdi(row.latest_activity_name)), h("span", { class: "under" }, dateText(row.latest_activity_date))],
      ]),
    }),
  );
  card.say("Sums of distance, time and climb leave nothing out: they are Strava's. Each activity with its value and limit is in strava.left_out.");
});
