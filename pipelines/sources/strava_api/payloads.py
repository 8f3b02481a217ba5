"""Payloads: JSON objects as Strava sent them, byte for byte, and the keys read from them."""

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from .errors import StravaUnavailable

EPOCH = datetime(1970, 1, 1)
SPACE = b" \t\r\n"
# levels of nesting to parse at a time: Python's parser gives up at a thousand minus its callers' frames
LEVELS = 200
# Python converts no more than some thousand digits into a number; no key of ours has more than 19
MOST_DIGITS = 400
# strings, in which brackets and commas mean nothing, and the signs between values
_STRUCTURE = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)


class Payload(NamedTuple):
    """One JSON object as Strava sent it, its SHA-256, and the keys read from it; a key that makes no sense is None."""

    id: int | None
    athlete_id: int | None
    start_date: datetime | None
    text: bytes
    digest: bytes


def payloads_of(body: bytes) -> list[Payload]:
    """The elements of a JSON array, or a single object, each with its own text byte for byte.

    Raises:
        StravaUnavailable: the body is neither.
    """
    try:
        # cut where compact objects meet: after a cut in a wrong place, the two pieces are not both JSON
        return [_payload(orjson.loads(text), text) for text in _cut_between_objects(body.strip())]
    except orjson.JSONDecodeError:
        pass
    try:
        return [_payload(read_json(text), text) for text in _elements(body)]
    except ValueError as error:
        raise StravaUnavailable("Strava's answer could not be read as JSON text. Run again later.") from error


def read_json(text: bytes) -> Any:
    """The value of any JSON text, even if a JSON library refuses it: half a surrogate pair, numbers of any length.

    What is deeper than some hundred levels is checked, but may read as None.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return _DECODER.decode(text.decode())
    except RecursionError:
        return _read_in_layers(text)


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= MOST_DIGITS else float(digits)


_DECODER = json.JSONDecoder(parse_int=_whole_number)


def _read_in_layers(text: bytes) -> Any:
    """Like `read_json`, layer by layer of levels, because Python's parser is recursive."""
    layers, depth, taken = [b""], 0, 0
    for match in _STRUCTURE.finditer(text):
        if match[0] in (b"[", b"{"):
            depth += 1
            if depth % LEVELS == 0:
                layers[-1] += text[taken : match.start()]
                layers.append(b"")
                taken = match.start()
        elif match[0] in (b"]", b"}"):
            depth -= 1
            if depth % LEVELS == LEVELS - 1 and len(layers) > 1:
                _DECODER.decode((layers.pop() + text[taken : match.end()]).decode())
                layers[-1] += b"null"
                taken = match.end()
    if depth:
        raise ValueError("the text ends before its brackets do")
    return _DECODER.decode((layers[0] + text[taken:]).decode())


def _cut_between_objects(text: bytes) -> list[bytes]:
    if not (text.startswith(b"[") and text.endswith(b"]")):
        return [text]
    first, *others = text[1:-1].split(b"},{")
    if not others:
        return [first] if first.strip() else []
    *middle, last = others
    return [first + b"}", *(b"{" + part + b"}" for part in middle), b"{" + last]


def _elements(body: bytes) -> list[bytes]:
    """Like `_cut_between_objects`, for bodies with spaces, nested objects or odd strings: several times slower.

    Raises:
        ValueError: an array does not end, or something follows it.
    """
    text = body.strip(SPACE)
    if not text.startswith(b"["):
        return [text]
    elements, depth, start = [], 0, 1
    for match in _STRUCTURE.finditer(text):
        mark = match[0]
        if mark in (b"[", b"{"):
            depth += 1
        elif mark in (b"]", b"}"):
            depth -= 1
        if depth == 0 or (depth == 1 and mark == b","):
            elements.append(text[start : match.start()].strip(SPACE))
            start = match.end()
        if depth == 0:
            break
    if depth or start != len(text) or not text.endswith(b"]"):
        raise ValueError("the array does not end where the text does")
    return elements if elements != [b""] else []


def _payload(parsed: Any, text: bytes) -> Payload:
    fields = parsed if isinstance(parsed, dict) else {}
    athlete = fields.get("athlete")
    return Payload(
        _bigint(fields.get("id")),
        _bigint(athlete.get("id")) if isinstance(athlete, dict) else None,
        instant_of(fields.get("start_date")),
        text,
        hashlib.sha256(text).digest(),
    )


def _bigint(value: Any) -> int | None:
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def instant_of(value: Any) -> datetime | None:
    """The UTC instant in Strava's text `value`, without a time zone; None if it is not an instant."""
    try:
        # Strava's Z is UTC; without it, parsing takes half the time
        instant = datetime.fromisoformat(value.removesuffix("Z"))
        return instant if instant.tzinfo is None else instant.astimezone(UTC).replace(tzinfo=None)
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None
