// Controls, and the first drawing.

function control(label, id, options, onChange) {
  return h(
    "label",
    { class: "pick" },
    h("span", {}, label),
    h("select", { id, on: { change: (event) => onChange(event.target.value) } }, options.map(([value, text]) => h("option", { value }, text))),
  );
}

function makeControls() {
  const sports = ["All", ...SPORTS];
  document.getElementById("filters").append(
    control("Year", "year", [["", "All years"], ...YEARS.map((year) => [`${year}`, `${year}`])], (value) =>
      choose({ year: value ? +value : null }),
    ),
    control("Measure", "measure", Object.entries(MEASURES).map(([name, { label }]) => [name, label]), (measure) => choose({ measure })),
    h(
      "fieldset",
      { class: "chips", id: "sport" },
      h("legend", { class: "unseen" }, "Sport"),
      switchOf("sport", sports.map((sport) => ({ value: sport, text: sport, sport: sport === "All" ? null : sport })), state.sport, (sport) => choose({ sport })),
    ),
    control("Sport type", "type", [], (type) => choose({ type: type || null })),
  );
  document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("units").append(
    ...switchOf("units", [{ value: "km", text: "km" }, { value: "mi", text: "mi" }], state.units, (units) => choose({ units })),
  );
  document.getElementById("theme").append(
    ...switchOf(
      "theme",
      [{ value: "auto", text: "Auto" }, { value: "light", text: "Light" }, { value: "dark", text: "Dark" }],
      state.theme,
      (theme) => choose({ theme }),
    ),
  );
}

/** Make the controls show what is chosen, and say so to who does not see it. */
function syncControls() {
  document.getElementById("year").value = state.year ?? "";
  const drawn = shownMeasure();
  document.getElementById("measure").value = drawn;
  const types = typesOf(state.sport);
  const type = document.getElementById("type");
  put(type, [["", `All of ${state.sport}`], ...types.map((one) => [one, sportText(one)])].map(([value, text]) => h("option", { value }, text)));
  type.value = state.type ?? "";
  type.hidden = types.length < 2;
  for (const name of ["sport", "units", "theme"]) {
    for (const input of document.querySelectorAll(`input[name="${name}"]`)) input.checked = input.value === state[name];
  }
  const sums = sumOf(chosenDays(), -Infinity, Infinity);
  const measure = drawn === "activities" ? "distance_m" : drawn;
  document.getElementById("said").textContent = `${chosenText()}: ${counted(sums.activities, "activity", "activities")}, ${measured(measure, sums[measure])}`;
}

/** Go to a place on the page without giving up the filters in the address. */
function goTo(id) {
  const place = document.getElementById(id);
  if (!place) return;
  // what is drawn on the way would move the goal
  for (const one of panels) if (one.host.compareDocumentPosition(place) & Node.DOCUMENT_POSITION_FOLLOWING) drawPanel(one);
  place.scrollIntoView();
  (place.matches("section") ? place.querySelector("h2") : place).focus({ preventScroll: true });
}

/** Remove sections without a panel, and what leads to them. */
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

Object.assign(state, readHash() ?? {});
document.documentElement.dataset.theme = state.theme;
const coverageKnown = rowsOf("data_coverage")[0];
document.getElementById("subtitle").textContent = coverageKnown?.activities
  ? `${counted(coverageKnown.activities, "activity", "activities")}, ${rangeText(coverageKnown.first_activity_date, coverageKnown.last_activity_date)}`
  : "No activities yet";
document.getElementById("built").textContent = `As of ${DATA.public ? "the end of " : ""}${dateText(DATA.today)}.`;
makeControls();
syncControls();
watchPanels();
dropEmptySections();
followSections();

document.addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#"]');
  if (!link) return;
  event.preventDefault();
  goTo(link.hash.slice(1));
});
addEventListener("hashchange", () => {
  const given = readHash();
  if (given) choose(given);
});
addEventListener("beforeprint", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  if (state.theme !== "auto") return;
  for (const one of panels) one.stale = true;
  drawNear();
});
// calendars, weeks and the grid of hours are drawn for a phone or for more room
let narrow = matchMedia("(max-width: 720px)");
narrow.addEventListener("change", () => {
  for (const one of panels) one.stale = true;
  drawNear();
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape") hideTip();
});
addEventListener("scroll", hideTip, { passive: true });
