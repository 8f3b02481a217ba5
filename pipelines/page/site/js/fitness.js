// Fitness, fatigue, form, what they rest on, and time in zones.

const ENVIRONMENT = {
  rest_hr: "STRAVA_REST_HR",
  max_hr: "STRAVA_MAX_HR",
  threshold_hr: "STRAVA_THRESHOLD_HR",
  ftp_w: "STRAVA_FTP",
  sex: "STRAVA_SEX",
};

/** Which of these settings are missing, as a sentence with their names; null when none is. */
function missingSentence(names) {
  const missing = names.filter((name) => DATA.missing.includes(name));
  if (!missing.length) return null;
  return ["Set ", missing.map((name, i) => [i ? (i === missing.length - 1 ? " and " : ", ") : "", h("code", {}, ENVIRONMENT[name])]), " to see more."];
}

// heart rate needs all three of its own, power one
const LOAD_NEEDS = ["rest_hr", "max_hr", "sex", "ftp_w"];

// what form is called, from its lowest value on, with the colour of its band
const FORMS = [
  ["High risk", -Infinity, "accent"],
  ["Optimal", -30, "band-3"],
  ["Grey zone", -10, null],
  ["Fresh", 5, "band-2"],
  ["Transition", 25, "band-1"],
];

/** A whole number with a true minus sign. */
function signed(number) {
  return whole.format(number).replace("-", "−");
}

/** What a form is called: "Fresh". */
function formText(form) {
  return FORMS.findLast(([, lowest]) => form >= lowest)[0];
}

/** The days of warm-up as [first, last] dates of each run of rows. */
function warmUps(rows) {
  const runs = [];
  rows.forEach((row, i) => {
    if (!row.is_warm_up) return;
    if (i && rows[i - 1].is_warm_up) runs.at(-1)[1] = row.date;
    else runs.push([row.date, row.date]);
  });
  return runs;
}

/** The dates that the chart shows at first: the last year of it, and of who has been idle since the last load, that time. */
function lastYearOf(rows) {
  const idle = rows.length - 1 - rows.findLastIndex((row) => row.load);
  const last = Math.max(0, rows.length - 1 - Math.max(0, idle - 90));
  return [rows[Math.max(0, last - 364)].date, rows[last].date];
}

let loadCard;
panel("load", ["year"], (host) => {
  loadCard ??= new Card(host, "Fitness, fatigue, form");
  const all = rowsOf("training_load_daily");
  if (!all.some((row) => row.load !== null)) {
    return loadCard.empty([
      ACTIVITIES.length ? "No activity has a training load. It is computed from heart rate or power, with your own numbers. " : "Training load appears with the first activities that have heart rate or power. ",
      missingSentence(LOAD_NEEDS),
    ]);
  }
  const rows = state.year === null ? all : all.filter((row) => yearOf(row.date) === state.year);
  if (!rows.length) return loadCard.empty(`No days of ${state.year} are known.`);
  const ink = colours();
  const { axis, option } = chartBase(ink);
  const dates = rows.map((row) => row.date);
  const last = rows.at(-1);
  const rounded = (value) => (value === null ? NONE : tenths.format(value));
  loadCard.aside.replaceChildren(
    h(
      "dl",
      { class: "now" },
      [
        ["Fitness", last.fitness, "fitness"],
        ["Fatigue", last.fatigue, "fatigue"],
        ["Form", last.form, "form"],
      ].map(([name, value, key]) => h("div", { "data-key": key }, h("dt", {}, lineSample(key), name), h("dd", {}, rounded(value)))),
      h("div", {}, h("dt", {}, "which is"), h("dd", {}, formText(last.form).toLowerCase())),
    ),
    legendOf(FORMS.map(([name, lowest], i) => [h("span", { class: "dot", "data-form": i, "aria-hidden": "true" }), `${name} ${i ? `from ${signed(lowest)}` : `below ${signed(FORMS[1][1])}`}`])),
  );
  const phone = thin(host);
  const grid = (top, height) => ({ left: 44, right: 10, top, height });
  // a month's name stands under its first day, with the year where there are several
  const labels = {
    ...axis.axisLabel,
    interval: (i) => dates[i].endsWith("-01") || dates.length < 20,
    formatter: (date) => (dates.length < 20 ? dateText(date).slice(0, 6) : state.year === null ? monthText(date) : MONTHS[+date.slice(5, 7) - 1]),
  };
  const x = (gridIndex, shown) => ({
    ...axis,
    type: "category",
    gridIndex,
    data: dates,
    boundaryGap: true,
    axisLabel: shown ? labels : { show: false },
    axisLine: { ...axis.axisLine, onZero: false },
  });
  const y = (gridIndex, name, extra = {}) => ({
    ...axis,
    type: "value",
    gridIndex,
    name,
    nameLocation: "end",
    nameGap: 12,
    nameTextStyle: { color: ink.muted, fontSize: 11, align: "left", padding: [0, 0, 0, -36] },
    splitNumber: 3,
    ...extra,
  });
  // without a year: the last twelve months, the rest by the slider
  const zoomed = state.year === null && rows.length > 380;
  const [from, until] = lastYearOf(rows);
  loadCard.draw(
    {
      ...option,
      axisPointer: { link: [{ xAxisIndex: "all" }], label: { show: false } },
      tooltip: {
        ...option.tooltip,
        formatter: ([{ dataIndex }]) => {
          const row = rows[dataIndex];
          return tipContent(
            `${WEEKDAYS[weekdayOf(dayNumber(row.date))].slice(0, 3)}, ${dateText(row.date)}`,
            [
              [null, "Fitness", rounded(row.fitness)],
              [null, "Fatigue", rounded(row.fatigue)],
              [null, "Form", `${rounded(row.form)}, ${formText(row.form).toLowerCase()}`],
              [null, "Load", row.load === null ? (row.coverage === null ? "rest" : "unknown") : rounded(row.load)],
              [null, "Time with a load", percent(row.coverage)],
              [null, "Monotony, strain", `${row.monotony === null ? NONE : hundredths.format(row.monotony)}, ${row.strain === null ? NONE : whole.format(row.strain)}`],
            ],
            row.is_warm_up ? "Warm-up: too little is known of the days before" : null,
          );
        },
      },
      grid: [grid(30, 160), grid(232, 120), grid(394, 64), grid(500, 22)],
      xAxis: [x(0), x(1), x(2), x(3, true)],
      yAxis: [
        y(0, "Fitness and fatigue"),
        y(1, "Form"),
        y(2, "Load of the day", { splitNumber: 2 }),
        y(3, "Share of the moving time with a load", { min: 0, max: 1, interval: 1, axisLabel: { ...axis.axisLabel, formatter: (value) => `${value * 100} %` } }),
      ],
      dataZoom: zoomed
        ? [
            { type: "inside", xAxisIndex: [0, 1, 2, 3], startValue: from, endValue: until, zoomOnMouseWheel: "ctrl", moveOnMouseMove: !phone, moveOnMouseWheel: false, preventDefaultMouseMove: false },
            {
              type: "slider",
              xAxisIndex: [0, 1, 2, 3],
              bottom: 4,
              height: 22,
              left: 44,
              right: 10,
              brushSelect: false,
              showDetail: false,
              borderColor: ink.line,
              fillerColor: "rgba(128,128,128,0.18)",
              dataBackground: { lineStyle: { color: ink.fatigue }, areaStyle: { color: ink.grid } },
              selectedDataBackground: { lineStyle: { color: ink.accent }, areaStyle: { color: ink.grid } },
              handleStyle: { color: ink.card, borderColor: ink.muted },
              moveHandleStyle: { color: ink.line },
              emphasis: { handleStyle: { borderColor: ink.accent }, moveHandleStyle: { color: ink.muted } },
            },
          ]
        : [],
      series: [
        {
          type: "line",
          name: "Fitness",
          xAxisIndex: 0,
          yAxisIndex: 0,
          showSymbol: false,
          lineStyle: { color: ink.accent, width: 2.4 },
          itemStyle: { color: ink.accent },
          areaStyle: { color: ink.accent, opacity: 0.1 },
          emphasis: { disabled: true },
          data: rows.map((row) => row.fitness),
          markArea: {
            silent: true,
            itemStyle: { color: ink.grid, opacity: 0.7 },
            label: { color: ink.muted, fontSize: 11, position: "insideTopLeft" },
            data: warmUps(rows).map(([first, until]) => [{ name: dayNumber(until) - dayNumber(first) > 30 ? "warm-up" : "", xAxis: first }, { xAxis: until }]),
          },
        },
        {
          type: "line",
          name: "Fatigue",
          xAxisIndex: 0,
          yAxisIndex: 0,
          showSymbol: false,
          lineStyle: { color: ink.fatigue, width: 1.2 },
          itemStyle: { color: ink.fatigue },
          emphasis: { disabled: true },
          data: rows.map((row) => row.fatigue),
        },
        {
          type: "line",
          name: "Form",
          xAxisIndex: 1,
          yAxisIndex: 1,
          showSymbol: false,
          lineStyle: { color: ink.ink, width: 1.3 },
          itemStyle: { color: ink.ink },
          emphasis: { disabled: true },
          data: rows.map((row) => row.form),
          markArea: {
            silent: true,
            label: { show: false },
            data: FORMS.map(([, lowest, color], i) => [{ yAxis: lowest, itemStyle: { color: color ? ink[color] : "transparent", opacity: color ? 0.16 : 0 } }, { yAxis: FORMS[i + 1]?.[1] ?? Infinity }]),
          },
        },
        {
          type: "bar",
          name: "Load",
          xAxisIndex: 2,
          yAxisIndex: 2,
          large: false,
          barMinWidth: 0.6,
          barMaxWidth: 14,
          itemStyle: { color: ink.fatigue },
          data: rows.map((row) => row.load),
        },
        {
          type: "bar",
          name: "Coverage",
          xAxisIndex: 3,
          yAxisIndex: 3,
          barMinWidth: 0.6,
          barMaxWidth: 14,
          itemStyle: { color: ink.good },
          data: rows.map((row) => row.coverage),
        },
      ],
    },
    `Training load, all sports, ${rangeText(dates[0], dates.at(-1))}: on the last day fitness ${rounded(last.fitness)}, fatigue ${rounded(last.fatigue)}, form ${rounded(last.form)}.`,
    () => ({
      caption: "Training load by day",
      columns: [
        { text: "Day", row: true },
        ...["Load", "Time with a load", "Fitness", "Fatigue", "Form", "Monotony", "Strain"].map((text) => ({ text, number: true })),
      ],
      rows: [...rows].reverse().map((row) => [
        dateText(row.date) + (row.is_warm_up ? " (warm-up)" : ""),
        rounded(row.load),
        percent(row.coverage),
        rounded(row.fitness),
        rounded(row.fatigue),
        rounded(row.form),
        row.monotony === null ? NONE : hundredths.format(row.monotony),
        row.strain === null ? NONE : whole.format(row.strain),
      ]),
    }),
    zoomed ? 586 : 552,
  );
  loadCard.say([
    "All sports. From the first day with a load. Days whose load is unknown count as rest, which the green strip shows. 42 days are warm-up: the first ones, and those after six weeks of which no load is known. ",
    missingSentence(LOAD_NEEDS),
  ]);
});

/** The months from the first to the last of `found`, all of them; at most five years, wherever a wrong clock has put one. */
function monthsTo(found) {
  const last = found.reduce((latest, month) => (month > latest && month <= DATA.today ? month : latest), "") || [...found].sort().at(-1);
  const first = found.reduce((earliest, month) => (month < earliest ? month : earliest), last);
  const months = [];
  for (let month = last; month >= first && months.length < 60; month = dayText(dayOf(yearOf(month), +month.slice(5, 7) - 1, 1))) months.unshift(month);
  return months;
}

let zonesCard;
panel("zones", ["year", "sport"], (host) => {
  zonesCard ??= new Card(host, "Time in heart-rate zones");
  const all = rowsOf("zones");
  const rows = all.filter(
    (row) => (state.sport === "All" || row.sport_group === state.sport) && (state.year === null || yearOf(row.month_start_date) === state.year),
  );
  if (!rows.length) {
    if (all.length) return zonesCard.empty(`No heart rate in this choice: ${chosenText()}.`);
    return zonesCard.empty(["Zones need heart rate and your own numbers. ", DATA.missing.includes("max_hr") ? missingSentence(["max_hr", "rest_hr"]) : "No activity has heart rate yet."]);
  }
  const ink = colours();
  const { axis, option, roomy } = chartBase(ink);
  // a month without heart rate has its place too, else half a year's gap would look like none
  const months = monthsTo(rows.map((row) => row.month_start_date)).slice(state.year === null ? (thin(host) ? -12 : -24) : 0);
  const sums = new Map(months.map((month) => [month, [0, 0, 0, 0, 0]]));
  for (const row of rows) {
    const held = sums.get(row.month_start_date);
    if (held) held[row.zone - 1] += row.moving_time_s;
  }
  const bounds = [1, 2, 3, 4, 5].map((zone) => rowsOf("zone_bounds").find((row) => row.zone === zone));
  const named = (i) => {
    const row = bounds[i];
    if (!row) return `Zone ${i + 1}`;
    const [low, high] = [row.lowest_bpm, row.highest_bpm].map((bpm) => (bpm === null ? null : whole.format(bpm)));
    // both bounds belong to the zone
    return `Zone ${i + 1} (${i === 0 ? `up to ${high}` : high === null ? `from ${low}` : `${low}–${high}`} bpm)`;
  };
  const estimates = rows.some((row) => row.source === "average");
  zonesCard.aside.replaceChildren(
    legendOf([0, 1, 2, 3, 4].map((i) => [h("span", { class: "dot", "data-heat": i + 1, "aria-hidden": "true" }), named(i)])),
  );
  zonesCard.say(
    `Hours by month${state.year === null ? `, ${counted(months.length, "month", "months")} to the last with heart rate` : ""}. ${
      estimates ? "Where an activity's splits are not known, all of its time counts in the zone of its average: an estimate." : "From the heart rate of each split."
    }`,
  );
  zonesCard.draw(
    {
      ...option,
      tooltip: {
        ...option.tooltip,
        axisPointer: { ...option.tooltip.axisPointer, type: "shadow" },
        formatter: ([{ dataIndex }]) =>
          tipContent(monthText(months[dataIndex]), [4, 3, 2, 1, 0].map((i) => [null, named(i), measured("moving_time_s", sums.get(months[dataIndex])[i])])),
      },
      grid: { ...roomy, right: 4 },
      xAxis: { ...axis, type: "category", data: months, axisLabel: { ...axis.axisLabel, formatter: (month) => (state.year === null ? monthText(month) : MONTHS[+month.slice(5, 7) - 1]) } },
      yAxis: { ...axis, type: "value", axisLabel: { ...axis.axisLabel, formatter: (value) => `${value} h` } },
      series: [0, 1, 2, 3, 4].map((i) => ({
        type: "bar",
        name: named(i),
        stack: "month",
        barCategoryGap: "28%",
        barMaxWidth: 46,
        itemStyle: { color: ink.heat[i], borderColor: ink.card, borderWidth: 0.5 },
        data: months.map((month) => +(sums.get(month)[i] / 3600).toFixed(2)),
      })),
    },
    `Hours in each of five heart-rate zones by month, ${chosenText()}, ${months.length} months.`,
    () => ({
      caption: "Hours in each heart-rate zone by month",
      columns: [{ text: "Month", row: true }, ...[0, 1, 2, 3, 4].map((i) => ({ text: named(i), number: true }))],
      rows: months.map((month) => [monthText(month), ...sums.get(month).map((seconds) => amount("moving_time_s", seconds))]),
    }),
    240,
  );
});
