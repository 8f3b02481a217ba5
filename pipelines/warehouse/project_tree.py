"""The files of a dbt project: all that dbt reads to know it, and when one of them has changed."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# what dbt writes there if it is called by hand
WRITTEN_BY_DBT = ("target", "logs")


def files(folder: Path) -> list[Path]:
    """The files of the project in `folder`, in the order of their paths."""
    return sorted(place for place, is_file in _places(folder) if is_file)


def changed_at_s(folder: Path) -> float:
    """When a file of the project in `folder` was last written, by an editor, git or a new image, or removed.

    In seconds, as `time.time()`; the time of the inode, which nobody can set: a file from an image keeps its old date.
    """
    newest_s = 0.0
    for place, _ in _places(folder):
        # what has just been removed has changed its folder
        with suppress(FileNotFoundError):
            newest_s = max(newest_s, place.lstat().st_ctime)
    return newest_s


def _places(folder: Path) -> Iterator[tuple[Path, bool]]:
    """The files and the folders in `folder`, and whether it is a file."""
    for above, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in WRITTEN_BY_DBT]
        yield from ((Path(above, name), False) for name in folders)
        yield from ((Path(above, name), True) for name in names)
