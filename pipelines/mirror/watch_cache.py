"""What is known about the files in the watch folder, so that a second run reads nothing; a cache, which may be lost."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pipelines.ground.durable import read_whole, written_whole
from pipelines.ground.errors import StorageFailed

Outcome = Literal["new", "joined", "known", "gone", "waiting", "not read", "no activity"]
# what is not in bronze, and why
LEFT: tuple[Outcome, ...] = ("waiting", "not read", "no activity")


@dataclass(frozen=True)
class Looked:
    """The result of checking a file; `size` and `changed_ns` show whether it is still the same file.

    reader: the code that could not read it; none if that was not the reason.
    """

    size: int
    changed_ns: int
    outcome: Outcome
    sha256: str | None = None
    reason: str = ""
    reader: str = ""

    def is_final(self, reader: str) -> bool:
        """Whether this `reader` would get the same result from the same bytes."""
        return self.outcome not in LEFT or self.reader == reader


class WatchCache:
    """What the last runs found at each path of the watch folder; it may be lost."""

    def __init__(self, path: Path) -> None:
        """Read it.

        Raises:
            StorageFailed: it exists and cannot be read.
        """
        self._path = path
        self._changed = False
        try:
            noted = json.loads(read_whole(path))
            self._looked = {name: Looked(**looked) for name, looked in noted.items()}
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            self._looked = {}

    def get(self, path: str) -> Looked | None:
        """What was found at `path`."""
        return self._looked.get(path)

    def put(self, path: str, looked: Looked) -> None:
        """Note what was found."""
        if self._looked.get(path) != looked:
            self._looked[path] = looked
            self._changed = True

    def keep(self, paths: set[str]) -> None:
        """Forget all other paths: those files are gone."""
        if self._looked.keys() - paths:
            self._looked = {path: looked for path, looked in self._looked.items() if path in paths}
            self._changed = True

    def write(self) -> None:
        """Write what has changed.

        Raises:
            StorageFailed: it cannot be written.
        """
        if self._changed:
            noted = {path: asdict(looked) for path, looked in self._looked.items()}
            with written_whole(self._path) as file:
                file.write(json.dumps(noted, indent=1).encode())
            self._changed = False

    def of(self, *outcomes: Outcome) -> list[tuple[str, Looked]]:
        """The paths with one of `outcomes`, by name."""
        return sorted((path, looked) for path, looked in self._looked.items() if looked.outcome in outcomes)


def read_cache(path: Path) -> WatchCache | None:
    """The cache at `path`, for commands that only read; None if it cannot be read."""
    try:
        return WatchCache(path)
    except StorageFailed:
        return None
