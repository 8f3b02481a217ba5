// Days as whole numbers and dates as text: the viewer's time zone has no say.

export const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
export const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/** Days since 1970-01-01 of "2026-11-26". */
export function dayNumber(text) {
  return Date.UTC(+text.slice(0, 4), +text.slice(5, 7) - 1, +text.slice(8, 10)) / 86400000;
}

/** The date, as text, of a day number. */
export function dayText(number) {
  return new Date(number * 86400000).toISOString().slice(0, 10);
}

/** 0 for Monday to 6 for Sunday. */
export function weekdayOf(number) {
  return (((number + 3) % 7) + 7) % 7;
}

export function mondayOf(number) {
  return number - weekdayOf(number);
}

export function yearOf(text) {
  return +text.slice(0, 4);
}

export function dayOf(year, month, day) {
  return Date.UTC(year, month - 1, day) / 86400000;
}

/** The years from the newest to the oldest, those without any of `years` in between as [first, last]. */
export function yearsWithGaps(years) {
  const sorted = [...new Set(years)].sort((a, b) => b - a);
  return sorted.flatMap((year, i) => {
    const next = sorted[i + 1];
    return next === undefined || next === year - 1 ? [year] : [year, [next + 1, year - 1]];
  });
}
