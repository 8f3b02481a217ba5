// A view of a map: which part of it is seen, and what lies where. Places are those of `decodeRoute`.

/** @import { MapView } from "../types.js" */

/**
 * What most routes lie within, as [west, east, south, north]; a single far one does not decide. null without any point.
 *
 * @param {Float64Array[]} routes
 * @returns {[number, number, number, number] | null}
 */
export function boundsOf(routes) {
  /** @type {number[]} */
  const xs = [];
  /** @type {number[]} */
  const ys = [];
  for (const points of routes) {
    for (let i = 0; i < points.length; i += 8) {
      xs.push(points[i]);
      ys.push(points[i + 1]);
    }
  }
  return xs.length ? [...mostOf(xs), ...mostOf(ys)] : null;
}

/**
 * @param {number[]} values
 * @returns {[number, number]}
 */
function mostOf(values) {
  values.sort((a, b) => a - b);
  const last = values.length - 1;
  const [low, high] = [values[Math.round(0.01 * last)], values[Math.round(0.99 * last)]];
  return values[last] - values[0] > 2.2 * (high - low) ? [low, high] : [values[0], values[last]];
}

/**
 * The place in `routes` of the route nearest to a pixel, at most ten pixels away; null when none is.
 *
 * @param {Float64Array[]} routes
 * @param {MapView} view
 * @param {number} px
 * @param {number} py
 */
export function nearestRoute(routes, { x, y, scale, width, height }, px, py) {
  let best = 100;
  /** @type {number | null} */
  let found = null;
  routes.forEach((points, index) => {
    for (let i = 0; i + 3 < points.length; i += 2) {
      const ax = width / 2 + (points[i] - x) * scale - px;
      const ay = height / 2 - (points[i + 1] - y) * scale - py;
      const bx = width / 2 + (points[i + 2] - x) * scale - px;
      const by = height / 2 - (points[i + 3] - y) * scale - py;
      const [dx, dy] = [bx - ax, by - ay];
      const along = Math.min(1, Math.max(0, -(ax * dx + ay * dy) / (dx * dx + dy * dy || 1)));
      const away = (ax + along * dx) ** 2 + (ay + along * dy) ** 2;
      if (away < best) [best, found] = [away, index];
    }
  });
  return found;
}

/**
 * A round length in a unit of `metres`, and how many pixels it takes in the middle of the map, at most 110.
 *
 * @param {MapView} view
 * @param {number} metres
 */
export function scaleBarOf({ y, scale }, metres) {
  const latitude = 2 * Math.atan(Math.exp((y * Math.PI) / 180)) - Math.PI / 2;
  const metresPerPixel = (111_319.5 * Math.cos(latitude)) / scale;
  const most = (metresPerPixel * 110) / metres;
  const power = 10 ** Math.floor(Math.log10(most));
  const length = ([5, 2].find((step) => step * power <= most) ?? 1) * power;
  return { length: +length.toPrecision(1), pixels: (length * metres) / metresPerPixel };
}
