import assert from "node:assert/strict";
import test from "node:test";
import { activitiesChosen, addressOf, choicesOf, daysChosen, measureName, shownMeasure } from "../src/lib/choices.js";
import { load } from "../src/lib/data.js";
import { state } from "../src/lib/state.js";
import { day, page } from "./page.js";

const ACTIVITIES = [
  { id: "3", started_local: "2026-05-02T07:30", sport_group: "Run", sport_type: "TrailRun", distance_m: 8000, moving_time_s: 2400 },
  { id: "2", started_local: "2026-05-01T07:30", sport_group: "Run", sport_type: "Run", distance_m: 10000, moving_time_s: 3000 },
  { id: "1", started_local: "2025-05-01T18:00", sport_group: "Gym", sport_type: "WeightTraining", distance_m: null, moving_time_s: 1800 },
];
const DAYS = [
  { ...day("2025-05-01", "Gym", null), moving_time_s: 1800 },
  day("2026-05-01", "Run", 10000),
  day("2026-05-02", "Run", 8000),
];

function choose(choices = {}) {
  load(page({ activities: ACTIVITIES, activities_daily: DAYS }));
  Object.assign(state, choicesOf(""), choices);
}

test("an address has what differs from the start, and brings it back", () => {
  choose();
  const choices = { ...choicesOf(""), year: 2026, sport: "Run", type: "TrailRun", units: "mi" };
  assert.equal(addressOf(choices), "year=2026&sport=Run&type=TrailRun&units=mi");
  assert.deepEqual(choicesOf(`#${addressOf(choices)}`), choices);
  assert.equal(addressOf(choicesOf("")), "");
});

test("of two values the address means the last, and a place on the page is no choice", () => {
  choose();
  assert.equal(choicesOf("#year=2025&year=2026").year, 2026);
  assert.equal(choicesOf("#gear"), null);
});

test("units are those of the athlete until others are chosen", () => {
  load(page({}, { units: "mi" }));
  assert.equal(choicesOf("").units, "mi");
  assert.equal(addressOf(choicesOf("#units=km")), "units=km");
});

test("filters choose activities, and days of a sport type come from them", () => {
  choose({ sport: "Run", type: "TrailRun" });
  assert.deepEqual(activitiesChosen().map(({ id }) => id), ["3"]);
  assert.deepEqual(daysChosen().map((row) => [row.activity_date, row.distance_m]), [["2026-05-02", 8000]]);
  choose({ year: 2025 });
  assert.deepEqual(activitiesChosen().map(({ id }) => id), ["1"]);
  assert.deepEqual(daysChosen().map((row) => row.sport_group), ["Gym"]);
});

test("hours are drawn where a sport has no distance", () => {
  choose({ sport: "Gym" });
  assert.equal(shownMeasure(), "moving_time_s");
  assert.equal(measureName(), "Moving time (h)");
  choose({ sport: "Run", units: "mi" });
  assert.equal(measureName(), "Distance (mi)");
});

test("data that is loaded again is what is chosen from", () => {
  choose({ sport: "Run" });
  assert.equal(daysChosen().length, 2);
  load(page({ activities_daily: DAYS.slice(0, 2) }));
  assert.equal(daysChosen().length, 1);
});
