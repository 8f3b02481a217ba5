"""Which column of an activities.csv is which, in any language and of any year.

Strava has added columns over the years and translates the titles, but has never changed the order. Two titles occur
twice, elapsed time and distance: they show where the second block begins, and so where the first 52 columns are.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from . import seeds
from .errors import UnknownLayout
from .seeds import Column

_TAG: Final = re.compile(r"<[^>]*>")
_UNTRANSLATED: Final = re.compile(r"translation missing: \S*\.(\w+)$")
FILE_ERROR: Final = "#error#"
_FILE: Final = re.compile(r"\s*|#error#|(\S*/)?activities/.+")
# the columns that repeat, the place of the first one, and where they repeat, by width of the first block
_FIRST_ELAPSED, _FIRST_DISTANCE = 5, 6
_SECOND_ELAPSED_SINCE: Final = {13: 72, 14: 84, 15: 86}
_FIXED_COLUMNS: Final = 52
_ENOUGH_TITLES: Final = 3
_OF_2018: Final = (
    "activity_id",
    "start_date",
    "name",
    "activity_type",
    "description",
    "displayed_elapsed_time",
    "displayed_distance",
    "displayed_commute",
    "gear_name",
    "file_name",
)
_WIDTH_OF_2019: Final = 11
# earlier titles of some columns
_FORMER_TITLES: Final = {
    "Avg Flow": "Average Flow",
    "Avg Elapsed Speed": "Average Elapsed Speed",
    "Sport Type": "Activity Count",
}


@dataclass(frozen=True)
class Layout:
    """The columns of an activities.csv.

    `titles` unchanged, `columns` by position (None: unknown, its texts stay in the payload),
    `language` if its titles are known, `in_metres` if shown distances are in metres, as until 2019.
    """

    titles: tuple[str, ...]
    columns: tuple[Column | None, ...]
    language: str | None
    in_metres: bool = False

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self.titles)

    @property
    def unknown_titles(self) -> list[str]:
        """The titles of unknown columns."""
        return [title for title, column in zip(self.titles, self.columns, strict=True) if column is None]

    def position(self, name: str) -> int | None:
        """The position of one of our columns."""
        return next((i for i, column in enumerate(self.columns) if column and column.name == name), None)

    def fits(self, texts: Sequence[str]) -> bool:
        """Whether id and file of a row look like an id and a file."""
        id_, file = self.position("activity_id"), self.position("file_name")
        return (
            id_ is not None
            and file is not None
            and texts[id_].strip().isdecimal()
            and bool(_FILE.fullmatch(texts[file]))
        )


def clean(title: str) -> str:
    """A title without the text of a missing translation around it."""
    title = _TAG.sub("", title).strip()
    if untranslated := _UNTRANSLATED.search(title):
        return untranslated[1].replace("_", " ").title()
    return title


def layout_of(titles: Sequence[str]) -> Layout:
    """The layout of a header.

    Raises:
        UnknownLayout: the columns cannot be distinguished safely; the header is in the message.
    """
    cleaned = [clean(title) for title in titles]
    language = _language_of(cleaned)
    by_name = {column.name: column for column in seeds.columns() if column.name}
    if len(titles) == len(_OF_2018) and (cleaned[0], cleaned[-1]) == ("id", "filename"):
        return Layout(tuple(titles), tuple(by_name[name] for name in _OF_2018), "en", in_metres=True)
    if len(titles) == _WIDTH_OF_2019:
        columns = [column for column in seeds.columns() if column.since_width <= 72][:_WIDTH_OF_2019]
        return Layout(tuple(titles), tuple(columns), language)
    known = _columns_by_position(cleaned)
    if known is None:
        header = ", ".join(cleaned)[:2000]
        raise UnknownLayout(
            f"activities.csv has {len(titles)} columns of an unknown kind. Please report its header: {header}"
        )
    return Layout(tuple(titles), tuple(_corrected_by_titles(known, cleaned, language)), language)


def _language_of(titles: list[str]) -> str | None:
    matches = Counter({language: len(set(known) & set(titles)) for language, known in seeds.titles().items()})
    (language, count), *_ = matches.most_common(1)
    return language if count >= _ENOUGH_TITLES else None


def _columns_by_position(titles: list[str]) -> list[Column | None] | None:
    width = len(titles)
    widths = sorted({column.since_width for column in seeds.columns()})
    for second, since in _SECOND_ELAPSED_SINCE.items():
        if width > second + 2 and (titles[_FIRST_ELAPSED], titles[_FIRST_DISTANCE]) == (
            titles[second],
            titles[second + 2],
        ):
            later = [w for w in _SECOND_ELAPSED_SINCE.values() if w > since]
            of_this_block = [w for w in widths if w >= since and w < min(later, default=10**6)]
            break
    else:
        # two titles that are equal in English may differ in other languages: then the width has to be a known one
        of_this_block = [width] if width in widths else []
    nearest = max((w for w in of_this_block if w <= width), default=None)
    if nearest is None:
        return None
    known: list[Column | None] = [column for column in seeds.columns() if column.since_width <= nearest]
    if nearest == width:
        return known
    unknown: list[Column | None] = [None] * (width - nearest)
    # Media is always last
    return [*known[:-1], *unknown, known[-1]] if nearest >= 86 else [*known, *unknown]


def _corrected_by_titles(known: list[Column | None], titles: list[str], language: str | None) -> list[Column | None]:
    """After the fixed columns, a known title is better evidence than its place."""
    english = seeds.titles().get(language or "", {})
    by_title = {column.title: column for column in seeds.columns()}
    corrected = known[:_FIXED_COLUMNS]
    taken = {column.title for column in corrected if column}
    named = [by_title.get(english.get(_FORMER_TITLES.get(title, title), "")) for title in titles[_FIXED_COLUMNS:]]
    taken |= {column.title for column in named if column}
    for column, placed in zip(named, known[_FIXED_COLUMNS:], strict=True):
        if column:
            corrected.append(column)
        else:
            # all English titles are known, so an unknown one is a new column
            is_new = placed is None or placed.title in taken or language == "en"
            corrected.append(None if is_new else placed)
    return corrected
