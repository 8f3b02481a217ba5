// Cards: a heading, what there is to see, a note, and the table behind it.

import { h, put } from "./elements.js";
import { table } from "./table.js";

/** @import { ECharts } from "echarts/core" */
/** @import { ChartOption, Content, TableContent } from "../types.js" */

/** @type {WeakMap<HTMLElement, Card>} */
const cards = new WeakMap();

/**
 * The card of `host`, made when it is first asked for; `kind` chooses a look of the style sheet.
 *
 * @param {HTMLElement} host
 * @param {string} title
 * @param {{ kind?: string }} [look]
 */
export function cardIn(host, title, { kind = "" } = {}) {
  const card = cards.get(host) ?? new Card(host, title, kind);
  cards.set(host, card);
  return card;
}

/**
 * Whether there is as little room as on a phone.
 *
 * @param {HTMLElement} host
 */
export function thin(host) {
  return host.clientWidth < 600;
}

class Card {
  /**
   * @param {HTMLElement} host
   * @param {string} title
   * @param {string} kind
   */
  constructor(host, title, kind) {
    this.title = title;
    this.heading = h("h3", {}, title);
    this.aside = h("div", { class: "aside" });
    this.note = h("p", { class: "note" });
    this.stage = h("div", { class: "stage" });
    /** @type {HTMLDetailsElement | null} */
    this.behind = null;
    this.canvas = h("div", { class: "chart", role: "img" });
    /** @type {ECharts | null} */
    this.chart = null;
    this.root = h(
      "article",
      { class: `card ${kind}`.trim() },
      h("header", {}, this.heading, this.aside),
      this.stage,
      this.note,
    );
    host.replaceChildren(this.root);
  }

  /**
   * A note below what there is to see; null for none.
   *
   * @param {Content} note
   */
  say(note) {
    put(this.note, note);
    this.note.hidden = !note;
  }

  /**
   * A sentence instead of something to see.
   *
   * @param {Content} sentence
   */
  empty(sentence) {
    this.drop();
    this.aside.replaceChildren();
    this.stage.replaceChildren(h("p", { class: "empty" }, sentence));
    this.say(null);
    this.tableBehind(null);
  }

  /**
   * What there is to see, in the place of what was.
   *
   * @param {Content[]} content
   */
  show(...content) {
    this.drop();
    put(this.stage, ...content);
  }

  drop() {
    this.chart?.dispose();
    this.chart = null;
  }

  /**
   * A drawing, which for who cannot see it is `label`, and the table `behind` it.
   *
   * @param {Content} drawing
   * @param {string} label
   * @param {() => TableContent} behind
   */
  picture(drawing, label, behind) {
    this.show(h("div", { class: "picture", role: "img", "aria-label": label }, drawing));
    this.tableBehind(behind);
  }

  /**
   * A chart by ECharts: made once, then given what has changed.
   *
   * @param {ChartOption} option
   * @param {string} label
   * @param {() => TableContent} behind
   * @param {number} height
   */
  draw(option, label, behind, height) {
    if (!this.chart) {
      this.canvas = h("div", { class: "chart", role: "img" });
      this.stage.replaceChildren(this.canvas);
      this.canvas.style.setProperty("height", `${height}px`);
      this.chart = echarts.init(this.canvas, null, { renderer: "svg" });
      // a chart of a width that is being dragged need not follow at once
      new ResizeObserver(() => this.chart?.resize()).observe(this.canvas);
    }
    this.canvas.setAttribute("aria-label", label);
    this.chart.setOption(option, { notMerge: true });
    this.tableBehind(behind);
  }

  /**
   * The table of the same figures, made when somebody opens it. `make` returns what `table` takes.
   *
   * @param {(() => TableContent) | null} make
   */
  tableBehind(make) {
    const open = this.behind?.open ?? false;
    this.behind?.remove();
    this.behind = null;
    if (!make) return;
    const details = h("details", { class: "behind" }, h("summary", {}, "Table", h("span", { class: "unseen" }, `: ${this.title}`)));
    const build = () => {
      if (details.open && details.childElementCount === 1) details.append(table(make()));
    };
    details.addEventListener("toggle", build);
    details.open = open;
    this.root.append(details);
    this.behind = details;
    build();
  }
}
