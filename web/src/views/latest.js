// Overview: the latest activities.

import { activitiesChosen, noneChosen } from "../lib/choices.js";
import { DATA } from "../lib/data.js";
import { clock, dateText, NONE, sportOf, sportText, whole } from "../lib/formats.js";
import { climbed, distance, isPaced, speedOf } from "../lib/units.js";
import { cardIn } from "../ui/card.js";
import { bdi, dot, h, moreButton } from "../ui/elements.js";
import { activityLink, viewOnStrava } from "../ui/links.js";
import { panel, redraw } from "../ui/panels.js";
import { routeSketch } from "../ui/routes.js";

/** @import { Activity, Content } from "../types.js" */

let recentShown = 8;

/**
 * @param {string} name
 * @param {Content} value
 */
function fact(name, value) {
  return h("p", { class: "fact" }, h("span", { class: "under" }, name), h("span", {}, value));
}

export default panel("recent", ["year", "sport", "type", "units"], (host) => {
  const card = cardIn(host, "Latest activities", { kind: "wide-table" });
  const rows = activitiesChosen();
  if (!rows.length) return card.empty(noneChosen());
  // what a wrong clock dates into the future is not the latest
  const isPast = (/** @type {Activity} */ row) => row.started_local.slice(0, 10) <= DATA.today;
  const shown = [...rows.filter(isPast), ...rows.filter((row) => !isPast(row))].slice(0, recentShown);
  const hearts = shown.some((row) => row.average_heartrate);
  card.show(
    h(
      "ol",
      { class: "recent", css: { "--facts": 3 + Number(!DATA.public) + Number(hearts) } },
      shown.map((row) =>
        h(
          "li",
          {},
          row.route ? routeSketch(row.route, 44, row.sport_group) : h("span", { class: "sketch" }, dot(row.sport_group)),
          h(
            "div",
            { class: "what" },
            h("p", {}, h("strong", {}, activityLink(row.id, row.name === null || row.name === undefined ? sportOf(row) : bdi(row.name)))),
            h(
              "p",
              { class: "under" },
              `${dateText(row.started_local)}${row.started_local.length > 10 ? `, ${row.started_local.slice(11)}` : ""}${row.sport_type ? ` · ${sportText(row.sport_type)}` : ""}`,
            ),
          ),
          h(
            "div",
            { class: "facts" },
            fact("Distance", row.distance_m ? distance(row.distance_m) : NONE),
            fact("Time", clock(row.moving_time_s)),
            // of rounded figures a pace would be none
            DATA.public ? null : fact(isPaced(row.sport_group) ? "Pace" : "Speed", speedOf(row)),
            fact("Climbed", climbed(row.total_elevation_gain_m)),
            hearts ? fact("Heart rate", row.average_heartrate ? `${whole.format(row.average_heartrate)}\u00a0bpm` : NONE) : null,
          ),
          h("div", { class: "link" }, viewOnStrava(row.id, row.name)),
        ),
      ),
    ),
    rows.length > shown.length
      ? moreButton(`Show more of ${whole.format(rows.length)}`, () => {
          recentShown += 16;
          redraw("recent");
          host.querySelectorAll(".recent > li")[shown.length]?.querySelector("a")?.focus();
        })
      : "",
  );
  card.say(null);
});
