// Method: what is known, what is missing, and what was set.

import { ACTIVITIES, DATA, rowsOf } from "../lib/data.js";
import { counted, dateText, percent, whole } from "../lib/formats.js";
import { cardIn } from "../ui/card.js";
import { h } from "../ui/elements.js";
import { panel } from "../ui/panels.js";
import { table } from "../ui/table.js";

/** @import { Setting } from "../types.js" */

export default panel("gaps", [], (host) => {
  const card = cardIn(host, DATA.public ? "What this page holds" : "What is known");
  if (DATA.public) {
    card.show(
      h("p", {}, "Of each activity: its date, its group of sports, the distance in steps of 100 m, the moving time in minutes, the climbing in steps of 10 m. Every other figure here is computed from these alone."),
      h("p", {}, "Left out: times of day, places and routes, heart rate and power, gear, names, best efforts. A day appears once it is over everywhere on Earth."),
    );
    return;
  }
  const coverage = rowsOf("data_coverage")[0];
  if (!coverage || !coverage.activities) {
    card.empty("Nothing yet: no activity has reached the warehouse.");
  } else {
    const load = rowsOf("training_load_daily");
    const of = (/** @type {number | undefined} */ count) => count ?? null;
    /** @type {[string, number | null, string][]} */
    const parts = [
      ["a route", of(coverage.with_route), "indoors, by hand, or without GPS"],
      ["heart rate", of(coverage.with_heartrate), "recorded without a sensor"],
      ["power", of(coverage.with_power), "recorded without a power meter"],
      [
        "details (splits, laps, best efforts, gear names)",
        of(coverage.with_details),
        coverage.without_api ? "known by an export or a file alone, still to be fetched, or refused" : "still to be fetched, a few at each run, or refused",
      ],
    ];
    const bars = parts.flatMap(([name, count, why]) => (count === null ? [] : [{ name, count, why }]));
    card.show(
      h(
        "ul",
        { class: "coverage" },
        bars.map(({ name, count, why }) =>
          h(
            "li",
            {},
            h("p", {}, h("strong", {}, whole.format(count)), ` of ${counted(coverage.activities, "activity", "activities")} with ${name}`, h("span", { class: "right" }, percent(count / coverage.activities))),
            h("div", { class: "bar", "aria-hidden": "true" }, h("i", { css: { width: `${(count / coverage.activities) * 100}%` } })),
            h("p", { class: "under" }, count < coverage.activities ? `The others: ${why}.` : "All of them."),
          ),
        ),
      ),
    );
    const unknown = load.filter((row) => row.coverage !== null && row.load === null).length;
    const wrong = ACTIVITIES.filter((row) => row.started_local.slice(0, 10) > DATA.today).length;
    card.say(
      [
        `From ${dateText(coverage.first_activity_date)} to ${dateText(coverage.last_activity_date)}.`,
        load.length ? `Since the first training load ${counted(unknown, "active day has", "active days have")} none.` : "",
        coverage.without_api
          ? `${counted(coverage.without_api, "activity is", "activities are")} known by an export or a file alone: what only the API says, such as kudos, laps and best efforts, is unknown there and not zero.`
          : "",
        coverage.without_time_zone
          ? `${counted(coverage.without_time_zone, "activity has", "activities have")} no time zone: that of the activity nearest in time counts, or UTC where none has any.`
          : "",
        wrong ? `${counted(wrong, "activity is", "activities are")} dated after today, by a wrong clock.` : "",
        coverage.misfits ? `${counted(coverage.misfits, "activity holds", "activities hold")} a field of an unexpected form, kept but not counted.` : "",
      ].join(" "),
    );
  }
  /** @type {[Setting, string, string, string][]} */
  const settings = [
    ["rest_hr", "Resting heart rate", " bpm", "STRAVA_REST_HR=50"],
    ["max_hr", "Maximum heart rate", " bpm", "STRAVA_MAX_HR=190"],
    ["threshold_hr", "Threshold heart rate", " bpm", "STRAVA_THRESHOLD_HR=170"],
    ["ftp_w", "Functional threshold power", " W", "STRAVA_FTP=250"],
    ["sex", "Sex, for TRIMP's weights", "", "STRAVA_SEX=f"],
  ];
  card.root.append(
    h(
      "div",
      { class: "settings" },
      h("h4", {}, "Settings in force"),
      table({
        caption: "Settings in force",
        columns: [{ text: "Setting", row: true }, "Value", "How to set it, in .env or the environment"],
        rows: settings.map(([name, text, unit, example]) => [
          text,
          DATA.settings[name] === null || DATA.settings[name] === undefined ? h("em", {}, "not set") : `${DATA.settings[name]}${unit}`,
          h("code", {}, example),
        ]),
      }),
    ),
  );
  // appended once, whatever is redrawn
  const lists = card.root.querySelectorAll(".settings");
  if (lists.length > 1) lists[0].remove();
});
