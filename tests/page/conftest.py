"""One athlete with a page, one browser for all tests, and pages of made-up athletes."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import synthetic
from browser import Shown, launch, shown, written
from home import Athlete
from made_page import ATHLETE, HEARTRATE, HOSTILE
from playwright.sync_api import Browser, sync_playwright
from scripts import Scripts

from simulator import Simulator


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Athlete]:
    """An athlete with hostile names and settings of their own, after a flow that made the page."""
    with Simulator(seed=11, activities=150) as strava:
        for activity, name in zip(strava.activities()[3:], HOSTILE, strict=False):
            strava.edit(activity["id"], name=name, average_heartrate=HEARTRATE, has_heartrate=True)
        athlete = Athlete(tmp_path_factory.mktemp("home"), strava)
        athlete.settings |= ATHLETE
        athlete.authorise()
        ran = athlete.spawn("flow", ENRICH_LIMIT="50", STRAVA_PAGE="true")
        assert ran.code == 0, ran.err
        yield athlete


@pytest.fixture(scope="module")
def node() -> Iterator[Scripts]:
    """The page's scripts under Node."""
    with Scripts() as scripts:
        yield scripts


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        opened = launch(playwright)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def variant() -> Callable[[str], synthetic.Page]:
    """The data of a made-up athlete by name, made once."""
    made: dict[str, synthetic.Page] = {}

    def data_of(name: str) -> synthetic.Page:
        return made[name] if name in made else made.setdefault(name, synthetic.VARIANTS[name]())

    return data_of


@pytest.fixture
def show(
    browser: Browser, tmp_path: Path, variant: Callable[[str], synthetic.Page]
) -> Callable[..., AbstractContextManager[Shown]]:
    """Open the page of a variant, or of other data: with show("empty", viewport=PHONE) as page."""

    def opened(data: str | synthetic.Page, fragment: str = "", **context: Any) -> AbstractContextManager[Shown]:
        file = written(variant(data) if isinstance(data, str) else data, tmp_path / "index.html")
        return shown(browser, file, fragment, **context)

    return opened
