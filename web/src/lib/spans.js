// Spans of days that are compared.

import { DATA, THIS_YEAR, TODAY } from "./data.js";
import { dayOf, mondayOf } from "./dates.js";
import { state } from "./state.js";

/** The span of the tiles, and the same span before it, as [first, last] days with words for both. */
export function spans() {
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

/** The year that a part of the page opens at: this one if it has anything, else the last one that has and is not to come. */
export function newestOf(years) {
  return Math.max(...(years.some((year) => year <= THIS_YEAR) ? years.filter((year) => year <= THIS_YEAR) : years));
}
