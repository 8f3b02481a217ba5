"""A browser without a network, and the page in it as a reader meets it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Playwright, ViewportSize

from pipelines.page.html import render

CHROMIUM = Path("/usr/bin/chromium")
DESK = ViewportSize(width=1280, height=900)
PHONE = ViewportSize(width=390, height=844)
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
    file.write_bytes(render(json.dumps(data).encode()))
    return file
