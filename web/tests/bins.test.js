import assert from "node:assert/strict";
import test from "node:test";
import { byHour, byMonth, byWeek, byZone, growth, mondays, placeInYear } from "../src/lib/bins.js";
import { DAYS, load } from "../src/lib/data.js";
import { dayText } from "../src/lib/dates.js";
import { day, page } from "./page.js";

function days(...rows) {
  load(page({ activities_daily: rows }));
  return DAYS;
}

test("weeks of a year are whole weeks, to this one in the year that runs", () => {
  days();
  const first = ([monday]) => dayText(monday);
  const last = (weeks) => dayText(weeks.at(-1));
  assert.deepEqual([first(mondays(2025, 52)), last(mondays(2025, 52))], ["2024-12-30", "2025-12-29"]);
  assert.deepEqual([first(mondays(2026, 52)), last(mondays(2026, 52))], ["2025-12-29", "2026-11-23"]);
  assert.equal(mondays(null, 26).length, 26);
  assert.equal(last(mondays(null, 26)), "2026-11-23");
});

test("a week has its days from Monday to Sunday, by sport, and no sport without any", () => {
  const rows = days(day("2026-11-15", "Run", 1), day("2026-11-16", "Run", 2), day("2026-11-22", "Run", 3), day("2026-11-22", "Gym", null));
  const weeks = mondays(null, 2);
  const sums = byWeek(rows, "distance_m", weeks);
  assert.deepEqual([...sums.keys()], ["Run"]);
  assert.deepEqual(weeks.map((monday) => sums.get("Run").get(monday)), [5, 0]);
});

test("months add up by year", () => {
  const sums = byMonth(days(day("2025-12-31", "Run", 1), day("2026-01-01", "Run", 2), day("2026-01-31", "Ride", 4)), "distance_m");
  assert.equal(sums.get(2025)[11], 1);
  assert.equal(sums.get(2026)[0], 6);
});

test("a year grows day by day to its end, and this one to today", () => {
  const grown = growth(days(day("2025-02-28", "Run", 1), day("2025-03-01", "Run", 2), day("2026-11-26", "Run", 4)), "distance_m");
  const at = (year, date) => grown.get(year)[placeInYear(date)];
  // 2025 has no 29 February: it is as on the day before
  assert.deepEqual(["2025-02-27", "2024-02-29", "2025-03-01", "2025-12-31"].map((date) => at(2025, date)), [0, 1, 3, 3]);
  assert.deepEqual(["2026-11-25", "2026-11-26", "2026-11-27"].map((date) => at(2026, date)), [0, 4, null]);
});

test("an hour of the week begins on Monday at midnight", () => {
  const sums = byHour([
    { weekday: 1, hour: 0, activities: 1, moving_time_s: 60 },
    { weekday: 7, hour: 23, activities: 2, moving_time_s: null },
    { weekday: 7, hour: 23, activities: 1, moving_time_s: 30 },
  ]);
  assert.deepEqual(sums[0], { activities: 1, moving_time_s: 60 });
  assert.deepEqual(sums[167], { activities: 3, moving_time_s: 30 });
});

test("zones add up the months that are shown, and no other", () => {
  const sums = byZone(
    [
      { month_start_date: "2026-10-01", zone: 1, moving_time_s: 10 },
      { month_start_date: "2026-10-01", zone: 1, moving_time_s: 5 },
      { month_start_date: "2026-01-01", zone: 5, moving_time_s: 7 },
    ],
    ["2026-10-01", "2026-11-01"],
  );
  assert.deepEqual([...sums], [["2026-10-01", [15, 0, 0, 0, 0]], ["2026-11-01", [0, 0, 0, 0, 0]]]);
});
