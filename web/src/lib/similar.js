// An activity among those that are like it.

import { ACTIVITIES } from "./data.js";

// how far apart distances of the same round may be, and times where there is no distance
const LIKE = { distance_m: 0.1, moving_time_s: 0.2 };
const LAST = 10;

/**
 * The place of `activity` among those of the same sport and a similar distance, or a similar time without a distance:
 * { by, least, most, count, rank, best, last, mean }, null without another one. `rank` is by speed, `best` the fastest of
 * the others, `last` are the ten before it, the newest first, and `mean` is their speed; all of these are null without a
 * distance. `isOdd` says of an id whether the activity makes no sense: it is neither compared nor ranked.
 */
export function amongSimilar(activity, isOdd) {
  const by = activity.distance_m > 0 ? "distance_m" : "moving_time_s";
  const size = activity[by];
  if (!size || !activity.moving_time_s) return null;
  const [least, most] = [size * (1 - LIKE[by]), size * (1 + LIKE[by])];
  const like = ACTIVITIES.filter(
    (row) => row.sport_type === activity.sport_type && row[by] >= least && row[by] <= most && row.moving_time_s > 0 && !isOdd(row.id),
  );
  const others = like.filter((row) => row !== activity);
  if (!others.length) return null;
  const last = others.filter((row) => isBefore(row, activity)).slice(0, LAST);
  const bySpeed = by === "distance_m" && !isOdd(activity.id);
  const sum = (name) => last.reduce((total, row) => total + row[name], 0);
  return {
    by,
    least,
    most,
    count: like.length,
    rank: bySpeed ? 1 + others.filter((row) => speed(row) > speed(activity)).length : null,
    best: by === "distance_m" ? others.reduce((best, row) => (speed(row) > speed(best) ? row : best)) : null,
    last,
    mean: by === "distance_m" && last.length ? sum("distance_m") / sum("moving_time_s") : null,
  };
}

function speed(row) {
  return row.distance_m / row.moving_time_s;
}

/** The list has the newest first, and of those that began in the same minute the greater id. */
function isBefore(row, activity) {
  return row.started_local === activity.started_local
    ? ACTIVITIES.indexOf(row) > ACTIVITIES.indexOf(activity)
    : row.started_local < activity.started_local;
}
