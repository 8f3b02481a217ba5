// The parts of the page, drawn when they come into view, and again when a choice concerns them.

import { addressOf, choicesOf, consistent } from "../lib/choices.js";
import { DATA } from "../lib/data.js";
import { state } from "../lib/state.js";
import { h } from "./elements.js";

// a public page has nothing for these
const NOT_PUBLIC = ["hours", "load", "zones", "efforts", "predictions", "map", "routes", "gear", "left_out", "listing", "compare", "health"];

const panels = [];
const followers = [];
let drawing = 0;

/** A part of the page: `draw` fills the element marked `data-panel="name"`, and again when one of what it `needs` changes. */
export function panel(name, needs, draw) {
  return { name, needs: new Set([...needs, "theme"]), draw };
}

/** Give each panel its place, and draw it when it comes near the view. */
export function show(all) {
  for (const one of all) {
    const host = document.querySelector(`[data-panel="${one.name}"]`);
    if (DATA.public && NOT_PUBLIC.includes(one.name)) host.remove();
    else panels.push({ ...one, host, stale: true, near: false });
  }
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) panels.find((one) => one.host === entry.target).near = entry.isIntersecting;
      drawNear();
    },
    { rootMargin: "400px 0px" },
  );
  for (const one of panels) observer.observe(one.host);
}

/** Draw the panels whose host is `wanted`, unless they are as they should be. */
export function draw(wanted = () => true) {
  for (const one of panels) if (wanted(one.host)) drawPanel(one);
}

/** Draw a panel again. */
export function redraw(name) {
  const one = panels.find((panel) => panel.name === name);
  one.stale = true;
  drawPanel(one);
}

/** Draw all panels again, when they come into view. */
export function redrawAll() {
  for (const one of panels) one.stale = true;
  drawNear();
}

/** Take up the choices of the address, before anything is drawn. */
export function start() {
  take(choicesOf(location.hash) ?? choicesOf(""));
}

/** Take up new choices: redraw what they concern, and write them into the address. */
export function choose(choices) {
  choices = consistent({ ...state, ...choices });
  const changed = Object.keys(choices).filter((name) => state[name] !== choices[name]);
  if (!changed.length) return;
  take(choices);
  const concerned = changed.includes("type") ? [...changed, "sport"] : changed;
  for (const one of panels) if (concerned.some((name) => one.needs.has(name))) one.stale = true;
  writeAddress(changed.includes("activity") && choices.activity !== null);
  for (const follow of followers) follow();
  drawNear();
}

/** Call `follow` whenever something else is chosen. */
export function afterChoices(follow) {
  followers.push(follow);
}

function take(choices) {
  Object.assign(state, choices);
  document.documentElement.dataset.theme = state.theme;
}

/** Write what is chosen into the address; `opens` is whether the back button is to lead to what was there before. */
function writeAddress(opens) {
  const text = addressOf(state);
  if (location.hash.slice(1) === text) return;
  const address = text ? `#${text}` : location.href.split("#")[0];
  if (opens) history.pushState({ opened: opened() + 1 }, "", address);
  else history.replaceState(history.state, "", address);
}

/** How many activities were opened one from the other, until this one. */
export function opened() {
  return history.state?.opened ?? 0;
}

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
