"""A row of activities.csv: its payload, and the values of its texts, which can be read again from the payload alone."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from . import texts
from .errors import Problem
from .layout import FILE_ERROR, Layout, layout_of

_ORIGINAL: Final = re.compile(r"(\d+)\.\w+\.gz$")


def _whole(text: str) -> int:
    if "." not in text:
        return int(text)
    number = texts.raw_number(text)
    if number != int(number):
        raise ValueError(f"{text} is not whole")
    return int(number)


_PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "int": _whole,
    "float": texts.raw_number,
    "bool": texts.truth,
    "epoch": texts.instant_of_epoch,
}
_DISPLAYED: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "elapsed_time": ("elapsed_time_s", texts.displayed_number),
    "distance": ("distance_m", texts.displayed_number),
    "max_heartrate": ("max_heartrate", texts.displayed_number),
    "relative_effort": ("relative_effort", texts.displayed_number),
    "commute": ("commute", texts.truth),
}


def row_payload(layout: Layout, fields: Sequence[str]) -> bytes:
    """The payload of a row: a JSON array of [title, text], in order."""
    pairs = list(zip(layout.titles, fields, strict=True))
    return json.dumps(pairs, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def read_row(payload: str | bytes, *, month_first: bool = False) -> dict[str, Any]:
    """The values of a row from its payload: the same as `row_values` of its texts.

    Raises:
        UnknownLayout: its columns cannot be distinguished safely.
        ValueError: it is not such a payload.
    """
    titles, fields = _pairs(payload)
    return row_values(_layout(titles), fields, month_first=month_first)


def date_text(payload: str | bytes) -> tuple[str, str]:
    """Title and text of the row's date, for `DateOrder`.

    Raises:
        UnknownLayout, ValueError: as `read_row`.
    """
    titles, fields = _pairs(payload)
    at = _layout(titles).position("start_date") or 1
    return titles[at], fields[at]


def _pairs(payload: str | bytes) -> tuple[tuple[str, ...], list[str]]:
    pairs = json.loads(payload)
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise ValueError("it is no list of titles and texts")
    if not all(isinstance(text, str) for pair in pairs for text in pair):
        raise ValueError("it has other values than texts")
    return tuple(title for title, _ in pairs), [text for _, text in pairs]


# the rows of an export share their titles
_layout = lru_cache(maxsize=16)(layout_of)


def row_values(
    layout: Layout,
    fields: Sequence[str],
    *,
    month_first: bool = False,
    row: str = "the row",
    report: Callable[[Problem], None] = lambda _problem: None,
) -> dict[str, Any]:
    """The typed values of a row, with our names; None for an empty or unknown text.

    `month_first`: whether a date like 3/4/2024 begins with the month. Unknown texts are reported for the `row`.
    """
    return _Row(layout, month_first, row, report).values(fields)


def upload_id_of(file_name: str) -> int | None:
    """The upload id in a file's name, which only original uploads have."""
    original = _ORIGINAL.search(file_name)
    return int(original[1]) if original else None


class _Row:
    """One row being read."""

    def __init__(self, layout: Layout, month_first: bool, name: str, report: Callable[[Problem], None]) -> None:
        self._layout = layout
        self._month_first = month_first
        self._name = name
        self._report = report

    def values(self, fields: Sequence[str]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for column, text in zip(self._layout.columns, fields, strict=True):
            if column and column.name:
                values[column.name] = self._value(column.name, column.kind, text) if text else None
        values["name"] = values["name"] or ""
        values["start_date"] = self._start(values["start_date"])
        language, sport = self._layout.language, values["activity_type"]
        values["type"] = texts.type_of_sport(sport, language) if sport else None
        if sport and values["type"] is None:
            explanation = f"{sport!r} is an unknown sport; it is kept as text."
            self._note("sport", sport, "unknown_sport", explanation)
        self._take_displayed(values)
        if values["file_name"] == FILE_ERROR:
            explanation = f"Strava has failed to export the file of activity {fields[0]}; ask for a new export."
            self._report(Problem("file", f"activity {fields[0]}", "not_made_by_strava", explanation))
            values["file_name"] = None
        return values

    def _value(self, name: str, kind: str, text: str) -> Any:
        if kind not in _PARSERS:
            return text
        if not text.strip():
            return None
        try:
            return _PARSERS[kind](text.strip())
        except ValueError:
            article = "an" if kind[0] in "aeiou" else "a"
            explanation = f"{name} has a text that is not {article} {kind}; it is kept in the payload."
            self._note("column", name, "no_value", explanation)
            return None

    def _start(self, text: str | None) -> datetime | None:
        try:
            return texts.displayed_instant(text or "", month_first=self._month_first)
        except ValueError:
            self._note("row", self._name, "no_date", f"The date of {self._name} is not understood: {text!r}.")
            return None

    def _take_displayed(self, values: dict[str, Any]) -> None:
        """If the block for programs is empty, the block for people counts."""
        shown = {name: values.pop(f"displayed_{name}", None) for name in _DISPLAYED}
        values.setdefault("distance_m", None)
        for name, (target, parse) in _DISPLAYED.items():
            text = shown[name]
            if text is None or values.get(target) is not None:
                continue
            try:
                if name == "distance":
                    in_metres = self._layout.in_metres
                    values[target] = texts.displayed_distance_m(text, values["type"], in_metres=in_metres)
                else:
                    values[target] = parse(text)
            except ValueError:
                self._note(
                    "column", target, "no_value", f"{target} is not understood in some rows; see their payloads."
                )

    def _note(self, kind: str, name: str, reason: str, explanation: str) -> None:
        self._report(Problem(kind, name, reason, explanation, lost=False))
