"""Payloads: JSON objects as Strava sent them, byte for byte, and the keys read from them."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from pipelines.errors import StravaUnavailable

EPOCH = datetime(1970, 1, 1)


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
        # cut where compact objects meet: a cut in a wrong place leaves no two halves that both are JSON
        return [_payload(orjson.loads(text), text) for text in _cut_between_objects(body.strip())]
    except orjson.JSONDecodeError:
        return _scanned(body)


def _cut_between_objects(text: bytes) -> list[bytes]:
    if not (text.startswith(b"[") and text.endswith(b"]")):
        return [text]
    first, *others = text[1:-1].split(b"},{")
    if not others:
        return [first] if first.strip() else []
    *middle, last = others
    return [first + b"}", *(b"{" + part + b"}" for part in middle), b"{" + last]


def _scanned(body: bytes) -> list[Payload]:
    """What `payloads_of` says of bodies with spaces, nested objects or odd strings: three times slower."""
    scan = json.JSONDecoder().raw_decode
    try:
        text = body.decode()
        start = _skip_space(text, 0)
        if text[start] != "[":
            parsed, end = scan(text, start)
            return [_payload(parsed, text[start:end].encode())]
        payloads: list[Payload] = []
        start = _skip_space(text, start + 1)
        while text[start] != "]":
            parsed, end = scan(text, start)
            payloads.append(_payload(parsed, text[start:end].encode()))
            start = _skip_space(text, end)
            if text[start] == ",":
                start = _skip_space(text, start + 1)
    except (ValueError, IndexError, RecursionError) as error:
        raise StravaUnavailable("Strava's answer could not be read as JSON text. Run again later.") from error
    return payloads


def _skip_space(text: str, start: int) -> int:
    while text[start] in " \t\r\n":
        start += 1
    return start


def _payload(parsed: Any, text: bytes) -> Payload:
    held = parsed if isinstance(parsed, dict) else {}
    athlete = held.get("athlete")
    return Payload(
        _bigint(held.get("id")),
        _bigint(athlete.get("id")) if isinstance(athlete, dict) else None,
        _instant(held.get("start_date")),
        text,
        hashlib.sha256(text).digest(),
    )


def _bigint(value: Any) -> int | None:
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def _instant(value: Any) -> datetime | None:
    try:
        # Strava's Z is UTC, and half the time is saved without it
        instant = datetime.fromisoformat(value.removesuffix("Z"))
        return instant if instant.tzinfo is None else instant.astimezone(UTC).replace(tzinfo=None)
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None
