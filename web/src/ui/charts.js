// What all charts have in common.

import { GROUPS } from "../lib/data.js";
import { h } from "./elements.js";

/** @import { Colours } from "../types.js" */

/**
 * Colours as the style sheet has them now; SVG by ECharts and the canvas need them as values.
 *
 * @returns {Colours}
 */
export function colours() {
  const probe = h("span", { class: "unseen" });
  document.body.append(probe);
  const of = (/** @type {string} */ name) => {
    probe.style.setProperty("color", `var(--${name})`);
    return getComputedStyle(probe).color;
  };
  const found = {
    ...{ ink: of("ink"), muted: of("muted"), line: of("line"), grid: of("grid"), card: of("card") },
    ...{ accent: of("accent"), fatigue: of("fatigue"), good: of("good") },
    ...{ "band-1": of("band-1"), "band-2": of("band-2"), "band-3": of("band-3") },
    sport: Object.fromEntries(GROUPS.map((group) => [group, of(`sport-${group.toLowerCase()}`)])),
    heat: [1, 2, 3, 4, 5].map((level) => of(`heat-${level}`)),
  };
  probe.remove();
  return found;
}

/**
 * What all charts have in common: colours, type, no movement, tooltips of elements instead of HTML.
 *
 * @param {Colours} ink
 */
export function chartBase(ink) {
  const axis = {
    axisLine: { lineStyle: { color: ink.line } },
    axisTick: { show: false },
    axisLabel: { color: ink.muted, fontSize: 11, hideOverlap: true },
    splitLine: { lineStyle: { color: ink.grid } },
  };
  const tooltip = {
    trigger: "axis",
    confine: true,
    renderMode: "html",
    backgroundColor: "transparent",
    borderWidth: 0,
    padding: 0,
    className: "chart-tip",
    transitionDuration: 0,
    axisPointer: { lineStyle: { color: ink.muted, type: "solid" }, shadowStyle: { color: ink.grid, opacity: 0.5 } },
  };
  return {
    axis,
    // the tooltip of bars, which shades the bar
    overBars: { ...tooltip, axisPointer: { ...tooltip.axisPointer, type: "shadow" } },
    // a margin for what stands under and beside the axes
    roomy: { left: 2, right: 4, top: 12, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    option: {
      animation: false,
      // by name: of "inherit" nobody can measure how wide a label is
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      tooltip,
    },
  };
}
