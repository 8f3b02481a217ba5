"""Publishing: a read-only copy of the warehouse, replaced in one step, so that dashboards never meet the lock.

A reader of the old copy is not disturbed: that copy stays until its last reader closes it.
"""

from datetime import datetime
from pathlib import Path
from shutil import copyfileobj

import duckdb

from pipelines.ground.durable import real, storage_error, written_whole
from pipelines.ground.errors import BadSetting
from pipelines.ground.written_places import Places
from pipelines.warehouse.athlete_settings import versions_of_settings
from pipelines.warehouse.database import DATASET, open_warehouse

MODE = 0o444
MAGIC_AT = 8
MAGIC = b"DUCK"
# two of these are equal if a reader of the two files sees the same
Shown = tuple[datetime, dict[tuple[str, int], str]]


def publish(warehouse: Path, copy: Path, places: Places) -> bool:
    """Bring `copy` up to date with the last build of `warehouse` and the settings; returns whether it was behind.

    It is noted in `places`, which identifies a copy that cannot be opened.

    Raises:
        BadSetting: something else is in its place, which stays unchanged.
        WarehouseBusy: another process has the DuckDB file open.
        StorageFailed: the copy could not be written; it is unchanged.
    """
    published = _shown_by(real(copy), is_known=real(copy) in places.paths("copy"))
    # closing any handle of a file releases this process's locks on it: this one is closed after DuckDB's
    with warehouse.open("rb") as source, open_warehouse(warehouse) as connection:
        built = _shown(connection)
        if built is None:
            return False
        if built == published:
            places.note("copy", copy)
            return False
        # the log has to be empty: only the file is copied
        connection.execute("checkpoint")
        with places.noting("copy", copy), written_whole(copy, MODE) as file:
            copyfileobj(source, file, 1 << 20)
    return True


def _shown_by(copy: Path, is_known: bool) -> Shown | None:
    """What the copy shows; None if there is none, or it is unreadable.

    Raises:
        BadSetting: there is something that we may not replace.
        StorageFailed: it cannot be read.
    """
    try:
        with copy.open("rb") as file:
            head = file.read(MAGIC_AT + len(MAGIC))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(copy, error) from error
    if not head:
        return None
    foreign = BadSetting(
        f"{copy} is not a copy of this warehouse: move it away, or name another file in STRAVA_PUBLISH."
    )
    if head[MAGIC_AT:] != MAGIC:
        raise foreign
    try:
        with duckdb.connect(str(copy), read_only=True) as connection:
            if not _is_empty(connection) and not (_is_ours(connection) and (is_known or _is_read_only(copy))):
                raise foreign
            return _shown(connection)
    except duckdb.Error:
        # damaged, or opened by a program that may write it nevertheless
        if is_known:
            return None
        raise foreign from None


def _is_ours(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the opened file is a warehouse that this program built, or a copy of one."""
    query = "select 1 from duckdb_tables() where schema_name = ? and table_name = 'dbt_builds'"
    return connection.execute(query, [DATASET]).fetchone() is not None


def _is_empty(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the opened file is empty."""
    query = "select 1 from duckdb_tables() where not internal union all select 1 from duckdb_views() where not internal"
    return connection.execute(query).fetchone() is None


def _is_read_only(path: Path) -> bool:
    """Whether the file may not be written, like a copy: one that may be written is somebody's warehouse."""
    return not path.stat().st_mode & 0o222


def _shown(connection: duckdb.DuckDBPyConnection) -> Shown | None:
    """When the opened warehouse was last built as a whole, and the settings that its views read; None if never."""
    try:
        row = connection.execute(f"select built_at from {DATASET}.dbt_builds").fetchone()
    except duckdb.CatalogException:
        return None
    try:
        settings = versions_of_settings(connection)
    except (duckdb.CatalogException, duckdb.BinderException):
        # an older version staged it
        settings = {}
    return (row[0], settings) if row else None
