"""Strava's CSV, record by record: a broken record never takes its neighbours with it.

Python's reader alone would read an unclosed quote to the end of the file, and lose its text.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO, Final

# a description has up to some thousand characters; beyond that, a quote was not closed
_MAX_RECORD_BYTES: Final = 1_000_000
_BEGINS_A_ROW: Final = re.compile(rb'"?\d+"?[,;\t]')
_DELIMITERS: Final = ",;\t"
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Record:
    """A record of a CSV file: its number (the header is 0), its fields (None if it cannot be split), its text.

    `valid_utf8` is false if characters had to be replaced.
    """

    number: int
    fields: list[str] | None
    text: str
    valid_utf8: bool = True


def records(stream: IO[bytes], width: int | None = None) -> Iterator[Record]:
    """The records of a CSV file, the header first; the others have its width, or None for fields.

    Raises what reading the stream raises.
    """
    number, delimiter = 0, ","
    lines = _Lines(stream)
    while group := lines.next_group():
        if number == 0:
            group[0] = group[0].removeprefix(_BOM)
            delimiter = max(_DELIMITERS, key=group[0].decode("utf-8", "replace").count)
        record = _record(number, b"".join(group), delimiter, width)
        if number and len(group) > 1 and (record.fields is None or _swallowed_a_row(group, delimiter, width)):
            # an unclosed quote: the record ends where the next row begins
            end = next((i for i, line in enumerate(group) if i and _BEGINS_A_ROW.match(line)), len(group))
            lines.take_back(group[end:])
            record = replace(_record(number, b"".join(group[:end]), delimiter, width), fields=None)
        if record.text:
            width = width or len(record.fields or [])
            yield record
            number += 1


class _Lines:
    """The lines of a stream, in groups that may be records; lines of a broken record can be put back."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._given_back: deque[bytes] = deque()

    def next_group(self) -> list[bytes]:
        """The lines of the next record, which continues while a quote is open. Empty at the end."""
        group: list[bytes] = []
        size, quotes = 0, 0
        while line := self._given_back.popleft() if self._given_back else self._stream.readline(_MAX_RECORD_BYTES):
            group.append(line)
            size += len(line)
            quotes += line.count(b'"')
            if quotes % 2 == 0 or size > _MAX_RECORD_BYTES:
                break
        return group

    def take_back(self, lines: list[bytes]) -> None:
        """Read these lines again."""
        self._given_back.extendleft(reversed(lines))


def _swallowed_a_row(group: list[bytes], delimiter: str, width: int | None) -> bool:
    """Whether a line within a record is a row of its own, so that the record only looks whole."""
    return any(
        _BEGINS_A_ROW.match(line) and _record(0, line, delimiter, width).fields is not None for line in group[1:]
    )


def _record(number: int, raw: bytes, delimiter: str, width: int | None) -> Record:
    try:
        text, valid = raw.decode("utf-8"), True
    except UnicodeDecodeError:
        text, valid = raw.decode("utf-8", "replace"), False
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or not text.strip(delimiter):
        return Record(number, None, "", valid)
    try:
        fields = next(csv.reader([text], delimiter=delimiter), None)
    except csv.Error:
        fields = None
    if fields is not None and (text.count('"') % 2 or (width is not None and len(fields) != width)):
        fields = None
    return Record(number, fields, text, valid)
