// The details as the page has them, unpacked when they are first asked for.

import { Details } from "../lib/details.js";
import { byId } from "./elements.js";

/** @import { PackedDetails } from "../types.js" */

/** @type {Promise<Details> | null} */
let unpacked = null;

/** The details of all activities. Rejected by a browser that cannot unpack them. */
export function details() {
  unpacked ??= unpack((byId("details").textContent ?? "").trim()).then((data) => new Details(data));
  return unpacked;
}

/**
 * The JSON in Base64 of a zlib stream; null of nothing.
 *
 * @param {string} text
 * @returns {Promise<PackedDetails | null>}
 */
async function unpack(text) {
  if (!text) return null;
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < characters.length; i += 1) bytes[i] = characters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
}
