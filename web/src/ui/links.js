// Links: to an activity on this page, and to Strava.

import { activityOf } from "../lib/data.js";
import { dateText, UNTITLED } from "../lib/formats.js";
import { bdi, h } from "./elements.js";

/** @import { Attributes, Content, DateText } from "../types.js" */
/** @typedef {string | null | undefined} Text */

/**
 * A link around `children` that opens the activity; just them without one (a public page has no ids).
 *
 * @param {Text} id
 * @param {Content[]} children
 */
export function activityLink(id, ...children) {
  if (!activityOf(id)) return h("span", {}, ...children);
  return h("a", { href: `#activity=${id}` }, ...children);
}

/**
 * What the activity is called and when it was, with its link.
 *
 * @param {Text} id
 * @param {Text} name
 * @param {DateText} date
 */
export function whichActivity(id, name, date) {
  return [
    name === null || name === undefined ? null : activityLink(id, bdi(name)),
    h("span", { class: "under" }, dateText(date)),
  ];
}

/**
 * @param {Text} id
 * @param {Text} name
 */
export function viewOnStrava(id, name) {
  const about = h("span", { class: "unseen" }, ": ", name || UNTITLED);
  return stravaLink("activities", id, { class: "view" }, "View on Strava", about);
}

/**
 * The segment by its name, with its link if Strava has one.
 *
 * @param {Text} id
 * @param {Text} name
 */
export function segmentLink(id, name) {
  return stravaLink("segments", id, {}, bdi(name, "Unnamed")) ?? bdi(name, "Unnamed");
}

/**
 * @param {"activities" | "segments"} kind
 * @param {Text} id
 * @param {Attributes} attributes
 * @param {Content[]} children
 */
function stravaLink(kind, id, attributes, ...children) {
  if (!/^\d+$/.test(id ?? "")) return null;
  const href = `https://www.strava.com/${kind}/${id}`;
  return h("a", { ...attributes, href, target: "_blank", rel: "noopener noreferrer" }, ...children);
}
