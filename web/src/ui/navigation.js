// The sections, and the links that lead to them.

import { byId } from "./elements.js";
import { draw } from "./panels.js";

/** Remove sections without a panel, let links lead to places without changing the address, and mark where the reader is. */
export function makeNavigation() {
  dropEmptySections();
  followSections();
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? /** @type {HTMLAnchorElement | null} */ (event.target.closest('a[href^="#"]:not([href*="="])')) : null;
    if (!link) return;
    event.preventDefault();
    goTo(link.hash.slice(1));
  });
}

/**
 * Go to a place on the page without giving up the filters in the address.
 *
 * @param {string} id
 */
function goTo(id) {
  const place = document.getElementById(id);
  if (!place) return;
  // what is drawn on the way would move the goal
  draw((host) => host.compareDocumentPosition(place) & Node.DOCUMENT_POSITION_FOLLOWING);
  place.scrollIntoView();
  const focused = place.matches("section") ? place.querySelector("h2") : place;
  focused?.focus({ preventScroll: true });
}

function dropEmptySections() {
  for (const section of document.querySelectorAll("main > section")) {
    if (section.querySelector("[data-panel]")) continue;
    document.querySelector(`.rail a[href="#${section.id}"]`)?.parentElement?.remove();
    section.remove();
  }
}

function followSections() {
  /** @type {NodeListOf<HTMLAnchorElement>} */
  const found = document.querySelectorAll(".rail a");
  const links = new Map([...found].map((link) => [link.hash.slice(1), link]));
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        for (const [id, link] of links) {
          if (id === target.id) link.setAttribute("aria-current", "true");
          else link.removeAttribute("aria-current");
        }
      }
    },
    { rootMargin: "-30% 0px -65% 0px" },
  );
  for (const id of links.keys()) observer.observe(byId(id));
}
