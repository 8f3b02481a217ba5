"""A browser without a network, and the page in it as a reader meets it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from made_up_details import packed_details
from playwright.sync_api import Browser, Page, Playwright, ViewportSize

from pipelines.page.html import render

CHROMIUM = Path("/usr/bin/chromium")
DESK = ViewportSize(width=1280, height=900)
PHONE = ViewportSize(width=390, height=844)
# What is wrong with how texts lie, by their boxes. A text is cut off where what hides its overflow ends before the text
# does, sticks out where it is wider than what it stands in, and overlaps another where both need the same place. What
# can be scrolled to is not cut off; what is for screen readers alone has no place.
MEASURE = """() => {
  const faults = [];
  const texts = [];
  // what lies under an open dialog may be covered
  const root = document.querySelector("dialog[open]") ?? document.body;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const hidden = ".unseen, .skip, .tip, .chart-tip, script, style, noscript, option, [hidden], .filters .pick > span";
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.data.trim();
    const element = node.parentElement;
    if (!text || element.closest(hidden) || getComputedStyle(element).visibility === "hidden") continue;
    if (getComputedStyle(element).fontSize === "0px") continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const scroller = element.closest(".scroll")?.getBoundingClientRect();
    const inView = (box) => !scroller || (box.top >= scroller.top - 1 && box.bottom <= scroller.bottom + 1);
    const boxes = [...range.getClientRects()].filter((box) => box.width > 0.5 && box.height > 0.5 && inView(box));
    if (boxes.length) texts.push({ text, element, boxes });
  }
  const named = ({ text, element }) =>
    `${element.closest("[data-panel]")?.dataset.panel ?? element.closest("[id]")?.id ?? "page"}: ${text.slice(0, 40)}`;
  const scrolls = (style) => ["auto", "scroll"].includes(style.overflowX);
  for (const one of texts) {
    const left = Math.min(...one.boxes.map((box) => box.left));
    const right = Math.max(...one.boxes.map((box) => box.right));
    const top = Math.min(...one.boxes.map((box) => box.top));
    const bottom = Math.max(...one.boxes.map((box) => box.bottom));
    let place = null;
    for (let box = one.element; box && box !== document.body; box = box.parentElement) {
      const style = getComputedStyle(box);
      const around = box.getBoundingClientRect();
      if (scrolls(style)) break;
      const isBlock = !["inline", "contents"].includes(style.display) && !(box instanceof SVGElement);
      if (place === null && isBlock) {
        place = box;
        if (left < around.left - 1.5 || right > around.right + 1.5) faults.push(`sticks out: ${named(one)}`);
      }
      const clips = style.overflowX !== "visible" || box.matches("svg");
      const past = box.matches("svg") ? 0.6 : 1.5;
      const across = left < around.left - past || right > around.right + past;
      if (clips && (across || top < around.top - 3 || bottom > around.bottom + 3)) {
        faults.push(`cut off: ${named(one)}`);
        break;
      }
    }
  }
  const placed = texts
    .flatMap((one) => one.boxes.map((box) => ({ one, box })))
    .filter(({ one }) => !one.element.closest("#filters, .map"))
    .sort((a, b) => a.box.top - b.box.top);
  placed.forEach(({ one, box }, i) => {
    for (let j = i + 1; j < placed.length && placed[j].box.top < box.bottom - 3; j += 1) {
      const other = placed[j];
      if (other.one === one) continue;
      const across = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
      const down = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
      if (across > 1 && down > 4) faults.push(`overlap: ${named(one)} | ${other.one.text.slice(0, 40)}`);
    }
  });
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) faults.push("the page scrolls sideways");
  return [...new Set(faults)];
}"""
# nothing but the page is to be heard of
QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def launch(playwright: Playwright) -> Browser:
    """Debian's Chromium: nothing is downloaded for it."""
    assert CHROMIUM.exists(), "The browser tests drive Debian's Chromium: apt-get install chromium"
    return playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)


@dataclass
class Shown:
    """The page as it is shown, and what it did besides: complaints in the console, requests, dialogs."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def choose_year(self, year: int | None) -> None:
        self.page.select_option("#year", str(year or ""))

    def choose(self, name: str, value: str) -> None:
        """Click the switch `name` (sport, units, theme, span) to `value`."""
        self.page.locator(f'input[name="{name}"][value="{value}"]').check(force=True)

    def look_at(self, panel: str) -> None:
        """Bring a panel into view, so that it is drawn."""
        self.page.locator(f'[data-panel="{panel}"]').scroll_into_view_if_needed()
        self.settle()

    def look_at_all(self) -> None:
        """Scroll through the page and back."""
        self.page.evaluate(
            """async () => {
              const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
              for (const panel of document.querySelectorAll("[data-panel]")) {
                panel.scrollIntoView({ behavior: "instant" });
                await frame();
                await frame();
              }
              window.scrollTo({ top: 0, behavior: "instant" });
              await frame();
            }"""
        )

    def settle(self) -> None:
        self.page.evaluate(
            """async () => {
              await new Promise((done) => setTimeout(done, 60));
              await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            }"""
        )

    def open_tables(self) -> None:
        self.page.evaluate("() => document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        self.settle()

    def table(self, panel: str) -> list[list[str]]:
        """The rows of the table behind a panel's chart, with its header, opened if need be."""
        self.look_at(panel)
        self.page.evaluate(
            """(name) => {
              for (const one of document.querySelectorAll(`[data-panel=${name}] details`)) one.open = true;
            }""",
            panel,
        )
        self.settle()
        return self.page.evaluate(
            """(name) => {
              const found = document.querySelector(`[data-panel=${name}] details table`);
              return [...found.rows].map((row) => [...row.cells].map((cell) => cell.textContent));
            }""",
            panel,
        )

    def misplaced(self) -> list[str]:
        """Texts that are cut off, stick out of what they stand in, or overlap."""
        return self.page.evaluate(MEASURE)

    def tile(self, name: str) -> str:
        """What a tile's big figure says, with its unit."""
        return self.page.locator(f'[data-tile="{name}"] .big').inner_text().replace("\u00a0", " ")

    def words(self) -> str:
        """All that the page says, with no-break spaces as spaces."""
        return self.page.locator("body").inner_text().replace("\u00a0", " ")


@contextmanager
def shown(browser: Browser, file: Path, fragment: str = "", **context: Any) -> Iterator[Shown]:
    """Open `file` in a context of its own, offline; `context` may say viewport, color_scheme, timezone_id."""
    opened = browser.new_context(offline=True, **({"viewport": DESK, "reduced_motion": "reduce"} | context))
    try:
        seen = Shown(opened.new_page())
        seen.page.on("console", lambda message: seen.complaints.append(f"{message.type}: {message.text}"))
        seen.page.on("pageerror", lambda error: seen.complaints.append(f"{error.name}: {error.message}"))
        seen.page.on("dialog", lambda dialog: (seen.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        seen.page.on(
            "request", lambda request: None if request.is_navigation_request() else seen.requests.append(request.url)
        )
        seen.page.goto(file.as_uri() + fragment)
        seen.settle()
        yield seen
        assert (seen.complaints, seen.requests) == ([], [])
    finally:
        opened.close()


def written(data: dict[str, Any], file: Path) -> Path:
    """Write the page of this data, by the real renderer."""
    file.write_bytes(render(json.dumps(data).encode(), packed_details(data)))
    return file
