// Data health: where the data came from, how whole they are, and when they were last looked at.

import { DATA, DAYS, rowsOf } from "../lib/data.js";
import { counted, dateText, percent, rangeText, whole } from "../lib/formats.js";
import { longestGaps } from "../lib/gaps.js";
import { cardIn } from "../ui/card.js";
import { h } from "../ui/elements.js";
import { gauge } from "../ui/gauge.js";
import { panel } from "../ui/panels.js";
import { table } from "../ui/table.js";

/** @import { Content, DataCoverageOfYear, InstantText, Seen } from "../types.js" */
/** @typedef {Exclude<keyof DataCoverageOfYear, "year" | "activities">} Counted */

const GAP_DAYS = 14;
const GAPS = 5;

export default panel("health", [], (host) => {
  const card = cardIn(host, "Where the data come from, and how whole they are", { kind: "wide-table" });
  const years = rowsOf("data_coverage_yearly");
  if (!years.length) return card.empty("Nothing yet: no activity has reached the warehouse.");
  card.show(
    byYear(years),
    h(
      "dl",
      { class: "health" },
      [
        ["Summaries", seen("summaries", "from Strava's API", "None: the API has sent nothing yet.")],
        ["Details", details()],
        ["Last sweep", sweep()],
        ["Exports", exports()],
        ["Deleted at Strava", seen("deleted", "noticed as gone", "None that was noticed.")],
        ["Doors disagree", differences()],
        ["Did not fit", misfits()],
        ["Longest gaps", gaps()],
        ["Unknown fields", unknownFields()],
        ["Beyond the warehouse", ["Requests left today, files that were not read, whether all adds up, and the last run: ", h("code", {}, "make status"), "."]],
      ].map(([name, said]) => h("div", {}, h("dt", {}, name), h("dd", {}, said))),
    ),
  );
  card.say("Percentages are of the year's activities. Details come from the API alone, a few at each run.");
});

/** @param {DataCoverageOfYear[]} years */
function byYear(years) {
  /** @type {[Counted, string][]} */
  const doors = [["by_api", "API"], ["by_export", "Export"], ["by_file", "Files"]];
  /** @type {[Counted, string][]} */
  const has = [["with_route", "Route"], ["with_heartrate", "Heart rate"], ["with_power", "Power"], ["with_details", "Details"]];
  const shown = [...has, ...doors.filter(([door]) => years.some((row) => row[door]))];
  const count = (/** @type {DataCoverageOfYear} */ row, /** @type {Counted} */ name) => gauge(percent(row[name] / row.activities), row[name] / row.activities, "heart");
  return table({
    caption: "What activities have, by year",
    kind: "by-year",
    columns: [{ text: "Year", row: true }, { text: "Activities", number: true }, ...shown.map(([, text]) => text)],
    rows: [...years].reverse().map((row) => [`${row.year}`, whole.format(row.activities), ...shown.map(([name]) => count(row, name))]),
  });
}

/**
 * "27 Nov 2026, 21:35 UTC" of "2026-11-27T21:35Z".
 *
 * @param {InstantText} text
 */
function instantText(text) {
  return `${dateText(text)}, ${text.slice(11, 16)}\u00a0UTC`;
}

/**
 * @param {Seen["what"]} what
 * @param {string} how
 * @param {string} otherwise
 */
function seen(what, how, otherwise) {
  const row = rowsOf("seen").find((one) => one.what === what);
  return row ? `${counted(row.activities, "activity", "activities")} ${how}, the last of them on ${instantText(row.latest_at)}.` : otherwise;
}

function details() {
  const [{ activities, with_details: known = 0 }] = rowsOf("data_coverage");
  const said = seen("details", "have them", "No activity has any yet.");
  return known < activities ? `${said} ${counted(activities - known, "activity has", "activities have")} none.` : said;
}

function sweep() {
  const sweeps = rowsOf("sweeps");
  const complete = sweeps.find((row) => row.complete);
  const [last] = sweeps;
  if (!last) return ["None yet: ", h("code", {}, "make run-all"), " walks the whole list, and notices what was deleted."];
  const ended = complete
    ? `${instantText(complete.ended_at)}: ${counted(complete.activities_listed ?? 0, "activity", "activities")} listed, ${whole.format(complete.versions_landed ?? 0)} new or changed, ${whole.format(complete.activities_gone ?? 0)} gone.`
    : "None that came to its end.";
  return complete === last ? ended : `${ended} The one of ${instantText(last.ended_at)} did not come to its end${last.reason ? `: ${last.reason}` : ""}.`;
}

function exports() {
  const [last, ...others] = rowsOf("exports");
  if (!last) return ["None was imported: ", h("code", {}, "make import FILE=export_123.zip"), "."];
  const text = `Of ${instantText(last.exported_at)}: ${counted(last.activities ?? 0, "activity", "activities")}, ${counted(last.files ?? 0, "file", "files")}.`;
  return others.length ? `${text} ${counted(others.length, "older one", "older ones")} before.` : text;
}

function differences() {
  const rows = rowsOf("differences");
  if (!rows.length) return "In nothing.";
  return list(rows, ({ field, activities, winner, reason }) => [h("code", {}, field), ` of ${counted(activities, "activity", "activities")}: ${winner === "api" ? "the API" : `the ${winner}`} counts, ${reason}.`]);
}

function misfits() {
  const rows = rowsOf("misfits");
  if (!rows.length) return "Nothing: every value fits its column.";
  return list(rows, ({ field, activities }) => [h("code", {}, field), ` of ${counted(activities, "activity", "activities")}: kept as Strava sent it, empty here.`]);
}

function unknownFields() {
  const fields = DATA.unknown_fields;
  if (!fields) return ["Not looked for yet: ", h("code", {}, "make flow"), " does."];
  if (!fields.length) return "None: every field that Strava sends is known.";
  return list(fields, ({ field, table, since }) => [h("code", {}, field), ` in ${table === "activities" ? "the list" : "details"}, since ${dateText(since)}.`]);
}

function gaps() {
  const found = longestGaps(DAYS, GAP_DAYS, GAPS);
  if (!found.length) return `None of ${GAP_DAYS} days or more.`;
  return list(found, (gap) => `${counted(gap.days, "day", "days")}, ${rangeText(gap.first, gap.last)}`);
}

/**
 * @template Row
 * @param {Row[]} rows
 * @param {(row: Row) => Content} said
 */
function list(rows, said) {
  return h("ul", {}, rows.map((row) => h("li", {}, said(row))));
}
