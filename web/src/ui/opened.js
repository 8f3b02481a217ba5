// An activity over the page. The address says which, so the back button closes it and a link leads to it.

import { choicesOf } from "../lib/choices.js";
import { activityOf } from "../lib/data.js";
import { state } from "../lib/state.js";
import { byId } from "./elements.js";
import { afterChoices, choose, opened } from "./panels.js";

/** @import { Activity } from "../types.js" */

/**
 * Let links open activities, which `fill` puts into the dialog; Escape, a button and the back button close them.
 *
 * @param {(dialog: HTMLElement, row: Activity, close: () => void) => void} fill
 */
export function makeOpening(fill) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("activity"));
  /** @type {string | null} */
  let shown = null;
  const follow = () => {
    const row = activityOf(state.activity);
    if (!row) {
      shown = null;
      if (dialog.open) dialog.close();
      return;
    }
    fill(dialog, row, leave);
    if (!dialog.open) dialog.showModal();
    if (shown !== state.activity) {
      dialog.scrollTop = 0;
      dialog.querySelector("h2")?.focus({ preventScroll: true });
    }
    shown = state.activity;
  };
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? /** @type {HTMLAnchorElement | null} */ (event.target.closest('a[href^="#activity="]')) : null;
    // in a tab of its own it opens by its address
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    choose({ activity: choicesOf(link.hash)?.activity });
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) leave();
  });
  // by Escape
  dialog.addEventListener("close", () => {
    if (state.activity !== null) leave();
  });
  afterChoices(follow);
  follow();
}

/** Back to the page as it was before the first activity was opened. */
function leave() {
  if (opened()) history.go(-opened());
  else choose({ activity: null });
}
