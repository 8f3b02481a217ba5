"""The DuckDB file: opened within limits, with a clear word on who holds it."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pipelines.durable import real, storage_error
from pipelines.errors import StorageFailed, StravaStatsError, WarehouseBusy

HEADERS_BYTES = 3 * 4096
# what the file is called once it is open for writing, whatever its name: no schema of ours is called so
CATALOG = "warehouse"
# the schema of what is loaded
DATASET = "staging"
# 100,000 activities pass through here within 250 MB
LIMITS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "memory_limit": "128MB",
    "preserve_insertion_order": False,
}
# of DuckDB's 122,880 rows a group, payloads weigh 200 MB, held in memory until the group is full
ROWS_PER_GROUP = 2048


@contextmanager
def open_warehouse(path: Path, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the DuckDB file at `path`, which is made when it is not there.

    Raises:
        WarehouseBusy: another process holds it; the text names that process.
        StorageFailed: it cannot be opened or written, or is a link that leads nowhere.
    """
    # what a link leads to: DuckDB has the log of what it connects to there, of what it attaches beside the link
    path = real(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not read_only and _is_half_made(path):
            _begin_anew(path)
        connection = duckdb.connect(str(path), read_only, LIMITS) if read_only else _attached(path)
    except OSError as error:
        raise storage_error(path, error) from error
    except duckdb.Error as error:
        raise warehouse_error(path, str(error)) from error
    with connection:
        yield connection


def _attached(path: Path) -> duckdb.DuckDBPyConnection:
    """A connection whose database is the file at `path`; only ATTACH takes a size of row groups."""
    # without a name of its own, what does not go into memory would go to wherever the command was called
    connection = duckdb.connect(":memory:", config=LIMITS | {"temp_directory": f"{path}.tmp"})
    try:
        connection.execute(f"attach {quoted(path)} as {CATALOG} (row_group_size {ROWS_PER_GROUP})")
    except duckdb.Error:
        connection.close()
        raise
    connection.execute(f"use {CATALOG}")
    # compressed text is a quarter smaller and takes twice as long to write
    connection.execute("set disabled_compression_methods = 'fsst,dict_fsst,dictionary'")
    return connection


def quoted(path: Path) -> str:
    """`path` as SQL text, for statements that take no parameters."""
    return "'" + str(path).replace("'", "''") + "'"


def _is_half_made(path: Path) -> bool:
    """Whether a killed run left the file before DuckDB had written its three header blocks: nothing was in it yet."""
    if not path.is_file() or path.stat().st_size > HEADERS_BYTES:
        return False
    held = path.read_bytes()
    return not held.strip(b"\0") or (held[8:12] == b"DUCK" and len(held) < HEADERS_BYTES)


def _begin_anew(path: Path) -> None:
    """Put an empty warehouse, of the same mode, in the place of what is at `path`: a link to it never leads nowhere."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    beside.unlink(missing_ok=True)
    _attached(beside).close()
    beside.chmod(path.stat().st_mode & 0o777)
    beside.replace(path)


def warehouse_error(path: Path, told: str) -> StravaStatsError:
    """What DuckDB said of the file at `path` when it could not open it, as a typed error."""
    if "Could not set lock on file" in told:
        holder = re.search(r"held in (\S+) \(PID (\d+)\)", told)
        who = f"by {holder[1]} (process {holder[2]})" if holder else "by another program"
        return WarehouseBusy(
            f"The warehouse {path} is held open {who}. What was fetched has landed in bronze; close that program and "
            "run again."
        )
    if "read-only" in told.lower():
        return storage_error(path, OSError(errno.EACCES, told))
    return refused_write(path, told) or StorageFailed(
        f"The warehouse {path} cannot be opened: {told.splitlines()[0]} Everything in it can be rebuilt: move the file "
        "away and run again."
    )


def refused_write(path: Path, told: str) -> StorageFailed | None:
    """The typed error for what the operating system refused, if `told`, a text of DuckDB's, tells of such a thing."""
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EACCES, errno.EROFS):
        if os.strerror(number) in told:
            return storage_error(path, OSError(number, os.strerror(number)))
    return None


def holds_table(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether staging has `table`: a warehouse of an older version, or one half made, may lack it."""
    rows = connection.execute(
        "select 1 from duckdb_tables() where database_name = current_database() and schema_name = ? and table_name = ?",
        [DATASET, table],
    )
    return rows.fetchone() is not None
