// Records: the longest, highest and fastest activities.

import { noneChosen } from "../lib/choices.js";
import { DATA, rowsOf, SPORTS } from "../lib/data.js";
import { NONE } from "../lib/formats.js";
import { state } from "../lib/state.js";
import { recordValue } from "../lib/units.js";
import { cardIn } from "../ui/card.js";
import { dot, h } from "../ui/elements.js";
import { activityLink, whichActivity } from "../ui/links.js";
import { panel } from "../ui/panels.js";
import { table } from "../ui/table.js";

const RECORDS = {
  longest_distance: "Longest",
  longest_time: "Longest time",
  most_elevation: "Most climbed",
  highest_point: "Highest point",
  fastest: "Fastest",
};

// a public page has the first three
function recordsShown() {
  return Object.entries(RECORDS).filter(([record]) => rowsOf("records").some((row) => row.record === record));
}

export default panel("records", ["year", "sport", "units"], (host) => {
  const card = cardIn(host, "Records");
  const shown = recordsShown();
  // a highest point of 0 m is no record
  const of = (/** @type {string} */ sport) => rowsOf("records").filter((row) => row.year === state.year && row.sport_group === sport && row.value);
  const sports = SPORTS.filter((sport) => of(sport).length);
  // all sports of who has only one are that sport
  const sport = state.sport === "All" && sports.length === 1 ? sports[0] : state.sport;
  const rows = of(sport);
  if (!rows.length) return card.empty(noneChosen());
  card.show(
    h(
      "dl",
      { class: "records" },
      shown.map(([record, name]) => {
        // over all sports, the fastest is whatever rolls: the table below has it by sport
        const row = rows.find((one) => one.record === record);
        if (!row || (sport === "All" && record === "fastest")) return null;
        return h(
          "div",
          { "data-record": record },
          h("dt", {}, name),
          h("dd", {}, h("span", { class: "big" }, recordValue(row)), whichActivity(row.activity_id, row.activity_name, row.activity_date)),
        );
      }),
    ),
    sport === "All"
      ? table({
          caption: `Records by sport, ${state.year ?? "all years"}`,
          kind: "by-sport",
          columns: [{ text: "Sport", row: true }, ...shown.map(([, text]) => ({ text, number: true }))],
          rows: sports.map((sport) => [
            [dot(sport), sport],
            ...shown.map(([record]) => {
              const row = of(sport).find((one) => one.record === record);
              return row ? activityLink(row.activity_id, recordValue(row)) : NONE;
            }),
          ]),
        })
      : "",
  );
  card.say(
    `${state.year ?? "All years"}.${DATA.public ? "" : " Fastest is the average over a whole activity of ten minutes and more, outdoors, recorded and not flagged."}`,
  );
});
