"""CSV as Strava writes it, record by record: a record that is broken never takes its neighbours with it.

Python's reader alone would take a quote that is never closed to the end of the file, and not say what stood there.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

# a description has some thousand characters; beyond that it is a quote that nobody has closed
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
    """The records of a CSV file, the header first; all others have its width, or fields that are None.

    Raises what reading the stream raises.
    """
    number, delimiter = 0, ","
    for lines in _grouped(stream):
        if number == 0:
            lines[0] = lines[0].removeprefix(_BOM)
            delimiter = max(_DELIMITERS, key=lines[0].decode("utf-8", "replace").count)
        record = _record(number, b"".join(lines), delimiter, width)
        if not record.text:
            continue
        if record.fields is not None or len(lines) == 1:
            width = width or len(record.fields or [])
            yield record
            number += 1
            continue
        for part in _split_again(lines):
            yield _record(number, part, delimiter, width)
            number += 1


def _grouped(stream: IO[bytes]) -> Iterator[list[bytes]]:
    """The lines of each record: it goes on for as long as a quote is open."""
    lines: list[bytes] = []
    size, quotes = 0, 0
    for line in iter(lambda: stream.readline(_MAX_RECORD_BYTES), b""):
        lines.append(line)
        size += len(line)
        quotes += line.count(b'"')
        if quotes % 2 == 0 or size > _MAX_RECORD_BYTES:
            yield lines
            lines, size, quotes = [], 0, 0
    if lines:
        yield lines


def _split_again(lines: list[bytes]) -> Iterator[bytes]:
    """The rows among the lines of a broken record: each begins with an id."""
    part: list[bytes] = []
    for line in lines:
        if part and _BEGINS_A_ROW.match(line):
            yield b"".join(part)
            part = []
        part.append(line)
    yield b"".join(part)


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
