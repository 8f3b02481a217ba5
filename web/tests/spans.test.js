import assert from "node:assert/strict";
import test from "node:test";
import { load } from "../src/lib/data.js";
import { yearsWithGaps } from "../src/lib/dates.js";
import { formText, lastYearOf, warmUps } from "../src/lib/fitness.js";
import { monthsTo, newestOf } from "../src/lib/spans.js";
import { roundStep } from "../src/lib/steps.js";
import { page } from "./page.js";

test("years without anything are one gap", () => {
  assert.deepEqual(yearsWithGaps([2026, 2024, 2024, 2023]), [2026, [2025, 2025], 2024, 2023]);
  assert.deepEqual(yearsWithGaps([1974, 2024]), [2024, [1975, 2023], 1974]);
  assert.deepEqual(yearsWithGaps([]), []);
});

test("the newest year is none to come, unless there is no other", () => {
  load(page());
  assert.equal(newestOf([2038, 2025, 1974]), 2025);
  assert.equal(newestOf([2038, 2040]), 2040);
});

test("months have no gaps, end with the last that has begun, and are sixty at most", () => {
  load(page());
  assert.deepEqual(monthsTo(["2026-09-01", "2026-11-01"]), ["2026-09-01", "2026-10-01", "2026-11-01"]);
  assert.deepEqual(monthsTo(["2025-12-01", "2026-01-01", "2038-01-01"]), ["2025-12-01", "2026-01-01"]);
  assert.deepEqual(monthsTo(["2038-01-01"]), ["2038-01-01"]);
  const months = monthsTo(["1974-01-01", "2026-11-01"]);
  assert.deepEqual([months.length, months[0]], [60, "2021-12-01"]);
});

test("warm-up is each run of its days", () => {
  const rows = [1, 1, 0, 0, 1].map((is_warm_up, i) => ({ date: `2026-01-0${i + 1}`, is_warm_up }));
  assert.deepEqual(warmUps(rows), [["2026-01-01", "2026-01-02"], ["2026-01-05", "2026-01-05"]]);
});

test("who has been idle sees the last year with a load and ninety days more", () => {
  const rows = Array.from({ length: 1000 }, (_, i) => ({ date: `${i}`, load: i <= 600 ? 50 : 0 }));
  assert.deepEqual(lastYearOf(rows), [`${690 - 364}`, "690"]);
  assert.deepEqual(lastYearOf(rows.slice(0, 601)), [`${600 - 364}`, "600"]);
  assert.deepEqual(lastYearOf(rows.slice(0, 3)), ["0", "2"]);
});

test("a form has the name of the band that it begins", () => {
  assert.deepEqual([-31, -30, -10, 5, 25].map(formText), ["High risk", "Optimal", "Grey zone", "Fresh", "Transition"]);
});

test("an axis steps by 1, 2, 5, 10 and so on", () => {
  assert.deepEqual([0, 1, 1.5, 3, 7, 12, 40, 99].map(roundStep), [1, 1, 2, 5, 10, 20, 50, 100]);
});
