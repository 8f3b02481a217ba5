// A year in review: the chosen year, or this one.

import { isOfGroup, noneChosen } from "../lib/choices.js";
import { ACTIVITIES, rowsOf, THIS_YEAR } from "../lib/data.js";
import { WEEKDAYS, yearOf } from "../lib/dates.js";
import { counted, dateText, hourText, NONE, rangeText, whole } from "../lib/formats.js";
import { newestOf } from "../lib/spans.js";
import { state } from "../lib/state.js";
import { amount, distance, measured, MEASURES } from "../lib/units.js";
import { cardIn } from "../ui/card.js";
import { bdi, h } from "../ui/elements.js";
import { activityLink } from "../ui/links.js";
import { panel } from "../ui/panels.js";
import { routeSketch } from "../ui/routes.js";

/** @import { Content, Measure, YearInReview } from "../types.js" */

export default panel("review", ["year", "sport", "units"], (host) => {
  const card = cardIn(host, "", { kind: "review" });
  const rows = rowsOf("year_in_review").filter((row) => row.sport_group === state.sport);
  if (!rows.length) {
    card.heading.textContent = `${state.year ?? THIS_YEAR}`;
    return card.empty(noneChosen());
  }
  const year = state.year ?? newestOf(rows.map((row) => row.year));
  const row = rows.find((one) => one.year === year);
  card.heading.textContent = `${year}${state.sport === "All" ? "" : `, ${state.sport}`}`;
  if (!row) return card.empty(noneChosen());
  const before = rows.find((one) => one.year === year - 1);
  const gear = rowsOf("gear").find((one) => one.gear_id && one.gear_id === row.most_used_gear_id);
  const longest = ACTIVITIES.find((one) => one.id && one.id === row.longest_activity_id);
  const number = (/** @type {string} */ name, /** @type {string} */ value, /** @type {string | null}*/ under) => h("div", {}, h("dt", {}, name), h("dd", {}, h("span", { class: "big" }, value), under ? h("span", { class: "under" }, under) : null));
  const against = (/** @type {Measure | "active_days" | "kudos"} */ column, /** @type {(value: number) => string} */ text) =>
    before?.[column] ? `${text(before[column])} in ${year - 1}` : null;
  const sum = (/** @type {Measure} */ measure) => number(MEASURES[measure].label, measured(measure, row[measure]).replace(/ activit\w+|\u00a0activit\w+/, ""), against(measure, (value) => measured(measure, value)));
  // null where only an export or a file knows the activity
  const kudos = (/** @type {YearInReview} */ { kudos: sum }) => {
    if (sum === undefined) return null;
    const unknown = ACTIVITIES.filter((one) => one.kudos === null && yearOf(one.started_local) === year && isOfGroup(one)).length;
    if (!unknown) return sum === null ? null : number("Kudos", whole.format(sum), against("kudos", whole.format));
    if (sum === null) return number("Kudos", NONE, "an export has none");
    return number("Kudos", whole.format(sum), `without ${counted(unknown, "activity", "activities")} of an export, which has none`);
  };
  // kilometres and miles are counted apart
  const eddington = (/** @type {YearInReview} */ one) => one[`eddington_${state.units}`] ?? null;
  const moment = (/** @type {string} */ name, /** @type {Content[]} */ ...content) => h("div", { class: "moment" }, h("dt", {}, name), h("dd", {}, content));
  card.show(
    h(
      "dl",
      { class: "numbers" },
      sum("activities"),
      sum("distance_m"),
      sum("moving_time_s"),
      sum("total_elevation_gain_m"),
      number("Active days", whole.format(row.active_days), against("active_days", (value) => counted(value, "day", "days"))),
      kudos(row),
    ),
    h(
      "dl",
      { class: "moments" },
      row.longest_distance_m
        ? moment(
            "Longest activity",
            longest?.route ? routeSketch(longest.route, 72, longest.sport_group) : null,
            h("strong", {}, distance(row.longest_distance_m)),
            row.longest_activity_name === null || row.longest_activity_name === undefined ? null : activityLink(row.longest_activity_id, bdi(row.longest_activity_name)),
            longest ? h("span", { class: "under" }, dateText(longest.started_local)) : null,
          )
        : null,
      row.biggest_day_distance_m
        ? moment("Biggest day", h("strong", {}, distance(row.biggest_day_distance_m)), h("span", { class: "under" }, dateText(row.biggest_day_date)))
        : null,
      moment("Longest streak", h("strong", {}, counted(row.longest_day_streak, "day", "days")), h("span", { class: "under" }, "in a row")),
      row.favourite_weekday
        ? moment(
            "Favourite start",
            h("strong", {}, `${WEEKDAYS[row.favourite_weekday - 1]}s`),
            row.favourite_hour === null || row.favourite_hour === undefined ? null : h("span", { class: "under" }, `and ${hourText(row.favourite_hour)} to ${hourText((row.favourite_hour + 1) % 24)}`),
          )
        : null,
      eddington(row) === null
        ? null
        : moment("Eddington of the year", h("strong", {}, `${eddington(row)}\u00a0${state.units}`), h("span", { class: "under" }, "from this year's days alone")),
      gear ? moment("Most used", h("strong", {}, bdi(gear.name, gear.gear_id)), h("span", { class: "under" }, gear.kind === "bike" ? "bike" : gear.kind)) : null,
      moment("From first to last", h("strong", {}, rangeText(row.first_activity_date, row.last_activity_date))),
    ),
  );
  card.say(state.year === null ? "Choose a year above to look back at another." : null);
  card.tableBehind(() => ({
    caption: `Years, ${state.sport === "All" ? "all sports" : state.sport}`,
    columns: [
      { text: "Year", row: true },
      ...["Activities", "Active days", `Distance (${state.units})`, "Time (h)", `Climbed (${MEASURES.total_elevation_gain_m.unit()})`, "Longest", "Streak (days)", `Eddington (${state.units})`].map((text) => ({ text, number: true })),
    ],
    rows: [...rows]
      .sort((a, b) => b.year - a.year)
      .map((one) => [
        `${one.year}`,
        whole.format(one.activities),
        whole.format(one.active_days),
        amount("distance_m", one.distance_m),
        amount("moving_time_s", one.moving_time_s),
        amount("total_elevation_gain_m", one.total_elevation_gain_m),
        distance(one.longest_distance_m),
        whole.format(one.longest_day_streak),
        amount("activities", eddington(one)),
      ]),
  }));
});
