// A route as a small drawing, and what its tip says.

import { activitiesChosen, chosenText } from "../lib/choices.js";
import { ACTIVITIES } from "../lib/data.js";
import { clock, dateText, sportText, UNTITLED } from "../lib/formats.js";
import { decodeRoute } from "../lib/routes.js";
import { climbed, distance } from "../lib/units.js";
import { bdi, svg } from "./elements.js";
import { tipContent } from "./tip.js";

/** @import { Activity, Routed } from "../types.js" */

/**
 * The activities that are chosen and have a route, the newest first.
 *
 * @returns {Routed[]}
 */
export function routesChosen() {
  return activitiesChosen().filter(hasRoute);
}

/**
 * A route as an SVG of `size` pixels, north up, both directions to the same scale.
 *
 * @param {string} text
 * @param {number} size
 * @param {string} sport
 * @param {string | null} label
 */
export function routeSketch(text, size, sport, label = null) {
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

/** @param {Activity} row */
export function routeTip(row) {
  return tipContent(row.name ? bdi(row.name) : UNTITLED, [
    [row.sport_group, sportText(row.sport_type), dateText(row.started_local)],
    [null, "Distance", distance(row.distance_m)],
    [null, "Moving time", clock(row.moving_time_s)],
    [null, "Climbed", climbed(row.total_elevation_gain_m)],
  ]);
}

export function noRoutes() {
  return ACTIVITIES.some(hasRoute) ? `No routes in this choice: ${chosenText()}.` : "No activity has a route: indoors, or recorded without GPS.";
}

/**
 * @param {Activity} row
 * @returns {row is Routed}
 */
function hasRoute(row) {
  return Boolean(row.route);
}
