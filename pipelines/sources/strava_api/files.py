"""Files that survive a kill and a power cut: written beside, fsynced, renamed; and locks that end with their holder.

A link is kept, and its target is written. A replaced file keeps its mode, a new one gets that of the umask. What cannot
be read never counts as missing or damaged.
"""

import errno
import fcntl
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from .errors import StorageFailed

LOOK_AGAIN_S = 0.1
# a lack of permission: neither another file nor another try helps
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
# for the owner alone, whatever the umask and the file before say
PRIVATE = 0o600
ANYBODY = 0o666
# the name of a file while it is written: its own, and the process's number
_BESIDE = re.compile(r"\.(?P<name>.+)\.\d+\.tmp", re.DOTALL)


def storage_error(path: Path, error: OSError) -> StorageFailed:
    """What the operating system refused to write, as a sentence with the next step."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFailed(
            f"The disk is full: {path} could not be written. What had landed is safe; free some space and run again."
        )
    if error.errno in REFUSED:
        return StorageFailed(f"{path} may not be written by this user: change its owner or mode and run again.")
    # a link that leads nowhere both exists and does not
    if error.errno in (errno.EEXIST, errno.ENOENT, errno.ELOOP) and (link := _link_to_nowhere(path)):
        return _leads_nowhere(link)
    return StorageFailed(f"{path} could not be written: {error.strerror or error}.")


def read_error(path: Path, error: OSError) -> StorageFailed:
    """What the operating system could not read, as a sentence with the next step."""
    said = f"{path} could not be read: {error.strerror or error}."
    if error.errno in REFUSED:
        return StorageFailed(f"{said} Nothing was changed; change its owner or mode and run again.")
    return StorageFailed(
        f"{said} Nothing was changed; see to the disk, or what it is mounted from, and run again. If it stays so, put "
        "the file back from a backup."
    )


def read_whole(path: Path) -> bytes:
    """All bytes of the file at `path`.

    Raises:
        FileNotFoundError: there is none.
        StorageFailed: the system could not read it, or not to its end.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read()
    except FileNotFoundError:
        if link := _link_to_nowhere(path):
            raise _leads_nowhere(link) from None
        raise
    except OSError as error:
        raise read_error(path, error) from error
    # our files are replaced, never appended to: fewer bytes than its size mean a disk that fails silently
    if len(content) < size:
        raise read_error(path, OSError(errno.EIO, f"{len(content):,} of its {size:,} bytes came"))
    return content


def _link_to_nowhere(path: Path) -> Path | None:
    """The link, at `path` or above it, that leads nowhere; None if there is none."""
    return next((place for place in (path, *path.parents) if place.is_symlink() and not place.exists()), None)


def _leads_nowhere(link: Path) -> StorageFailed:
    return StorageFailed(
        f"{link} is a link to {link.readlink()}, which is not there: make that available again, or remove the link."
    )


def real(path: Path) -> Path:
    """The file at `path` with all links resolved.

    Raises:
        StorageFailed: such a link leads nowhere.
    """
    if link := _link_to_nowhere(path):
        raise _leads_nowhere(link)
    return Path(os.path.realpath(path))


@contextmanager
def written_whole(path: Path, mode: int = ANYBODY, durable: bool = True) -> Iterator[IO[bytes]]:
    """A binary file to write, which appears at `path` and replaces what was there only once all of it is written.

    If `path` is a link, its target is replaced. `mode` is the most that the file may allow; within that, it gets the
    mode of the file before, or that of the umask. If `durable`, it is on disk before it appears, and survives a power
    cut.

    Raises:
        StorageFailed: it cannot be written, or the link leads nowhere; what was at `path` is untouched.
    """
    target = real(path)
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        make_folder(target.parent)
        remove_half_written(target.parent, re.escape(target.name))
        before = _mode(target)
        most = mode if before is None or mode == PRIVATE else mode & before
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, most)
        try:
            # this lock shows others that the half-written file has a writer; some file systems have no locks
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with os.fdopen(descriptor, "wb") as file:
                if before is not None or mode == PRIVATE:
                    # the umask applies to new files
                    os.fchmod(descriptor, most)
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
                # as long as we have the lock
                beside.replace(target)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise
        if durable:
            fsync_folder(target.parent)
    except OSError as error:
        raise storage_error(path, error) from error


def make_folder(folder: Path) -> None:
    """Create `folder` and those above it if missing, so that a power cut does not lose what is put into it.

    Raises:
        OSError: it cannot be created.
    """
    missing = [folder, *folder.parents]
    missing = missing[: next((place for place, path in enumerate(missing) if path.exists()), 0)]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        fsync_folder(path.parent)


def _mode(path: Path) -> int | None:
    """The mode of the file at `path`; None if there is none.

    Raises:
        OSError: it is a folder or a device.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is no file")
    return stat.S_IMODE(mode)


def remove(path: Path, durable: bool = True) -> None:
    """Remove the file at `path`, if it exists, so that a power cut does not bring it back, unless `durable` is false.

    The target of a link is emptied instead, so that the link still leads somewhere.

    Raises:
        StorageFailed: it cannot be removed.
    """
    if path.is_symlink():
        if path.exists():
            with written_whole(path):
                pass
        return
    try:
        path.unlink()
        if durable:
            fsync_folder(path.parent)
    except FileNotFoundError:
        return
    except OSError as error:
        raise storage_error(path, error) from error


def remove_half_written(folder: Path, names: str = ".+") -> None:
    """Remove what killed processes left half-written in `folder` of files whose names match `names`.

    What a process is writing at this moment stays.

    Raises:
        StorageFailed: it cannot be removed.
    """
    try:
        with os.scandir(folder) as entries:
            found = [_BESIDE.fullmatch(entry.name) for entry in entries]
    except FileNotFoundError:
        return
    except OSError as error:
        raise storage_error(folder, error) from error
    for name in (match[0] for match in found if match and re.fullmatch(names, match["name"], re.DOTALL)):
        if _is_left(folder / name):
            remove(folder / name)


def _is_left(path: Path) -> bool:
    """Whether the file at `path` has no writer any more."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        # a link, or gone, or of another user: not a file that we left
        return False
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode) and taken(path, descriptor)
    except (OSError, StorageFailed):
        return False
    finally:
        os.close(descriptor)


def fsync_folder(folder: Path) -> None:
    """Make additions to `folder` and removals from it survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, pause: Callable[[float], None], on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock at `path` against threads and processes; the system releases it when its holder dies.

    `on_wait` is called once before waiting if it is taken; `pause(seconds)` is then called between two tries. Either
    may raise to give up instead, as `Pause.wait` does at a signal.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise storage_error(path, error) from error
    with holding(path, descriptor, on_wait, pause):
        yield


@contextmanager
def holding(
    path: Path, descriptor: int, on_wait: Callable[[], None] | None, pause: Callable[[float], None]
) -> Iterator[None]:
    """Like `locked`, for the lock file at `path` that is open as `descriptor`, which is closed at the end."""
    try:
        # each holder opens the file itself: flock then excludes threads of one process too
        if not taken(path, descriptor):
            if on_wait is not None:
                on_wait()
            # not one long call: Python would resume it after a signal
            while not taken(path, descriptor):
                pause(LOOK_AGAIN_S)
        yield
    finally:
        os.close(descriptor)


def taken(path: Path, descriptor: int) -> bool:
    """Take the lock of the open file at `path` if it is free; returns whether it was.

    Raises:
        StorageFailed: the system has no locks for it.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise storage_error(path, error) from error
    return True
