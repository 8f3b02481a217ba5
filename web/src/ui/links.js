// Links: to an activity on this page, and to Strava.

import { activityOf } from "../lib/data.js";
import { dateText } from "../lib/formats.js";
import { bdi, h } from "./elements.js";

/** A link around `children` that opens the activity; just them where there is none (a public page has no ids). */
export function activityLink(id, ...children) {
  if (!activityOf(id)) return h("span", {}, ...children);
  return h("a", { href: `#activity=${id}` }, ...children);
}

/** What the activity is called and when it was, with its link. */
export function whichActivity(id, name, date) {
  return [
    name === null || name === undefined ? null : activityLink(id, bdi(name)),
    h("span", { class: "under" }, dateText(date)),
  ];
}

export function viewOnStrava(id, name) {
  const about = h("span", { class: "unseen" }, ": ", name || "Untitled");
  return stravaLink("activities", id, { class: "view" }, "View on Strava", about);
}

/** The segment by its name, with its link if Strava has one. */
export function segmentLink(id, name) {
  return stravaLink("segments", id, {}, bdi(name, "Unnamed")) ?? bdi(name, "Unnamed");
}

function stravaLink(kind, id, attributes, ...children) {
  if (!/^\d+$/.test(id ?? "")) return null;
  const href = `https://www.strava.com/${kind}/${id}`;
  return h("a", { ...attributes, href, target: "_blank", rel: "noopener noreferrer" }, ...children);
}
