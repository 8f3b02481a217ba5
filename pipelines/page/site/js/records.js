// Records, best efforts, what they predict, and the Eddington number.

const RECORDS = {
  longest_distance: "Longest",
  longest_time: "Longest time",
  most_elevation: "Most climbed",
  highest_point: "Highest point",
  fastest: "Fastest",
};
// a public page has the first three
const RECORDS_SHOWN = Object.entries(RECORDS).filter(([record]) => rowsOf("records").some((row) => row.record === record));

/** What the activity is called and when it was, with its link. */
function whichActivity(id, name, date) {
  return [
    name === null || name === undefined ? null : stravaLink(id, bdi(name)),
    h("span", { class: "under" }, dateText(date)),
  ];
}

let recordsCard;
panel("records", ["year", "sport", "units"], (host) => {
  recordsCard ??= new Card(host, "Records");
  // a highest point of 0 m is no record
  const of = (sport) => rowsOf("records").filter((row) => row.year === state.year && row.sport_group === sport && row.value);
  const sports = SPORTS.filter((sport) => of(sport).length);
  // all sports of who has only one are that sport
  const sport = state.sport === "All" && sports.length === 1 ? sports[0] : state.sport;
  const rows = of(sport);
  if (!rows.length) return recordsCard.empty(noneChosen());
  recordsCard.show(
    h(
      "dl",
      { class: "records" },
      RECORDS_SHOWN.map(([record, name]) => {
        // over all sports, the fastest is whatever rolls: it is told by sport below
        const row = rows.find((one) => one.record === record);
        if (!row || (sport === "All" && record === "fastest")) return null;
        return h(
          "div",
          { "data-record": record },
          h("dt", {}, name),
          h("dd", {}, h("span", { class: "big" }, recordValue(row)), whichActivity(row.activity_id, row.activity_name, row.activity_date)),
        );
      }),
    ),
    sport === "All"
      ? table({
          caption: `Records by sport, ${state.year ?? "all years"}`,
          kind: "by-sport",
          columns: [{ text: "Sport", row: true }, ...RECORDS_SHOWN.map(([, text]) => ({ text, number: true }))],
          rows: sports.map((sport) => [
            [dot(sport), sport],
            ...RECORDS_SHOWN.map(([record]) => {
              const row = of(sport).find((one) => one.record === record);
              return row ? stravaLink(row.activity_id, recordValue(row)) : NONE;
            }),
          ]),
        })
      : "",
  );
  recordsCard.say(
    `${state.year ?? "All years"}.${DATA.public ? "" : " Fastest is the average over a whole activity of ten minutes and more, outdoors, recorded and not flagged."}`,
  );
});

let effortsCard;
panel("efforts", ["year", "sport"], (host) => {
  effortsCard ??= new Card(host, "Best efforts", { kind: "wide-table" });
  const all = rowsOf("best_efforts");
  const rows = all.filter(
    (row) =>
      (state.sport === "All" || row.sport_group === state.sport) &&
      (state.year === null ? row.rank_all_time <= 3 : row.year === state.year && row.rank_in_year === 1),
  );
  if (!rows.length) {
    return effortsCard.empty(
      all.length
        ? `No best efforts in this choice: ${chosenText()}.`
        : "Best efforts come with the details of runs; none have been fetched yet.",
    );
  }
  const efforts = [...new Map(rows.map((row) => [`${row.effort}/${row.sport_group}`, row])).values()].sort((a, b) => a.distance_m - b.distance_m);
  const place = (effort, rank) =>
    rows.find((row) => row.effort === effort.effort && row.sport_group === effort.sport_group && (state.year === null ? row.rank_all_time : row.rank_in_year) === rank);
  const cell = (row) => (row ? [h("b", {}, clock(row.elapsed_time_s)), whichActivity(row.activity_id, row.activity_name, row.activity_date)] : NONE);
  effortsCard.show(
    table({
      caption: `Best efforts, ${chosenText()}`,
      kind: "efforts",
      columns: [{ text: "Distance", row: true }, ...(state.year === null ? ["Best", "Second", "Third"] : [`Best of ${state.year}`])],
      rows: efforts.map((effort) => [effort.effort, ...(state.year === null ? [1, 2, 3] : [1]).map((rank) => cell(place(effort, rank)))]),
    }),
  );
  effortsCard.say("The fastest stretch of each length within an activity, as Strava finds it (elapsed time).");
});

let predictionsCard;
panel("predictions", ["sport"], (host) => {
  predictionsCard ??= new Card(host, "Race predictions", { kind: "wide-table" });
  const rows = state.sport === "All" || state.sport === "Run" ? rowsOf("race_predictions") : [];
  if (!rows.length) {
    return predictionsCard.empty(
      state.sport === "All" || state.sport === "Run"
        ? "Predictions need a best effort of 3.5 to 230 minutes within the last 365 days."
        : "Predictions are for runs.",
    );
  }
  const byDistance = (key) => (a, b) => a[key] - b[key];
  const from = [...new Map(rows.map((row) => [row.from_effort, row])).values()].sort(byDistance("from_distance_m"));
  const to = [...new Map(rows.map((row) => [row.to_effort, row])).values()].sort(byDistance("to_distance_m"));
  predictionsCard.show(
    table({
      caption: "Race predictions: rows are what was run, columns what it predicts",
      columns: [{ text: "From", row: true }, ...to.map((row) => ({ text: row.to_effort, number: true }))],
      rows: from.map((source) => [
        [source.from_effort, h("span", { class: "under" }, `${clock(source.from_time_s)}, ${dateText(source.from_activity_date)}`)],
        ...to.map((target) => {
          const row = rows.find((one) => one.from_effort === source.from_effort && one.to_effort === target.to_effort);
          return row ? clock(row.predicted_time_s) : "";
        }),
      ]),
    }),
  );
  predictionsCard.say("Riegel's formula, T₂ = T₁ · (D₂ / D₁)^1.06, from the best efforts of the last 365 days.");
});

/** The least of 1, 2, 5, 10, 20 … that is no less than `least`. */
function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return power * [1, 2, 5, 10].find((step) => step * power >= least);
}

let eddingtonCard;
panel("eddington", ["sport", "units"], (host) => {
  eddingtonCard ??= new Card(host, "Eddington number");
  const of = (sport) => rowsOf("eddington").find((row) => row.sport_group === sport && row.unit === state.units);
  const days = rowsOf("eddington_days")
    .filter((row) => row.sport_group === state.sport && row.unit === state.units)
    .sort((a, b) => a.distance - b.distance);
  const number = of(state.sport);
  if (!days.length || !number) return eddingtonCard.empty(`An Eddington number begins with a day of one ${state.units === "km" ? "kilometre" : "mile"}.`);
  const ink = colours();
  const { axis, option, roomy } = chartBase(ink);
  const e = number.eddington;
  const next = e + 1;
  const top = Math.max(10, Math.ceil((3 * e) / 50) * 50);
  const step = roundStep(days.at(-1).distance / (thin(host) ? 5 : 10));
  eddingtonCard.aside.replaceChildren(
    h(
      "dl",
      { class: "now" },
      ["All", ...SPORTS]
        .map((sport) => [sport, of(sport)])
        .filter(([sport, row]) => row?.eddington && (sport === state.sport || state.sport === "All"))
        .map(([sport, row]) => h("div", {}, h("dt", {}, sport === "All" ? "All" : [dot(sport), sport]), h("dd", {}, whole.format(row.eddington)))),
    ),
  );
  eddingtonCard.say(
    `${counted(e, "day", "days")} with at least ${e} ${state.units}. ${counted(number.days_needed_for_next, "more day", "more days")} of at least ${next} ${state.units} ${number.days_needed_for_next === 1 ? "makes" : "make"} it ${next}. All years.${days[0].days > top ? " The highest bars are cut off." : ""}`,
  );
  eddingtonCard.draw(
    {
      ...option,
      tooltip: {
        ...option.tooltip,
        axisPointer: { ...option.tooltip.axisPointer, type: "shadow" },
        formatter: ([{ dataIndex }]) => {
          const row = days[dataIndex];
          return tipContent(`At least ${row.distance} ${state.units}`, [[null, "Days", whole.format(row.days)]]);
        },
      },
      grid: { ...roomy, right: 8 },
      xAxis: { ...axis, type: "category", data: days.map((row) => `${row.distance}`), axisLabel: { ...axis.axisLabel, interval: (i) => days[i].distance % step === 0, formatter: (text) => `${text} ${state.units}` } },
      yAxis: { ...axis, type: "value", max: days[0].days > top ? top : null, axisLabel: { ...axis.axisLabel, formatter: (value) => whole.format(value) } },
      series: [
        {
          type: "bar",
          name: "Days",
          barCategoryGap: "15%",
          barMaxWidth: 46,
          data: days.map((row) => ({ value: row.days, itemStyle: { color: row.distance === e ? ink.accent : ink.fatigue, opacity: row.distance === e ? 1 : row.distance < e ? 0.75 : 0.4 } })),
        },
        {
          type: "line",
          name: "As many days as distance",
          showSymbol: false,
          silent: true,
          tooltip: { show: false },
          lineStyle: { color: ink.ink, width: 1, type: "dashed" },
          itemStyle: { color: ink.ink },
          data: days.map((row) => row.distance),
        },
      ],
    },
    `Days with at least each distance, ${state.sport === "All" ? "all sports" : state.sport}: the Eddington number is ${e} ${state.units}.`,
    () => ({
      caption: `Days with at least each distance (${state.units})`,
      columns: [{ text: `At least (${state.units})`, row: true }, { text: "Days", number: true }],
      rows: days.map((row) => [`${row.distance}`, whole.format(row.days)]),
    }),
    260,
  );
});
