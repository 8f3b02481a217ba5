"""What a power cut would undo: file contents that were not synced, and names whose folder was not."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR


class Disk:
    """The changes of files below `root` by this process that are not on disk yet, as POSIX promises it.

    `at_appearance` has, by the name of each file that was renamed or linked into place, what was not on disk at that
    moment.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._contents: set[Path] = set()
        self._names: set[Path] = set()
        self._synced: set[Path] = set()
        self.at_appearance: dict[str, set[Path]] = {}

    def lost(self, *folders: str) -> set[str]:
        """What a power cut would take now, below these folders of the root: paths that are empty, missing or back."""
        paths = {path.relative_to(self._root) for path in self._contents | self._names}
        return {str(path) for path in paths if path.parts and path.parts[0] in folders and not _is_dlts(path)}

    def note(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An event of Python's audit hooks."""
        if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike) and arguments[2] & WRITES:
            path = self._path(arguments[0])
            if path is not None:
                self._contents.add(path)
                if not path.exists():
                    self._names.add(path)
        elif event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir"):
            path = self._path(arguments[0])
            # the event comes before the call: a folder that is there is not made
            if path is None or (event == "os.mkdir" and path.exists()):
                return
            was_synced = path not in self._contents
            self._contents.discard(path)
            self._names.add(path)
            if event == "os.rename" and (target := self._path(arguments[1])) is not None:
                # a temporary name that never was on disk need not leave it
                self._names.discard(path)
                self.at_appearance[target.name] = self._contents | self._names | (set() if was_synced else {target})
                self._names.add(target)
                if not was_synced:
                    self._contents.add(target)

        elif event == "os.link" and (target := self._path(arguments[1])) is not None:
            # its source may have been written by a library, whose writes no audit hook sees
            unsynced = set() if Path(os.path.abspath(os.fsdecode(arguments[0]))) in self._synced else {target}  # noqa: PTH100
            self.at_appearance[target.name] = self._contents | self._names | unsynced
            self._names.add(target)
            self._contents |= unsynced

    def synced(self, path: Path) -> None:
        """`path` was fsynced."""
        self._synced.add(path)
        self._contents.discard(path)
        if path.is_dir():
            self._names = {name for name in self._names if name.parent != path}

    def all_synced(self) -> None:
        """Everything was."""
        self._contents.clear()
        self._names.clear()

    def _path(self, name: Any) -> Path | None:
        path = Path(os.path.abspath(os.fsdecode(name)))  # noqa: PTH100 - a link is not followed
        return path if path.is_relative_to(self._root) else None


def _is_dlts(path: Path) -> bool:
    """Locks, which are empty, and dlt's notes beside the shards, which nothing reads."""
    return path.name.endswith(".lock") or any(part.startswith("_dlt") or part == "init" for part in path.parts)


_watching: list[Disk] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    for disk in _watching:
        disk.note(event, arguments)


@cache
def _hook_in() -> None:
    sys.addaudithook(_hook)


@contextmanager
def watched(root: Path, monkeypatch: Any) -> Iterator[Disk]:
    """The `Disk` of what this process does to files below `root` meanwhile; an audit hook cannot be taken back."""
    _hook_in()
    disk = Disk(root)
    fsync, sync = os.fsync, os.sync

    def noted_fsync(descriptor: Any) -> None:
        fsync(descriptor)
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        disk.synced(Path(f"/proc/self/fd/{number}").readlink())

    def noted_sync() -> None:
        sync()
        disk.all_synced()

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", noted_fsync)
        patch.setattr(os, "fdatasync", noted_fsync)
        patch.setattr(os, "sync", noted_sync)
        _watching.append(disk)
        try:
            yield disk
        finally:
            _watching.remove(disk)
