"""Every place where a history was ever written: noted before the first byte goes there, so that a purge finds it again.

There is one note beside the warehouse and one beside the shards, so nothing is forgotten if one of them moves.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from pipelines.ground.durable import read_whole, written_whole
from pipelines.ground.errors import StorageFailed
from pipelines.ground.settings import StravaSettings

NOTE = "places.json"
NOTE_AMONG_SHARDS = f".{NOTE}"
Kind = Literal["shards", "bucket", "output", "warehouse", "copy", "page", "bundle"]


class Places:
    """The places of one history; no other process may note any meanwhile."""

    def __init__(self, settings: StravaSettings) -> None:
        self._home = settings.home_path
        self._files = [settings.state_path / NOTE]
        if settings.bronze_store is None:
            self._files.append(settings.bronze_path / NOTE_AMONG_SHARDS)

    def of(self, kind: Kind) -> list[str]:
        """The places of a kind, as noted."""
        return sorted({place for file in self._files for place in read_note(file).get(kind, [])})

    def paths(self, kind: Kind) -> list[Path]:
        """The absolute paths of a kind."""
        return [self._home / place for place in self.of(kind)]

    def note(self, kind: Kind, place: Path | str) -> None:
        """Note, for good, an absolute path and what it is a link to, or the address of a bucket.

        Raises:
            StorageFailed: it cannot be noted.
        """
        texts = [place] if isinstance(place, str) else [self._text(place), self._text(Path(os.path.realpath(place)))]
        notes = [read_note(file) for file in self._files]
        known = merged(*notes, {kind: texts})
        for file, noted in zip(self._files, notes, strict=True):
            if noted != known:
                write_note(file, known)

    @contextmanager
    def noting(self, kind: Kind, place: Path) -> Iterator[None]:
        """Like `note`, while `place` is being written; if that fails, it was not written, and the note is removed.

        A kill leaves the note, so that a half-written file is found.
        """
        before = [read_note(file) for file in self._files]
        self.note(kind, place)
        try:
            yield
        except BaseException:
            # the first error is the one to report
            with suppress(StorageFailed):
                for file, noted in zip(self._files, before, strict=True):
                    if noted != read_note(file):
                        write_note(file, noted)
            raise

    def _text(self, path: Path) -> str:
        # relative to the home, so that it moves with the home
        return str(path.relative_to(self._home) if path.is_relative_to(self._home) else path)


def merged(*notes: dict[str, list[str]]) -> dict[str, list[str]]:
    """All places of all `notes`."""
    kinds = sorted({kind for note in notes for kind in note})
    return {kind: sorted({place for note in notes for place in note.get(kind, [])}) for kind in kinds}


def read_note(file: Path) -> dict[str, list[str]]:
    """The places noted in `file`, by kind; none if it is missing or not such a note.

    Raises:
        StorageFailed: it cannot be read; the next note would otherwise forget all others.
    """
    try:
        noted = json.loads(read_whole(file))
        return {kind: [str(place) for place in places] for kind, places in noted.items()}
    except (FileNotFoundError, ValueError, AttributeError, TypeError):
        return {}


def write_note(file: Path, places: dict[str, list[str]]) -> None:
    """Note `places` in `file`.

    Raises:
        StorageFailed: it cannot be written.
    """
    with written_whole(file) as beside:
        beside.write(json.dumps(places, indent=1, sort_keys=True).encode())
