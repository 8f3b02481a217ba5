"""Publishing: a read-only copy of the warehouse, replaced at once, so that dashboards never meet the lock.

Who reads the copy of before goes on undisturbed: it stays until its last reader closes it.
"""

from datetime import datetime
from pathlib import Path
from shutil import copyfileobj
from typing import Any

import duckdb

from pipelines.athlete_settings import read_athlete_settings
from pipelines.durable import written_whole
from pipelines.errors import StorageFailed
from pipelines.warehouse import DATASET, open_warehouse

MODE = 0o444
MAGIC_AT = 8
MAGIC = b"DUCK"
# two of them are equal when a reader of the two files sees the same
Shown = tuple[datetime, dict[str, list[tuple[Any, ...]] | None]]


def publish(warehouse: Path, copy: Path) -> bool:
    """Bring `copy` up to the last whole build of `warehouse` and the athlete's settings; whether it was behind.

    Raises:
        WarehouseBusy: another process holds the DuckDB file.
        StorageFailed: the copy could not be written, or something else is in its place; it is as it was.
    """
    published = _shown_by(copy) if _is_copy(copy) else None
    # closing any handle of a file gives up this process's locks on it: this one is closed after DuckDB's
    with warehouse.open("rb") as source, open_warehouse(warehouse) as connection:
        built = _shown(connection)
        if built is None or built == published:
            return False
        # nothing may be left in the log: the copy is the file alone
        connection.execute("checkpoint")
        with written_whole(copy, MODE) as file:
            copyfileobj(source, file, 1 << 20)
    return True


def _is_copy(path: Path) -> bool:
    """Whether there is a copy at `path`.

    Raises:
        StorageFailed: what is there is no DuckDB file, so it is not ours to replace.
    """
    try:
        with path.open("rb") as file:
            head = file.read(MAGIC_AT + len(MAGIC))
    except FileNotFoundError:
        return False
    if head[MAGIC_AT:] != MAGIC:
        raise StorageFailed(f"{path} is no copy of a warehouse: move it away, or name another file in STRAVA_PUBLISH.")
    return True


def _shown_by(path: Path) -> Shown | None:
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            return _shown(connection)
    except duckdb.Error:
        # damaged, or held by somebody who may write all the same: replaced
        return None


def _shown(connection: duckdb.DuckDBPyConnection) -> Shown | None:
    """When the last whole build of the opened warehouse was, and the settings that its views read; None without one."""
    try:
        row = connection.execute(f"select built_at from {DATASET}.dbt_builds").fetchone()
    except duckdb.CatalogException:
        return None
    return (row[0], read_athlete_settings(connection)) if row else None
