"""Files that survive a kill and a power cut: written beside, fsynced, renamed; and locks that die with their holder."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pipelines.errors import StorageFailed

LOOK_AGAIN_S = 0.1


def storage_error(path: Path, error: OSError) -> StorageFailed:
    """What the operating system refused, as a sentence with the next step."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFailed(
            f"The disk is full: {path} could not be written. What had landed is safe; free some space and run again."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageFailed(f"{path} may not be written by this user: change its owner or mode and run again.")
    return StorageFailed(f"{path} could not be written: {error.strerror or error}.")


@contextmanager
def written_whole(path: Path, mode: int = 0o644, durable: bool = True) -> Iterator[IO[bytes]]:
    """A binary file to write that appears at `path`, replacing what was there, only when all of it is written.

    What is `durable` is on disk before it appears, and survives a power cut.

    Raises:
        StorageFailed: it cannot be written; what was at `path` is untouched.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        make_folder(path.parent)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        try:
            # an older umask must not widen or narrow what the caller asked for
            os.fchmod(descriptor, mode)
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise
        if durable:
            _fsync_folder(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error


def make_folder(folder: Path) -> None:
    """Make `folder` and those above it where they are missing, so that a power cut does not take what is put in.

    Raises:
        OSError: it cannot be made.
    """
    missing = [folder, *folder.parents]
    missing = missing[: next((place for place, path in enumerate(missing) if path.exists()), 0)]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        _fsync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove the file at `path`, if it is there, so that a power cut does not bring it back.

    Raises:
        StorageFailed: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
        _fsync_folder(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error


def remove_half_written(folder: Path) -> None:
    """Remove what killed processes left half written in `folder`; nobody may be writing there.

    Raises:
        StorageFailed: it cannot be removed.
    """
    for path in folder.glob(".*.tmp"):
        remove(path)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, pause: Callable[[float], None], on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock at `path` against threads and processes; the system frees it when its holder dies.

    `on_wait` is called once when somebody else holds it, before waiting; `pause(seconds)` is then called between two
    tries. Either may raise to give up instead: a `StopFlag.wait` does at a signal.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise storage_error(path, error) from error
    try:
        # an open file of its own per holder: flock then excludes threads of one process too
        if not taken(descriptor):
            if on_wait is not None:
                on_wait()
            # not one long call: Python would go on with it after a signal
            while not taken(descriptor):
                pause(LOOK_AGAIN_S)
        yield
    finally:
        os.close(descriptor)


def taken(descriptor: int) -> bool:
    """Take the lock of an open file, if it is free; whether it was."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock at `path`; nothing is written."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        # nobody ever held it; or it cannot be asked
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
