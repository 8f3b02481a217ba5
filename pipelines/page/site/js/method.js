// Method: what each figure means, what it was computed with, what is missing.

let gapsCard;
panel("gaps", [], (host) => {
  gapsCard ??= new Card(host, DATA.public ? "What this page holds" : "What is known");
  if (DATA.public) {
    gapsCard.show(
      h("p", {}, "Of each activity: its date, its group of sports, the distance in steps of 100 m, the moving time in minutes, the climbing in steps of 10 m. Every other figure here is computed from these alone."),
      h("p", {}, "Left out: times of day, places and routes, heart rate and power, gear, names, best efforts. A day appears once it is over everywhere on Earth."),
    );
    return;
  }
  const coverage = rowsOf("data_coverage")[0];
  if (!coverage || !coverage.activities) {
    gapsCard.empty("Nothing yet: no activity has reached the warehouse.");
  } else {
    const load = rowsOf("training_load_daily");
    const of = (count) => (count === null || count === undefined ? null : count);
    const bars = [
      ["a route", of(coverage.with_route), "indoors, by hand, or without GPS"],
      ["heart rate", of(coverage.with_heartrate), "recorded without a sensor"],
      ["power", of(coverage.with_power), "recorded without a power meter"],
      [
        "details (splits, laps, best efforts, gear names)",
        of(coverage.with_details),
        coverage.without_api ? "known by an export or a file alone, still to be fetched, or refused" : "still to be fetched, a few at each run, or refused",
      ],
    ].filter(([, count]) => count !== null);
    gapsCard.show(
      h(
        "ul",
        { class: "coverage" },
        bars.map(([name, count, why]) =>
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
    gapsCard.say(
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
  const settings = [
    ["rest_hr", "Resting heart rate", " bpm", "STRAVA_REST_HR=50"],
    ["max_hr", "Maximum heart rate", " bpm", "STRAVA_MAX_HR=190"],
    ["threshold_hr", "Threshold heart rate", " bpm", "STRAVA_THRESHOLD_HR=170"],
    ["ftp_w", "Functional threshold power", " W", "STRAVA_FTP=250"],
    ["sex", "Sex, for TRIMP's weights", "", "STRAVA_SEX=f"],
  ];
  gapsCard.root.append(
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
  const held = gapsCard.root.querySelectorAll(".settings");
  if (held.length > 1) held[0].remove();
});

const DEFINITIONS = [
  ["Day, week, month", "Of the local time at the start. Weeks run from Monday (ISO). Kilometres and miles both come from metres, once, at the end."],
  ["Distance, time, climbed", "Strava's distance, moving time and elevation gain of each activity, added up."],
  ["Kudos", "Of the activities that Strava's API knows: an export has none."],
  ["Against the span before", "The same days of the week, month or year before: this year so far against last year to the same day."],
  ["Eddington number", "The largest E for which at least E days have at least E kilometres (or miles) in all. Kilometres and miles are counted apart, never one from the other."],
  ["Streak", "Days, weeks or months in a row with at least one activity. A streak of days is current while its last day is today or yesterday, one of weeks or months while it reaches this one or the one before."],
  ["Records", "The longest and highest activity of a sport and year. Of equals, the earliest stands."],
  ["Fastest", "The record of distance by moving time over a whole activity of ten minutes and more; indoor and virtual activities, those entered by hand, flagged ones and speeds beyond the best of the world do not count. Gym and ball games have no fastest."],
  ["Best efforts", "Strava's own, from the details: the fastest stretch of each length within an activity, never computed from an activity's average. One that is longer than its activity or faster than the world record does not count."],
  ["Left out", "What makes no sense is no record, rank, prediction, load or time in a zone: speeds and climbs beyond the best of the world, vehicles, recordings that were left on, a heart rate that is none. Sums leave nothing out."],
  ["Race predictions", "Riegel: T₂ = T₁ · (D₂ / D₁)^1.06, only where both times lie between 3.5 and 230 minutes."],
  ["TRIMP", "Banister 1991: minutes · r · 0.64 · e^(1.92 r) for men, 0.86 and 1.67 for women, r = (heart rate − rest) / (maximum − rest). From an activity's average heart rate, so an estimate."],
  ["hrTSS", "100 · TRIMP / TRIMP of an hour at the threshold heart rate (unless set, rest + 0.85 · (maximum − rest))."],
  ["TSS", "100 · s · NP · IF / (FTP · 3600), with IF = NP / FTP; Strava's weighted average power stands in for NP. Only from a power meter."],
  ["Load", "TSS, else hrTSS, else unknown; unknown too where a recording was left on. It is never guessed: each day shows the share of its moving time that has a load."],
  ["Fitness and fatigue", "Exponential means of the daily load with time constants of 42 and 7 days: x + (load − x) · (1 − e^(−1/τ)), from 0 on the first day with a load. The 42 days from there are warm-up, and so are days after six weeks with activities and without any load, and the 42 days from the next one. (TrainingPeaks uses 1/τ.)"],
  ["Form", "Yesterday's fitness less yesterday's fatigue. Below −30 it is called high risk, to −10 optimal, to 5 the grey zone, to 25 fresh, above transition."],
  ["Monotony, strain", "The mean of seven days' load by their standard deviation; their sum times that."],
  ["Zones", "Time by heart rate in five zones that start at 60, 70, 80 and 90 % of the way from resting to maximum heart rate (of the maximum where no resting one is set): from the splits of details, else the whole activity in the zone of its average. Only 20 to 250 beats a minute are a heart rate."],
  ["Sports", "Strava's sport types in eight groups; what is unknown is Other."],
  ["Map", "Routes simplified, to nine metres where there is room for it, and rounded to about eleven; nothing is drawn beneath them."],
];

// what only the figures that a public page leaves out need
const NOT_PUBLIC = ["Kudos", "Fastest", "Best efforts", "Left out", "Race predictions", "TRIMP", "hrTSS", "TSS", "Load", "Fitness and fatigue", "Form", "Monotony, strain", "Zones", "Map"];

let leftOutCard;
panel("left_out", [], (host) => {
  leftOutCard ??= new Card(host, "What was left out, and why", { kind: "wide-table" });
  const rows = rowsOf("left_out");
  if (!rows.length) return leftOutCard.empty("Nothing was left out.");
  leftOutCard.show(
    table({
      caption: "What was left out, and why",
      columns: [{ text: "Why", row: true }, "Left out of", { text: "Activities", number: true }, "The latest"],
      rows: rows.map((row) => [
        row.explanation,
        row.left_out_of.replaceAll("_", " "),
        whole.format(row.activities),
        [stravaLink(row.latest_activity_id, bdi(row.latest_activity_name)), h("span", { class: "under" }, dateText(row.latest_activity_date))],
      ]),
    }),
  );
  leftOutCard.say("Sums of distance, time and climb leave nothing out: they are Strava's. Each activity with its value and limit is in strava.left_out.");
});

panel("definitions", [], (host) => {
  const card = new Card(host, "What the figures mean", {});
  const shown = DEFINITIONS.filter(([name]) => !DATA.public || !NOT_PUBLIC.includes(name));
  card.show(h("dl", { class: "definitions" }, shown.map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text)))));
  card.say(DATA.public ? "This page converts units and adds up what the filters choose." : "This page converts units and adds up what the filters choose; everything else is computed by dbt in the warehouse (schema strava).");
});
