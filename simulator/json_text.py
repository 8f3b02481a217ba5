"""JSON of any depth: Python's own parser and printer go down by recursion and give up at a thousand levels."""

import json
from typing import Any, Final

_COMPACT: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
_DECODER: Final = json.JSONDecoder()
_SPACE: Final = " \t\n\r"


def dump(value: object) -> bytes:
    """Return a value as compact JSON in UTF-8, as Strava sends it."""
    try:
        return _COMPACT.encode(value).encode()
    except RecursionError:
        return "".join(_pieces(value)).encode()


def parse(text: str | bytes) -> Any:
    """Return the value of a JSON text; raises ValueError if it is none."""
    text = text if isinstance(text, str) else text.decode()
    value, end = decode(text, past_space(text, 0))
    if past_space(text, end) != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return value


def decode(text: str, at: int) -> tuple[Any, int]:
    """Return the JSON value that begins at `at`, and where it ends; raises ValueError if none begins there."""
    try:
        return _DECODER.raw_decode(text, at)
    except RecursionError:
        return _decode_deep(text, at)


def past_space(text: str, at: int) -> int:
    """Return where the white space that begins at `at`, if any, ends."""
    while text[at : at + 1] and text[at] in _SPACE:
        at += 1
    return at


def _decode_deep(text: str, at: int) -> tuple[Any, int]:
    # the containers around `at`, the outermost first, and under which key of each object the next value goes
    around: list[Any] = []
    keys: list[str] = []
    while True:
        value: Any
        if (opening := text[at : at + 1]) in ("[", "{"):
            value, at = ([] if opening == "[" else {}), past_space(text, at + 1)
            if text[at : at + 1] != _closing(value):
                around.append(value)
                at = _key(text, at, keys) if opening == "{" else at
                continue
            at += 1
        else:
            value, at = _DECODER.raw_decode(text, at)
        while around:
            if isinstance(around[-1], list):
                around[-1].append(value)
            else:
                around[-1][keys.pop()] = value
            at = past_space(text, at)
            if text[at : at + 1] == ",":
                at = past_space(text, at + 1)
                at = _key(text, at, keys) if isinstance(around[-1], dict) else at
                break
            if text[at : at + 1] != _closing(around[-1]):
                raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
            value, at = around.pop(), at + 1
        else:
            return value, at


def _closing(container: object) -> str:
    return "]" if isinstance(container, list) else "}"


def _key(text: str, at: int, keys: list[str]) -> int:
    """Read an object's key; returns where its value begins."""
    key, at = _DECODER.raw_decode(text, at) if text[at : at + 1] == '"' else (None, at)
    at = past_space(text, at)
    if key is None or text[at : at + 1] != ":":
        raise json.JSONDecodeError("Expecting a key and ':'", text, at)
    keys.append(key)
    return past_space(text, at + 1)


class _Piece(str):
    """Text that is JSON already."""

    __slots__ = ()


def _pieces(value: object) -> list[str]:
    pieces: list[str] = []
    waiting = [value]
    while waiting:
        match waiting.pop():
            case _Piece() as piece:
                pieces.append(piece)
            case dict() as fields if fields:
                waiting.append(_Piece("}"))
                for number, (key, inner) in reversed(list(enumerate(fields.items()))):
                    waiting += [inner, _Piece(f"{',' if number else '{'}{_COMPACT.encode(str(key))}:")]
            case list() as elements if elements:
                waiting.append(_Piece("]"))
                for number, inner in reversed(list(enumerate(elements))):
                    waiting += [inner, _Piece("," if number else "[")]
            case scalar:
                pieces.append(_COMPACT.encode(scalar))
    return pieces
