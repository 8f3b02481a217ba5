// What the reader chose, kept in the address after "#", and which panels that concerns.

const DEFAULTS = { year: null, sport: "All", type: null, measure: "distance_m", span: "year", units: DATA.units, theme: "auto" };
const ALLOWED = {
  year: (text) => (YEARS.includes(+text) ? +text : null),
  sport: (text) => (SPORTS.includes(text) ? text : "All"),
  type: (text) => text,
  measure: (text) => (Object.hasOwn(MEASURES, text) ? text : DEFAULTS.measure),
  span: (text) => (["week", "month", "year", "all"].includes(text) ? text : DEFAULTS.span),
  units: (text) => (Object.hasOwn(METRES, text) ? text : DEFAULTS.units),
  theme: (text) => (["light", "dark"].includes(text) ? text : "auto"),
};
const state = { ...DEFAULTS };
const panels = [];

/** A part of the page: drawn when it comes into view, and again when one of what it `needs` changes. */
function panel(name, needs, draw) {
  const host = document.querySelector(`[data-panel="${name}"]`);
  if (LEFT_OUT.includes(name)) {
    host.remove();
    return;
  }
  panels.push({ host, needs: new Set([...needs, "theme"]), draw, stale: true, near: false });
}

function drawPanel(one) {
  if (!one.stale) return;
  one.stale = false;
  one.draw(one.host);
  if (state.type && one.needs.has("sport") && !one.needs.has("type")) {
    one.host.append(h("p", { class: "wider" }, `All of ${state.sport}: the warehouse has this by group, not by sport type.`));
  } else one.host.querySelector(".wider")?.remove();
}

function drawAll() {
  panels.forEach(drawPanel);
}

let drawing = 0;
function drawNear() {
  cancelAnimationFrame(drawing);
  drawing = requestAnimationFrame(() => panels.filter((one) => one.near).forEach(drawPanel));
}

function watchPanels() {
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) panels.find((one) => one.host === entry.target).near = entry.isIntersecting;
      drawNear();
    },
    { rootMargin: "400px 0px" },
  );
  for (const one of panels) observer.observe(one.host);
}

/** Take up new choices: redraw what they concern, and write them into the address. */
function choose(choices) {
  choices = consistent({ ...state, ...choices });
  const changed = Object.keys(choices).filter((name) => state[name] !== choices[name]);
  if (!changed.length) return;
  Object.assign(state, choices);
  document.documentElement.dataset.theme = state.theme;
  const concerned = new Set(changed.includes("type") ? [...changed, "sport"] : changed);
  for (const one of panels) if ([...concerned].some((name) => one.needs.has(name))) one.stale = true;
  writeHash();
  syncControls();
  drawNear();
}

function writeHash() {
  const kept = Object.keys(DEFAULTS).filter((name) => state[name] !== DEFAULTS[name]);
  const text = kept.map((name) => `${name}=${encodeURIComponent(state[name])}`).join("&");
  history.replaceState(null, "", text ? `#${text}` : location.href.split("#")[0]);
}

/** The choices that the address holds; null when it names a place on the page instead. */
function readHash() {
  const text = location.hash.slice(1);
  if (text && !text.includes("=")) return null;
  const given = new Map(new URLSearchParams(text));
  return consistent(
    Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, given.has(name) ? ALLOWED[name](given.get(name)) : DEFAULTS[name]])),
  );
}

/** These choices without a sport type that is none of the sport's. */
function consistent(choices) {
  return typesOf(choices.sport).includes(choices.type) ? choices : { ...choices, type: null };
}

/** The sport that the filters choose, in words: "All sports", "Run", "Trail Run". */
function sportChosen(all = "All sports") {
  if (state.sport === "All") return all;
  return state.type ? sportText(state.type) : state.sport;
}

/** Whether the filters choose the sport of this activity. */
function isOfSport(row) {
  return (state.sport === "All" || row.sport_group === state.sport) && (state.type === null || row.sport_type === state.type);
}

const daysOfSports = new Map();

/** The days of the sport that the filters choose, of all years; found once, since nearly every panel asks. */
function sportDays() {
  const key = `${state.sport} ${state.type ?? ""}`;
  if (!daysOfSports.has(key)) daysOfSports.set(key, state.type ? daysOfType(state.type) : DAYS.filter(isOfSport));
  return daysOfSports.get(key);
}

/** The measure that is drawn: the one chosen, unless there is none of it in this sport, as lifting has no distance. */
function shownMeasure() {
  const days = sportDays();
  const some = (measure) => days.some((row) => row[measure] > 0);
  return [state.measure, "moving_time_s", "activities"].find(some) ?? state.measure;
}

/** What the filters choose, in words: "Run, 2025". */
function chosenText() {
  return `${sportChosen("all sports")}, ${state.year ?? "all years"}`;
}
