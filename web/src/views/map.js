// Maps: all routes.

import { chosenText } from "../lib/choices.js";
import { SPORTS } from "../lib/data.js";
import { clock, counted, dateText, sportText } from "../lib/formats.js";
import { placeText, regionsOf } from "../lib/routes.js";
import { climbed, distance } from "../lib/units.js";
import { cardIn } from "../ui/card.js";
import { colours } from "../ui/charts.js";
import { bdi, dot, h, put } from "../ui/elements.js";
import { legend } from "../ui/legends.js";
import { activityLink, viewOnStrava } from "../ui/links.js";
import { panel, redraw } from "../ui/panels.js";
import { RouteMap } from "../ui/route_map.js";
import { noRoutes, routesChosen } from "../ui/routes.js";

/** @type {RouteMap | null} */
let routeMap = null;
let regionPicked = 0;

export default panel("map", ["year", "sport", "type", "units"], (host) => {
  const card = cardIn(host, "All routes", { kind: "map-card" });
  const rows = routesChosen();
  const regions = regionsOf(rows);
  if (!regions.length) {
    routeMap = null;
    return card.empty(noRoutes());
  }
  if (regionPicked >= regions.length) regionPicked = 0;
  const inRegion = regionPicked < 0 ? regions.flat() : regions[regionPicked];
  // the newest on top
  const shown = [...inRegion].sort((a, b) => (a.started_local < b.started_local ? -1 : 1));
  const option = (/** @type {number} */ value, /** @type {string} */ text) => h("option", { value, selected: value === regionPicked }, text);
  const picker =
    regions.length > 1
      ? h(
          "label",
          { class: "pick" },
          h("span", {}, "Region"),
          h(
            "select",
            {
              id: "region",
              on: {
                change: (event) => {
                  regionPicked = +event.target.value;
                  redraw("map");
                  document.getElementById("region")?.focus();
                },
              },
            },
            regions.slice(0, 40).map((region, i) => option(i, `${i + 1}: ${placeText(region)} (${counted(region.length, "route", "routes")})`)),
            option(-1, `Everywhere (${counted(rows.length, "route", "routes")})`),
          ),
        )
      : null;
  put(card.aside, picker, legend(SPORTS.filter((sport) => shown.some((row) => row.sport_group === sport))));
  if (!routeMap) {
    card.show();
    const picked = h("p", { class: "picked", role: "status" });
    routeMap = new RouteMap(card.stage, (row) =>
      put(
        picked,
        row && [dot(row.sport_group), h("strong", {}, activityLink(row.id, bdi(row.name))), ` ${dateText(row.started_local)} · ${distance(row.distance_m)} · ${clock(row.moving_time_s)} `, viewOnStrava(row.id, row.name)],
      ),
    );
    card.stage.append(picked);
  }
  routeMap.pick(null);
  routeMap.show(shown, colours(), `Map of ${counted(shown.length, "route", "routes")} around ${placeText(shown)}, ${chosenText()}`);
  card.say(
    h(
      "span",
      { id: "map-help" },
      `${counted(shown.length, "route", "routes")}, ${chosenText()}. Drag to move, Ctrl and wheel or two fingers to zoom; with the keyboard arrows, + and −, 0 for all. No background map: a map service would learn where you live.`,
    ),
  );
  card.tableBehind(() => ({
    caption: `Routes on the map, ${chosenText()}`,
    columns: [{ text: "Day", row: true }, "Sport", "Name", { text: "Distance", number: true }, { text: "Climbed", number: true }],
    rows: [...shown].reverse().map((row) => [dateText(row.started_local), sportText(row.sport_type), activityLink(row.id, bdi(row.name)), distance(row.distance_m), climbed(row.total_elevation_gain_m)]),
  }));
});
