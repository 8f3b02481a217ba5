"""DuckDB as this project opens it: literal paths, memory for the widest rows, errors of our own types."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from pipelines.ground.durable import storage_error
from pipelines.ground.errors import StorageFailed, StravaError, WarehouseBusy

Config = dict[str, str | bool | int | float | list[str]]
# enough for 100,000 activities of two kilobytes: with more, DuckDB only keeps more of what it has read
LEASH_MB = 128
# 122,880 payloads, DuckDB's own row group, take 200 MB, which stay in memory until the group is full
ROWS_PER_GROUP = 2048
# what sorts or hashes rows holds a group several times
GROUPS_AT_A_TIME = 4
# the next step if nothing else helps: for the warehouse, which is a cache, and for the shards, which are the truth
MOVE_AWAY = "Everything in it can be rebuilt: move the file away and run again."
LEAVE_ALONE = "Nothing was changed: run again, and please report it if it happens again."
OUT_OF_MEMORY = "Out of Memory Error"
# nothing goes to disk: a kill would leave it in the folder in which the command was called; no file stays in memory
_FILES_ALONE: Config = {"threads": 2, "temp_directory": "", "enable_external_file_cache": False}
WILDCARDS = re.compile(r"[*?\[]")


def memory_mb(bytes_per_row: int, bytes_in_all: int, least_mb: int = LEASH_MB) -> int:
    """The memory that DuckDB gets for rows of that width with so many bytes in total."""
    return max(least_mb, GROUPS_AT_A_TIME * min(bytes_per_row * ROWS_PER_GROUP, bytes_in_all) // 2**20)


def limit_memory(connection: duckdb.DuckDBPyConnection, limit_mb: int | None) -> None:
    """Limit the memory of `connection`, at most (and for None) to DuckDB's default: 80 % of the machine's."""
    connection.execute("reset memory_limit")
    most = connection.execute("select parse_formatted_bytes(current_setting('memory_limit'))").fetchone()
    if limit_mb is not None and most is not None and limit_mb * 10**6 < most[0]:
        connection.execute(f"set memory_limit = '{limit_mb}MB'")


def read_parquet(parameter: str) -> str:
    """SQL that reads the files that `parameter` lists, each as `literal`, with no columns but their own."""
    # a folder called id=5 would otherwise put 5 into the column id
    return f"read_parquet({parameter}, hive_partitioning = false)"


def literal(path: Path) -> str:
    """`path` escaped so that `read_parquet`, to which every path is a pattern, takes it literally."""
    return WILDCARDS.sub(r"[\g<0>]", str(path))


def quoted(text: object) -> str:
    """`text` as a string of SQL, for statements that take no parameters."""
    return "'" + str(text).replace("'", "''") + "'"


def rows_of(sql: str, parameters: dict[str, Any]) -> list[Any]:
    """Rows of `sql`, which reads files alone.

    Raises:
        duckdb.OutOfMemoryException: it takes more memory than this machine has.
        duckdb.Error: a file cannot be read, or is damaged.
    """
    try:
        with interruptible(), _engine(os.getpid()).cursor() as connection:
            return connection.execute(sql, parameters).fetchall()
    except duckdb.OutOfMemoryException:
        # it would release no memory
        _engine(os.getpid()).close()
        _engine.cache_clear()
        # half a gigabyte of details in one shard: then as much memory as needed
        with interruptible(), duckdb.connect(":memory:", config=_FILES_ALONE) as connection:
            return connection.execute(sql, parameters).fetchall()


@cache
def _engine(_process_id: int) -> duckdb.DuckDBPyConnection:
    """One for all queries of a process, because opening DuckDB takes longer than most of them; a fork opens its own."""
    return duckdb.connect(":memory:", config=_FILES_ALONE | {"memory_limit": f"{LEASH_MB}MB"})


@contextmanager
def typed_errors(path: Path, advice: str) -> Iterator[None]:
    """Turn DuckDB's errors about the file or folder at `path` into ours, also if memory runs out.

    `advice` is the next step for errors that have none of their own.

    Raises:
        WarehouseBusy: another process has it open; the text names that process.
        StorageFailed: all else.
    """
    try:
        with interruptible():
            yield
    except (duckdb.Error, MemoryError) as error:
        raise engine_error(path, error, advice) from error


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt if a signal handler did in the middle of a query: DuckDB makes a RuntimeError of it."""
    try:
        yield
    except RuntimeError as error:
        if "Query interrupted" not in str(error):
            raise
        raise KeyboardInterrupt from error


def engine_error(path: Path, error: BaseException, advice: str) -> StravaError:
    """The typed error for what DuckDB or Arrow could not do with the file or folder at `path`; `advice` as above."""
    text = str(error)
    if isinstance(error, MemoryError):
        text = f"{OUT_OF_MEMORY}: {text}"
    first_line = (text.splitlines() or [type(error).__name__])[0].rstrip(".")
    return known_error(path, text) or StorageFailed(f"{path} cannot be used: {first_line}. {advice}")


def known_error(path: Path, text: str) -> StravaError | None:
    """The typed error if `text` is about another process at the file at `path`, about memory, or about the system."""
    if "Could not set lock on file" in text:
        holder = re.search(r"held in (\S+) \(PID (\d+)\)", text)
        who = f"in {holder[1]} (process {holder[2]})" if holder else "in another program"
        return WarehouseBusy(f"The warehouse {path} is open {who}: close that program and run again.")
    if OUT_OF_MEMORY in text:
        return StorageFailed(
            f"Memory ran out at {path}, and nothing is lost: close other programs, or give the machine or container "
            "more memory, and run again."
        )
    if "read-only" in text.lower():
        return storage_error(path, OSError(errno.EACCES, text))
    return refused_write(path, text)


def refused_write(path: Path, text: str) -> StorageFailed | None:
    """The typed error for what the operating system refused, if `text`, which a program printed, says so."""
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EACCES, errno.EROFS):
        if os.strerror(number) in text:
            return storage_error(path, OSError(number, os.strerror(number)))
    return None
