"""DuckDB, as this project opens it: paths letter by letter, memory by the widest rows, errors of our own types."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from pipelines.ground.durable import storage_error
from pipelines.ground.errors import StorageFailed, StravaError, WarehouseBusy

Config = dict[str, str | bool | int | float | list[str]]
# enough for 100,000 activities of two kilobytes: with more, DuckDB only keeps more of what it has read
LEASH_MB = 128
# of DuckDB's 122,880 rows a group, payloads weigh 200 MB, kept in memory until the group is full; it never takes fewer
ROWS_PER_GROUP = 2048
# what sorts or hashes rows holds a group several times
GROUPS_AT_A_TIME = 4
# the next steps where all else fails: of the warehouse, which is a cache, and of the shards, which are the truth
MOVE_AWAY = "Everything in it can be rebuilt: move the file away and run again."
LEAVE_ALONE = "Nothing was changed: run again, and please report it where it happens again."
OUT_OF_MEMORY = "Out of Memory Error"
WILDCARDS = re.compile(r"[*?\[]")


def memory_mb(bytes_per_row: int, bytes_in_all: int, least_mb: int = LEASH_MB) -> int:
    """The memory that DuckDB is given for rows of that width, of which there are so many bytes in all."""
    return max(least_mb, GROUPS_AT_A_TIME * min(bytes_per_row * ROWS_PER_GROUP, bytes_in_all) // 2**20)


def limit_memory(connection: duckdb.DuckDBPyConnection, limit_mb: int | None) -> None:
    """Give `connection` so much memory, at most (and for None) what DuckDB takes by itself: 80 % of the machine's."""
    connection.execute("reset memory_limit")
    most = connection.execute("select parse_formatted_bytes(current_setting('memory_limit'))").fetchone()
    if limit_mb is not None and most is not None and limit_mb * 10**6 < most[0]:
        connection.execute(f"set memory_limit = '{limit_mb}MB'")


def read_parquet(parameter: str) -> str:
    """SQL that reads the files that `parameter` lists, each as `literal`, with no columns but their own."""
    # a folder called id=5 would otherwise put 5 into the column id
    return f"read_parquet({parameter}, hive_partitioning = false)"


def literal(path: Path) -> str:
    """`path` as `read_parquet` takes it for this one file, whatever letters it has: each is a pattern to DuckDB."""
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
        return _rows_of(sql, parameters, f"{LEASH_MB}MB")
    except duckdb.OutOfMemoryException:
        # half a gigabyte of details in one shard: then memory is what it takes
        return _rows_of(sql, parameters, None)


def _rows_of(sql: str, parameters: dict[str, Any], memory: str | None) -> list[Any]:
    # nothing of it goes to disk, where a kill would leave it, in whatever folder the command was called
    config: Config = {"threads": 2, "temp_directory": ""}
    with duckdb.connect(":memory:", config=config | ({"memory_limit": memory} if memory else {})) as connection:
        return connection.execute(sql, parameters).fetchall()


@contextmanager
def typed_errors(path: Path, advice: str) -> Iterator[None]:
    """What DuckDB says of the file or folder at `path` becomes an error of ours, also where memory runs out.

    `advice` is the next step where the error is none of those that have one.

    Raises:
        WarehouseBusy: another process holds it; the text names that process.
        StorageFailed: all else.
    """
    try:
        yield
    except (duckdb.Error, MemoryError) as error:
        raise engine_error(path, error, advice) from error


def engine_error(path: Path, error: BaseException, advice: str) -> StravaError:
    """What DuckDB or Arrow could not do with the file or folder at `path`, as a typed error; `advice` as above."""
    text = str(error)
    if isinstance(error, MemoryError):
        text = f"{OUT_OF_MEMORY}: {text}"
    first_line = (text.splitlines() or [type(error).__name__])[0].rstrip(".")
    return known_error(path, text) or StorageFailed(f"{path} cannot be used: {first_line}. {advice}")


def known_error(path: Path, text: str) -> StravaError | None:
    """The typed error if `text` is about who holds the file at `path`, memory, or the system."""
    if "Could not set lock on file" in text:
        holder = re.search(r"held in (\S+) \(PID (\d+)\)", text)
        who = f"by {holder[1]} (process {holder[2]})" if holder else "by another program"
        return WarehouseBusy(f"The warehouse {path} is held open {who}: close that program and run again.")
    if OUT_OF_MEMORY in text:
        return StorageFailed(
            f"Memory ran out over {path}, and nothing is lost: close other programs, or give the machine or container "
            "more memory, and run again."
        )
    if "read-only" in text.lower():
        return storage_error(path, OSError(errno.EACCES, text))
    return refused_write(path, text)


def refused_write(path: Path, text: str) -> StorageFailed | None:
    """The typed error for what the operating system refused, if `text`, which a program printed, speaks of that."""
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EACCES, errno.EROFS):
        if os.strerror(number) in text:
            return storage_error(path, OSError(number, os.strerror(number)))
    return None
