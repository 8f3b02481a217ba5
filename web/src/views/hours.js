// Trends: the hours of the week.

import { byHour } from "../lib/bins.js";
import { chosenText, isOfGroup, isOfYear, noneChosen, shownMeasure } from "../lib/choices.js";
import { rowsOf } from "../lib/data.js";
import { WEEKDAYS } from "../lib/dates.js";
import { hourText } from "../lib/formats.js";
import { stepOf, stepsOf } from "../lib/steps.js";
import { amount, measured, MEASURES } from "../lib/units.js";
import { cardIn, thin } from "../ui/card.js";
import { svg } from "../ui/elements.js";
import { heatLegend } from "../ui/legends.js";
import { panel } from "../ui/panels.js";
import { tipContent, tipsOver } from "../ui/tip.js";

export default panel("hours", ["year", "sport", "measure"], (host) => {
  const card = cardIn(host, "Hours of the week");
  const rows = rowsOf("weekday_hours").filter((row) => isOfGroup(row) && isOfYear(row.year));
  if (!rows.length) return card.empty(noneChosen());
  const sums = byHour(rows);
  const wanted = shownMeasure();
  const measure = wanted === "moving_time_s" ? "moving_time_s" : "activities";
  const steps = stepsOf(sums.map((sum) => sum[measure]));
  const tall = thin(host);
  const [cellW, cellH, left, top] = tall ? [42, 17, 44, 20] : [36, 24, 84, 20];
  const at = (/** @type {number} */ weekday, /** @type {number} */ hour) => (tall ? [left + weekday * cellW, top + hour * cellH] : [left + hour * cellW, top + weekday * cellH]);
  const cells = sums.map((sum, i) => {
    const [x, y] = at(Math.floor(i / 24), i % 24);
    return svg("rect", { x, y, width: cellW - 2, height: cellH - 2, rx: 3, "data-heat": stepOf(sum[measure], steps), "data-tip": i });
  });
  const weekdays = WEEKDAYS.map((name, weekday) => {
    const [x, y] = at(weekday, 0);
    return tall
      ? svg("text", { x: x + cellW / 2 - 1, y: 12, "text-anchor": "middle" }, name.slice(0, 3))
      : svg("text", { x: 0, y: y + 15 }, name);
  });
  const hours = Array.from({ length: 24 }, (_, hour) => hour)
    .filter((hour) => hour % (tall ? 2 : 3) === 0)
    .map((hour) => {
      const [x, y] = at(0, hour);
      return tall ? svg("text", { x: 0, y: y + 12 }, hourText(hour)) : svg("text", { x, y: 12 }, hourText(hour));
    });
  const [width, height] = tall ? [left + 7 * cellW, top + 24 * cellH] : [left + 24 * cellW, top + 7 * cellH];
  const busiest = sums.reduce((best, sum, i) => (sum[measure] > sums[best][measure] ? i : best), 0);
  const slot = (/** @type {number} */ i) => `${WEEKDAYS[Math.floor(i / 24)]} ${hourText(i % 24)}`;
  card.aside.replaceChildren(heatLegend(steps, measure));
  card.picture(
    svg("svg", { class: "heat", viewBox: `0 0 ${width} ${height}` }, weekdays, hours, cells),
    `${MEASURES[measure].label} by weekday and hour of the start, ${chosenText()}: most on ${slot(busiest)}, ${measured(measure, sums[busiest][measure])}.`,
    () => ({
      caption: "Activities and moving time by weekday and hour of the start",
      columns: [{ text: "Start", row: true }, { text: "Activities", number: true }, { text: "Moving time (h)", number: true }],
      rows: sums.flatMap((sum, i) => (sum.activities ? [[slot(i), amount("activities", sum.activities), amount("moving_time_s", sum.moving_time_s)]] : [])),
    }),
  );
  tipsOver(card.stage, (i) =>
    tipContent(slot(i), [
      [null, "Activities", amount("activities", sums[i].activities)],
      [null, "Moving time", measured("moving_time_s", sums[i].moving_time_s)],
    ]),
  );
  card.say(
    `${measure === "activities" ? "Activities" : "Moving time"} by local weekday and hour of the start${wanted === measure ? "" : " (distance and climbing are not kept by the hour)"}.`,
  );
});
