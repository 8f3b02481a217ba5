"""A warehouse with staging rows as dlt leaves them, and dbt run on it the way a user runs it."""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from processes import launcher

from pipelines.bronze.tables import ACTIVITIES, ATHLETE_SETTINGS, GOALS, TABLES

# (id, athlete_id, fetched_at, payload_hash, payload, shard)
Version = tuple[int | None, int | None, datetime, str, str, str]
# (built_at, rows of activities, of details, of tombstones)
Build = tuple[datetime, int, int, int]


def version(
    payload: dict[str, Any] | str,
    fetched_at: datetime,
    athlete_id: int | None = 7,
    activity_id: int | None = None,
    payload_hash: str = "",
) -> Version:
    """Return a staging row of a payload; id and hash are the payload's own unless given."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    if activity_id is None and isinstance(payload, dict):
        activity_id = payload.get("id")
    digest = payload_hash or hashlib.sha256(text.encode()).hexdigest()
    return activity_id, athlete_id, fetched_at, digest, text, f"shard_{fetched_at:%Y%m%d%H%M%S}"


def tombstone(activity_id: int, noticed_at: datetime, *, purged: bool = False, athlete_id: int = 7) -> Version:
    """Return a staging row that says the activity was noticed as gone, or that its versions were erased."""
    said = {"reason": "deleted", "purged": purged, "last_payload_hash": "00", "noticed_by": "sweep"}
    return version(said, noticed_at, athlete_id, activity_id)


def newest_at() -> datetime:
    """Return the present instant, later than that of any version before."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass
class Warehouse:
    """A DuckDB file with the staging tables, empty, and where and with which environment dbt is called."""

    path: Path
    cwd: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(self.path) as connection:
            connection.execute("create schema staging")
            for table in TABLES:
                connection.execute(
                    f"create table staging.{table} (id bigint, athlete_id bigint, start_date timestamp,"
                    " fetched_at timestamp, payload_hash varchar, payload varchar, shard varchar)"
                )

    def land(self, versions: Iterable[Version], table: str = ACTIVITIES) -> None:
        with duckdb.connect(self.path) as connection:
            connection.executemany(
                f"insert into staging.{table} (id, athlete_id, fetched_at, payload_hash, payload, shard)"
                " values (?, ?, ?, ?, ?, ?)",
                list(versions),
            )

    def set(self, numbers: dict[str, Any], athlete_id: int = 7) -> None:
        """Land an athlete's own numbers, which are the newest."""
        self.land([version(numbers, newest_at(), athlete_id, athlete_id)], ATHLETE_SETTINGS)

    def set_goals(self, goals: Iterable[dict[str, Any]], athlete_id: int = 7) -> None:
        """Land the list of an athlete's goals, which is the newest."""
        self.land([version(json.dumps(list(goals)), newest_at(), athlete_id, athlete_id)], GOALS)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(self.path) as connection:
            return connection.execute(sql).fetchall()

    def dbt(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run dbt in `cwd`, be that the project's folder or the one above it."""
        project = () if (self.cwd / "dbt_project.yml").exists() else ("--project-dir", "dbt_project")
        return launcher().dbt(
            ["--no-use-colors", *command, *project],
            cwd=self.cwd,
            # A home without ~/.dbt: the project's own profile has to do. With each line dbt looks through all there is.
            # Nobody looks at its artifacts, which take a tenth of a build to write.
            env={"PATH": os.environ["PATH"], "HOME": str(self.path.parent), "DBT_WRITE_JSON": "false", **self.env},
        )

    def built(self, *command: str) -> str:
        """Run dbt, demand success, return what it printed."""
        finished = self.dbt(*command)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    def last_build(self) -> Build | None:
        """Return what record_build left."""
        if not self.rows("select 1 from duckdb_tables() where table_name = 'dbt_builds'"):
            return None
        ((built_at, activity_rows, detail_rows, tombstone_rows),) = self.rows(
            "select built_at, activity_rows, detail_rows, tombstone_rows from staging.dbt_builds"
        )
        return built_at, activity_rows, detail_rows, tombstone_rows


def sorted_rows(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Order rows with NULLs and structs in them, to compare them as a set with its repetitions."""
    return sorted(rows, key=repr)
