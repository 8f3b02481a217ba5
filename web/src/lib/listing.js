// The list of activities: found by their names, sorted by what one likes.

import { dayNumber } from "./dates.js";
import { UNTITLED } from "./formats.js";
import { speedIn } from "./units.js";

/** @import { Activity } from "../types.js" */

/** @typedef {string | number | null | undefined} Key */

const NAMES = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

// what the list can be sorted by: texts or numbers
/** @type {{ [sort: string]: (row: Activity) => Key }} */
export const SORTS = {
  started_local: (row) => dayNumber(row.started_local) + minuteOf(row.started_local) / 1440,
  name: (row) => row.name || null,
  sport_type: (row) => row.sport_type,
  distance_m: (row) => row.distance_m || null,
  moving_time_s: (row) => row.moving_time_s,
  speed: (row) => speedIn(row),
  total_elevation_gain_m: (row) => row.total_elevation_gain_m,
  average_heartrate: (row) => row.average_heartrate,
  kudos: (row) => row.kudos,
};

/** @type {WeakMap<Activity, string>} */
const plain = new WeakMap();

/**
 * The activities whose name has all of these words, wherever they stand, whatever case and accents they have.
 *
 * @param {Activity[]} rows
 * @param {string} words
 */
export function namedLike(rows, words) {
  const wanted = plainText(words).split(/\s+/).filter(Boolean);
  if (!wanted.length) return rows;
  return rows.filter((row) => {
    const name = plain.get(row) ?? plainText(row.name || UNTITLED);
    plain.set(row, name);
    return wanted.every((word) => name.includes(word));
  });
}

/** @param {string} text */
function plainText(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

/**
 * The activities by one of `SORTS`; what is not known comes last either way, and of equals the newest first.
 *
 * @param {Activity[]} rows
 * @param {string} sort
 * @param {boolean} descending
 */
export function sortedBy(rows, sort, descending) {
  const of = SORTS[sort];
  const keyed = rows.map((row) => ({ key: of(row) ?? null, row }));
  return keyed
    .sort(({ key: a, row: one }, { key: b, row: other }) => {
      if (a === null || b === null) return +(a === null) - +(b === null) || newestFirst(one, other);
      return (descending ? compared(b, a) : compared(a, b)) || newestFirst(one, other);
    })
    .map(({ row }) => row);
}

/** The minute of the day of "2026-11-26T07:30". @param {string} text */
function minuteOf(text) {
  return 60 * +text.slice(11, 13) + +text.slice(14, 16);
}

/**
 * @param {string | number} a
 * @param {string | number} b
 */
function compared(a, b) {
  return typeof a === "string" && typeof b === "string" ? NAMES.compare(a, b) : +a - +b;
}

/**
 * @param {Activity} one
 * @param {Activity} other
 */
function newestFirst(one, other) {
  return +(one.started_local < other.started_local) - +(one.started_local > other.started_local);
}
