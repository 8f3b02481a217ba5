// The details of activities: splits, laps, efforts, zones, what was left out.

import { ACTIVITIES } from "./data.js";

export class Details {
  /** `data` is what the page has packed: tables of columns that have a list for each activity; null without any. */
  constructor(data) {
    this.tables = data?.tables ?? {};
    this.segments = rowsOf(data?.segments ?? {});
    this.positions = new Map(ACTIVITIES.map(({ id }, position) => [id, position]));
    this.places = new Map(
      Object.entries(this.tables).map(([name, { position }]) => [name, new Map(position.map((one, place) => [one, place]))]),
    );
  }

  /** The rows of a table of the activity of this id, in their order. */
  rows(table, id) {
    const place = this.places.get(table)?.get(this.positions.get(id));
    if (place === undefined) return [];
    const { position: _, ...columns } = this.tables[table];
    return rowsOf(Object.fromEntries(Object.entries(columns).map(([name, lists]) => [name, lists[place]])));
  }

  /** The efforts on segments, with what the segment is called and how many efforts have a rank there. */
  segmentEfforts(id) {
    return this.rows("segment_efforts", id).map((row) => ({ ...row, ...this.segments[row.segment] }));
  }

  /** Whether the activity of this id makes no sense as a whole: a car, a recording that was left on. */
  isOdd(id) {
    return this.rows("left_out", id).some((row) => row.left_out_of.includes("longest_distance"));
  }
}

function rowsOf(columns) {
  const names = Object.keys(columns);
  return (columns[names[0]] ?? []).map((_, i) => Object.fromEntries(names.map((name) => [name, columns[name][i]])));
}
