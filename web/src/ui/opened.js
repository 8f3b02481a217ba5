// An activity over the page. The address says which, so the back button closes it and a link leads to it.

import { choicesOf } from "../lib/choices.js";
import { activityOf } from "../lib/data.js";
import { state } from "../lib/state.js";
import { afterChoices, choose, opened } from "./panels.js";

/** Let links open activities, which `fill` puts into the dialog; Escape, a button and the back button close them. */
export function makeOpening(fill) {
  const dialog = document.getElementById("activity");
  let shown = null;
  const follow = () => {
    if (state.activity === null) {
      shown = null;
      if (dialog.open) dialog.close();
      return;
    }
    fill(dialog, activityOf(state.activity), leave);
    if (!dialog.open) dialog.showModal();
    if (shown !== state.activity) {
      dialog.scrollTop = 0;
      dialog.querySelector("h2").focus({ preventScroll: true });
    }
    shown = state.activity;
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#activity="]');
    // in a tab of its own it opens by its address
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    choose({ activity: choicesOf(link.hash).activity });
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
