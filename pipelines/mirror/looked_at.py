"""When something unchanged was last checked, of which bronze has no record: a small file, a cache.

Without it, some things are requested once more.
"""

from collections.abc import Iterable
from pathlib import Path

import orjson

from pipelines.ground.durable import read_whole, written_whole


class LookedAt:
    """Key → epoch seconds, kept in the file at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at_s = self._read()

    def since(self, start_s: float, end_s: float) -> set[str]:
        """The keys of what was checked from `start_s` to `end_s`; later instants come from a wrong clock."""
        return {key for key, at_s in self._at_s.items() if start_s <= at_s <= end_s}

    def note(self, keys: Iterable[str], at_s: float, forget_before_s: float) -> None:
        """Note that `keys` were checked, and forget everything before `forget_before_s`.

        Raises:
            StorageFailed: it cannot be noted.
        """
        noted = dict.fromkeys(keys, at_s)
        if noted:
            kept = {key: known_s for key, known_s in self._at_s.items() if known_s >= forget_before_s}
            self._write(kept | noted)

    def forget(self, keys: Iterable[str]) -> None:
        """Drop the notes on `keys`.

        Raises:
            StorageFailed: it cannot be noted.
        """
        dropped = self._at_s.keys() & set(keys)
        if dropped:
            self._write({key: at_s for key, at_s in self._at_s.items() if key not in dropped})

    def _write(self, at_s: dict[str, float]) -> None:
        self._at_s = at_s
        with written_whole(self._path) as file:
            file.write(orjson.dumps(at_s))

    def _read(self) -> dict[str, float]:
        try:
            return {str(key): float(at_s) for key, at_s in orjson.loads(read_whole(self._path)).items()}
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            return {}
