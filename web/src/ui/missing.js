// Settings that would show more.

import { DATA } from "../lib/data.js";
import { h } from "./elements.js";

/** @import { Content, Setting } from "../types.js" */

/** @type {{ [setting in Setting]: string }} */
const ENVIRONMENT = {
  rest_hr: "STRAVA_REST_HR",
  max_hr: "STRAVA_MAX_HR",
  threshold_hr: "STRAVA_THRESHOLD_HR",
  ftp_w: "STRAVA_FTP",
  sex: "STRAVA_SEX",
};

/**
 * Which of these settings are missing, as a sentence with their names; null when none is.
 *
 * @param {Setting[]} names
 * @returns {Content}
 */
export function missingSentence(names) {
  const missing = names.filter((name) => DATA.missing.includes(name));
  if (!missing.length) return null;
  return ["Set ", missing.map((name, i) => [i ? (i === missing.length - 1 ? " and " : ", ") : "", h("code", {}, ENVIRONMENT[name])]), " to see more."];
}

/**
 * What a training load needs: heart rate all three of its own, power one.
 *
 * @type {Setting[]}
 */
export const LOAD_NEEDS = ["rest_hr", "max_hr", "sex", "ftp_w"];
