/** @import { Choices } from "../types.js" */

/**
 * What the reader has chosen; `choose` of ui/panels.js changes it.
 *
 * @type {Choices}
 */
export const state = {
  year: null,
  sport: "All",
  type: null,
  measure: "distance_m",
  span: "year",
  units: "km",
  theme: "auto",
  // the periods that are compared, by their keys
  compare: "this-year",
  with: "year-before",
  // the one that is open, by its id
  activity: null,
};
