// An activity over the page. The address says which, so the back button closes it and a link leads to it.

import { choicesOf } from "../lib/choices.js";
import { state } from "../lib/state.js";
import { byId } from "./elements.js";
import { afterChoices, choose, opened } from "./panels.js";

/**
 * Let links open activities, which `fill` puts into the dialog; Escape, a button and the back button close them.
 *
 * @param {(dialog: HTMLElement, id: string, close: () => void) => void} fill
 */
export function makeOpening(fill) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("activity"));
  /** @type {string | null} */
  let shown = null;
  let leaving = false;
  // back to the page as it was before the first activity was opened; the history takes its time, so a second try closes at once
  const leave = () => {
    if (opened() && !leaving) {
      leaving = true;
      history.go(-opened());
    } else choose({ activity: null });
  };
  const follow = () => {
    leaving = false;
    if (state.activity === null) {
      shown = null;
      if (dialog.open) dialog.close();
      return;
    }
    fill(dialog, state.activity, leave);
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
  // on the ground, from pressing to letting go: who marks a text may end there
  let pressed = false;
  const isBeside = (/** @type {MouseEvent} */ event) => {
    const { left, right, top, bottom } = dialog.getBoundingClientRect();
    return event.target === dialog && (event.clientX < left || event.clientX > right || event.clientY < top || event.clientY > bottom);
  };
  dialog.addEventListener("pointerdown", (event) => (pressed = isBeside(event)));
  dialog.addEventListener("click", (event) => {
    // the second of a double click may be meant for the name below
    if (pressed && isBeside(event) && event.detail < 2) leave();
  });
  // by Escape
  dialog.addEventListener("close", () => {
    if (state.activity !== null) leave();
  });
  afterChoices(follow);
  follow();
}
