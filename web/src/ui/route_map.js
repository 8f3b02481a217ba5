// All routes on one canvas, without tiles: a map service would learn where somebody lives.

import { boundsOf, nearestRoute, scaleBarOf } from "../lib/map_view.js";
import { decodeRoute } from "../lib/routes.js";
import { state } from "../lib/state.js";
import { METRES } from "../lib/units.js";
import { h } from "./elements.js";
import { routeTip } from "./routes.js";
import { hideTip, showTip } from "./tip.js";

/** @import { Colours, MapView, Routed } from "../types.js" */

/** A map at the end of `host` that can be moved and zoomed, and whose routes can be picked. */
export class RouteMap {
  /**
   * @param {HTMLElement} host
   * @param {(row: Routed | null) => void} onPick called with the route that was picked, null when none is any more
   */
  constructor(host, onPick) {
    this.onPick = onPick;
    /** @type {Routed[] | null} */
    this.rows = null;
    /** @type {Float64Array[]} */
    this.routes = [];
    /** @type {Colours | null} */
    this.ink = null;
    /** @type {number | null} */
    this.hovered = null;
    /** @type {number | null} */
    this.picked = null;
    /** @type {MapView} */
    this.view = { x: 0, y: 0, scale: 1, width: 0, height: 0 };
    this.ratio = 1;
    // frames that are asked for
    this.painting = 0;
    this.looking = 0;
    // how far the pointer has moved since it was pressed
    this.moved = 0;
    /** @type {Map<number, [number, number]>} */
    this.pointers = new Map();
    this.base = h("canvas", { "aria-hidden": "true" });
    this.over = h("canvas", {
      class: "over",
      tabindex: "0",
      role: "application",
      "aria-roledescription": "map",
      "aria-describedby": "map-help",
    });
    this.scaleText = h("span", {});
    this.scaleLine = h("i", {});
    const button = (/** @type {string} */ text, /** @type {string} */ label, /** @type {() => void} */ act) =>
       h("button", { type: "button", "aria-label": label, title: label, on: { click: act } }, text);
    this.element = h(
      "div",
      { class: "map" },
      this.base,
      this.over,
      h(
        "div",
        { class: "map-buttons" },
        button("+", "Zoom in", () => this.zoom(1.6)),
        button("−", "Zoom out", () => this.zoom(1 / 1.6)),
        button("⤢", "Show all of the region", () => this.fit()),
      ),
      h("div", { class: "scale-bar", "aria-hidden": "true" }, this.scaleText, this.scaleLine),
    );
    host.append(this.element);
    this.listen();
    new ResizeObserver(() => this.resize()).observe(this.element);
  }

  /**
   * Show these routes, the last ones on top.
   *
   * @param {Routed[]} rows
   * @param {Colours} ink
   * @param {string} label
   */
  show(rows, ink, label) {
    this.ink = ink;
    this.over.setAttribute("aria-label", label);
    const same = this.rows?.length === rows.length && this.rows.every((row, i) => row === rows[i]);
    this.rows = rows;
    this.routes = rows.map((row) => decodeRoute(row.route));
    this.hovered = null;
    if (same) this.paintSoon();
    else this.fit();
  }

  /** Show what most routes lie within. */
  fit() {
    const bounds = boundsOf(this.routes);
    if (!bounds) return;
    const [west, east, south, north] = bounds;
    const { clientWidth, clientHeight } = this.element;
    this.view.x = (west + east) / 2;
    this.view.y = (south + north) / 2;
    this.view.scale = Math.min(clientWidth / Math.max(east - west, 1e-4), clientHeight / Math.max(north - south, 1e-4)) * 0.9;
    this.paintSoon();
  }

  resize() {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || (this.view.width === width && this.view.height === height && this.ratio === ratio)) return;
    const first = !this.view.width;
    Object.assign(this.view, { width, height });
    this.ratio = ratio;
    for (const canvas of [this.base, this.over]) {
      canvas.width = width * ratio;
      canvas.height = height * ratio;
    }
    if (!this.rows) return;
    if (first) this.fit();
    else this.paint();
  }

  paintSoon() {
    cancelAnimationFrame(this.painting);
    this.painting = requestAnimationFrame(() => this.paint());
  }

  paint() {
    if (!this.view.width) this.resize();
    const { rows, ink } = this;
    if (!this.view.width || !rows || !ink) return;
    const context = this.cleared(this.base);
    context.lineWidth = 1.3;
    // where hundreds lie on each other, each must be faint for the ways gone often to stand out
    context.globalAlpha = Math.min(0.9, Math.max(0.2, 8 / Math.sqrt(this.routes.length)));
    this.routes.forEach((points, i) => {
      context.strokeStyle = ink.sport[rows[i].sport_group] ?? ink.sport.Other;
      this.stroke(context, points);
    });
    this.paintOver();
    const { length, pixels } = scaleBarOf(this.view, METRES[state.units]);
    this.scaleText.textContent = `${length} ${state.units}`;
    this.scaleLine.style.setProperty("width", `${pixels}px`);
  }

  /** Paint the route under the pointer, else the one picked, over the others. */
  paintOver() {
    const context = this.cleared(this.over);
    const index = this.hovered ?? this.picked;
    if (index === null || !this.routes[index] || !this.ink) return;
    context.strokeStyle = this.ink.card;
    context.lineWidth = 5.5;
    this.stroke(context, this.routes[index]);
    context.strokeStyle = this.ink.accent;
    context.lineWidth = 2.6;
    this.stroke(context, this.routes[index]);
  }

  /**
   * What to paint with on an empty canvas.
   *
   * @param {HTMLCanvasElement} canvas
   */
  cleared(canvas) {
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.view.width, this.view.height);
    context.lineJoin = "round";
    return context;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Float64Array} points
   */
  stroke(context, points) {
    const { width, height, scale } = this.view;
    context.beginPath();
    for (let i = 0; i < points.length; i += 2) {
      const x = width / 2 + (points[i] - this.view.x) * scale;
      const y = height / 2 - (points[i + 1] - this.view.y) * scale;
      if (i) context.lineTo(x, y);
      else context.moveTo(x, y);
    }
    context.stroke();
  }

  /**
   * @param {number} factor
   * @param {number} px the pixel that stays where it is
   * @param {number} py
   */
  zoom(factor, px = this.view.width / 2, py = this.view.height / 2) {
    const { scale: before, width, height } = this.view;
    const scale = Math.min(Math.max(before * factor, 2), 2e6);
    this.view.x += (px - width / 2) * (1 / before - 1 / scale);
    this.view.y -= (py - height / 2) * (1 / before - 1 / scale);
    this.view.scale = scale;
    this.paintSoon();
  }

  /**
   * @param {number} dx
   * @param {number} dy
   */
  pan(dx, dy) {
    this.view.x -= dx / this.view.scale;
    this.view.y += dy / this.view.scale;
    this.paintSoon();
  }

  listen() {
    const canvas = this.over;
    /** @type {(event: MouseEvent) => [number, number]} */
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener("pointerdown", (event) => {
      this.pointers.set(event.pointerId, place(event));
      this.moved = 0;
      if (event.pointerType === "mouse") canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = place(event);
      const before = this.pointers.get(event.pointerId);
      if (!before) return this.hover(event, x, y);
      this.moved += Math.abs(x - before[0]) + Math.abs(y - before[1]);
      hideTip();
      if (this.pointers.size === 1 && event.pointerType === "mouse") this.pan(x - before[0], y - before[1]);
      if (this.pointers.size === 2) {
        const [ox, oy] = [...this.pointers].flatMap(([id, at]) => (id === event.pointerId ? [] : at));
        const far = (/** @type {number} */ px, /** @type {number} */ py) => Math.hypot(px - ox, py - oy) || 1;
        this.pan((x - before[0]) / 2, (y - before[1]) / 2);
        this.zoom(far(x, y) / far(...before), (x + ox) / 2, (y + oy) / 2);
      }
      this.pointers.set(event.pointerId, [x, y]);
    });
    const up = (/** @type {PointerEvent} */ event) => {
      if (this.pointers.delete(event.pointerId) && event.type === "pointerup" && this.moved < 5) {
        this.pick(nearestRoute(this.routes, this.view, ...place(event)));
      }
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", () => {
      this.hovered = null;
      hideTip();
      this.paintOver();
    });
    // one finger scrolls the page, two are the map's
    const keep = (/** @type {TouchEvent} */ event) => event.touches.length > 1 && event.preventDefault();
    canvas.addEventListener("touchstart", keep, { passive: false });
    canvas.addEventListener("touchmove", keep, { passive: false });
    // the wheel scrolls the page, as everywhere, unless Ctrl is down or the map has the focus
    canvas.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return;
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), ...place(event));
      },
      { passive: false },
    );
    canvas.addEventListener("keydown", (event) => {
      /** @type {{ [key: string]: () => void }} */
      const acts = {
        ArrowLeft: () => this.pan(60, 0),
        ArrowRight: () => this.pan(-60, 0),
        ArrowUp: () => this.pan(0, 60),
        ArrowDown: () => this.pan(0, -60),
        "+": () => this.zoom(1.4),
        "=": () => this.zoom(1.4),
        "-": () => this.zoom(1 / 1.4),
        0: () => this.fit(),
        Escape: () => this.pick(null),
      };
      const act = acts[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    });
  }

  /**
   * @param {PointerEvent} event
   * @param {number} x
   * @param {number} y
   */
  hover(event, x, y) {
    cancelAnimationFrame(this.looking);
    this.looking = requestAnimationFrame(() => {
      const found = nearestRoute(this.routes, this.view, x, y);
      if (found !== this.hovered) {
        this.hovered = found;
        this.paintOver();
      }
      this.over.style.setProperty("cursor", found === null ? "grab" : "pointer");
      const row = found === null ? undefined : this.rows?.[found];
      if (row) showTip(event.clientX, event.clientY, routeTip(row));
      else hideTip();
    });
  }

  /**
   * Pick the route at a place among those shown; null picks none.
   *
   * @param {number | null} index
   */
  pick(index) {
    this.picked = index;
    this.paintOver();
    this.onPick(index === null ? null : (this.rows?.[index] ?? null));
  }
}
