"""Where pages are and what belongs to them, and which file is a page: what an erasure needs to know about pages."""

from pathlib import Path

from pipelines.ground.durable import storage_error
from pipelines.ground.settings import StravaSettings
from pipelines.ground.written_places import Places

# one of these in its head identifies a page of ours: from the present template, and from that of the first version
MARKS = (
    b'<meta name="generator" content="strava-stats">',
    b'<title>Strava Stats</title>\n<link rel="icon" href="data:,">',
)
HEAD = 4096


def page_path(settings: StravaSettings, public: bool = False) -> Path:
    """The path of the page; a public one has a folder of its own, which can be published without the rest."""
    return settings.site_path / "public" / "index.html" if public else settings.site_path / "index.html"


def pages(settings: StravaSettings) -> list[Path]:
    """All places where a page is, or was ever written."""
    own = [page_path(settings), page_path(settings, public=True)]
    # a link before its target
    noted = sorted(Places(settings).paths("page"), key=lambda path: not path.is_symlink())
    return list(dict.fromkeys([*own, *noted]))


def routes_path(settings: StravaSettings) -> Path:
    """The path of the drawn routes, which the next page makes again if they are missing."""
    return settings.state_path / "routes.json"


def note_path(settings: StravaSettings) -> Path:
    """The path of the note on what the page was made from; without it, the next flow makes the page again."""
    return settings.state_path / "page.json"


def is_page(path: Path) -> bool:
    """Whether the file at `path` is a page of ours.

    Raises:
        StorageFailed: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise storage_error(path, error) from error
    return any(mark in head for mark in MARKS)
