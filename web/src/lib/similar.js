// An activity among those that are like it.

import { ACTIVITIES } from "./data.js";
import { speedIn } from "./units.js";

/** @import { Activity, AmongSimilar } from "../types.js" */

// how far apart distances of the same round may be, and times where there is no way
const LIKE = { distance_m: 0.1, moving_time_s: 0.2 };
const LAST = 10;

/**
 * The place of `activity` among those of the same sport and a similar distance, or a similar time without a way;
 * null without another one. `rank` is by speed, `best` the fastest of the others, `mean` the speed of the `last` ones
 * before it; they are null without a way. What is odd, by its id, is neither compared nor ranked.
 *
 * @param {Activity} activity
 * @param {(id: string | undefined) => boolean} isOdd
 * @returns {AmongSimilar | null}
 */
export function amongSimilar(activity, isOdd) {
  const by = speedIn(activity) === null ? "moving_time_s" : "distance_m";
  const size = activity[by];
  if (!size || !activity.moving_time_s) return null;
  const [least, most] = [size * (1 - LIKE[by]), size * (1 + LIKE[by])];
  const like = ACTIVITIES.filter((row) => {
    const its = row[by] ?? 0;
    return row.sport_type === activity.sport_type && its >= least && its <= most && row.moving_time_s && !isOdd(row.id);
  });
  const others = like.filter((row) => row !== activity);
  if (!others.length) return null;
  const at = ACTIVITIES.indexOf(activity);
  // the list has the newest first
  const last = others.filter((row) => ACTIVITIES.indexOf(row) > at).slice(0, LAST);
  const way = by === "distance_m";
  const sum = (/** @type {"distance_m" | "moving_time_s"} */ name) => last.reduce((total, row) => total + (row[name] ?? 0), 0);
  return {
    by,
    least,
    most,
    count: like.length,
    rank: way && !isOdd(activity.id) ? 1 + others.filter((row) => speed(row) > speed(activity)).length : null,
    best: way ? others.reduce((best, row) => (speed(row) > speed(best) ? row : best)) : null,
    last,
    mean: way && last.length ? sum("distance_m") / sum("moving_time_s") : null,
  };
}

/** @param {Activity} row */
function speed(row) {
  return (row.distance_m ?? 0) / (row.moving_time_s || Infinity);
}
