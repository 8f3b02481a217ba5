// What the reader chose, kept in the address after "#", and which panels that concerns.

const DEFAULTS = { year: null, sport: "All", measure: "distance_m", span: "year", units: DATA.units, theme: "auto" };
const ALLOWED = {
  year: (text) => (YEARS.includes(+text) ? +text : null),
  sport: (text) => (SPORTS.includes(text) ? text : "All"),
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
  const changed = Object.keys(choices).filter((name) => state[name] !== choices[name]);
  if (!changed.length) return;
  Object.assign(state, choices);
  document.documentElement.dataset.theme = state.theme;
  for (const one of panels) if (changed.some((name) => one.needs.has(name))) one.stale = true;
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
  return Object.fromEntries(
    Object.keys(DEFAULTS).map((name) => [name, given.has(name) ? ALLOWED[name](given.get(name)) : DEFAULTS[name]]),
  );
}

/** What the filters choose, in words: "Run, 2025". */
function chosenText() {
  return `${state.sport === "All" ? "all sports" : state.sport}, ${state.year ?? "all years"}`;
}
