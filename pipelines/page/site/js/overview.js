// Overview: six tiles, weeks, streaks, goals, what was done last.

/** The span that the tiles tell about, and the same span before it, as [first, last] days with words for both. */
function spans() {
  const yearsSpan = (year) => {
    const so = year === THIS_YEAR;
    const [, month, day] = DATA.today.split("-").map(Number);
    const last = so ? TODAY : dayOf(year, 12, 31);
    // 29 February is compared with 28 February
    const lastBefore = so ? Math.min(dayOf(year - 1, month, day), dayOf(year - 1, month + 1, 0)) : dayOf(year - 1, 12, 31);
    return {
      now: [dayOf(year, 1, 1), last],
      before: [dayOf(year - 1, 1, 1), lastBefore],
      text: so ? `${year} so far` : `${year}`,
      against: so ? `${year - 1} to the same day` : `${year - 1}`,
    };
  };
  if (state.year !== null) return yearsSpan(state.year);
  if (state.span === "year") return yearsSpan(THIS_YEAR);
  if (state.span === "week") {
    const monday = mondayOf(TODAY);
    return {
      now: [monday, TODAY],
      before: [monday - 7, TODAY - 7],
      text: "This week so far",
      against: "last week to the same day",
    };
  }
  if (state.span === "month") {
    const [year, month, day] = DATA.today.split("-").map(Number);
    return {
      now: [dayOf(year, month, 1), TODAY],
      before: [dayOf(year, month - 1, 1), Math.min(dayOf(year, month - 1, day), dayOf(year, month, 0))],
      text: "This month so far",
      against: "last month to the same day",
    };
  }
  return { now: [-Infinity, Infinity], before: null, text: "All years", against: null };
}

/** How many digits wide a tile's figure is, its small unit included. */
function lengthOf(made) {
  const [figure, unit = ""] = made.querySelector(".big").textContent.split("\u00a0");
  return figure.length + (unit ? (unit.length + 1) / 2 : 0);
}

function tile(name, value, unit, under, hint = null) {
  return h(
    "div",
    { class: "tile", "data-tile": name },
    h("dt", {}, name),
    h("dd", {}, h("span", { class: "big" }, value, unit ? h("small", {}, `\u00a0${unit}`) : null), h("span", { class: "under", title: hint }, under)),
  );
}

function drawTiles(host) {
  const { now, before, text, against } = spans();
  const days = sportDays();
  const sums = sumOf(days, ...now);
  const earlier = before && sumOf(days, ...before);
  const under = (measure) => {
    if (!earlier) return "";
    const moved = change(sums[measure], earlier[measure]);
    if (moved === null) return sums[measure] ? "none before" : "";
    return [h("b", {}, moved), ` from ${measured(measure, earlier[measure])}`];
  };
  const tiles = Object.keys(MEASURES).map((measure) => [
    measure,
    tile(MEASURES[measure].label, amount(measure, sums[measure]), MEASURES[measure].unit(), under(measure)),
  ]);
  const of = Object.fromEntries(tiles);
  const eddington = rowsOf("eddington").find((row) => row.sport_group === state.sport && row.unit === state.units);
  const next = (eddington?.eddington ?? 0) + 1;
  const wider = state.type ? ` (all of ${state.sport})` : "";
  const streak = rowsOf("streaks").find((row) => row.sport_group === state.sport && row.period === "day");
  const past = state.year !== null && state.year !== THIS_YEAR;
  const review = rowsOf("year_in_review").find((row) => row.year === state.year && row.sport_group === state.sport);
  const content = [
    of.activities,
    of.distance_m,
    of.moving_time_s,
    of.total_elevation_gain_m,
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
  const options = [
    { value: "week", text: "Week" },
    { value: "month", text: "Month" },
    { value: "year", text: "Year" },
    { value: "all", text: "All" },
  ];
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
            switchOf("span", options, state.span, (span) => {
              choose({ span });
              document.querySelector(`input[name="span"][value="${span}"]`)?.focus();
            }),
          )
        : null,
    ),
    // as large as the longest of them lets all be
    h("dl", { class: `tiles${longest > 7.5 ? " long" : ""}`, css: { "--longest": longest } }, content),
  );
}

panel("tiles", ["year", "sport", "type", "span", "units"], (host) => {
  // the switch that was just used must not lose the focus to a new one
  const focused = document.activeElement?.name === "span";
  drawTiles(host);
  if (focused) host.querySelector("input:checked")?.focus();
});

/** Weeks of the choice: those of a year, else the last 52 (26 on a phone). */
function weeksShown(host) {
  const last = state.year === null || state.year === THIS_YEAR ? mondayOf(TODAY) : mondayOf(dayOf(state.year, 12, 31));
  const first = state.year === null ? last - 7 * (thin(host) ? 25 : 51) : mondayOf(dayOf(state.year, 1, 1));
  const weeks = [];
  for (let monday = first; monday <= last; monday += 7) weeks.push(monday);
  return weeks;
}

let weeklyCard;
panel("weekly", ["year", "sport", "type", "measure", "units"], (host) => {
  weeklyCard ??= new Card(host, "Weeks");
  const measure = shownMeasure();
  const weeks = weeksShown(host);
  const sports = state.sport === "All" ? SPORTS : [state.sport];
  const sums = new Map(sports.map((sport) => [sport, new Map(weeks.map((monday) => [monday, 0]))]));
  for (const row of sportDays()) {
    const monday = mondayOf(row.day);
    const ofSport = sums.get(row.sport_group);
    // a year's first and last weeks are whole weeks, its neighbours' days included
    if (ofSport?.has(monday)) ofSport.set(monday, ofSport.get(monday) + (row[measure] ?? 0));
  }
  const used = sports.filter((sport) => [...sums.get(sport).values()].some((value) => value > 0));
  if (!used.length) {
    const nothing = `Nothing in the last ${weeks.length} weeks${state.sport === "All" ? "" : ` for ${sportChosen()}`}.`;
    return weeklyCard.empty(DAYS.length && state.year === null ? nothing : noneChosen());
  }
  const ink = colours();
  const { axis, option, roomy } = chartBase(ink);
  const { number } = MEASURES[measure];
  const week = (monday) => rangeText(dayText(monday), dayText(monday + 6));
  const total = (monday) => used.reduce((sum, sport) => sum + sums.get(sport).get(monday), 0);
  weeklyCard.aside.replaceChildren(legend(used));
  weeklyCard.say(
    state.year === null
      ? `${measureName()} of each of the last ${weeks.length} weeks, Monday to Sunday.`
      : `${measureName()} of each week with a day in ${state.year}, Monday to Sunday.`,
  );
  weeklyCard.draw(
    {
      ...option,
      tooltip: {
        ...option.tooltip,
        axisPointer: { ...option.tooltip.axisPointer, type: "shadow" },
        formatter: ([{ dataIndex }]) => {
          const monday = weeks[dataIndex];
          const parts = used.filter((sport) => sums.get(sport).get(monday) > 0);
          return tipContent(week(monday), [
            ...parts.map((sport) => [sport, sport, measured(measure, sums.get(sport).get(monday))]),
            ...(parts.length > 1 || !parts.length ? [[null, "Total", measured(measure, total(monday))]] : []),
          ]);
        },
      },
      grid: { ...roomy, right: 4 },
      xAxis: {
        ...axis,
        type: "category",
        data: weeks.map(String),
        axisLabel: {
          ...axis.axisLabel,
          // a month's name stands under its first week
          interval: (i) => i === 0 || dayText(weeks[i] + 6).slice(5, 7) !== dayText(weeks[i - 1] + 6).slice(5, 7),
          formatter: (monday) => MONTHS[+dayText(+monday + 6).slice(5, 7) - 1],
        },
      },
      yAxis: { ...axis, type: "value", axisLabel: { ...axis.axisLabel, formatter: (value) => whole.format(value) } },
      series: used.map((sport) => ({
        type: "bar",
        name: sport,
        stack: "week",
        barCategoryGap: "28%",
        barMaxWidth: 46,
        itemStyle: { color: ink.sport[sport] ?? ink.sport.Other, borderColor: ink.card, borderWidth: 0.5 },
        data: weeks.map((monday) => number(sums.get(sport).get(monday))),
      })),
    },
    `${MEASURES[measure].label} by week, ${weeks.length} weeks, ${chosenText()}; the last week has ${measured(measure, total(weeks.at(-1)))}.`,
    () => ({
      caption: `${measureName()} by week`,
      columns: [{ text: "Week", row: true }, ...used.map((sport) => ({ text: sport, number: true })), { text: "Total", number: true }],
      rows: weeks.map((monday) => [
        week(monday),
        ...used.map((sport) => amount(measure, sums.get(sport).get(monday))),
        amount(measure, total(monday)),
      ]),
    }),
    260,
  );
});

let streaksCard;
panel("streaks", ["sport"], (host) => {
  streaksCard ??= new Card(host, "Streaks", { kind: "list" });
  const rows = rowsOf("streaks").filter((row) => row.sport_group === state.sport);
  if (!rows.length) return streaksCard.empty("A streak begins with the first activity.");
  const names = { day: ["day", "days"], week: ["week", "weeks"], month: ["month", "months"] };
  streaksCard.show(
    h(
      "dl",
      { class: "streaks" },
      ["day", "week", "month"]
        .map((period) => rows.find((row) => row.period === period))
        .filter(Boolean)
        .map((row) =>
          h(
            "div",
            {},
            h("dt", {}, `${row.period[0].toUpperCase()}${row.period.slice(1)}s in a row`),
            h(
              "dd",
              {},
              h("span", { class: "big" }, whole.format(row.current)),
              h("span", { class: "under" }, row.current ? `since ${dateText(row.current_start_date)}` : "now"),
            ),
            h(
              "dd",
              {},
              h("span", { class: "mid" }, `longest ${counted(row.longest, ...names[row.period])}`),
              h("span", { class: "under" }, rangeText(row.longest_start_date, row.longest_end_date)),
            ),
          ),
        ),
    ),
  );
  streaksCard.say(`With at least one activity each${state.sport === "All" ? "" : ` (${state.sport})`}. All years.`);
});

/** "412 of 1,000 km", "119 of 200 active days": the unit once. */
function ofTarget({ measure, achieved, target }) {
  if (measure === "active_days") return `${whole.format(achieved)} of ${counted(target, "active day", "active days")}`;
  return `${amount(measure, achieved)} of ${measured(measure, target)}`;
}

let goalsCard;
panel("goals", ["sport", "units"], (host) => {
  goalsCard ??= new Card(host, "Goals", { kind: "list" });
  const all = rowsOf("goals");
  const rows = all.filter((row) => state.sport === "All" || row.sport_group === state.sport);
  if (!rows.length) {
    return goalsCard.empty(
      all.length
        ? `No goal for ${state.sport}.`
        : DATA.public
          ? "No goals set."
          : ["No goals set. ", h("code", {}, "STRAVA_GOALS=\"Run 1000 km/year, All 8 h/week\""), " in .env sets two."],
    );
  }
  goalsCard.show(
    h(
      "ul",
      { class: "goals" },
      rows.map((row) => {
        const ahead = row.share >= row.expected_share;
        const what = `${row.sport_group === "All" ? "All sports" : row.sport_group}, this ${row.period}`;
        return h(
          "li",
          {},
          h("p", {}, dot(row.sport_group), h("strong", {}, what), h("span", { class: "right" }, percent(row.share))),
          h(
            "div",
            { class: "bar", "aria-hidden": "true" },
            h("i", { css: { width: `${Math.min(100, row.share * 100)}%` } }),
            h("b", { css: { left: `${Math.min(100, row.expected_share * 100)}%` } }),
          ),
          h(
            "p",
            { class: "under" },
            `${ofTarget(row)}; `,
            row.share >= 1 ? "done" : `${ahead ? "ahead of" : "behind"} an even pace (${percent(row.expected_share)})`,
          ),
        );
      }),
    ),
  );
  goalsCard.say("The mark shows how much of the span is gone, today included.");
});

let recentCard;
let recentShown = 8;
panel("recent", ["year", "sport", "type", "units"], (host) => {
  recentCard ??= new Card(host, "Latest activities", { kind: "wide-table" });
  const rows = ACTIVITIES.filter((row) => isOfSport(row) && (state.year === null || yearOf(row.started_local) === state.year));
  if (!rows.length) return recentCard.empty(noneChosen());
  // what a wrong clock dates into the future is not the latest
  const isPast = (row) => row.started_local.slice(0, 10) <= DATA.today;
  const shown = [...rows.filter(isPast), ...rows.filter((row) => !isPast(row))].slice(0, recentShown);
  const hearts = shown.some((row) => row.average_heartrate);
  recentCard.show(
    h(
      "ol",
      { class: "recent", css: { "--facts": 3 + !DATA.public + hearts } },
      shown.map((row) =>
        h(
          "li",
          {},
          row.route ? routeSketch(row.route, 44, row.sport_group) : h("span", { class: "sketch" }, dot(row.sport_group)),
          h(
            "div",
            { class: "what" },
            h("p", {}, row.name === null || row.name === undefined ? h("strong", {}, sportOf(row)) : h("strong", {}, bdi(row.name))),
            h(
              "p",
              { class: "under" },
              `${dateText(row.started_local)}${row.started_local.length > 10 ? `, ${row.started_local.slice(11)}` : ""}${row.sport_type ? ` · ${sportText(row.sport_type)}` : ""}`,
            ),
          ),
          h(
            "div",
            { class: "facts" },
            fact("Distance", row.distance_m ? distance(row.distance_m) : NONE),
            fact("Time", clock(row.moving_time_s)),
            // of rounded figures a pace would be none
            DATA.public ? null : fact(isPaced(row.sport_group) ? "Pace" : "Speed", speedOf(row)),
            fact("Climbed", climbed(row.total_elevation_gain_m)),
            hearts ? fact("Heart rate", row.average_heartrate ? `${whole.format(row.average_heartrate)}\u00a0bpm` : NONE) : null,
          ),
          h("div", { class: "link" }, viewOnStrava(row.id, row.name)),
        ),
      ),
    ),
    rows.length > shown.length
      ? moreButton(`Show more of ${whole.format(rows.length)}`, () => {
          recentShown += 16;
          redraw("recent");
          host.querySelectorAll(".recent > li")[shown.length]?.querySelector("a")?.focus();
        })
      : "",
  );
  recentCard.say(null);
});

function fact(name, value) {
  return h("p", { class: "fact" }, h("span", { class: "under" }, name), h("span", {}, value));
}

/** "Backcountry Ski" of "BackcountrySki". */
function sportText(type) {
  return (type || "Unknown").replace(/(?<=[a-z])(?=[A-Z])/g, " ");
}

/** The sport of an activity, or its group where no more is known (a public page). */
function sportOf(row) {
  return row.sport_type ? sportText(row.sport_type) : row.sport_group;
}

function redraw(name) {
  const one = panels.find(({ host }) => host.dataset.panel === name);
  one.stale = true;
  drawPanel(one);
}
