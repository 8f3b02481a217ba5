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

from pipelines.bronze.shard import PARQUET, ShardDamaged, are_as_they_came, by_shard, opened
from pipelines.bronze.tables import SCHEMA, TABLES
from pipelines.ground.durable import size_of

# a tier with more files than this is compacted
MOST_FILES = 16
# the tiers: files below the first size, and compacted files below the second
SMALL_BYTES, MIDDLING_BYTES = 2**18, 2**22
# the most that goes into one file, as files, and into one row group, in memory
FILE_BYTES, ROW_GROUP_BYTES = 2**23, 2**23
# in memory that goes into one file, unless it is made of two: details are ten times larger than their file
MEMORY_BYTES = 2**26
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


def covered(paths: Iterable[Path], names_in: Callable[[Path], frozenset[str]]) -> dict[Path, Path]:
    """Those of `paths`, the files of one table, whose shards are all in another one, a compacted file: each with that.

    names_in: the names of the shards in a file, none if it cannot be read; called for as few files as possible.
    """
    spans = {path: span(path) for path in paths}
    found: dict[Path, Path] = {}
    for compacted in filter(is_compacted, spans):
        inside = [
            path
            for path, of in spans.items()
            if path != compacted and of.first in spans[compacted] and of.last in spans[compacted]
        ]
        if inside:
            names = names_in(compacted)
            found.update({path: compacted for path in inside if _covers(compacted, names, path, names_in)})
    return found


def _covers(compacted: Path, names: frozenset[str], path: Path, names_in: Callable[[Path], frozenset[str]]) -> bool:
    if not is_compacted(path):
        # a file may bear the name of a shard and have rows of others; what cannot be read has no others
        return path.stem in names and names_in(path) <= names
    inside = names_in(path)
    # of two with the same shards, as after a purge, one goes
    return bool(inside) and (inside < names or (inside == names and compacted.name < path.name))


def due(paths: Iterable[Path]) -> list[list[Path]]:
    """Groups of `paths`, the files of one table, to be compacted into one file each; none if there are few small files.

    Raises:
        StorageFailed: the size of a file cannot be read.
    """
    # where a link leads, the file belongs to somebody else
    sizes = {path: size_of(path) for path in paths if not path.is_symlink()}
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


def rows_to_compact(path: Path) -> pa.Table | None:
    """The rows of the shard file at `path`; None if it is damaged, gone, or has others than its name promises.

    Also if it has columns of a later version.

    Raises:
        StorageFailed: the system could not read it.
    """
    schema = TABLES[path.parent.name].schema
    try:
        with opened(path) as file:
            rows = file.read()
            if rows.schema.names != schema.names:
                return None
            rows = rows.replace_schema_metadata(None).cast(schema)
            promised = span(path)
            is_sound = are_as_they_came(rows) and all(name in promised for name in rows["shard"].unique().to_pylist())
    except (FileNotFoundError, ShardDamaged):
        # the next query for its rows handles it
        return None
    return rows if is_sound else None


def within_memory(files: Iterable[pa.Table]) -> Iterator[list[pa.Table]]:
    """`files` in groups that memory has room for, of two or more as long as there are two."""
    group: list[pa.Table] = []
    left_bytes = MEMORY_BYTES
    for rows in files:
        if len(group) > 1 and rows.nbytes > left_bytes:
            yield group
            group, left_bytes = [], MEMORY_BYTES
        group.append(rows)
        left_bytes -= rows.nbytes
    yield group


def together(files: Iterable[pa.Table]) -> pa.Table:
    """The rows of several files, in the order of their shards' names; each shard once."""
    by_name: dict[str, pa.Table] = {}
    for rows in files:
        for name, of_shard in by_shard(rows).items():
            # a purge that was stopped may have erased rows of one and not yet of the other: the next run does
            if name not in by_name or len(of_shard) > len(by_name[name]):
                by_name[name] = of_shard
    return pa.concat_tables([by_name[name] for name in sorted(by_name)])


def batches_of(file: pq.ParquetFile, path: Path, name: str, rows: int) -> Iterator[pa.RecordBatch]:
    """The rows of the shard `name`, so many at a time, in the `file` opened at `path`, which may contain others too."""
    for batch in file.iter_batches(batch_size=rows, columns=SCHEMA.names):
        is_shared = is_compacted(path) or path.stem != name
        mine = batch.filter(pc.equal(batch["shard"], name)) if is_shared else batch
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
