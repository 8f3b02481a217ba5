"""Gzip around a file, even if damaged: the bytes as far as they can be unpacked."""

import zlib
from typing import Final

from .activity import UnreadableFile

MAX_BYTES: Final = 128 << 20  # three days with a point a second, in the longest format
_GZIP: Final = b"\x1f\x8b"
_GZIP_BITS: Final = 31
_PIECE: Final = 4096
_MOST_LAYERS: Final = 3


def unwrapped(data: bytes) -> tuple[bytes, list[str]]:
    """Return the content of gzip (or the bytes themselves) and what was wrong with it.

    Raises `UnreadableFile` if it unpacks to more than `MAX_BYTES`.
    """
    faults: list[str] = []
    for _ in range(_MOST_LAYERS):
        if not data.startswith(_GZIP):
            break
        data, fault = _inflated(data)
        if fault:
            faults.append(fault)
    if len(data) > MAX_BYTES:
        raise _too_large()
    return data, faults


def _too_large() -> UnreadableFile:
    return UnreadableFile("too large", f"It has more than {MAX_BYTES >> 20} MB.")


def _inflated(data: bytes) -> tuple[bytes, str | None]:
    parts: list[bytes] = []
    room = MAX_BYTES + 1
    while data.startswith(_GZIP):  # members may follow each other
        inflater = zlib.decompressobj(_GZIP_BITS)
        try:
            parts.append(inflater.decompress(data, room))
        except zlib.error:
            parts.append(_salvaged(data, room))
            return b"".join(parts), "its gzip is damaged"
        room -= len(parts[-1])
        if room <= 0:
            raise _too_large()
        if not inflater.eof:
            return b"".join(parts), "its gzip is cut off"
        data = inflater.unused_data
    return b"".join(parts), None


def _salvaged(data: bytes, room: int) -> bytes:
    """Inflate up to the byte at which it fails."""
    inflater = zlib.decompressobj(_GZIP_BITS)
    found = bytearray()
    for at in range(0, len(data), _PIECE):
        piece = data[at : at + _PIECE]
        before = inflater.copy()
        try:
            found += inflater.decompress(piece)
        except zlib.error:
            found += _byte_by_byte(before, piece)
            break
        if len(found) >= room:
            break
    return bytes(found)


def _byte_by_byte(inflater: "zlib._Decompress", piece: bytes) -> bytes:
    found = bytearray()
    for i in range(len(piece)):
        try:
            found += inflater.decompress(piece[i : i + 1])
        except zlib.error:
            break
    return bytes(found)
