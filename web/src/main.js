// The page at work: its data, its panels in their order, its controls.

import { choicesOf } from "./lib/choices.js";
import { DATA, load, rowsOf } from "./lib/data.js";
import { counted, dateText, rangeText } from "./lib/formats.js";
import { state } from "./lib/state.js";
import { makeControls } from "./ui/controls.js";
import { details } from "./ui/details.js";
import { byId } from "./ui/elements.js";
import { makeNavigation } from "./ui/navigation.js";
import { makeOpening } from "./ui/opened.js";
import { choose, draw, redrawAll, show, start } from "./ui/panels.js";
import { hideTip } from "./ui/tip.js";
import { fillActivity } from "./views/activity.js";
import calendar from "./views/calendar.js";
import compare from "./views/compare.js";
import coverage from "./views/coverage.js";
import definitions from "./views/definitions.js";
import eddington from "./views/eddington.js";
import efforts from "./views/efforts.js";
import gear from "./views/gear.js";
import goals from "./views/goals.js";
import health from "./views/health.js";
import hours from "./views/hours.js";
import latest from "./views/latest.js";
import leftOut from "./views/left_out.js";
import listing from "./views/listing.js";
import trainingLoad from "./views/load.js";
import map from "./views/map.js";
import months from "./views/months.js";
import predictions from "./views/predictions.js";
import records from "./views/records.js";
import review from "./views/review.js";
import routes from "./views/routes.js";
import streaks from "./views/streaks.js";
import tiles from "./views/tiles.js";
import weeks from "./views/weeks.js";
import years from "./views/years.js";
import zones from "./views/zones.js";

// in the order in which they are drawn
const VIEWS = [
  ...[tiles, weeks, streaks, goals, latest],
  calendar,
  listing,
  ...[months, years, hours],
  compare,
  ...[trainingLoad, zones],
  ...[records, efforts, predictions, eddington],
  ...[map, routes],
  gear,
  review,
  health,
  ...[coverage, leftOut, definitions],
];

load(JSON.parse(byId("data").textContent ?? ""));
start();
const [known] = rowsOf("data_coverage");
byId("subtitle").textContent = known?.activities
  ? `${counted(known.activities, "activity", "activities")}, ${rangeText(known.first_activity_date, known.last_activity_date)}`
  : "No activities yet";
byId("built").textContent = `As of ${DATA.public ? "the end of " : ""}${dateText(DATA.today)}.`;
makeControls();
show(VIEWS);
makeNavigation();
makeOpening(fillActivity);
// so that the first activity opens at once; Safari has no idle time, and what cannot be unpacked is said where it opens
(globalThis.requestIdleCallback ?? setTimeout)(() => details().catch(() => null));

addEventListener("hashchange", () => {
  const given = choicesOf(location.hash);
  if (given) choose(given);
});
addEventListener("beforeprint", () => draw());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  if (state.theme === "auto") redrawAll();
});
// calendars, weeks and the grid of hours are drawn for a phone or for more room
matchMedia("(max-width: 720px)").addEventListener("change", redrawAll);
addEventListener("keydown", (event) => {
  if (event.key === "Escape") hideTip();
});
addEventListener("scroll", hideTip, { passive: true });
