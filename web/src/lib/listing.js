// The list of activities: found by their names, sorted by what one likes.

import { speedIn } from "./units.js";

const NAMES = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

// what the list can be sorted by: texts or numbers
export const SORTS = {
  started_local: (row) => row.started_local,
  name: (row) => row.name || null,
  sport_type: (row) => row.sport_type,
  distance_m: (row) => row.distance_m || null,
  moving_time_s: (row) => row.moving_time_s,
  speed: (row) => speedIn(row),
  total_elevation_gain_m: (row) => row.total_elevation_gain_m,
  average_heartrate: (row) => row.average_heartrate,
  kudos: (row) => row.kudos,
};

const plain = new WeakMap();

/** The activities whose name has all of these words, wherever they stand, whatever case and accents they have. */
export function namedLike(rows, words) {
  const wanted = plainText(words).split(/\s+/).filter(Boolean);
  if (!wanted.length) return rows;
  return rows.filter((row) => {
    if (!plain.has(row)) plain.set(row, plainText(row.name ?? ""));
    const name = plain.get(row);
    return wanted.every((word) => name.includes(word));
  });
}

function plainText(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

/** The activities by one of `SORTS`; what is not known comes last either way, and of equals the newest first. */
export function sortedBy(rows, sort, descending) {
  const of = SORTS[sort];
  const keyed = rows.map((row) => [of(row) ?? null, row]);
  const compared = typeof keyed.find(([key]) => key !== null)?.[0] === "string" && sort !== "started_local" ? NAMES.compare : ascending;
  return keyed
    .sort(([a, one], [b, other]) => {
      if (a === null || b === null) return (a === null) - (b === null) || newestFirst(one, other);
      return (descending ? compared(b, a) : compared(a, b)) || newestFirst(one, other);
    })
    .map(([, row]) => row);
}

function ascending(a, b) {
  return a < b ? -1 : +(a > b);
}

function newestFirst(one, other) {
  return ascending(other.started_local, one.started_local);
}
