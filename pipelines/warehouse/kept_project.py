"""The dbt project as dbt has read it, kept for all warehouses: to read it takes dbt seconds."""

import hashlib
import pickle
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

from dbt.contracts.graph.manifest import Manifest

from pipelines.warehouse.project_tree import changed_at_s

# the usual project, that with the tables that are fetched on demand, and under another name of the warehouse
MOST_KEPT = 8
# by how much the clock of files may lag
LAG_S = 1


@dataclass(frozen=True)
class KeptProject:
    """The project in `folder`, and the file at `path` in which it is kept: by a hash of its files at `hashed_at_s`.

    dbt reads them later. If one has changed since, nothing may be kept by this hash, even if it is as before again.
    """

    folder: Path
    path: Path
    hashed_at_s: float

    def is_as_hashed(self) -> bool:
        """Whether no file has changed since."""
        return changed_at_s(self.folder) < self.hashed_at_s - LAG_S

    def read(self) -> Manifest | None:
        """The project, if it is kept."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return None
        pickled = content[hashlib.sha256().digest_size :]
        if not content.startswith(hashlib.sha256(pickled).digest()):
            # half of a file
            return None
        # it lies beside the code, and whoever may write there can write code
        return Manifest(**pickle.loads(pickled))  # noqa: S301

    def keep(self, project: Manifest) -> None:
        """Keep the `project`, unless a file has changed since it was hashed."""
        if not self.is_as_hashed():
            return
        # the fields that dbt keeps too: the others are indices, which it makes when it needs them
        parts = {part.name: getattr(project, part.name) for part in fields(project) if not part.name.startswith("_")}
        pickled = pickle.dumps(parts, pickle.HIGHEST_PROTOCOL)
        # the code may be read-only, or the disk full: then the next process reads the project again
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            older = sorted(self.path.parent.iterdir(), key=lambda each: each.stat().st_mtime)
            for each in older[: max(0, len(older) + 1 - MOST_KEPT)]:
                each.unlink(missing_ok=True)
            half = self.path.with_suffix(".tmp")
            half.write_bytes(hashlib.sha256(pickled).digest() + pickled)
            half.replace(self.path)
