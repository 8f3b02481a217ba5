"""The DuckDB file: opened within limits, with a clear error if another process has it open."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pipelines.ground.durable import is_there, real, storage_error
from pipelines.ground.engine import (
    LEASH_MB,
    MOVE_AWAY,
    ROWS_PER_GROUP,
    Config,
    limit_memory,
    memory_mb,
    quoted,
    typed_errors,
)
from pipelines.ground.errors import BadSetting
from pipelines.ground.settings import StravaSettings

HEADERS_BYTES = 3 * 4096
# the name of the catalog when the file is open for writing, whatever the file's name: no schema of ours has it
CATALOG = "warehouse"
# the schema of what is loaded
DATASET = "staging"
# dbt's record of its builds there, see the macro `record_build`
BUILDS = "dbt_builds"
# with this, 100,000 activities take less than 250 MB
LIMITS: Config = {"threads": 1, "memory_limit": f"{LEASH_MB}MB", "preserve_insertion_order": False}


def require_warehouse(settings: StravaSettings) -> None:
    """Check that there is a warehouse at all.

    Raises:
        BadSetting: there is none yet.
        StorageFailed: the system gives no answer, or it is a link that leads nowhere.
    """
    if is_there(real(settings.warehouse_path)):
        return
    demo = "for the demo's, set STRAVA_HOME=demo"
    if not is_there(settings.home_path / "demo" / "warehouse"):
        demo = "`make demo` to try without an account"
    raise BadSetting(f"There is no warehouse at {settings.warehouse_path} yet. Run `make flow`, or {demo}.")


@contextmanager
def open_warehouse(
    path: Path, read_only: bool = False, rows_per_group: int = ROWS_PER_GROUP
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the DuckDB file at `path`, which is created if it is missing.

    rows_per_group: the size of row groups to write; small for payloads.

    Raises:
        WarehouseBusy: another process has it open; the text names that process.
        StorageFailed: it cannot be opened, read or written, memory runs out, or it is a link that leads nowhere.
    """
    # the target of a link: DuckDB puts the log beside the target if it connects, beside the link if it attaches
    path = real(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not read_only and _is_half_made(path):
            with typed_errors(path, MOVE_AWAY):
                _begin_anew(path)
    except OSError as error:
        raise storage_error(path, error) from error
    with typed_errors(path, MOVE_AWAY):
        connection = duckdb.connect(str(path), read_only, LIMITS) if read_only else _attached(path, rows_per_group)
        with connection:
            limit_memory(connection, memory_to_read_mb(connection, path))
            yield connection


def _attached(path: Path, rows_per_group: int = ROWS_PER_GROUP) -> duckdb.DuckDBPyConnection:
    """A connection whose database is the file at `path`; only ATTACH accepts a size of row groups."""
    # where DuckDB continues when memory runs out; with a connected file it would choose this by itself
    connection = duckdb.connect(":memory:", config=LIMITS | {"temp_directory": f"{path}.tmp"})
    try:
        connection.execute(f"attach {quoted(path)} as {CATALOG} (row_group_size {rows_per_group})")
    except duckdb.Error:
        connection.close()
        raise
    connection.execute(f"use {CATALOG}")
    # compressed text is a quarter smaller and takes twice as long to write
    connection.execute("set disabled_compression_methods = 'fsst,dict_fsst,dictionary'")
    return connection


def memory_to_read_mb(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """The memory to read the widest rows of the opened file at `path`."""
    size = sum(each.stat().st_size for each in (path, path.with_name(f"{path.name}.wal")) if each.exists())
    # checking 100,000 rows takes 50 ms, and a small file needs little memory whatever its rows
    return memory_mb(size if memory_mb(size, size) == LEASH_MB else _widest_row(connection), size)


def _widest_row(connection: duckdb.DuckDBPyConnection) -> int:
    """Bytes of the longest payload in staging, from DuckDB's statistics; 0 without any."""
    tables = connection.execute(
        "select table_name from duckdb_columns() where database_name = current_database() and column_name = 'payload' "
        "and schema_name = ? and table_name in (select table_name from duckdb_tables() where not internal)",
        [DATASET],
    ).fetchall()
    longest = "max(try_cast(regexp_extract(stats, 'Max String Length: (\\d+)', 1) as bigint))"
    queries = [f"select {longest} from pragma_storage_info('{DATASET}.{table}')" for (table,) in tables]
    return max((connection.execute(query).fetchall()[0][0] or 0 for query in queries), default=0)


def _is_half_made(path: Path) -> bool:
    """Whether a killed run left the file empty, before DuckDB had written its three header blocks."""
    if not path.is_file() or path.stat().st_size > HEADERS_BYTES:
        return False
    content = path.read_bytes()
    return not content.strip(b"\0") or (content[8:12] == b"DUCK" and len(content) < HEADERS_BYTES)


def _begin_anew(path: Path) -> None:
    """Replace the file at `path` by an empty warehouse of the same mode, so that a link to it never leads nowhere."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    beside.unlink(missing_ok=True)
    _attached(beside).close()
    beside.chmod(path.stat().st_mode & 0o777)
    beside.replace(path)


def not_built(path: Path) -> BadSetting:
    """The error for a warehouse at `path` that has no marts yet."""
    return BadSetting(f"The warehouse {path} is not built yet. Run `make compact`.")


def staged_tables(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The tables that staging has: an older or half-made warehouse lacks some."""
    rows = connection.execute(
        "select table_name from duckdb_tables() where database_name = current_database() and schema_name = ?", [DATASET]
    )
    return frozenset(name for (name,) in rows.fetchall())


def tables_of_shards(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The tables of staging with rows of shards; in an older version some tables of these names had others."""
    rows = connection.execute(
        "select table_name from duckdb_columns() where database_name = current_database() and schema_name = ? "
        "and column_name = 'shard'",
        [DATASET],
    )
    return frozenset(name for (name,) in rows.fetchall())
