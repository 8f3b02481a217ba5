"""Files, folders and locks: the functions of the source's `files.py`, and those that only this program needs."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.sources.strava_api.files import (
    PRIVATE,
    REFUSED,
    fsync_folder,
    holding,
    locked,
    make_folder,
    read_error,
    read_whole,
    real,
    remove,
    remove_half_written,
    storage_error,
    taken,
    written_whole,
)

__all__ = [
    "PRIVATE",
    "entries",
    "is_locked",
    "is_there",
    "linked_whole",
    "locked",
    "locked_if_there",
    "make_folder",
    "move",
    "read_error",
    "read_whole",
    "real",
    "remove",
    "remove_half_written",
    "require_readable",
    "size_of",
    "storage_error",
    "taken",
    "written_whole",
]


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in `folder`, by name; nothing if there is no such folder.

    `Path.glob` finds nothing in a folder that it may not read.

    Raises:
        StorageFailed: the system could not list it, or it is not a folder.
    """
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise read_error(folder, error) from error


def size_of(path: Path) -> int:
    """The size of the file at `path` in bytes; 0 if it is gone.

    Raises:
        StorageFailed: the system gives no answer.
    """
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise read_error(path, error) from error


def require_readable(path: Path) -> None:
    """Check that the file at `path` can be read, if it exists.

    Raises:
        StorageFailed: it cannot.
    """
    try:
        with path.open("rb") as file:
            file.read(1)
    except FileNotFoundError:
        return
    except OSError as error:
        raise read_error(path, error) from error


def is_there(path: Path) -> bool:
    """Whether there is anything at `path`; `Path.exists` answers no to some errors.

    Raises:
        StorageFailed: the system gives no answer.
    """
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise read_error(path, error) from error
    return True


def move(path: Path, to: Path) -> None:
    """Rename the file at `path` within its folder, so that a power cut does not undo it.

    Raises:
        StorageFailed: it cannot be renamed.
    """
    try:
        path.rename(to)
        fsync_folder(to.parent)
    except OSError as error:
        raise storage_error(path, error) from error


def linked_whole(path: Path, new: Path) -> bool:
    """Give the file at `path` a second name, `new`, once its bytes are on disk; returns whether that was possible.

    It is not if the file system has no hard links, or `new` is on another one.

    Raises:
        StorageFailed: the bytes, or the name, could not be brought to disk.
    """
    try:
        with path.open("rb") as file:
            os.fsync(file.fileno())
    except OSError as error:
        raise storage_error(path, error) from error
    try:
        new.hardlink_to(path)
    except OSError:
        return False
    try:
        fsync_folder(new.parent)
    except OSError as error:
        raise storage_error(new, error) from error
    return True


@contextmanager
def locked_if_there(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Like `locked`, for commands that only read: nothing is created, and without a lock file nothing has ever run."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield
        return
    except OSError as error:
        if error.errno not in REFUSED:
            raise read_error(path, error) from error
        descriptor = _opened_to_read(path)
    with holding(path, descriptor, on_wait, time.sleep):
        yield


def _opened_to_read(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        raise read_error(path, error) from error


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock at `path`; nothing is written."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        # nothing ever took it, or it cannot be opened
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
