// Gaps: days in a row without any activity.

import { TODAY } from "./data.js";
import { dayText } from "./dates.js";

/** @import { Day } from "../types.js" */

/**
 * The longest gaps of at least `least` days between active days, at most `most` of them.
 *
 * @param {Day[]} days
 * @param {number} least
 * @param {number} most
 */
export function longestGaps(days, least, most) {
  const active = [...new Set(days.map(({ day }) => day))].filter((day) => day <= TODAY).sort((a, b) => a - b);
  return active
    .slice(1)
    .map((day, i) => ({ first: dayText(active[i] + 1), last: dayText(day - 1), days: day - active[i] - 1 }))
    .filter((gap) => gap.days >= least)
    .sort((a, b) => b.days - a.days || (a.first < b.first ? 1 : -1))
    .slice(0, most);
}
