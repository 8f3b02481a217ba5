// The parts of the page, drawn when they come into view, and again when a choice concerns them.

import { addressOf, choicesOf, consistent } from "../lib/choices.js";
import { DATA } from "../lib/data.js";
import { state } from "../lib/state.js";
import { h } from "./elements.js";

/** @import { Choices, Panel } from "../types.js" */

// a public page has nothing for these
const NOT_PUBLIC = ["hours", "load", "zones", "efforts", "predictions", "map", "routes", "gear", "left_out", "listing", "compare", "health"];

/** @type {(Panel & { host: HTMLElement, stale: boolean, near: boolean })[]} */
const panels = [];
/** @type {(() => void)[]} */
const followers = [];
let drawing = 0;

/**
 * A part of the page: `draw` fills the element marked `data-panel="name"`, and again when one of what it `needs` changes.
 *
 * @param {string} name
 * @param {string[]} needs
 * @param {(host: HTMLElement) => void} draw
 * @returns {Panel}
 */
export function panel(name, needs, draw) {
  return { name, needs: new Set([...needs, "theme"]), draw };
}

/**
 * Give each panel its place, and draw it when it comes near the view.
 *
 * @param {Panel[]} all
 */
export function show(all) {
  for (const one of all) {
    const host = /** @type {HTMLElement} */ (document.querySelector(`[data-panel="${one.name}"]`));
    if (DATA.public && NOT_PUBLIC.includes(one.name)) host.remove();
    else panels.push({ ...one, host, stale: true, near: false });
  }
  const observer = new IntersectionObserver(
    (entries) => {
      const near = new Map(entries.map((entry) => [entry.target, entry.isIntersecting]));
      for (const one of panels) one.near = near.get(one.host) ?? one.near;
      drawNear();
    },
    { rootMargin: "400px 0px" },
  );
  for (const one of panels) observer.observe(one.host);
}

/**
 * Draw the panels whose host is `wanted`, unless they are as they should be.
 *
 * @param {(host: HTMLElement) => unknown} wanted
 */
export function draw(wanted = () => true) {
  for (const one of panels) if (wanted(one.host)) drawPanel(one);
}

/**
 * Draw a panel again.
 *
 * @param {string} name
 */
export function redraw(name) {
  for (const one of panels) {
    if (one.name !== name) continue;
    one.stale = true;
    drawPanel(one);
  }
}

/** Draw all panels again, when they come into view. */
export function redrawAll() {
  for (const one of panels) one.stale = true;
  drawNear();
}

/** Take up the choices of the address, before anything is drawn. */
export function start() {
  take(choicesOf(location.hash) ?? choicesOf("") ?? state);
}

/**
 * Take up new choices: redraw what they concern, and write them into the address.
 *
 * @param {Partial<Choices>} choices
 */
export function choose(choices) {
  const before = new Map(Object.entries(state));
  take(consistent({ ...state, ...choices }));
  const changed = Object.entries(state).flatMap(([name, value]) => (value === before.get(name) ? [] : [name]));
  if (!changed.length) return;
  const concerned = changed.includes("type") ? [...changed, "sport"] : changed;
  for (const one of panels) if (concerned.some((name) => one.needs.has(name))) one.stale = true;
  writeAddress(changed.includes("activity") && state.activity !== null);
  for (const follow of followers) follow();
  drawNear();
}

/**
 * Call `follow` whenever something else is chosen.
 *
 * @param {() => void} follow
 */
export function afterChoices(follow) {
  followers.push(follow);
}

/** @param {Choices} choices */
function take(choices) {
  Object.assign(state, choices);
  document.documentElement.dataset.theme = state.theme;
}

/**
 * Write what is chosen into the address.
 *
 * @param {boolean} opens whether the back button is to lead to what was there before
 */
function writeAddress(opens) {
  const text = addressOf(state);
  if (location.hash.slice(1) === text) return;
  const address = text ? `#${text}` : location.href.split("#")[0];
  if (opens) history.pushState({ opened: opened() + 1 }, "", address);
  else history.replaceState(state.activity === null ? null : history.state, "", address);
}

/**
 * How many activities were opened one from the other, until this one.
 *
 * @returns {number}
 */
export function opened() {
  return history.state?.opened ?? 0;
}

/** @param {typeof panels[number]} one */
function drawPanel(one) {
  if (!one.stale) return;
  one.stale = false;
  one.draw(one.host);
  if (state.type && one.needs.has("sport") && !one.needs.has("type")) {
    one.host.append(h("p", { class: "wider" }, `All of ${state.sport}: the warehouse has this by group, not by sport type.`));
  } else one.host.querySelector(".wider")?.remove();
}

function drawNear() {
  cancelAnimationFrame(drawing);
  drawing = requestAnimationFrame(() => panels.filter((one) => one.near).forEach(drawPanel));
}
