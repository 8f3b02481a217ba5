"""Compaction: many small shard files become one, so that reading an old home costs what reading a young one does.

A shard is what landed together, and each of its rows bears its name. Its file may be shared: a compacted file has the
rows of several shards, as they came, and is called after the first and the last of them. It appears whole; then the
files that it covers are removed, and until then readers leave those out.
"""

import hashlib
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.bronze.shard import PARQUET, ShardDamaged, are_as_they_came, opened
from pipelines.bronze.tables import SCHEMA, TABLES
from pipelines.ground.durable import size_of

# more files than this of one tier are compacted
MOST_FILES = 16
# a file below the first size is small, a compacted one below the second is middling: those of a tier are compacted
SMALL_BYTES, MIDDLING_BYTES = 2**18, 2**22
# of files that go into one, and of rows in memory that go into one row group
FILE_BYTES, ROW_GROUP_BYTES = 2**23, 2**23
_COMPACTED = re.compile(r"(.+)--(.+)\.[0-9a-f]{8}")


@dataclass(frozen=True)
class Span:
    """The names that a file may have rows of: from `first` to `last`, in the order of text."""

    first: str
    last: str

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.first <= name <= self.last


def is_compacted(path: Path) -> bool:
    """Whether the shard file at `path` is called like a compacted one."""
    return _COMPACTED.fullmatch(path.stem) is not None


def span(path: Path) -> Span:
    """Which names the shard file at `path` may have rows of, by what it is called."""
    found = _COMPACTED.fullmatch(path.stem)
    return Span(found[1], found[2]) if found else Span(path.stem, path.stem)


def covered(paths: Iterable[Path], names_in: Callable[[Path], frozenset[str]]) -> set[Path]:
    """Those of `paths`, all of one table, of which another one, a compacted file, has all shards."""
    spans = {path: span(path) for path in paths}
    found: set[Path] = set()
    for compacted in filter(is_compacted, spans):
        inside = [
            path
            for path, of in spans.items()
            if path != compacted and of.first in spans[compacted] and of.last in spans[compacted]
        ]
        if inside:
            names = names_in(compacted)
            found.update(
                path for path in inside if (names_in(path) < names if is_compacted(path) else path.stem in names)
            )
    return found


def due(paths: Iterable[Path]) -> list[list[Path]]:
    """Which of `paths`, the files of one table, become one file each, by name; none while there are few small ones.

    Raises:
        StorageFailed: the system does not say how large one is.
    """
    sizes = {path: size_of(path) for path in paths}
    small = [path for path, size in sizes.items() if size < SMALL_BYTES]
    middling = [path for path, size in sizes.items() if SMALL_BYTES <= size < MIDDLING_BYTES and is_compacted(path)]
    wanted = [path for tier in (small, middling) if len(tier) > MOST_FILES for path in tier]
    batches: list[list[Path]] = []
    left_bytes = 0
    for path in sorted(wanted, key=lambda path: span(path).first):
        if sizes[path] > left_bytes:
            batches.append([])
            left_bytes = FILE_BYTES
        batches[-1].append(path)
        left_bytes -= sizes[path]
    return [batch for batch in batches if len(batch) > 1]


def rows_of_all(paths: Iterable[Path]) -> pa.Table:
    """The rows of the shard files at `paths`, all of one table, by the names of their shards; each shard once.

    A file that bears another name than its rows, or has columns of a version to come, is left out.

    Raises:
        FileNotFoundError, ShardDamaged, StorageFailed: as `opened`; or a payload is not what its hash says.
    """
    by_name = {name: rows for path in paths for name, rows in _shards_in(path)}
    return pa.concat_tables([by_name[name] for name in sorted(by_name)]) if by_name else pa.table({"shard": []})


def _shards_in(path: Path) -> Iterator[tuple[str, pa.Table]]:
    schema = TABLES[path.parent.name].schema
    with opened(path) as file:
        rows = file.read()
    if rows.schema.names != schema.names:
        return
    rows = rows.replace_schema_metadata(None).cast(schema)
    if not are_as_they_came(rows):
        raise ShardDamaged(path, "a payload is not what its hash says")
    for name in rows["shard"].unique().to_pylist():
        if name in span(path):
            yield name, rows.filter(pc.equal(rows["shard"], name))


def batches_of(file: pq.ParquetFile, path: Path, name: str, rows: int) -> Iterator[pa.RecordBatch]:
    """The rows of the shard `name`, so many at a time, of the `file` opened at `path`, which may have others too."""
    for batch in file.iter_batches(batch_size=rows, columns=SCHEMA.names):
        mine = batch.filter(pc.equal(batch["shard"], name)) if is_compacted(path) else batch
        if len(mine):
            yield mine


def file_name(rows: pa.Table) -> str:
    """What a compacted file of `rows` is called: by its first and its last shard, and a hash of the names of all."""
    names = rows["shard"].unique().to_pylist()
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
    return f"{names[0]}--{names[-1]}.{digest}.parquet"


def file_of(rows: pa.Table) -> bytes:
    """The bytes of a compacted file of `rows`."""
    file = io.BytesIO()
    group = max(1, len(rows) * ROW_GROUP_BYTES // max(rows.nbytes, 1))
    pq.write_table(rows, file, row_group_size=group, **PARQUET)
    return file.getvalue()
