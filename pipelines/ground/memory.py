"""Saving memory: allocators keep what was freed, glibc's and Arrow's; other C libraries than glibc need no call."""

import ctypes
from contextlib import suppress

ARENA_MAX = -8


def share_one_arena() -> None:
    """Let all threads allocate from one arena: otherwise each of dlt's threads keeps what it frees, 10 MB."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(ARENA_MAX, 1)


def give_back_what_is_free() -> None:
    """Return free memory to the system: after a long pull that is 20 to 40 MB, and staging needs its own."""
    # whoever has something to free has imported it; `--help` has not
    from pyarrow import default_memory_pool  # noqa: PLC0415

    default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
