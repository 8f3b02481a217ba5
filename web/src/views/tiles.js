// Overview: six figures of a span, against the span before.

import { sportChosen, sportDays } from "../lib/choices.js";
import { rowsOf, THIS_YEAR } from "../lib/data.js";
import { change, counted, whole } from "../lib/formats.js";
import { spans } from "../lib/spans.js";
import { state } from "../lib/state.js";
import { sumOf } from "../lib/sums.js";
import { amount, measured, MEASURES } from "../lib/units.js";
import { h, switchOf } from "../ui/elements.js";
import { choose, panel } from "../ui/panels.js";

/** @import { Content, Measure, Option, Span } from "../types.js" */

/** @type {Option<Span>[]} */
const SPANS = [
  { value: "week", text: "Week" },
  { value: "month", text: "Month" },
  { value: "year", text: "Year" },
  { value: "all", text: "All" },
];

/**
 * How many digits wide a tile's figure is, its small unit included.
 *
 * @param {HTMLElement} made
 */
function lengthOf(made) {
  const [figure, unit = ""] = (made.querySelector(".big")?.textContent ?? "").split("\u00a0");
  return figure.length + (unit ? (unit.length + 1) / 2 : 0);
}

/**
 * @param {string} name
 * @param {string} value
 * @param {string} unit
 * @param {Content} under
 * @param {string | null} hint
 */
function tile(name, value, unit, under, hint = null) {
  return h(
    "div",
    { class: "tile", "data-tile": name },
    h("dt", {}, name),
    h("dd", {}, h("span", { class: "big" }, value, unit ? h("small", {}, `\u00a0${unit}`) : null), h("span", { class: "under", title: hint }, under)),
  );
}

/** @param {HTMLElement} host */
function drawTiles(host) {
  const { now, before, text, against } = spans();
  const days = sportDays();
  const sums = sumOf(days, ...now);
  const earlier = before && sumOf(days, ...before);
  const under = (/** @type {Measure} */ measure) => {
    if (!earlier) return "";
    const moved = change(sums[measure], earlier[measure]);
    if (moved === null) return sums[measure] ? "none before" : "";
    return [h("b", {}, moved), ` from ${measured(measure, earlier[measure])}`];
  };
  const of = (/** @type {Measure} */ measure) =>
    tile(MEASURES[measure].label, amount(measure, sums[measure]), MEASURES[measure].unit(), under(measure));
  const eddington = rowsOf("eddington").find((row) => row.sport_group === state.sport && row.unit === state.units);
  const next = (eddington?.eddington ?? 0) + 1;
  const wider = state.type ? ` (all of ${state.sport})` : "";
  const streak = rowsOf("streaks").find((row) => row.sport_group === state.sport && row.period === "day");
  const past = state.year !== null && state.year !== THIS_YEAR;
  const review = rowsOf("year_in_review").find((row) => row.year === state.year && row.sport_group === state.sport);
  const content = [
    of("activities"),
    of("distance_m"),
    of("moving_time_s"),
    of("total_elevation_gain_m"),
    tile(
      "Eddington",
      eddington ? whole.format(eddington.eddington) : "0",
      state.units,
      [eddington ? `${counted(eddington.days_needed_for_next, "more day", "more days")} of ${next}\u00a0${state.units} for ${next}` : "", wider],
      "Over all years: as many days of at least as much distance",
    ),
    past
      ? tile("Longest streak", whole.format(review?.longest_day_streak ?? 0), review?.longest_day_streak === 1 ? "day" : "days", [`in ${state.year}`, wider])
      : tile(
          "Streak",
          whole.format(streak?.current ?? 0),
          streak?.current === 1 ? "day" : "days",
          [streak ? `longest ${counted(streak.longest, "day", "days")}` : "", wider],
        ),
  ];
  const longest = Math.max(...content.map(lengthOf));
  host.replaceChildren(
    h(
      "div",
      { class: "tiles-head" },
      h("p", {}, h("strong", {}, text), against ? ` against ${against}` : "", state.sport === "All" ? "" : `, ${sportChosen()}`),
      state.year === null
        ? h(
            "fieldset",
            { class: "switch", id: "span" },
            h("legend", { class: "unseen" }, "Span of the figures"),
            switchOf("span", SPANS, state.span, (span) => {
              choose({ span });
              focusOn(document, `input[name="span"][value="${span}"]`);
            }),
          )
        : null,
    ),
    // as large as the longest of them lets all be
    h("dl", { class: `tiles${longest > 7.5 ? " long" : ""}`, css: { "--longest": longest } }, content),
  );
}

/**
 * @param {ParentNode} tree
 * @param {string} selector
 */
function focusOn(tree, selector) {
  /** @type {HTMLElement | null} */ (tree.querySelector(selector))?.focus();
}

export default panel("tiles", ["year", "sport", "type", "span", "units"], (host) => {
  // the switch that was just used must not lose the focus to a new one
  const focused = document.activeElement?.getAttribute("name") === "span";
  drawTiles(host);
  if (focused) focusOn(host, "input:checked");
});
