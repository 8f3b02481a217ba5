// An opened activity.

import { activityOf, DATA, rowsOf } from "../lib/data.js";
import { clock, counted, dateText, NONE, ordinal, percent, signed, sportOf, whole } from "../lib/formats.js";
import { amongSimilar } from "../lib/similar.js";
import { state } from "../lib/state.js";
import { climbed, distance, isPaced, MEASURES, METRES, speed, speedIn, speedOf } from "../lib/units.js";
import { details } from "../ui/details.js";
import { bdi, dot, h, put } from "../ui/elements.js";
import { gauge } from "../ui/gauge.js";
import { activityLink, segmentLink, viewOnStrava } from "../ui/links.js";
import { routeSketch } from "../ui/routes.js";
import { table } from "../ui/table.js";

/**
 * @import { Details } from "../lib/details.js"
 * @import { AboutActivity, Activity, Content, EffortOfActivity, Lap, LeftOutOfActivity, Segment, SegmentEffort, Split, ZoneTime } from "../types.js"
 */

/** @type {{ [door: string]: string }} */
const DOORS = { api: "Strava's API", export: "your export", file: "an activity file" };

/**
 * Fill `dialog` with the activity that has this id, or say that the page has none.
 *
 * @param {HTMLElement} dialog
 * @param {string} id
 * @param {() => void} close closes it
 */
export function fillActivity(dialog, id, close) {
  const button = h("button", { type: "button", class: "close", "aria-label": "Close", on: { click: close } }, "✕");
  const row = activityOf(id);
  if (row) return fillKnown(dialog, row, button);
  put(
    dialog,
    h("header", {}, h("h2", { id: "activity-h", tabindex: "-1" }, "Not on this page"), button),
    h("p", { class: "empty" }, `There is no activity ${id} here. It was deleted, or it came after this page was made.`),
  );
}

/**
 * @param {HTMLElement} dialog
 * @param {Activity} row
 * @param {HTMLElement} button that closes it
 */
function fillKnown(dialog, row, button) {
  const rest = h("div", { "aria-busy": "true" });
  put(
    dialog,
    h(
      "header",
      {},
      h(
        "div",
        {},
        h("h2", { id: "activity-h", tabindex: "-1" }, bdi(row.name)),
        h("p", { class: "under" }, `${dateText(row.started_local)}, ${row.started_local.slice(11)} · `, dot(row.sport_group), sportOf(row)),
      ),
      button,
    ),
    rest,
  );
  details().then(
    (all) => {
      put(rest, known(row, all));
      rest.removeAttribute("aria-busy");
    },
    () => {
      put(rest, glance(row, {}), h("p", { class: "empty" }, "This browser cannot unpack the details of activities: a newer one can."), h("footer", {}, viewOnStrava(row.id, row.name)));
      rest.removeAttribute("aria-busy");
    },
  );
}

/**
 * @param {Activity} row
 * @param {Details} all
 */
function known(row, all) {
  /** @type {Partial<AboutActivity>} */
  const about = all.rows("activity", row.id)[0] ?? {};
  const pieces = [
    splits(row, all.rows("splits", row.id)),
    laps(row, all.rows("laps", row.id)),
    bestEfforts(all.rows("best_efforts", row.id)),
    segments(all.segmentEfforts(row.id)),
    zones(all.rows("zone_times", row.id)),
    similar(row, all),
    leftOut(all.rows("left_out", row.id), row),
  ].filter(Boolean);
  return [
    glance(row, about),
    h("div", { class: "pieces" }, pieces),
    h("footer", {}, h("p", { class: "note" }, origin(about)), viewOnStrava(row.id, row.name)),
  ];
}

/**
 * @param {Activity} row
 * @param {Partial<AboutActivity>} about
 */
function glance(row, about) {
  return h("div", { class: "glance" }, row.route ? routeSketch(row.route, 260, row.sport_group, "The route, north up") : null, facts(row, about));
}

/**
 * Where it came from, and whether there are details.
 *
 * @param {Partial<AboutActivity>} about
 */
function origin({ doors, has_details: hasDetails }) {
  if (!doors) return "";
  const names = doors.split(",").map((door) => DOORS[door.trim()]);
  const through = `Known by ${names.length > 1 ? `${names.slice(0, -1).join(", ")} and ` : ""}${names.at(-1)}.`;
  if (hasDetails) return through;
  return doors.startsWith("api")
    ? `${through} Its details (splits, laps, efforts) have not been fetched yet, or Strava refuses them.`
    : `${through} Details (splits, laps, efforts) come from the API alone.`;
}

/**
 * @param {Activity} row
 * @param {Partial<AboutActivity>} about
 */
function facts(row, about) {
  const gear = about.gear_id && rowsOf("gear").find(({ gear_id: id }) => id === about.gear_id);
  const beats = (/** @type {number | null | undefined} */ bpm) => (bpm ? `${whole.format(bpm)}\u00a0bpm` : null);
  const watts = (/** @type {number | null | undefined} */ power) => (power ? [`${whole.format(power)}\u00a0W`, about.device_watts ? null : h("span", { class: "under" }, " estimated")] : null);
  /** @type {[string, Content][]} */
  const shown = [
    ["Distance", row.distance_m ? distance(row.distance_m) : null],
    ["Moving time", row.moving_time_s ? clock(row.moving_time_s) : null],
    ["Elapsed time", about.elapsed_time_s ? clock(about.elapsed_time_s) : null],
    [isPaced(row.sport_group) ? "Pace" : "Speed", speedOf(row) === NONE ? null : speedOf(row)],
    ["Climbed", row.total_elevation_gain_m === null ? null : climbed(row.total_elevation_gain_m)],
    ["Heart rate", beats(row.average_heartrate)],
    ["Highest heart rate", beats(about.max_heartrate)],
    ["Power", watts(about.average_watts)],
    ["Weighted power", watts(about.weighted_average_watts)],
    ["Load", about.load || about.load === 0 ? [whole.format(about.load), h("span", { class: "under" }, ` by ${about.load_source === "power" ? "power" : "heart rate"}`)] : null],
    ["Kudos", row.kudos === null || row.kudos === undefined ? null : whole.format(row.kudos)],
    ["Gear", gear ? (gear.name ? bdi(gear.name) : `Unnamed (${gear.gear_id})`) : null],
    ["Device", about.device_name ? bdi(about.device_name) : null],
  ];
  return h(
    "dl",
    { class: "facts-of" },
    shown.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

/**
 * @param {string} title
 * @param {string | null} note
 * @param {Content[]} content
 */
function piece(title, note, ...content) {
  return h("div", { class: "piece" }, h("h3", {}, title), content, note ? h("p", { class: "note" }, note) : null);
}

/**
 * How long the bars of `values` are: they begin at half of the longest, as the differences are what one looks for.
 *
 * @param {(number | null)[]} values
 */
function shares(values) {
  const most = Math.max(...values.map((value) => value ?? 0), 0);
  return values.map((value) => (value === null || !most ? null : Math.max(0, (2 * value) / most - 1)));
}

/**
 * Stretches of an activity as a table of bars: pace or speed, heart rate, climbing.
 *
 * @param {Activity} row
 * @param {(Split | Lap)[]} stretches
 * @param {string} heading
 * @param {Content[]} names
 * @param {(number | null)[]} climb
 */
function bars(row, stretches, heading, names, climb) {
  const speeds = stretches.map(({ distance_m, moving_time_s }) => speedIn({ ...row, distance_m, moving_time_s }));
  const hearts = stretches.map(({ average_heartrate: bpm }) => bpm ?? null);
  const [long, beat] = [shares(speeds), shares(hearts)];
  const highest = Math.max(...climb.map((metres) => Math.abs(metres ?? 0)), 1);
  // of one kilometre the pace is the time, but who swims says it of 100 metres
  const isPace = isPaced(row.sport_group) && row.sport_group !== "Swim" && state.units === DATA.units;
  const isTimed = stretches.some((stretch) => !("splits" in stretch && stretch.splits === 1)) || !isPace;
  const has = (/** @type {(number | null)[]} */ values) => values.some((value) => value !== null);
  const unit = speed(1, row.sport_group).split("\u00a0").slice(1).join("\u00a0");
  const height = MEASURES.total_elevation_gain_m;
  const up = (/** @type {number | null} */ metres) => (metres === null ? NONE : signed(height.number(metres)));
  return table({
    caption: heading,
    kind: "stretches",
    columns: [
      { text: heading === "Laps" ? "Lap" : DATA.units, row: true },
      ...(isTimed ? [{ text: "Time", number: true }] : []),
      ...(has(speeds) ? [`${isPaced(row.sport_group) ? "Pace" : "Speed"} (${unit})`] : []),
      ...(has(hearts) ? ["Heart rate"] : []),
      ...(has(climb) ? [`Elevation (${height.unit()})`] : []),
    ],
    rows: stretches.map((stretch, i) => [
      names[i],
      ...(isTimed ? [clock(stretch.moving_time_s)] : []),
      ...(has(speeds) ? [gauge(speed(speeds[i], row.sport_group).split("\u00a0")[0], long[i], "speed")] : []),
      ...(has(hearts) ? [gauge(hearts[i] === null ? NONE : whole.format(hearts[i] ?? 0), beat[i], "heart")] : []),
      ...(has(climb) ? [gauge(up(climb[i]), climb[i] === null ? null : Math.abs(climb[i] ?? 0) / highest, (climb[i] ?? 0) < 0 ? "down" : "up")] : []),
    ]),
  });
}

/**
 * @param {Activity} row
 * @param {Split[]} stretches
 */
function splits(row, stretches) {
  if (!stretches.length) return null;
  let end = 0;
  const ends = stretches.map((split) => (end += split.splits));
  const unit = METRES[DATA.units];
  // the last one is as long as what was left
  const isEach = stretches.every(({ splits: count }) => count === 1);
  const names = stretches.map(({ splits: count, distance_m: m }, i) => {
    const begin = ends[i] - count;
    const far = (m ?? 0) / unit;
    const isShort = far < count - 0.05;
    if (isEach) return isShort ? far.toFixed(1) : `${ends[i]}`;
    return `${begin}–${isShort ? (begin + far).toFixed(1) : ends[i]}`;
  });
  return piece(
    "Splits",
    `Elevation is up less down. Bars of speed and heart rate begin at half of the longest.${
      state.units === DATA.units ? "" : ` By ${DATA.units === "km" ? "the kilometre" : "the mile"}, as STRAVA_UNITS says.`
    }`,
    bars(row, stretches, "Splits", names, stretches.map((split) => split.elevation_difference_m ?? null)),
  );
}

/**
 * @param {Activity} row
 * @param {Lap[]} stretches
 */
function laps(row, stretches) {
  if (!stretches.length) return null;
  const names = stretches.map((lap, i) => [`${i + 1}`, lap.name ? [" ", bdi(lap.name)] : null, h("span", { class: "under" }, distance(lap.distance_m))]);
  return piece("Laps", null, bars(row, stretches, "Laps", names, stretches.map((lap) => lap.total_elevation_gain_m ?? null)));
}

/** @param {EffortOfActivity[]} efforts */
function bestEfforts(efforts) {
  if (!efforts.length) return null;
  return piece(
    "Best efforts",
    null,
    table({
      caption: "Best efforts",
      columns: [{ text: "Distance", row: true }, { text: "Time", number: true }, { text: "Of all", number: true }, { text: "Of the year", number: true }],
      rows: efforts.map((effort) => [
        effort.effort,
        clock(effort.elapsed_time_s),
        effort.rank_all_time === null ? "left out" : place(effort.rank_all_time),
        effort.rank_in_year === null ? "" : place(effort.rank_in_year),
      ]),
    }),
  );
}

/**
 * A rank; the first three stand out.
 *
 * @param {number} rank
 */
function place(rank) {
  return rank <= 3 ? h("b", { class: "medal" }, ordinal(rank)) : ordinal(rank);
}

/** @param {(SegmentEffort & Segment)[]} efforts */
function segments(efforts) {
  if (!efforts.length) return null;
  const isKom = efforts.some((effort) => effort.kom_rank !== null);
  return piece(
    "Segments",
    "Places among your own efforts that are here.",
    table({
      caption: "Segments",
      columns: [{ text: "Segment", row: true }, { text: "Time", number: true }, { text: "Own place", number: true }, ...(isKom ? [{ text: "Among all", number: true }] : [])],
      rows: efforts.map((effort) => [
        segmentLink(effort.id, effort.name),
        clock(effort.elapsed_time_s),
        effort.rank_own === null ? "left out" : [place(effort.rank_own), ` of ${whole.format(effort.efforts)}`],
        ...(isKom ? [effort.kom_rank === null ? "" : ordinal(effort.kom_rank)] : []),
      ]),
    }),
  );
}

/** @param {ZoneTime[]} times */
function zones(times) {
  if (!times.length) return null;
  const bounds = new Map(rowsOf("zone_bounds").map((zone) => [zone.zone, zone]));
  const total = times.reduce((sum, { moving_time_s: s }) => sum + s, 0);
  const of = (/** @type {number} */ zone) => times.find((row) => row.zone === zone)?.moving_time_s ?? 0;
  const between = (/** @type {number} */ zone) => {
    const { lowest_bpm: low, highest_bpm: high } = bounds.get(zone) ?? {};
    if (low === undefined) return "";
    return zone === 1 ? `up to ${high}` : high === null ? `from ${low}` : `${low}–${high}`;
  };
  return piece(
    "Heart-rate zones",
    times[0].source === "average" ? "All of it counts in the zone of its average: its splits have no heart rate." : "Each split counts in the zone of its average.",
    table({
      caption: "Heart-rate zones",
      kind: "stretches",
      columns: [{ text: "Zone", row: true }, "bpm", { text: "Time", number: true }, "Share"],
      rows: [1, 2, 3, 4, 5].map((zone) => [`${zone}`, between(zone), clock(of(zone)), gauge(percent(of(zone) / total), of(zone) / total, `zone-${zone}`)]),
    }),
  );
}

/**
 * @param {Activity} row
 * @param {Details} all
 */
function similar(row, all) {
  const found = amongSimilar(row, (id) => all.isOdd(id));
  if (!found) return null;
  const size = found.by === "distance_m" ? `${distance(found.least)} to ${distance(found.most)}` : `${clock(found.least)} to ${clock(found.most)}`;
  const pace = (/** @type {number} */ metresPerSecond) => speed(metresPerSecond, row.sport_group);
  const own = speedIn(row) ?? 0;
  const sentences = [
    `${counted(found.count, "activity", "activities")}: ${sportOf(row)}, ${size}.`,
    found.rank ? `By speed it is the ${found.rank === 1 ? "fastest" : `${ordinal(found.rank)} fastest`}.` : "",
    found.mean ? `The last ${found.last.length === 1 ? "one before was" : `${found.last.length} before were`} at ${pace(found.mean)} on average: this one was ${against(own, found.mean)}.` : "",
  ];
  const rows = [row, ...(found.best && !found.last.includes(found.best) ? [found.best] : []), ...found.last];
  return piece(
    "Among similar ones",
    null,
    h("p", {}, sentences.filter(Boolean).join(" ")),
    table({
      caption: "Similar activities",
      kind: "similar",
      columns: [{ text: "Day", row: true }, ...(found.by === "distance_m" ? [{ text: "Distance", number: true }] : []), { text: "Time", number: true }, ...(found.best ? [{ text: isPaced(row.sport_group) ? "Pace" : "Speed", number: true }] : []), { text: "Heart rate", number: true }],
      rows: rows.map((one) => [
        one === row ? [h("b", {}, "This one")] : [activityLink(one.id, dateText(one.started_local)), one === found.best ? h("span", { class: "badge" }, found.rank === 1 ? "next fastest" : "fastest") : null],
        ...(found.by === "distance_m" ? [distance(one.distance_m)] : []),
        clock(one.moving_time_s),
        ...(found.best ? [speedOf(one)] : []),
        one.average_heartrate ? whole.format(one.average_heartrate) : NONE,
      ]),
    }),
  );
}

/**
 * @param {number} own
 * @param {number} mean
 */
function against(own, mean) {
  const share = Math.round((own / mean - 1) * 1000) / 10;
  return share === 0 ? "as fast" : `${Math.abs(share)}\u00a0% ${share > 0 ? "faster" : "slower"}`;
}

/**
 * @param {LeftOutOfActivity[]} reasons
 * @param {Activity} row
 */
function leftOut(reasons, row) {
  if (!reasons.length) return null;
  const value = (/** @type {number | null} */ number, /** @type {LeftOutOfActivity} */ { unit, effort, reason }) => {
    if (number === null) return null;
    if (unit === "m/s") return reason === "too_steep" ? `${climbed(number * 3600)}/h` : speed(number, row.sport_group);
    if (unit === "s") return clock(number);
    if (unit === "m") return effort ? distance(number) : climbed(number);
    return `${whole.format(number)}\u00a0${unit}`;
  };
  return piece(
    "Left out",
    "Sums leave nothing out: they are Strava's.",
    h(
      "ul",
      { class: "reasons" },
      reasons.map((reason) => {
        const [is, limit] = [value(reason.value, reason), value(reason.limit_value, reason)];
        return h(
          "li",
          {},
          h("strong", {}, reason.effort ? [bdi(reason.effort), ": "] : null, reason.explanation),
          is ? ` (${is}${limit ? `, the limit is ${limit}` : ""})` : null,
          h("span", { class: "under" }, `Left out of ${reason.left_out_of.replaceAll("_", " ")}.`),
        );
      }),
    ),
  );
}
