"""Histories that have ended, built into one warehouse: dbt takes its seconds once for many of them."""

import copy
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from processes import Launcher, inherited

from soak.truth import TABLES, Warehouse

# so many stay together, so that a build merges new ones into what is there
TOGETHER = 120


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
    """The bronze of several athletes in one home."""

    def __init__(self, home: Path, launcher: Launcher) -> None:
        self._home = home
        self._launcher = launcher
        self._waiting: list[Ended] = []
        self._athletes: set[int] = set()
        self.differences: list[tuple[str, str]] = []

    def add(self, ended: Ended, data: Path) -> None:
        """Take over the shards in `data`, to be built later."""
        if ended.athlete_id in self._athletes or len(self._athletes) >= TOGETHER:
            self.settle()
            self._athletes.clear()
            shutil.rmtree(self._home / "data")
            for path in (self._home / "warehouse").glob("strava.duckdb*"):
                path.unlink()
        self._athletes.add(ended.athlete_id)
        self._waiting.append(ended)
        for table in TABLES:
            (self._home / "data" / table).mkdir(parents=True, exist_ok=True)
            for shard in (data / table).glob("*.parquet"):
                shutil.copyfile(shard, self._home / "data" / table / shard.name)

    def __len__(self) -> int:
        return len(self._waiting)

    def settle(self) -> list[tuple[str, str]]:
        """Build, and compare all that waited; (name of the history, what differs) of those that do."""
        if not self._waiting:
            return []
        ran = self._launcher.start("build", environment=inherited() | {"STRAVA_HOME": str(self._home)}).wait()
        assert ran.code == 0, ran.err
        warehouse = Warehouse(self._home / "warehouse" / "strava.duckdb")
        found = [(ended, ended.differences(_of(warehouse, ended.athlete_id))) for ended in self._waiting]
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
