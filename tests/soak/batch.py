"""Histories that have ended, built into one warehouse: dbt takes its seconds once for many of them."""

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from processes import Launcher, inherited

from soak.truth import Warehouse

# so many stay together, so that a build merges new ones into what is there
TOGETHER = 120


class AnyEnded(Protocol):
    """A history at its end, and what it ought to have come to."""

    @property
    def name(self) -> str: ...

    @property
    def athlete_id(self) -> int: ...

    def differences_among(self, athletes: Any) -> list[str]:
        """What differs in a warehouse of several athletes, as the batch has read it."""


@dataclass(frozen=True)
class Ended:
    """A history at its end, as `Warehouse.differences` wants it. `buried`: (id, instant) of its tombstones."""

    name: str
    athlete_id: int
    truth: dict[int, bytes]
    details: dict[int, dict[str, Any]]
    versions: set[tuple[int, str]]
    seen: set[tuple[int, str]]
    purged: set[int]
    torn: bool
    buried: set[tuple[int, datetime]]

    def differences_among(self, athletes: Warehouse) -> list[str]:
        """What differs in a warehouse of several athletes."""
        return self.differences(_of(athletes, self.athlete_id))

    def differences(self, warehouse: Warehouse) -> list[str]:
        """What differs in a warehouse of this athlete alone."""
        return [
            *warehouse.differences(self.truth, self.details, self.versions, self.seen, self.purged, self.torn),
            *(
                f"a version of {id_} ends {at} for no reason"
                for id_, at in warehouse.gaps()
                if (id_, at) not in self.buried
            ),
        ]


class Batch:
    """The bronze of several athletes in one home; `read` reads a warehouse for the histories to compare."""

    def __init__(self, home: Path, launcher: Launcher, read: Callable[[Path], Any] = Warehouse) -> None:
        self._home = home
        self._launcher = launcher
        self._read = read
        self._waiting: list[AnyEnded] = []
        self._athletes: set[int] = set()
        self.differences: list[tuple[str, str]] = []

    def add(self, ended: AnyEnded, data: Path) -> None:
        """Take over the shards in `data`, to be built later."""
        if ended.athlete_id in self._athletes or len(self._athletes) >= TOGETHER:
            self.settle()
            self._athletes.clear()
            shutil.rmtree(self._home / "data")
            for path in (self._home / "warehouse").glob("strava.duckdb*"):
                path.unlink()
        self._athletes.add(ended.athlete_id)
        self._waiting.append(ended)
        for shard in data.glob("*/*.parquet"):
            target = self._home / shard.relative_to(data.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(shard, target)

    def __len__(self) -> int:
        return len(self._waiting)

    def settle(self) -> list[tuple[str, str]]:
        """Build, and compare all that waited; (name of the history, what differs) of those that do."""
        if not self._waiting:
            return []
        ran = self._launcher.start("build", environment=inherited() | {"STRAVA_HOME": str(self._home)}).wait()
        assert ran.code == 0, ran.err
        athletes = self._read(self._home / "warehouse" / "strava.duckdb")
        found = [(ended, ended.differences_among(athletes)) for ended in self._waiting]
        self._waiting.clear()
        different = [(ended.name, "\n".join(differences[:20])) for ended, differences in found if differences]
        self.differences += different
        return different


def _of(warehouse: Warehouse, athlete_id: int) -> Warehouse:
    """The rows of one athlete."""

    def own(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row for row in rows if row["athlete_id"] == athlete_id]

    alone = copy.copy(warehouse)
    alone.activities, alone.details = own(warehouse.activities), own(warehouse.details)
    alone.history, alone.deleted = own(warehouse.history), own(warehouse.deleted)
    alone.rollups = {period: own(rows) for period, rows in warehouse.rollups.items()}
    return alone
