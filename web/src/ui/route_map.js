// All routes on one canvas, without tiles: a map service would learn where somebody lives.

import { decodeRoute } from "../lib/routes.js";
import { state } from "../lib/state.js";
import { METRES } from "../lib/units.js";
import { h } from "./elements.js";
import { routeTip } from "./routes.js";
import { hideTip, showTip } from "./tip.js";

export class RouteMap {
  constructor(host) {
    this.base = h("canvas", { "aria-hidden": "true" });
    this.over = h("canvas", {
      class: "over",
      tabindex: "0",
      role: "application",
      "aria-roledescription": "map",
      "aria-describedby": "map-help",
    });
    this.scaleBar = h("div", { class: "scale-bar", "aria-hidden": "true" }, h("span", {}), h("i", {}));
    const button = (text, label, act) => h("button", { type: "button", "aria-label": label, title: label, on: { click: act } }, text);
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
      this.scaleBar,
    );
    host.append(this.element);
    this.pointers = new Map();
    this.listen();
    new ResizeObserver(() => this.resize()).observe(this.element);
  }

  show(rows, ink, label) {
    this.ink = ink;
    this.over.setAttribute("aria-label", label);
    const same = this.rows && this.rows.length === rows.length && this.rows.every((row, i) => row === rows[i]);
    this.rows = rows;
    this.routes = rows.map((row) => decodeRoute(row.route));
    this.hovered = null;
    if (same) this.paintSoon();
    else this.fit();
  }

  /** Show what most routes lie within; a single far one does not decide. */
  fit() {
    const [xs, ys] = [[], []];
    for (const points of this.routes) {
      for (let i = 0; i < points.length; i += 8) {
        xs.push(points[i]);
        ys.push(points[i + 1]);
      }
    }
    if (!xs.length) return;
    const spread = (values) => {
      values.sort((a, b) => a - b);
      const at = (share) => values[Math.round(share * (values.length - 1))];
      const most = [at(0.01), at(0.99)];
      return values.at(-1) - values[0] > 2.2 * (most[1] - most[0]) ? most : [values[0], values.at(-1)];
    };
    const [[west, east], [south, north]] = [spread(xs), spread(ys)];
    this.x = (west + east) / 2;
    this.y = (south + north) / 2;
    const { clientWidth: width, clientHeight: height } = this.element;
    this.scale = Math.min(width / Math.max(east - west, 1e-4), height / Math.max(north - south, 1e-4)) * 0.9;
    this.paintSoon();
  }

  resize() {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || (this.width === width && this.height === height && this.ratio === ratio)) return;
    const first = !this.width;
    Object.assign(this, { width, height, ratio });
    for (const canvas of [this.base, this.over]) {
      canvas.width = width * ratio;
      canvas.height = height * ratio;
    }
    if (!this.routes) return;
    if (first) this.fit();
    else this.paint();
  }

  paintSoon() {
    cancelAnimationFrame(this.soon);
    this.soon = requestAnimationFrame(() => this.paint());
  }

  trace(context, points) {
    const { width, height, scale } = this;
    context.beginPath();
    for (let i = 0; i < points.length; i += 2) {
      const x = width / 2 + (points[i] - this.x) * scale;
      const y = height / 2 - (points[i + 1] - this.y) * scale;
      if (i) context.lineTo(x, y);
      else context.moveTo(x, y);
    }
  }

  paint() {
    if (!this.width) this.resize();
    if (!this.width || !this.routes) return;
    const context = this.base.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    context.lineJoin = "round";
    context.lineWidth = 1.3;
    // where hundreds lie on each other, each must be faint for the ways gone often to stand out
    context.globalAlpha = Math.min(0.9, Math.max(0.2, 8 / Math.sqrt(this.routes.length)));
    this.routes.forEach((points, i) => {
      context.strokeStyle = this.ink.sport[this.rows[i].sport_group] ?? this.ink.sport.Other;
      this.trace(context, points);
      context.stroke();
    });
    this.paintOver();
    this.paintScale();
  }

  paintOver() {
    const context = this.over.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    const index = this.hovered ?? this.picked;
    if (index === null || index === undefined || !this.routes[index]) return;
    context.lineJoin = "round";
    for (const [color, width] of [[this.ink.card, 5.5], [this.ink.accent, 2.6]]) {
      context.strokeStyle = color;
      context.lineWidth = width;
      this.trace(context, this.routes[index]);
      context.stroke();
    }
  }

  /** A bar of a round length, true in the middle of the map. */
  paintScale() {
    const latitude = 2 * Math.atan(Math.exp((this.y * Math.PI) / 180)) - Math.PI / 2;
    const metresPerPixel = (111_319.5 * Math.cos(latitude)) / this.scale;
    const most = (metresPerPixel * 110) / METRES[state.units];
    const power = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].map((step) => step * power).find((step) => step <= most);
    this.scaleBar.firstElementChild.textContent = `${+length.toPrecision(1)} ${state.units}`;
    this.scaleBar.lastElementChild.style.setProperty("width", `${(length * METRES[state.units]) / metresPerPixel}px`);
  }

  zoom(factor, px = this.width / 2, py = this.height / 2) {
    const scale = Math.min(Math.max(this.scale * factor, 2), 2e6);
    this.x += (px - this.width / 2) * (1 / this.scale - 1 / scale);
    this.y -= (py - this.height / 2) * (1 / this.scale - 1 / scale);
    this.scale = scale;
    this.paintSoon();
  }

  pan(dx, dy) {
    this.x -= dx / this.scale;
    this.y += dy / this.scale;
    this.paintSoon();
  }

  /** The route nearest to a place on the canvas, at most ten pixels away. */
  nearest(px, py) {
    let [best, found] = [100, null];
    this.routes.forEach((points, index) => {
      for (let i = 0; i + 3 < points.length; i += 2) {
        const ax = this.width / 2 + (points[i] - this.x) * this.scale - px;
        const ay = this.height / 2 - (points[i + 1] - this.y) * this.scale - py;
        const bx = this.width / 2 + (points[i + 2] - this.x) * this.scale - px;
        const by = this.height / 2 - (points[i + 3] - this.y) * this.scale - py;
        const [dx, dy] = [bx - ax, by - ay];
        const along = Math.min(1, Math.max(0, -(ax * dx + ay * dy) / (dx * dx + dy * dy || 1)));
        const away = (ax + along * dx) ** 2 + (ay + along * dy) ** 2;
        if (away < best) [best, found] = [away, index];
      }
    });
    return found;
  }

  listen() {
    const canvas = this.over;
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
        const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
        const far = (place_) => Math.hypot(place_[0] - other[0], place_[1] - other[1]) || 1;
        this.pan((x - before[0]) / 2, (y - before[1]) / 2);
        this.zoom(far([x, y]) / far(before), (x + other[0]) / 2, (y + other[1]) / 2);
      }
      this.pointers.set(event.pointerId, [x, y]);
    });
    const up = (event) => {
      if (this.pointers.delete(event.pointerId) && event.type === "pointerup" && this.moved < 5) {
        this.pick(this.nearest(...place(event)));
      }
    };
    for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, up);
    canvas.addEventListener("pointerleave", () => {
      this.hovered = null;
      hideTip();
      this.paintOver();
    });
    // one finger scrolls the page, two are the map's
    for (const type of ["touchstart", "touchmove"]) {
      canvas.addEventListener(type, (event) => event.touches.length > 1 && event.preventDefault(), { passive: false });
    }
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
      const act = {
        ArrowLeft: () => this.pan(60, 0),
        ArrowRight: () => this.pan(-60, 0),
        ArrowUp: () => this.pan(0, 60),
        ArrowDown: () => this.pan(0, -60),
        "+": () => this.zoom(1.4),
        "=": () => this.zoom(1.4),
        "-": () => this.zoom(1 / 1.4),
        0: () => this.fit(),
        Escape: () => this.pick(null),
      }[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    });
  }

  hover(event, x, y) {
    cancelAnimationFrame(this.looking);
    this.looking = requestAnimationFrame(() => {
      const found = this.nearest(x, y);
      if (found !== this.hovered) {
        this.hovered = found;
        this.paintOver();
      }
      this.over.style.setProperty("cursor", found === null ? "grab" : "pointer");
      if (found === null) hideTip();
      else showTip(event.clientX, event.clientY, routeTip(this.rows[found]));
    });
  }

  pick(index) {
    this.picked = index;
    this.paintOver();
    this.onPick?.(index === null ? null : this.rows[index]);
  }
}
