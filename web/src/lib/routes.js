// Routes as points, and the regions they lie in.

/** @import { Routed } from "../types.js" */

const decoded = new Map();

/**
 * The route's points as [x, y, x, y …] in the Mercator projection (degrees at the equator); y is north.
 *
 * @param {string} text
 * @returns {Float64Array}
 */
export function decodeRoute(text) {
  if (decoded.has(text)) return decoded.get(text);
  const points = [];
  const last = [0, 0];
  let [value, shift, axis] = [0, 0, 0];
  for (let i = 0; i < text.length; i += 1) {
    const bits = text.charCodeAt(i) - 63;
    value |= (bits & 31) << shift;
    shift += 5;
    if (bits < 32) {
      last[axis] += value & 1 ? ~(value >> 1) : value >> 1;
      if (axis) {
        const latitude = Math.min(Math.max(last[0] / 1e4, -85), 85);
        points.push(last[1] / 1e4, (Math.log(Math.tan(Math.PI / 4 + (latitude * Math.PI) / 360)) * 180) / Math.PI);
      }
      axis = 1 - axis;
      value = 0;
      shift = 0;
    }
  }
  const made = Float64Array.from(points);
  decoded.set(text, made);
  return made;
}

/**
 * Routes whose starts are neighbours (cells of half a degree that touch) are of one region; biggest first.
 *
 * @param {Routed[]} rows
 * @returns {Routed[][]}
 */
export function regionsOf(rows) {
  /** @type {Map<string, Routed[]>} */
  const cells = new Map();
  for (const row of rows) {
    const points = decodeRoute(row.route);
    if (points.length < 4) continue;
    const key = `${Math.floor(points[0] * 2)}/${Math.floor(points[1] * 2)}`;
    cells.set(key, [...(cells.get(key) ?? []), row]);
  }
  const regions = [];
  const seen = new Set();
  for (const start of cells.keys()) {
    if (seen.has(start)) continue;
    seen.add(start);
    const open = [start];
    /** @type {Routed[]} */
    const found = [];
    // grows while it is walked
    for (const key of open) {
      found.push(...(cells.get(key) ?? []));
      const [x, y] = key.split("/").map(Number);
      for (const dx of [-1, 0, 1]) {
        for (const dy of [-1, 0, 1]) {
          const next = `${x + dx}/${y + dy}`;
          if (cells.has(next) && !seen.has(next)) {
            seen.add(next);
            open.push(next);
          }
        }
      }
    }
    regions.push(found);
  }
  return regions.sort((a, b) => b.length - a.length);
}

/**
 * Where a region is, in whole tenths of degrees: its middle start.
 *
 * @param {Routed[]} rows
 */
export function placeText(rows) {
  const middle = (/** @type {0 | 1} */ axis) => rows.map((row) => decodeRoute(row.route)[axis]).sort((a, b) => a - b)[Math.floor(rows.length / 2)];
  const x = middle(0);
  const latitude = (2 * Math.atan(Math.exp((middle(1) * Math.PI) / 180)) * 180) / Math.PI - 90;
  return `${Math.abs(latitude).toFixed(1)}° ${latitude < 0 ? "S" : "N"}, ${Math.abs(x).toFixed(1)}° ${x < 0 ? "W" : "E"}`;
}
