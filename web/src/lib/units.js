// All of the page's conversions of units.

import { clock, counted, NONE, tenths, whole } from "./formats.js";
import { state } from "./state.js";

/** @import { Activity, BestActivity, Measure, Units } from "../types.js" */

/** @type {{ [units in Units]: number }} */
export const METRES = { km: 1000, mi: 1609.344 };

/**
 * What can be summed: its name, its unit, and a number in that unit.
 *
 * @type {{ [measure in Measure]: { label: string, unit: () => string, number: (value: number) => number } }}
 */
export const MEASURES = {
  distance_m: {
    label: "Distance",
    unit: () => state.units,
    number: (m) => m / METRES[state.units],
  },
  moving_time_s: { label: "Moving time", unit: () => "h", number: (s) => s / 3600 },
  total_elevation_gain_m: {
    label: "Climbed",
    unit: () => (state.units === "km" ? "m" : "ft"),
    number: (m) => (state.units === "km" ? m : m / 0.3048),
  },
  activities: { label: "Activities", unit: () => "", number: (count) => count },
};

/**
 * A measure's total, without its unit: small ones with a decimal, as 4.2 km says more than 4.
 *
 * @param {Measure} measure
 * @param {number | null | undefined} value
 */
export function amount(measure, value) {
  if (value === null || value === undefined) return NONE;
  const number = MEASURES[measure].number(value);
  const fine = measure === "distance_m" || measure === "moving_time_s";
  return fine && number !== 0 && number < 99.95 ? tenths.format(number) : whole.format(number);
}

/**
 * A measure's total with its unit: "4.2 km", "12 activities".
 *
 * @param {Measure} measure
 * @param {number} value
 */
export function measured(measure, value) {
  if (measure === "activities") return counted(value, "activity", "activities");
  const text = amount(measure, value);
  return text === NONE ? text : `${text}\u00a0${MEASURES[measure].unit()}`;
}

/**
 * One activity's distance, with its unit.
 *
 * @param {number | null | undefined} m
 */
export function distance(m) {
  return m === null || m === undefined ? NONE : `${tenths.format(m / METRES[state.units])}\u00a0${state.units}`;
}

/** @param {number | null | undefined} m */
export function climbed(m) {
  return m === null || m === undefined ? NONE : measured("total_elevation_gain_m", m);
}

/**
 * Whether the sport's people say how long a distance takes rather than how far an hour leads.
 *
 * @param {string} sport
 */
export function isPaced(sport) {
  return ["Run", "Walk", "Swim"].includes(sport);
}

/**
 * The mean speed of an activity in m/s; null in the gym, where the distance is none of a way.
 *
 * @param {Activity} row
 */
export function speedIn({ distance_m: m, moving_time_s: s, sport_group: sport }) {
  return m && s && sport !== "Gym" ? m / s : null;
}

/**
 * The mean speed of an activity as its people say it.
 *
 * @param {Activity} row
 */
export function speedOf(row) {
  return speed(speedIn(row), row.sport_group);
}

/**
 * A speed as the sport's people say it: pace for who runs, walks or swims, else per hour.
 *
 * @param {number | null} metresPerSecond
 * @param {string} sport
 */
export function speed(metresPerSecond, sport) {
  if (!metresPerSecond) return NONE;
  if (sport === "Swim") {
    const metres = state.units === "km" ? 100 : 91.44;
    return `${clock(metres / metresPerSecond)}\u00a0/100\u00a0${state.units === "km" ? "m" : "yd"}`;
  }
  if (isPaced(sport)) return `${clock(METRES[state.units] / metresPerSecond)}\u00a0/${state.units}`;
  return `${tenths.format((metresPerSecond * 3600) / METRES[state.units])}\u00a0${state.units}/h`;
}

/**
 * A value of the records by its unit: metres up where the record is of height.
 *
 * @param {BestActivity} record
 */
export function recordValue(record) {
  if (record.unit === "s") return clock(record.value);
  if (record.unit === "m/s") return speed(record.value, record.sport_group);
  return record.record === "longest_distance" ? distance(record.value) : climbed(record.value);
}
