// Gear: how far each bike and pair of shoes has come.

let gearCard;
panel("gear", ["units"], (host) => {
  gearCard ??= new Card(host, "Bikes and shoes", { kind: "wide-table" });
  const rows = rowsOf("gear");
  if (!rows.length) return gearCard.empty("No activity names any gear.");
  const kinds = [
    ["bike", "Bikes"],
    ["shoes", "Shoes"],
    [null, "Other gear"],
  ];
  const known = kinds.map(([kind]) => kind);
  gearCard.show(
    ...kinds.flatMap(([kind, title]) => {
      const held = rows
        .filter((row) => (known.includes(row.kind) ? row.kind : null) === kind)
        .sort((a, b) => (a.retired === true) - (b.retired === true) || b.distance_m - a.distance_m);
      if (!held.length) return [];
      const most = Math.max(...held.map((row) => row.distance_m), 1);
      return [
        h("h4", {}, title),
        table({
          caption: title,
          kind: "gear",
          columns: [
            { text: "Name", row: true },
            { text: h("span", { class: "unseen" }, "Share of the furthest") },
            ...["Distance", "Activities", "Time (h)", "Climbed"].map((text) => ({ text, number: true })),
            "Used",
            { text: "Strava says", number: true },
          ],
          rows: held.map((row) => [
            [
              row.name ? bdi(row.name) : h("span", { class: "under" }, `Unnamed (${row.gear_id})`),
              row.retired ? h("span", { class: "badge" }, "retired") : null,
              row.is_primary ? h("span", { class: "badge" }, "primary") : null,
            ],
            h("div", { class: `meter${row.retired ? " past" : ""}`, "aria-hidden": "true" }, h("i", { css: { width: `${(row.distance_m / most) * 100}%` } })),
            h("b", {}, measured("distance_m", row.distance_m)),
            whole.format(row.activities),
            amount("moving_time_s", row.moving_time_s),
            climbed(row.total_elevation_gain_m),
            h("span", { class: "under" }, rangeText(row.first_used_date, row.last_used_date)),
            row.strava_distance_m === null || row.strava_distance_m === undefined ? NONE : measured("distance_m", row.strava_distance_m),
          ]),
        }),
      ];
    }),
  );
  gearCard.say(
    "All years and sports. Sums of the activities here; Strava's own total, as of the last answer, may be more: it counts distances entered by hand. Names come with details or an export, retirement with details.",
  );
});
