// The details of activities: splits, laps, efforts, zones, what was left out.

import { ACTIVITIES } from "./data.js";

/** @import { Columns, DetailTables, PackedDetails, Segment } from "../types.js" */

export class Details {
  /** @param {PackedDetails | null} data what the page has packed; null for nothing */
  constructor(data) {
    /** @type {Map<string | undefined, number>} */
    this.positions = new Map(ACTIVITIES.map(({ id }, position) => [id, position]));
    /** @type {Segment[]} */
    this.segments = rowsOf(data?.segments ?? {});
    /** @type {Map<string, { places: Map<number | undefined, number>, columns: Columns }>} */
    this.tables = new Map(
      Object.entries(data?.tables ?? {}).map(([name, { position, ...columns }]) => [
        name,
        { places: new Map(position.map((one, place) => [one, place])), columns },
      ]),
    );
  }

  /**
   * The rows of a table of the activity of this id, in their order.
   *
   * @template {keyof DetailTables} Name
   * @param {Name} name
   * @param {string | undefined} id
   * @returns {DetailTables[Name][]}
   */
  rows(name, id) {
    const table = this.tables.get(name);
    const place = table?.places.get(this.positions.get(id));
    if (!table || place === undefined) return [];
    return rowsOf(Object.fromEntries(Object.entries(table.columns).map(([column, lists]) => [column, lists[place]])));
  }

  /**
   * The efforts on segments, with what the segment is called and how many efforts have a rank there.
   *
   * @param {string | undefined} id
   */
  segmentEfforts(id) {
    return this.rows("segment_efforts", id).map((row) => ({ ...row, ...this.segments[row.segment] }));
  }

  /**
   * Whether the activity of this id makes no sense as a whole: a car, a recording that was left on.
   *
   * @param {string | undefined} id
   */
  isOdd(id) {
    return this.rows("left_out", id).some((row) => row.left_out_of.includes("longest_distance"));
  }
}

/**
 * @param {Columns} columns
 * @returns {any[]}
 */
function rowsOf(columns) {
  const names = Object.keys(columns);
  return (columns[names[0]] ?? []).map((_, i) => Object.fromEntries(names.map((name) => [name, columns[name][i]])));
}
