"""Compaction: many small shard files become one, so that an old home is as fast as a young one.

A shard is what landed together, and each of its rows contains its name. Its file may be shared: a compacted file has
the unchanged rows of several shards, and is named after the first and the last of them. It appears completely or not
at all; then the files that it covers are removed, and until then readers leave those out.
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

# a tier with more files than this is compacted
MOST_FILES = 16
# the tiers: files below the first size, and compacted files below the second
SMALL_BYTES, MIDDLING_BYTES = 2**18, 2**22
# the most that goes into one file, as files, and into one row group, in memory
FILE_BYTES, ROW_GROUP_BYTES = 2**23, 2**23
_COMPACTED = re.compile(r"(.+)--(.+)\.[0-9a-f]{8}")


@dataclass(frozen=True)
class Span:
    """A range of names of shards, from `first` to `last` in the order of text."""

    first: str
    last: str

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.first <= name <= self.last


def is_compacted(path: Path) -> bool:
    """Whether the shard file at `path` has the name of a compacted one."""
    return _COMPACTED.fullmatch(path.stem) is not None


def span(path: Path) -> Span:
    """The names of the shards that the file at `path` may contain, according to its own name."""
    found = _COMPACTED.fullmatch(path.stem)
    return Span(found[1], found[2]) if found else Span(path.stem, path.stem)


def covered(paths: Iterable[Path], names_in: Callable[[Path], frozenset[str]]) -> set[Path]:
    """Those of `paths`, the files of one table, whose shards are all in another one, a compacted file."""
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
    """Groups of `paths`, the files of one table, to be compacted into one file each; none if there are few small files.

    Raises:
        StorageFailed: the size of a file cannot be read.
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
    """The rows of the shard files at `paths`, all of one table, in the order of their shards' names; each shard once.

    A file with another name than its rows, or with columns of a later version, is left out.

    Raises:
        FileNotFoundError, ShardDamaged, StorageFailed: as `opened`; or a payload does not match its hash.
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
        raise ShardDamaged(path, "a payload does not match its hash")
    for name in rows["shard"].unique().to_pylist():
        if name in span(path):
            yield name, rows.filter(pc.equal(rows["shard"], name))


def batches_of(file: pq.ParquetFile, path: Path, name: str, rows: int) -> Iterator[pa.RecordBatch]:
    """The rows of the shard `name`, so many at a time, in the `file` opened at `path`, which may contain others too."""
    for batch in file.iter_batches(batch_size=rows, columns=SCHEMA.names):
        mine = batch.filter(pc.equal(batch["shard"], name)) if is_compacted(path) else batch
        if len(mine):
            yield mine


def file_name(rows: pa.Table) -> str:
    """The name of a compacted file of `rows`: the first and the last shard, and a hash of all names."""
    names = rows["shard"].unique().to_pylist()
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
    return f"{names[0]}--{names[-1]}.{digest}.parquet"


def file_of(rows: pa.Table) -> bytes:
    """The bytes of a compacted file of `rows`."""
    file = io.BytesIO()
    group = max(1, len(rows) * ROW_GROUP_BYTES // max(rows.nbytes, 1))
    pq.write_table(rows, file, row_group_size=group, **PARQUET)
    return file.getvalue()
