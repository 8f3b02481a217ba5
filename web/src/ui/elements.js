// Elements. Text is always a text node, so what an activity is called stays text.

import { UNTITLED } from "../lib/formats.js";

/** @import { Attributes, Content, Option } from "../types.js" */

/**
 * An element of the template.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * A select among the controls.
 *
 * @param {string} id
 * @returns {HTMLSelectElement}
 */
export function selectById(id) {
  return /** @type {HTMLSelectElement} */ (document.getElementById(id));
}

/**
 * @template {Element & ElementCSSInlineStyle} Filled
 * @param {Filled} element
 * @param {Attributes | null} attributes
 * @param {Content[]} children
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name !== "on" && name !== "css" && value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : `${value}`);
    }
  }
  for (const [event, handler] of Object.entries(attributes?.on ?? {})) element.addEventListener(event, handler);
  for (const [property, text] of Object.entries(attributes?.css ?? {})) element.style.setProperty(property, `${text}`);
  element.append(...pieces(children));
  return element;
}

/**
 * @param {Content[]} children
 * @returns {(Node | string)[]}
 */
function pieces(children) {
  return children.flatMap((child) => {
    if (Array.isArray(child)) return pieces(child);
    if (child === null || child === undefined || child === false) return [];
    return [child instanceof Node ? child : `${child}`];
  });
}

/**
 * Put `children` in the place of what is in `element`.
 *
 * @template {Element & ElementCSSInlineStyle} Filled
 * @param {Filled} element
 * @param {Content[]} children
 */
export function put(element, ...children) {
  element.replaceChildren();
  return fill(element, null, children);
}

/**
 * An element: `on` has its listeners, `css` its properties; attributes that are null or false are left out.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} attributes
 * @param {Content[]} children
 */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * An element of SVG, likewise.
 *
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} attributes
 * @param {Content[]} children
 */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/**
 * A name that somebody typed: its direction is its own.
 *
 * @param {string | null | undefined} text
 * @param {string | null} otherwise
 */
export function bdi(text, otherwise = UNTITLED) {
  return h("bdi", {}, text || otherwise);
}

/**
 * The sport's colour as a dot, before its name.
 *
 * @param {string} sport
 */
export function dot(sport) {
  return h("span", { class: "dot", "data-sport": sport, "aria-hidden": "true" });
}

/**
 * A group of radio buttons that looks like one switch.
 *
 * @template {string} Value
 * @param {string} name
 * @param {Option<Value>[]} options
 * @param {Value} value
 * @param {(value: Value) => void} onChange
 */
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

/**
 * A button below a list that shows a part of it; `more` shows more.
 *
 * @param {string} text
 * @param {() => void} more
 */
export function moreButton(text, more) {
  return h("button", { type: "button", class: "more", on: { click: more } }, text);
}
