// The sections, and the links that lead to them.

import { draw } from "./panels.js";

/** Remove sections without a panel, let links lead to places without changing the address, and mark where the reader is. */
export function makeNavigation() {
  dropEmptySections();
  followSections();
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#"]:not([href*="="])');
    if (!link) return;
    event.preventDefault();
    goTo(link.hash.slice(1));
  });
}

/** Go to a place on the page without giving up the filters in the address. */
function goTo(id) {
  const place = document.getElementById(id);
  if (!place) return;
  // what is drawn on the way would move the goal
  draw((host) => host.compareDocumentPosition(place) & Node.DOCUMENT_POSITION_FOLLOWING);
  place.scrollIntoView();
  (place.matches("section") ? place.querySelector("h2") : place).focus({ preventScroll: true });
}

function dropEmptySections() {
  for (const section of document.querySelectorAll("main > section")) {
    if (section.querySelector("[data-panel]")) continue;
    document.querySelector(`.rail a[href="#${section.id}"]`).parentElement.remove();
    section.remove();
  }
}

function followSections() {
  const links = new Map([...document.querySelectorAll(".rail a")].map((link) => [link.hash.slice(1), link]));
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
  for (const id of links.keys()) observer.observe(document.getElementById(id));
}
