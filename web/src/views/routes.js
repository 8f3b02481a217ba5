// Maps: every route as a little drawing of its own.

import { chosenText } from "../lib/choices.js";
import { dateText, whole } from "../lib/formats.js";
import { distance } from "../lib/units.js";
import { cardIn, thin } from "../ui/card.js";
import { bdi, h, moreButton } from "../ui/elements.js";
import { activityLink } from "../ui/links.js";
import { panel, redraw } from "../ui/panels.js";
import { noRoutes, routesChosen, routeSketch, routeTip } from "../ui/routes.js";
import { tipsOver } from "../ui/tip.js";

let routesShown = 0;

export default panel("routes", ["year", "sport", "type", "units"], (host) => {
  const card = cardIn(host, "Route by route");
  const rows = routesChosen();
  if (!rows.length) return card.empty(noRoutes());
  const batch = thin(host) ? 24 : 60;
  routesShown = Math.max(routesShown, batch);
  const shown = rows.slice(0, routesShown);
  const list = h(
    "ul",
    { class: "sketches" },
    shown.map((row, i) =>
      h(
        "li",
        { "data-tip": i },
        activityLink(
          row.id,
          routeSketch(row.route, 100, row.sport_group),
          h("span", { class: "under" }, distance(row.distance_m)),
          h("span", { class: "unseen" }, `, ${dateText(row.started_local)}, `, bdi(row.name)),
        ),
      ),
    ),
  );
  card.show(
    list,
    rows.length > shown.length
      ? moreButton(`Show more of ${whole.format(rows.length)}`, () => {
          routesShown += batch;
          redraw("routes");
          host.querySelectorAll(".sketches > li")[shown.length]?.querySelector("a")?.focus();
        })
      : "",
  );
  tipsOver(list, (i) => routeTip(shown[i]));
  card.say(`Newest first, ${chosenText()}. Each to a scale of its own, north up.`);
});
