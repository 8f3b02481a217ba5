// Numbers, times and dates as text.

import { MONTHS } from "./dates.js";

/** @import { Activity, DateText } from "../types.js" */

export const NONE = "–";
// what stands for a name that is empty
export const UNTITLED = "Untitled";
export const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
export const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
export const hundredths = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const ORDINALS = new Intl.PluralRules("en", { type: "ordinal" });

/**
 * A whole number with a true minus sign.
 *
 * @param {number} number
 */
export function signed(number) {
  return whole.format(number).replace("-", "−");
}

/**
 * "1st", "22nd", "113th".
 *
 * @param {number} number
 */
export function ordinal(number) {
  const endings = { zero: "th", one: "st", two: "nd", few: "rd", many: "th", other: "th" };
  return `${whole.format(number)}${endings[ORDINALS.select(number)]}`;
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} many
 */
export function counted(count, one, many) {
  return `${whole.format(count)}\u00a0${count === 1 ? one : many}`;
}

/**
 * "1:02:03", "47:10".
 *
 * @param {number | null | undefined} seconds
 */
export function clock(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  const s = Math.round(seconds);
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  const hours = Math.floor(s / 3600);
  return hours ? `${hours}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}

/** @param {number | null | undefined} share */
export function percent(share) {
  return share === null || share === undefined ? NONE : `${whole.format(share * 100)}\u00a0%`;
}

/**
 * How much more or less than before, as "+12 %"; null where there was nothing before.
 *
 * @param {number} now
 * @param {number} before
 */
export function change(now, before) {
  if (!before) return null;
  const share = Math.round(((now - before) / before) * 100);
  return share === 0 ? "±0\u00a0%" : `${share > 0 ? "+" : "−"}${whole.format(Math.abs(share))}\u00a0%`;
}

/**
 * "26 Nov 2026" of "2026-11-26".
 *
 * @param {string | null | undefined} text
 */
export function dateText(text) {
  return text ? `${+text.slice(8, 10)}\u00a0${MONTHS[+text.slice(5, 7) - 1]}\u00a0${text.slice(0, 4)}` : NONE;
}

/**
 * "16 – 22 Nov 2026": what two dates share is said once.
 *
 * @param {DateText | null} first
 * @param {DateText | null} last
 */
export function rangeText(first, last) {
  if (!first || !last) return NONE;
  if (first === last) return dateText(first);
  const [from, to] = [dateText(first), dateText(last)];
  const parts = from.split("\u00a0");
  if (first.slice(0, 7) === last.slice(0, 7)) return `${parts[0]} – ${to}`;
  if (first.slice(0, 4) === last.slice(0, 4)) return `${parts[0]}\u00a0${parts[1]} – ${to}`;
  return `${from} – ${to}`;
}

/** @param {DateText} text */
export function monthText(text) {
  return `${MONTHS[+text.slice(5, 7) - 1]}\u00a0${text.slice(0, 4)}`;
}

/** @param {number} hour */
export function hourText(hour) {
  return `${String(hour).padStart(2, "0")}:00`;
}

/**
 * "2020", "1975 – 2023".
 *
 * @param {[number, number]} years
 */
export function yearsText([first, last]) {
  return first === last ? `${first}` : `${first} – ${last}`;
}

/**
 * "Backcountry Ski" of "BackcountrySki".
 *
 * @param {string | null | undefined} type
 */
export function sportText(type) {
  return (type || "Unknown").replace(/(?<=[a-z])(?=[A-Z])/g, " ");
}

/**
 * The sport of an activity, or its group where no more is known (a public page).
 *
 * @param {Activity} row
 */
export function sportOf(row) {
  return row.sport_type ? sportText(row.sport_type) : row.sport_group;
}
