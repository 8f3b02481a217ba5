// Gaps: days in a row without any activity.

import { TODAY } from "./data.js";
import { dayText } from "./dates.js";

/** @import { Day } from "../types.js" */

/**
 * The longest gaps of at least `least` days between active days, and since the last of them, at most `most` of them.
 *
 * @param {Day[]} days
 * @param {number} least
 * @param {number} most
 */
export function longestGaps(days, least, most) {
  const active = [...new Set(days.map(({ day }) => day))].filter((day) => day <= TODAY).sort((a, b) => a - b);
  return active
    .map((day, i) => {
      // today is not over
      const next = active[i + 1] ?? TODAY;
      return { first: dayText(day + 1), last: dayText(next - 1), days: next - day - 1 };
    })
    .filter((gap) => gap.days >= least)
    .sort((a, b) => b.days - a.days || (a.first < b.first ? 1 : -1))
    .slice(0, most);
}
