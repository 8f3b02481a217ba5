"""Files that survive a kill and a power cut: written beside, fsynced, renamed; and locks that die with their holder.

And files read so that "cannot be read" is never taken for "not there" or for "damaged".
"""

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pipelines.errors import StorageFailed

LOOK_AGAIN_S = 0.1
# whoever asks may not; another file, or another moment, is no help
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def storage_error(path: Path, error: OSError) -> StorageFailed:
    """What the operating system refused, as a sentence with the next step."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFailed(
            f"The disk is full: {path} could not be written. What had landed is safe; free some space and run again."
        )
    if error.errno in REFUSED:
        return StorageFailed(f"{path} may not be written by this user: change its owner or mode and run again.")
    return StorageFailed(f"{path} could not be written: {error.strerror or error}.")


def read_error(path: Path, error: OSError) -> StorageFailed:
    """What the operating system could not hand out, as a sentence with the next step."""
    said = f"{path} could not be read: {error.strerror or error}."
    if error.errno in REFUSED:
        return StorageFailed(f"{said} Nothing was changed; change its owner or mode and run again.")
    return StorageFailed(
        f"{said} Nothing was changed; see to the disk, or what it is mounted from, and run again. If it stays so, put "
        "the file back from a backup."
    )


def read_whole(path: Path) -> bytes:
    """The bytes of the file at `path`, all of them.

    Raises:
        FileNotFoundError: there is none.
        StorageFailed: the system could not hand it out, or not to its end.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read()
    except FileNotFoundError:
        if path.is_symlink():
            raise StorageFailed(f"{path} is a link to nothing: bring its target back, and run again.") from None
        raise
    except OSError as error:
        raise read_error(path, error) from error
    # our files are replaced, never appended to: fewer bytes than it has are a disk that errs without saying so
    if len(content) < size:
        raise read_error(path, OSError(errno.EIO, f"{len(content):,} of its {size:,} bytes came"))
    return content


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in `folder`, by name; nothing where it is not there.

    `Path.glob` finds nothing in a folder that it may not read.

    Raises:
        StorageFailed: the system could not list it, or it is no folder.
    """
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise read_error(folder, error) from error


def is_there(path: Path) -> bool:
    """Whether there is anything at `path`; `Path.exists` takes some errors for a no.

    Raises:
        StorageFailed: the system does not say.
    """
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise read_error(path, error) from error
    return True


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


def move(path: Path, to: Path) -> None:
    """Rename the file at `path` within its folder, so that a power cut does not undo it.

    Raises:
        StorageFailed: it cannot be renamed.
    """
    try:
        path.rename(to)
        _fsync_folder(to.parent)
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
def locked(
    path: Path, on_wait: Callable[[], None] | None = None, pause: Callable[[float], None] = time.sleep
) -> Iterator[None]:
    """Hold the lock at `path` against threads and processes; the system frees it when its holder dies.

    `on_wait` is called once when somebody else holds it, before waiting; `pause(seconds)` is then called between two
    tries. Either may raise to give up instead.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise storage_error(path, error) from error
    with _holding(path, descriptor, on_wait, pause):
        yield


@contextmanager
def locked_if_there(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """As `locked`, for those who only look: nothing is made or written, and without a lock file nobody has ever run."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield
        return
    except OSError as error:
        if error.errno not in REFUSED:
            raise read_error(path, error) from error
        descriptor = _opened_to_read(path)
    with _holding(path, descriptor, on_wait, time.sleep):
        yield


def _opened_to_read(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        raise read_error(path, error) from error


@contextmanager
def _holding(
    path: Path, descriptor: int, on_wait: Callable[[], None] | None, pause: Callable[[float], None]
) -> Iterator[None]:
    try:
        # an open file of its own per holder: flock then excludes threads of one process too
        if not _taken(path, descriptor):
            if on_wait is not None:
                on_wait()
            # not one long call: Python would go on with it after a signal
            while not _taken(path, descriptor):
                pause(LOOK_AGAIN_S)
        yield
    finally:
        os.close(descriptor)


def _taken(path: Path, descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise storage_error(path, error) from error
    return True
