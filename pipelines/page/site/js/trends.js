// Trends: months by year, years as they grow, and the hours of the week.

let monthsCard;
panel("months", ["sport", "type", "measure", "units"], (host) => {
  monthsCard ??= new Card(host, "Months by year", { kind: "wide-table" });
  const measure = shownMeasure();
  const days = sportDays();
  if (!days.length) return monthsCard.empty(noneChosen());
  const sums = new Map();
  for (const row of days) {
    const months = sums.get(row.year) ?? sums.set(row.year, new Array(12).fill(0)).get(row.year);
    months[+row.activity_date.slice(5, 7) - 1] += row[measure] ?? 0;
  }
  const years = yearsWithGaps([...sums.keys(), newestOf([...sums.keys()])]);
  const monthsOf = (year) => sums.get(year);
  const steps = stepsOf([...sums.values()].flat());
  const begun = days.reduce((first, row) => Math.min(first, row.day), Infinity);
  // months that are to come, and those before the first activity, have nothing to say
  const passed = (year, month) => dayOf(year, month + 1, 1) <= TODAY && dayOf(year, month + 2, 0) >= begun;
  const cell = (year, value, month) =>
    h(
      "td",
      { class: "number", "data-heat": stepOf(value, steps), title: passed(year, month) ? `${MONTHS[month]} ${year}: ${measured(measure, value)}` : null },
      passed(year, month) || value ? h("span", {}, amount(measure, value)) : null,
    );
  monthsCard.aside.replaceChildren(heatLegend(steps));
  const longest = Math.max(...[...sums.values()].flat().map((value) => amount(measure, value).length));
  const matrix = h(
    "table",
    { class: "matrix", css: { "--longest": longest } },
    h("caption", { class: "unseen" }, `${measureName()} by month and year, ${sportChosen("all sports")}`),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, "Year"),
        MONTHS.map((name) =>
          h("th", { scope: "col", class: "number" }, name[0], h("span", { class: "rest" }, name.slice(1))),
        ),
        h("th", { scope: "col", class: "number" }, "Total"),
      ),
    ),
    h(
      "tbody",
      {},
      years.map((year) =>
        Array.isArray(year)
          ? h("tr", { class: "gap-of-years" }, h("th", { scope: "row", colspan: 14 }, `${yearsText(year)}: nothing`))
          : h(
              "tr",
              {},
              h("th", { scope: "row" }, `${year}`),
              monthsOf(year).map((value, month) => cell(year, value, month)),
              h("td", { class: "number total" }, amount(measure, monthsOf(year).reduce((a, b) => a + b, 0))),
            ),
      ),
    ),
  );
  monthsCard.show(h("div", { class: "months" }, matrix));
  monthsCard.say(`${measureName()}, all years.`);
});

let cumulativeCard;
panel("cumulative", ["year", "sport", "type", "measure", "units"], (host) => {
  cumulativeCard ??= new Card(host, "Years as they grow");
  const measure = shownMeasure();
  const days = sportDays();
  if (!days.length) return cumulativeCard.empty(noneChosen());
  const ink = colours();
  const { axis, option, roomy } = chartBase(ink);
  const { number } = MEASURES[measure];
  const years = [...new Set(days.map((row) => row.year))].sort((a, b) => a - b);
  // a leap year's days: what other years lack stays as it was the day before
  const slots = Array.from({ length: 366 }, (_, i) => dayText(dayOf(2024, 1, 1) + i).slice(5));
  const slotOf = new Map(slots.map((slot, i) => [slot, i]));
  const grown = new Map(
    years.map((year) => {
      const sums = new Array(366).fill(0);
      for (const row of days) if (row.year === year) sums[slotOf.get(row.activity_date.slice(5))] += row[measure] ?? 0;
      let sum = 0;
      const end = year === THIS_YEAR ? slotOf.get(DATA.today.slice(5)) : 365;
      return [year, sums.map((value, i) => ((sum += value), i <= end ? sum : null))];
    }),
  );
  const main = state.year !== null && years.includes(state.year) ? state.year : newestOf(years);
  const before = years.includes(main - 1) ? main - 1 : null;
  const style = (year) => {
    if (year === main) return { color: ink.accent, width: 2.6, z: 5 };
    if (year === before) return { color: ink.ink, width: 1.4, z: 4 };
    return { color: ink.fatigue, width: 1, z: 2 };
  };
  const slotText = (slot) => `${+slot.slice(3)}\u00a0${MONTHS[+slot.slice(0, 2) - 1]}`;
  const rest = years.length - (before ? 2 : 1);
  cumulativeCard.aside.replaceChildren(
    legendOf([
      [lineSample("main"), `${main}`],
      ...(before ? [[lineSample("before"), `${before}`]] : []),
      ...(rest > 0 ? [[lineSample("others"), "other years"]] : []),
    ]),
  );
  const lastOf = (year) => grown.get(year).findLast((value) => value !== null);
  cumulativeCard.say(
    `${measureName()} from 1 January on.${state.year || years.length < 2 ? "" : " Choose a year to bring it forward."}`,
  );
  cumulativeCard.draw(
    {
      ...option,
      tooltip: {
        ...option.tooltip,
        formatter: ([{ dataIndex }]) => {
          const there = years.filter((year) => grown.get(year)[dataIndex] !== null);
          const near = there.sort((a, b) => b - a).sort((a, b) => (b === main) - (a === main)).slice(0, 8);
          return tipContent(
            `To ${slotText(slots[dataIndex])}`,
            near.map((year) => [null, `${year}`, measured(measure, grown.get(year)[dataIndex])]),
            there.length > near.length ? `and ${there.length - near.length} more years` : null,
          );
        },
      },
      grid: { ...roomy, right: 8 },
      xAxis: {
        ...axis,
        type: "category",
        boundaryGap: false,
        data: slots,
        axisLabel: { ...axis.axisLabel, interval: (i) => slots[i].endsWith("-15") && (!thin(host) || +slots[i].slice(0, 2) % 3 === 1), formatter: (slot) => MONTHS[+slot.slice(0, 2) - 1] },
      },
      yAxis: { ...axis, type: "value", axisLabel: { ...axis.axisLabel, formatter: (value) => whole.format(value) } },
      series: years.map((year) => ({
        type: "line",
        name: `${year}`,
        showSymbol: false,
        step: false,
        z: style(year).z,
        lineStyle: { color: style(year).color, width: style(year).width },
        itemStyle: { color: style(year).color },
        emphasis: { disabled: true },
        data: grown.get(year).map((value) => (value === null ? null : +number(value).toFixed(2))),
      })),
    },
    `${MEASURES[measure].label} of each year as it grows, ${sportChosen("all sports")}: ${years
      .filter((year) => year <= main)
      .slice(-3)
      .map((year) => `${year} ${measured(measure, lastOf(year))}`)
      .join(", ")}.`,
    () => {
      const ends = Array.from({ length: 12 }, (_, month) => slotOf.get(dayText(dayOf(2024, month + 2, 0)).slice(5)));
      return {
        caption: `${measureName()} from 1 January to the end of each month`,
        columns: [{ text: "Year", row: true }, ...MONTHS.map((text) => ({ text, number: true }))],
        rows: [...years].reverse().map((year) => [
          `${year}`,
          ...ends.map((end, month) => {
            const begun = year !== THIS_YEAR || dayOf(year, month + 1, 1) <= TODAY;
            return begun ? amount(measure, grown.get(year)[end] ?? lastOf(year)) : "";
          }),
        ]),
      };
    },
    300,
  );
});

let hoursCard;
panel("hours", ["year", "sport", "measure"], (host) => {
  hoursCard ??= new Card(host, "Hours of the week");
  const rows = chosen(rowsOf("weekday_hours"), { year: state.year }).filter(
    (row) => state.sport === "All" || row.sport_group === state.sport,
  );
  if (!rows.length) return hoursCard.empty(noneChosen());
  const sums = Array.from({ length: 168 }, () => ({ activities: 0, moving_time_s: 0 }));
  for (const row of rows) {
    const sum = sums[(row.weekday - 1) * 24 + row.hour];
    sum.activities += row.activities;
    sum.moving_time_s += row.moving_time_s ?? 0;
  }
  const wanted = shownMeasure();
  const measure = wanted === "moving_time_s" ? "moving_time_s" : "activities";
  const steps = stepsOf(sums.map((sum) => sum[measure]));
  const tall = thin(host);
  const [cellW, cellH, left, top] = tall ? [42, 17, 44, 20] : [36, 24, 84, 20];
  const at = (weekday, hour) => (tall ? [left + weekday * cellW, top + hour * cellH] : [left + hour * cellW, top + weekday * cellH]);
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
  const slot = (i) => `${WEEKDAYS[Math.floor(i / 24)]} ${hourText(i % 24)}`;
  hoursCard.aside.replaceChildren(
    h(
      "p",
      { class: "heat-legend" },
      h("span", {}, "less"),
      [0, 1, 2, 3, 4, 5].map((step) => h("i", { "data-heat": step, "aria-hidden": "true" })),
      h("span", {}, `more than ${measured(measure, steps[3])}`),
    ),
  );
  hoursCard.picture(
    svg("svg", { class: "heat", viewBox: `0 0 ${width} ${height}` }, weekdays, hours, cells),
    `${MEASURES[measure].label} by weekday and hour of the start, ${chosenText()}: most on ${slot(busiest)}, ${measured(measure, sums[busiest][measure])}.`,
    () => ({
      caption: "Activities and moving time by weekday and hour of the start",
      columns: [{ text: "Start", row: true }, { text: "Activities", number: true }, { text: "Moving time (h)", number: true }],
      rows: sums.flatMap((sum, i) => (sum.activities ? [[slot(i), amount("activities", sum.activities), amount("moving_time_s", sum.moving_time_s)]] : [])),
    }),
  );
  tipsOver(hoursCard.stage, (i) =>
    tipContent(slot(i), [
      [null, "Activities", amount("activities", sums[i].activities)],
      [null, "Moving time", measured("moving_time_s", sums[i].moving_time_s)],
    ]),
  );
  hoursCard.say(
    `${measure === "activities" ? "Activities" : "Moving time"} by local weekday and hour of the start${wanted === measure ? "" : " (distance and climbing are not kept by the hour)"}.`,
  );
});
