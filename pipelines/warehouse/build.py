"""`dbt build`, and whether it is needed at all."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipelines.ground.engine import known_error
from pipelines.ground.errors import BuildFailed
from pipelines.ground.resources import ALWAYS, ON_DEMAND
from pipelines.ground.settings import StravaSettings
from pipelines.warehouse.database import open_warehouse, staged_tables
from pipelines.warehouse.dbt_process import PROJECT, Dbt, Result
from pipelines.warehouse.project_tree import changed_at_s
from pipelines.warehouse.replay import recording_path, replay

# tables of staging -> the column in which `record_build` notes how many of their rows a build saw
COUNTED = {
    "activities": "activity_rows",
    "activity_details": "detail_rows",
    "tombstones": "tombstone_rows",
    "export_activities": "export_activities",
    "activity_files": "activity_files",
    "exports": "exports",
    **{endpoint.name: endpoint.name for endpoint in (*ALWAYS, *ON_DEMAND.values())},
}
# dbt begins each line with the time
CLOCK = re.compile(r"^\d\d:\d\d:\d\d +", re.MULTILINE)
LONGEST_TEXT = 4000


def what_to_build(settings: StravaSettings) -> frozenset[str] | None:
    """The tables of staging with more rows than the last `dbt build` of this warehouse saw; None to build everything.

    Empty: there is nothing to build; dbt takes seconds to start, which a run with nothing new saves. Everything is
    built if the project has changed, if a table has its first rows or fewer than before, and once a day, so that each
    test has passed within a day. The macro `record_build` writes what this reads. Sweeps do not count: what they found
    has rows of its own, and dbt only has a view of them.
    """
    with open_warehouse(settings.warehouse_path) as connection:
        last = _last_build(connection)
        now = _rows_of_staging(connection)
    if last is None or _project_changed_at() > last.whole_at:
        return None
    changed = {table for table, rows in now.items() if rows != last.rows[table]}
    if changed and (
        last.whole_at.date() != datetime.now(UTC).date()
        or any(last.rows[table] == 0 or now[table] < last.rows[table] for table in changed)
    ):
        return None
    return frozenset(changed)


def _project_changed_at() -> datetime:
    """When the dbt project last changed (UTC)."""
    return datetime.fromtimestamp(changed_at_s(PROJECT), UTC).replace(tzinfo=None)


def knows_all_purges(settings: StravaSettings) -> bool:
    """Whether the last whole `dbt build` of this warehouse was after every purge, or there never was one."""
    purges = "json_extract_string(payload, '$.purged') = 'true'"
    with open_warehouse(settings.warehouse_path) as connection:
        row = connection.execute(f"select count(*), count_if({purges}) from staging.tombstones").fetchone()
        tombstones, purged = row or (0, 0)
        if not purged:
            return True
        try:
            return connection.execute("select tombstone_rows from staging.dbt_builds").fetchone() == (tombstones,)
        except (duckdb.CatalogException, duckdb.BinderException):
            return False


def built_at(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """When the last `dbt build` of the opened warehouse was (UTC), if it saw all rows of staging; otherwise None."""
    last = _last_build(connection)
    return last.built_at if last is not None and last.rows == _rows_of_staging(connection) else None


@dataclass(frozen=True)
class _Build:
    """When the last build was, and the last one of all models (both UTC), and how many rows of each table it saw."""

    built_at: datetime
    whole_at: datetime
    rows: dict[str, int]


def _last_build(connection: duckdb.DuckDBPyConnection) -> _Build | None:
    try:
        query = f"select built_at, whole_at, {', '.join(COUNTED.values())} from staging.dbt_builds"
        row = connection.execute(query).fetchone()
    except (duckdb.CatalogException, duckdb.BinderException):
        # never built, or built by an older version that recorded less
        return None
    return _Build(row[0], row[1], dict(zip(COUNTED, row[2:], strict=True))) if row else None


def _rows_of_staging(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    there = staged_tables(connection)
    counts = [f"(select count(*) from staging.{table})" if table in there else "0" for table in COUNTED]
    row = connection.execute(f"select {', '.join(counts)}").fetchone() or ()
    return dict(zip(COUNTED, row, strict=True))


def build(settings: StravaSettings, dbt: Dbt, changed: frozenset[str] | None = None) -> str:
    """Build (without unit tests, which test the code and not the data) and return what was built.

    Given the tables of staging that have `changed`, these are the tables that depend on them, and their tests; without
    `dbt` if it has done the same before (see `replay`). Views show changes by themselves.

    Raises:
        BuildFailed: a model or a test failed; the text names it.
        WarehouseBusy: another process has the DuckDB file open.
        StorageFailed: the build could not be noted.
    """
    selection: list[str] = []
    recording: Path | None = None
    if changed is not None:
        if replayed := replay(settings, recording_path(settings, changed)):
            dbt.close()
            _note_build(settings)
            return _summary(replayed)
        # the project may have changed meanwhile
        recording = recording_path(settings, changed)
        sources = [f"source:strava.{table}+" for table in sorted(changed)]
        selection = ["--select", *sources, "--exclude", "config.materialized:view"]
    ran = dbt.run("build", "--exclude-resource-type", "unit_test", "--quiet", *selection, recording=recording)
    if ran.code:
        why = (_failures(ran.results) or CLOCK.sub("", ran.printed)).strip()
        raise known_error(settings.warehouse_path, why) or BuildFailed(
            f"dbt build failed. {why[-LONGEST_TEXT:]}\nIts log: {dbt.log_path}"
        )
    if changed is not None:
        _note_build(settings)
    return _summary(ran.results)


def _note_build(settings: StravaSettings) -> None:
    """Note what a partial build saw: `record_build` only notes builds of all models."""
    with open_warehouse(settings.warehouse_path) as connection:
        rows = _rows_of_staging(connection)
        seen = ", ".join(f"{column} = {rows[table]}" for table, column in COUNTED.items())
        connection.execute(
            f"update staging.dbt_builds set built_at = ?, {seen}", [datetime.now(UTC).replace(tzinfo=None)]
        )


def _failures(results: Sequence[Result]) -> str:
    return "\n".join(
        f"{result['unique_id']}: {result['message']}" for result in results if result["status"] in ("error", "fail")
    )


def _summary(results: Sequence[Result]) -> str:
    kinds = Counter(result["unique_id"].split(".")[0] for result in results)
    warned = [result["unique_id"].split(".")[2] for result in results if result["status"] == "warn"]
    return f"{kinds['model']} models built, {kinds['test']} tests passed" + (
        f", {len(warned)} of them with a warning: {', '.join(warned)}" if warned else ""
    )
