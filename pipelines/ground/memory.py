"""Saving memory: two calls of glibc's allocator, which keeps freed memory; other C libraries do not need them."""

import ctypes
from contextlib import suppress

ARENA_MAX = -8


def share_one_arena() -> None:
    """Let all threads allocate from one arena: otherwise each of dlt's threads keeps what it frees, 10 MB."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(ARENA_MAX, 1)


def give_back_what_is_free() -> None:
    """Return free memory to the system: after a long pull that is 10 to 20 MB, and staging needs its own."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
