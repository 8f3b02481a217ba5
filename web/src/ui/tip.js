// One box for what is under the pointer, the same for charts, calendars and maps.

import { dot, h } from "./elements.js";

/** @import { Content } from "../types.js" */

export const tip = h("div", { class: "tip", "aria-hidden": "true" });

/**
 * @param {number} x
 * @param {number} y
 * @param {HTMLElement} content
 */
export function showTip(x, y, content) {
  tip.replaceChildren(content);
  if (!tip.isConnected) document.body.append(tip);
  tip.classList.add("shown");
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, x + 14), document.documentElement.clientWidth - width - 8);
  const top = y + 18 + height > window.innerHeight ? y - height - 12 : y + 18;
  tip.style.setProperty("transform", `translate(${Math.round(left)}px, ${Math.round(Math.max(8, top))}px)`);
}

export function hideTip() {
  tip.classList.remove("shown");
}

/**
 * What a tip or a chart's tooltip says: a heading, then rows of [sport or null, text, value].
 *
 * @param {Content} heading
 * @param {[string | null, Content, Content][]} rows
 * @param {string | null} note
 */
export function tipContent(heading, rows, note = null) {
  return h(
    "div",
    { class: "tip-content" },
    h("strong", {}, heading),
    rows.length
      ? h(
          "dl",
          {},
          rows.map(([sport, text, value]) => h("div", {}, h("dt", {}, sport ? dot(sport) : null, text), h("dd", {}, value))),
        )
      : null,
    note ? h("p", {}, note) : null,
  );
}

/** @type {WeakMap<Element, (index: number) => HTMLElement>} */
const contents = new WeakMap();

/**
 * Show a tip over cells that carry `data-tip`, an index that `contentOf` makes the tip of.
 *
 * @param {HTMLElement} element
 * @param {(index: number) => HTMLElement} contentOf
 */
export function tipsOver(element, contentOf) {
  const known = contents.has(element);
  contents.set(element, contentOf);
  if (known) return;
  const over = (/** @type {any} */ event) => {
    const index = event.target.closest?.("[data-tip]")?.dataset.tip;
    const made = index === undefined ? null : contents.get(element)?.(+index);
    if (made) showTip(event.clientX, event.clientY, made);
    else hideTip();
  };
  element.addEventListener("pointermove", over);
  element.addEventListener("pointerdown", over);
  element.addEventListener("pointerleave", hideTip);
}
