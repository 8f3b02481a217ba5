// A page's data as data.py writes it, of rows as objects: page({ activities: [{ … }] }, { today: "2026-11-26" }).

export function page(tables = {}, others = {}) {
  return {
    version: 1,
    today: "2026-11-26",
    units: "km",
    public: false,
    settings: {},
    missing: [],
    tables: Object.fromEntries(
      Object.entries(tables).map(([name, rows]) => {
        const columns = [...new Set(rows.flatMap(Object.keys))];
        return [name, { columns, rows: rows.map((row) => columns.map((column) => row[column] ?? null)) }];
      }),
    ),
    ...others,
  };
}

/** A day of one sport with `distance_m`. */
export function day(activity_date, sport_group, distance_m) {
  return { activity_date, sport_group, activities: 1, distance_m, moving_time_s: 3600, total_elevation_gain_m: 0 };
}
