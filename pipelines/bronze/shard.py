"""One shard: its columns, how its file is written, read and rewritten, and whether it is damaged.

Only bytes that were read can be damaged: the file is first read completely, then parsed in memory.
What the system cannot read (a failing disk, too many open files, no permission) is an error, and moves nothing.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from dlt.extract.items import DataItemWithMeta
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from pipelines.bronze.tables import SCHEMA, TABLES, Table
from pipelines.ground.durable import entries, read_error, read_whole, remove, written_whole
from pipelines.ground.engine import Config
from pipelines.ground.errors import StorageFailed

SUFFIX = ".parquet"
# the suffix of a damaged shard that is set aside; a second one of the same name gets a number
SET_ASIDE = re.compile(r"(.+\.parquet)(\.\d+)?\.torn")
# how the columns of a shard are written
PARQUET: dict[str, Any] = {"compression": "zstd", "use_dictionary": ["shard"]}
LONGEST_REASON = 200
# a limit, not what is used: too little memory must never look like damage
# as much memory as the widest row needs and the machine has; nothing goes to disk
_TO_ITS_END: Config = {"threads": 1, "temp_directory": ""}

# whether a row (its id, when it was fetched) was erased for good
IsPurged = Callable[[int | None, datetime], bool]
# which rows of a shard, given with all their columns, are to be erased
Erases = Callable[[pa.Table], list[bool]]


class ShardDamaged(StorageFailed):
    """A file among the shards that was read completely and is not a whole shard; `reason` says what is wrong."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"The shard {path} is damaged ({reason}).")
        self.path = path
        self.reason = reason


def shard_files(folder: Path, is_one: Callable[[str], bool] = lambda name: name.endswith(SUFFIX)) -> list[Path]:
    """The shard files in `folder`, by name, or the files for whose names `is_one` is true.

    Raises:
        StorageFailed: the folder cannot be listed, or one of them is not a file.
    """
    found = []
    for entry in entries(folder):
        if not is_one(entry.name):
            continue
        path = folder / entry.name
        try:
            is_file = entry.is_file()
        except OSError as error:
            raise read_error(path, error) from error
        if not is_file:
            raise StorageFailed(
                f"{path} could not be read: it is a folder, a device or a link to nothing. Nothing was changed; move "
                f"it out of {folder} and run again."
            )
        found.append(path)
    return found


def files_set_aside(folder: Path) -> list[tuple[Path, Path]]:
    """The shards of `folder` that are set aside, each with its path as a shard.

    Raises:
        StorageFailed: as `shard_files`.
    """
    files = shard_files(folder, lambda name: SET_ASIDE.fullmatch(name) is not None)
    return [(path, path.with_name(SET_ASIDE.sub(r"\1", path.name))) for path in files]


def write_new_shard(groups: Iterable[pa.Table], pull: str, folder: Path) -> tuple[Path, int]:
    """Write `groups`, which have no `shard` yet, to a file in `folder` named after `pull`; returns it and its rows.

    groups: at least one; each becomes a row group, and only one is in memory at a time. Only dlt's load job makes the
    file a shard. dlt's own writer would resolve its configuration for each file and build a dictionary of payloads.
    """
    # unique within a second and a pull: two files with one name would be one file
    name = f"{pull}_{secrets.token_hex(4)}"
    path = folder / f"{name}.parquet"
    count = 0
    with ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        for rows in groups:
            named = rows.append_column("shard", pa.repeat(pa.scalar(name), len(rows)))
            # in the order of SCHEMA
            named = named.select(SCHEMA.names)
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(path, named.schema, **PARQUET))
            writer.write_table(named)
            count += len(rows)
    return path, count


def taken_by_dlt(path: Path, rows: int) -> Iterator[DataItemWithMeta]:
    """The file at `path`, with so many rows, as an item for dlt; removed once dlt has linked it into its package."""
    # with an empty list of rows: dlt's incremental drops an item that is None
    yield dlt.mark.with_file_import(str(path), "parquet", rows, hints=[])
    path.unlink()


def write_shard_anew(rows: pa.Table, path: Path) -> None:
    """Write the missing shard at `path` again from `rows` (its table's schema, maybe more), in one step.

    Raises:
        StorageFailed: it could not be written.
    """
    with written_whole(path) as file:
        pq.write_table(rows.select(SCHEMA.names).cast(_table_of(path).schema), file, **PARQUET)


def rewrite_shard(path: Path, erases: Erases) -> int:
    """Erase the rows of the shard at `path` for which `erases` is true; returns how many.

    What is left keeps its order, its bytes and columns of later versions; a shard without rows is removed.

    Raises:
        ShardDamaged: it is not a whole shard.
        StorageFailed: it could not be read or written; the shard is unchanged.
    """
    with opened(path) as file:
        rows = file.read()
        kept = without_erased(rows, erases)
    if len(kept) == len(rows):
        return 0
    if len(kept):
        with written_whole(path) as beside:
            pq.write_table(kept, beside, **PARQUET)
    else:
        remove(path)
    return len(rows) - len(kept)


def without_erased(rows: pa.Table, erases: Erases) -> pa.Table:
    """`rows` without those for which `erases` is true."""
    return rows.filter(pa.array([not erased for erased in erases(rows)], pa.bool_()))


def erases_purged(is_purged: IsPurged) -> Erases:
    """A function for the rows for which `is_purged` is true, by their id and instant."""

    def erases(rows: pa.Table) -> list[bool]:
        keys = zip(rows["id"].to_pylist(), rows["fetched_at"].to_pylist(), strict=True)
        return [is_purged(id_, fetched_at) for id_, fetched_at in keys]

    return erases


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """The shard at `path`, read completely, to be parsed in this block.

    Raises:
        FileNotFoundError: there is none.
        ShardDamaged: what was read cannot be parsed.
        StorageFailed: the system could not read it.
    """
    content = read_whole(path)
    with _parsing(path), pq.ParquetFile(pa.BufferReader(content)) as file:
        yield file


@contextmanager
def _parsing(path: Path) -> Iterator[None]:
    """Errors in this block are about bytes in memory, so that no error of the system can look like damage."""
    try:
        yield
    except (MemoryError, duckdb.OutOfMemoryException) as error:
        raise StorageFailed(
            f"{path} could not be read: memory does not suffice. Nothing was changed; free some and run again."
        ) from error
    except (OSError, ValueError, LookupError, pa.ArrowException, duckdb.Error) as error:
        raise ShardDamaged(path, _reason(error)) from error


def _reason(error: BaseException) -> str:
    """What is wrong, in one line; DuckDB quotes the value that it cannot read, which may be a whole activity."""
    return (str(error).splitlines() or ["no reason given"])[0].partition(' value "')[0][:LONGEST_REASON]


def are_as_they_came(rows: pa.Table) -> bool:
    """Whether the payloads of `rows` match their hashes."""
    payloads = rows["payload"].cast(pa.binary()).to_pylist()
    hashes = [None if payload is None else hashlib.sha256(payload).hexdigest() for payload in payloads]
    return bool(hashes == rows["payload_hash"].to_pylist())


def names_in(path: Path) -> frozenset[str]:
    """The names of the shards in the file at `path`: several, if it is a compacted one.

    Raises:
        FileNotFoundError, ShardDamaged, StorageFailed: as `opened`.
    """
    with opened(path) as file:
        return frozenset(file.read(columns=["shard"])["shard"].unique().to_pylist())


def by_shard(rows: pa.Table) -> dict[str, pa.Table]:
    """The rows of each shard in `rows`, by its name, in their order."""
    return {name: rows.filter(pc.equal(rows["shard"], name)) for name in rows["shard"].unique().to_pylist()}


def shard_name(path: Path) -> str:
    """The name inside the shard at `path`, whatever the file is called.

    Raises:
        FileNotFoundError, ShardDamaged, StorageFailed: as `opened`.
    """
    with opened(path) as file:
        return _name(file)


def name_in_new_file(path: Path) -> str:
    """Like `shard_name`, of a file that was written in this run: only the name is read, not the whole file.

    Raises:
        OSError, ArrowException: it cannot be read.
    """
    with pq.ParquetFile(path) as file:
        return _name(file)


def bytes_and_rows(path: Path) -> tuple[int, int]:
    """The bytes that the rows of the shard at `path` take in memory, and their number.

    Raises:
        FileNotFoundError, ShardDamaged, StorageFailed: as `opened`.
    """
    with opened(path) as file:
        metadata = file.metadata
    return sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)), metadata.num_rows


def look_through(path: Path) -> str:
    """Read and parse every value of the shard at `path` as its type; returns the name inside.

    The name of a shard can be read even if it is damaged elsewhere. This takes as long as loading the shard.

    Raises:
        FileNotFoundError: there is none.
        ShardDamaged: there is damage, or a column is missing or of another type.
        StorageFailed: the system could not read it.
    """
    content = read_whole(path)
    with _parsing(path):
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            name = _name(file)
        # by the engine that queries the rows, from what was read: it opens no file
        memory = MemoryFileSystem()
        place = f"/{id(content)}.parquet"
        memory.pipe_file(place, content)
        try:
            with duckdb.connect(":memory:", config=_TO_ITS_END) as connection:
                connection.register_filesystem(memory)
                query = (
                    f"select max(hash({', '.join(SCHEMA.names)})), count_if(sha256(payload) != payload_hash) "
                    f"from (select {_table_of(path).typed} from read_parquet($path))"
                )
                row = connection.execute(query, {"path": f"memory:/{place}"}).fetchone()
        finally:
            memory.rm_file(place)
    if row is not None and row[1]:
        raise ShardDamaged(path, f"{row[1]:,} of its payloads are not what their hashes say")
    return name


def _table_of(path: Path) -> Table:
    """The table whose folder the file at `path` is in."""
    return TABLES[path.parent.name]


def _name(file: pq.ParquetFile) -> str:
    return str(file.read_row_group(0, columns=["shard"]).column(0)[0])
