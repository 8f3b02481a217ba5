// Small multiples: every route as a little drawing of its own.

/** A route as an SVG of `size` pixels, north up, both directions to the same scale. */
function routeSketch(text, size, sport, label = null) {
  const points = decodeRoute(text);
  const edge = 3;
  let [west, east, south, north] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < points.length; i += 2) {
    west = Math.min(west, points[i]);
    east = Math.max(east, points[i]);
    south = Math.min(south, points[i + 1]);
    north = Math.max(north, points[i + 1]);
  }
  const scale = (size - 2 * edge) / Math.max(east - west, north - south, 1e-9);
  const left = (size - (east - west) * scale) / 2;
  const top = (size - (north - south) * scale) / 2;
  let path = "";
  for (let i = 0; i < points.length; i += 2) {
    const x = left + (points[i] - west) * scale;
    const y = top + (north - points[i + 1]) * scale;
    path += `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
  }
  return svg(
    "svg",
    { class: "sketch", viewBox: `0 0 ${size} ${size}`, "data-sport": sport, "aria-hidden": label ? null : "true", role: label ? "img" : null, "aria-label": label },
    svg("path", { d: path }),
  );
}

let routesCard;
let routesShown = 0;
panel("routes", ["year", "sport", "type", "units"], (host) => {
  routesCard ??= new Card(host, "Route by route");
  const rows = routesChosen();
  if (!rows.length) return routesCard.empty(noRoutes());
  const batch = thin(host) ? 24 : 60;
  routesShown = Math.max(routesShown, batch);
  const shown = rows.slice(0, routesShown);
  routesCard.show(
    h(
      "ul",
      { class: "sketches" },
      shown.map((row) =>
        h(
          "li",
          {},
          stravaLink(
            row.id,
            routeSketch(row.route, 100, row.sport_group),
            h("span", { class: "under" }, distance(row.distance_m)),
            h("span", { class: "unseen" }, `, ${dateText(row.started_local)}, `, bdi(row.name)),
          ),
        ),
      ),
    ),
    rows.length > shown.length
      ? moreButton(`Show more of ${whole.format(rows.length)}`, () => {
          routesShown += batch;
          redraw("routes");
          host.querySelectorAll(".sketches > li")[shown.length]?.querySelector("a")?.focus();
        })
      : "",
  );
  routesCard.stage.querySelectorAll(".sketches > li").forEach((item, i) => {
    item.dataset.tip = i;
  });
  tipsOver(routesCard.stage.querySelector(".sketches"), (i) => routeTip(shown[i]));
  routesCard.say(`Newest first, ${chosenText()}. Each to a scale of its own, north up.`);
});
