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
export function put(element, ...children) {
  element.replaceChildren();
  return fill(element, null, children);
}

export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** A name that somebody typed: its direction is its own. */
export function bdi(text, otherwise = "Untitled") {
  return h("bdi", {}, text || otherwise);
}

/** The sport's colour as a dot, before its name. */
export function dot(sport) {
  return h("span", { class: "dot", "data-sport": sport, "aria-hidden": "true" });
}

/** A group of radio buttons that looks like one switch. */
export function switchOf(name, options, value, onChange) {
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

/** A button below a list that shows a part of it; `more` shows more. */
export function moreButton(text, more) {
  return h("button", { type: "button", class: "more", on: { click: more } }, text);
}
