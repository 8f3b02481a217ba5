// Numbers as text. All of the page's conversions of units are here.

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const NONE = "–";
const METRES = { km: 1000, mi: 1609.344 };
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const hundredths = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

// what can be summed: its name, its unit, a number in that unit, and that number as text
const MEASURES = {
  distance_m: {
    label: "Distance",
    unit: () => state.units,
    number: (m) => m / METRES[state.units],
  },
  moving_time_s: { label: "Moving time", unit: () => "h", number: (s) => s / 3600 },
  total_elevation_gain_m: {
    label: "Climbed",
    unit: () => (state.units === "km" ? "m" : "ft"),
    number: (m) => (state.units === "km" ? m : m / 0.3048),
  },
  activities: { label: "Activities", unit: () => "", number: (count) => count },
};

/** A measure's total, without its unit: small ones with a decimal, as 4.2 km says more than 4. */
function amount(measure, value) {
  if (value === null || value === undefined) return NONE;
  const number = MEASURES[measure].number(value);
  const fine = measure === "distance_m" || measure === "moving_time_s";
  return fine && number !== 0 && number < 99.95 ? tenths.format(number) : whole.format(number);
}

/** A measure's total with its unit: "4.2 km", "12 activities". */
function measured(measure, value) {
  if (measure === "activities") return counted(value, "activity", "activities");
  const text = amount(measure, value);
  return text === NONE ? text : `${text}\u00a0${MEASURES[measure].unit()}`;
}

function counted(count, one, many) {
  return `${whole.format(count)}\u00a0${count === 1 ? one : many}`;
}

/** One activity's distance, with its unit. */
function distance(m) {
  return m === null || m === undefined ? NONE : `${tenths.format(m / METRES[state.units])}\u00a0${state.units}`;
}

function climbed(m) {
  return m === null || m === undefined ? NONE : measured("total_elevation_gain_m", m);
}

/** "1:02:03", "47:10". */
function clock(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  const s = Math.round(seconds);
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(s / 3600);
  return hours ? `${hours}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}

/** Whether the sport's people say how long a distance takes rather than how far an hour leads. */
function isPaced(sport) {
  return ["Run", "Walk", "Swim"].includes(sport);
}

/** The mean speed of an activity; none in the gym, where the distance is none of a way. */
function speedOf({ distance_m: m, moving_time_s: s, sport_group: sport }) {
  return m && s && sport !== "Gym" ? speed(m / s, sport) : NONE;
}

/** A speed as the sport's people say it: pace for who runs, walks or swims, else per hour. */
function speed(metresPerSecond, sport) {
  if (!metresPerSecond) return NONE;
  if (sport === "Swim") {
    const metres = state.units === "km" ? 100 : 91.44;
    return `${clock(metres / metresPerSecond)}\u00a0/100\u00a0${state.units === "km" ? "m" : "yd"}`;
  }
  if (isPaced(sport)) return `${clock(METRES[state.units] / metresPerSecond)}\u00a0/${state.units}`;
  return `${tenths.format((metresPerSecond * 3600) / METRES[state.units])}\u00a0${state.units}/h`;
}

/** A value of the records by its unit: metres up where the record is of height. */
function recordValue(record) {
  if (record.unit === "s") return clock(record.value);
  if (record.unit === "m/s") return speed(record.value, record.sport_group);
  return record.record === "longest_distance" ? distance(record.value) : climbed(record.value);
}

/** "26 Nov 2026" of "2026-11-26". */
function dateText(text) {
  return text ? `${+text.slice(8, 10)}\u00a0${MONTHS[+text.slice(5, 7) - 1]}\u00a0${text.slice(0, 4)}` : NONE;
}

/** "16 – 22 Nov 2026": what two dates share is said once. */
function rangeText(first, last) {
  if (!first || !last) return NONE;
  if (first === last) return dateText(first);
  const [from, to] = [dateText(first), dateText(last)];
  const parts = from.split("\u00a0");
  if (first.slice(0, 7) === last.slice(0, 7)) return `${parts[0]} – ${to}`;
  if (first.slice(0, 4) === last.slice(0, 4)) return `${parts[0]}\u00a0${parts[1]} – ${to}`;
  return `${from} – ${to}`;
}

function monthText(text) {
  return `${MONTHS[+text.slice(5, 7) - 1]}\u00a0${text.slice(0, 4)}`;
}

function hourText(hour) {
  return `${String(hour).padStart(2, "0")}:00`;
}

function percent(share) {
  return share === null || share === undefined ? NONE : `${whole.format(share * 100)}\u00a0%`;
}

/** How much more or less than before, as "+12 %"; null where there was nothing before. */
function change(now, before) {
  if (!before) return null;
  const share = Math.round(((now - before) / before) * 100);
  return share === 0 ? "±0\u00a0%" : `${share > 0 ? "+" : "−"}${whole.format(Math.abs(share))}\u00a0%`;
}
