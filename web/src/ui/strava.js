// Links to Strava.

import { dateText } from "../lib/formats.js";
import { bdi, h } from "./elements.js";

/** @import { Content, DateText } from "../types.js" */

/** @param {string | null | undefined} id */
export function stravaUrl(id) {
  return id && /^\d+$/.test(id) ? `https://www.strava.com/activities/${id}` : null;
}

/**
 * A link to the activity at Strava around `children`; without an id (a public page has none) just them.
 *
 * @param {string | null | undefined} id
 * @param {Content[]} children
 */
export function stravaLink(id, ...children) {
  const href = stravaUrl(id);
  if (!href) return h("span", {}, ...children);
  return h("a", { href, target: "_blank", rel: "noopener noreferrer", title: "View on Strava" }, ...children);
}

/**
 * @param {string | null | undefined} id
 * @param {string | null | undefined} name
 */
export function viewOnStrava(id, name) {
  const href = stravaUrl(id);
  if (!href) return null;
  const about = h("span", { class: "unseen" }, ": ", name || "Untitled");
  return h("a", { class: "view", href, target: "_blank", rel: "noopener noreferrer" }, "View on Strava", about);
}

/**
 * What the activity is called and when it was, with its link.
 *
 * @param {string | null | undefined} id
 * @param {string | null | undefined} name
 * @param {DateText} date
 */
export function whichActivity(id, name, date) {
  return [
    name === null || name === undefined ? null : stravaLink(id, bdi(name)),
    h("span", { class: "under" }, dateText(date)),
  ];
}
