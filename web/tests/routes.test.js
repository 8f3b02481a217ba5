import assert from "node:assert/strict";
import test from "node:test";
import { boundsOf, nearestRoute, scaleBarOf } from "../src/lib/map_view.js";
import { decodeRoute, placeText, regionsOf } from "../src/lib/routes.js";

/** What routes.py writes of [latitude, longitude] pairs: Google's polylines of four decimals. */
function encoded(points) {
  const last = [0, 0];
  let text = "";
  for (const point of points) {
    for (const axis of [0, 1]) {
      const now = Math.round(point[axis] * 1e4);
      let bits = (now - last[axis]) << 1;
      if (now < last[axis]) bits = ~bits;
      for (; bits >= 32; bits >>= 5) text += String.fromCharCode(((bits & 31) | 32) + 63);
      text += String.fromCharCode(bits + 63);
      last[axis] = now;
    }
  }
  return text;
}

const at = (latitude, longitude) => ({ route: encoded([[latitude, longitude], [latitude + 0.01, longitude + 0.01]]) });

test("a route is decoded to Mercator's places, the poles left out", () => {
  const points = decodeRoute(encoded([[0, -170.5], [60, 12.3456], [-90, 0]]));
  assert.equal(points.length, 6);
  assert.deepEqual([points[0], points[2]], [-170.5, 12.3456]);
  assert.ok(Math.abs(points[1]) < 1e-9);
  // ln tan(45° + 30°), in degrees
  assert.ok(Math.abs(points[3] - 75.4561) < 1e-3);
  assert.ok(points[5] > -181 && points[5] < -179);
});

test("starts in cells that touch are one region, the biggest first", () => {
  const [home, near, far] = [at(47.1, 8.1), at(47.6, 8.6), at(-33.9, 151.2)];
  const regions = regionsOf([far, home, near, home]);
  assert.deepEqual(regions.map(({ length }) => length), [3, 1]);
  assert.equal(placeText(regions[1]), "33.9° S, 151.2° E");
  assert.deepEqual(regionsOf([{ route: "" }]), []);
});

test("a single far route does not decide what the map shows", () => {
  const routes = Array.from({ length: 200 }, (_, i) => Float64Array.of(8 + i / 1000, 50, 8, 50));
  assert.deepEqual(boundsOf([...routes, Float64Array.of(150, 50, 150, 50)]).slice(0, 2).map(Math.round), [8, 8]);
  assert.deepEqual(boundsOf([Float64Array.of(8, 50, 9, 51)]), [8, 8, 50, 50]);
  assert.equal(boundsOf([]), null);
});

test("the nearest route is at most ten pixels away from the pointer", () => {
  const view = { x: 0, y: 0, scale: 100, width: 200, height: 200 };
  const routes = [Float64Array.of(-1, 0, 1, 0), Float64Array.of(-1, 0.5, 1, 0.5)];
  assert.equal(nearestRoute(routes, view, 100, 108), 0);
  assert.equal(nearestRoute(routes, view, 100, 55), 1);
  assert.equal(nearestRoute(routes, view, 100, 75), null);
});

test("a scale bar is a round length of at most 110 pixels", () => {
  for (const scale of [3, 40, 900, 1.5e6]) {
    for (const metres of [1000, 1609.344]) {
      const view = { x: 0, y: 50, scale, width: 1, height: 1 };
      const { length, pixels } = scaleBarOf(view, metres);
      assert.match(length.toExponential(), /^[125]e/);
      assert.ok(pixels > 40 && pixels <= 110 + 1e-9);
    }
  }
  // a degree at the equator is 111.32 km
  assert.deepEqual(scaleBarOf({ x: 0, y: 0, scale: 111.3195, width: 1, height: 1 }, 1000), { length: 100, pixels: 100 });
});
