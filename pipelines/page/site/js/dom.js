// Elements. Text is always a text node, so what an activity is called stays text.

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else if (name === "css") for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Put `children` in the place of what is in `element`. */
function put(element, ...children) {
  element.replaceChildren();
  return fill(element, null, children);
}

function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** A name that somebody typed: its direction is its own. */
function bdi(text, otherwise = "Untitled") {
  return h("bdi", {}, text || otherwise);
}

function stravaUrl(id) {
  return /^\d+$/.test(id ?? "") ? `https://www.strava.com/activities/${id}` : null;
}

/** A link to the activity at Strava around `children`; without an id (a public page has none) just them. */
function stravaLink(id, ...children) {
  const href = stravaUrl(id);
  if (!href) return h("span", {}, ...children);
  return h("a", { href, target: "_blank", rel: "noopener noreferrer", title: "View on Strava" }, ...children);
}

function viewOnStrava(id, name) {
  const href = stravaUrl(id);
  if (!href) return null;
  const about = h("span", { class: "unseen" }, ": ", name || "Untitled");
  return h("a", { class: "view", href, target: "_blank", rel: "noopener noreferrer" }, "View on Strava", about);
}

/** The sport's colour as a dot, before its name. */
function dot(sport) {
  return h("span", { class: "dot", "data-sport": sport, "aria-hidden": "true" });
}

/**
 * A table. Columns are texts, or { text, number: true } for figures, or { text, row: true } for the rows' headings.
 */
function table({ caption, columns, rows, foot = null, kind = "" }) {
  const shown = columns.map((column) => (typeof column === "string" ? { text: column } : column));
  const cells = (row) =>
    row.map((cell, i) =>
      h(
        shown[i].row ? "th" : "td",
        { scope: shown[i].row ? "row" : null, class: shown[i].number ? "number" : null },
        cell ?? NONE,
      ),
    );
  const made = h(
    "table",
    { class: kind || null },
    h("caption", { class: "unseen" }, caption),
    h(
      "thead",
      {},
      h("tr", {}, shown.map(({ text, number }) => h("th", { scope: "col", class: number ? "number" : null }, text))),
    ),
    h("tbody", {}, rows.map((row) => h("tr", {}, cells(row)))),
    foot && h("tfoot", {}, h("tr", {}, cells(foot))),
  );
  return h("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": caption }, made);
}

/** A group of radio buttons that looks like one switch. */
function switchOf(name, options, value, onChange) {
  return options.map(({ value: option, text, label, sport }) =>
    h(
      "label",
      {},
      h("input", {
        type: "radio",
        name,
        value: option,
        checked: option === value,
        on: { change: () => onChange(option) },
      }),
      h("span", {}, sport ? dot(sport) : null, text, label ? h("span", { class: "unseen" }, label) : null),
    ),
  );
}

// one box for what is hovered or touched, the same for charts, calendars and maps
const tip = h("div", { class: "tip", "aria-hidden": "true" });

function showTip(x, y, content) {
  tip.replaceChildren(content);
  if (!tip.isConnected) document.body.append(tip);
  tip.classList.add("shown");
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, x + 14), document.documentElement.clientWidth - width - 8);
  const top = y + 18 + height > window.innerHeight ? y - height - 12 : y + 18;
  tip.style.setProperty("transform", `translate(${Math.round(left)}px, ${Math.round(Math.max(8, top))}px)`);
}

function hideTip() {
  tip.classList.remove("shown");
}

/** What a tip or a chart's tooltip says: a heading, then rows of [sport or null, text, value]. */
function tipContent(heading, rows, note = null) {
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

/** A button below a list that shows a part of it; `more` shows more. */
function moreButton(text, more) {
  return h("button", { type: "button", class: "more", on: { click: more } }, text);
}
