"""What is known about Strava's exports, as data: columns by width; titles, months and sport names by language."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).with_name("seeds")


@dataclass(frozen=True)
class Column:
    """A column of activities.csv: its English title, our name (empty if Strava leaves it empty), how to read its texts.

    `since_width` is the narrowest activities.csv that has it.
    """

    title: str
    name: str
    kind: str
    since_width: int


def _rows(name: str) -> Iterator[list[str]]:
    with (_FOLDER / name).open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream)
        next(rows)
        yield from rows


@cache
def columns() -> tuple[Column, ...]:
    """All columns, in the order of the widest activities.csv known."""
    return tuple(Column(title, name, kind, int(since)) for title, name, kind, since in _rows("columns.csv"))


@cache
def titles() -> dict[str, dict[str, str]]:
    """The English of each title, by language, as far as known."""
    known = {"en": {column.title: column.title for column in columns()}}
    for language, title, english in _rows("titles.csv"):
        known.setdefault(language, {})[title] = english
    return known


@cache
def months() -> dict[str, int]:
    """Names of months, short and long, in lower case and without a dot; no two languages contradict each other."""
    return {name: int(month) for name, month in _rows("months.csv")}


@cache
def sport_names() -> dict[tuple[str, str], str]:
    """Strava's type by language and lower-case name of a sport."""
    return {(language, name.casefold()): type_ for language, name, type_ in _rows("sport_names.csv")}


@cache
def file_sports() -> dict[tuple[str, str], str]:
    """Strava's sport type by the sport and sub-sport of files, in lower case; empty stands for any."""
    return {(sport, sub_sport): sport_type for sport, sub_sport, sport_type in _rows("file_sports.csv")}
