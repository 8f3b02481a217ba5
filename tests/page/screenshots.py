"""Pictures of a page: `make screenshots` takes docs/page; the tests take whole pages in light, dark and on a phone."""

import base64
import sys
from pathlib import Path
from typing import Any

from browser import DESK, PHONE, Shown, launch, shown
from playwright.sync_api import Browser, sync_playwright

# the gallery of the guide: a picture's name, what the browser is like, the address's end, the section and how high
GALLERY: tuple[tuple[str, dict[str, Any], str, str, int], ...] = (
    ("overview", {"color_scheme": "light"}, "", "top", 900),
    ("calendar-dark", {"color_scheme": "dark"}, "", "calendar", 860),
    ("trends", {"color_scheme": "light"}, "", "trends", 860),
    ("fitness-dark", {"color_scheme": "dark"}, "", "fitness", 860),
    ("map", {"color_scheme": "light"}, "", "maps", 860),
    ("review-phone", {"color_scheme": "light", "viewport": PHONE}, "", "review", 844),
)


def take(page: Shown, section: str, height: int, quality: int = 82) -> bytes:
    """Return a picture (WebP) of the window at a section, or at the top of the page."""
    page.look_at_all()
    page.page.evaluate(
        """(id) => {
          for (const sticky of [document.getElementById("filters"), document.querySelector(".rail")]) {
            if (id !== "top") sticky.style.setProperty("position", "static");
          }
          const place = document.getElementById(id);
          const top = place ? place.getBoundingClientRect().top + scrollY + 10 : 0;
          scrollTo({ top, behavior: "instant" });
        }""",
        section,
    )
    page.settle()
    size = page.page.viewport_size or DESK
    # beside a section there is nothing to see but an empty margin
    left = 0 if section == "top" or size == PHONE else 214
    clip = {"x": left, "y": page.page.evaluate("scrollY"), "width": size["width"] - left, "height": height, "scale": 1}
    session = page.page.context.new_cdp_session(page.page)
    taken = session.send(
        "Page.captureScreenshot",
        {"format": "webp", "quality": quality, "clip": clip, "captureBeyondViewport": True},
    )
    return base64.b64decode(taken["data"])


def whole(page: Shown, file: Path) -> None:
    """Write a picture (PNG) of the page from top to bottom."""
    page.look_at_all()
    page.page.screenshot(path=file, full_page=True)


def take_all(browser: Browser, html: Path, folder: Path) -> list[Path]:
    """Write whole pages into `folder`: light, dark, and on a phone."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, context in (
        ("light", {"color_scheme": "light"}),
        ("dark", {"color_scheme": "dark"}),
        ("phone", {"color_scheme": "light", "viewport": PHONE}),
        ("phone-dark", {"color_scheme": "dark", "viewport": PHONE}),
    ):
        file = folder / f"{name}.png"
        with shown(browser, html, **context) as page:
            whole(page, file)
        files.append(file)
    return files


def main() -> int:
    """Take the gallery of the page in a home, and whole pages beside that page."""
    home, gallery = map(Path, sys.argv[1:])
    html = home.resolve() / "site" / "index.html"
    if not html.exists():
        sys.stderr.write(f"There is no page at {html}: run `make demo` first.\n")
        return 1
    gallery.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for name, context, fragment, section, height in GALLERY:
            with shown(browser, html, fragment, **context) as page:
                (gallery / f"{name}.webp").write_bytes(take(page, section, height))
        take_all(browser, html, html.parent / "screenshots")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
