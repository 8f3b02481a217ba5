"""Rows of bronze with instants of their own: those of an export or a file, not that of the run."""

from array import array
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import accumulate, chain
from typing import NamedTuple

import pyarrow as pa
from dlt.extract.items import DataItemWithMeta

from pipelines.bronze.shard import taken_by_dlt, write_new_shard
from pipelines.bronze.store import Bronze, resource_of
from pipelines.bronze.tables import TABLES
from pipelines.mirror.landing import ROWS_PER_SHARD, pull_of

# what is in memory at a time, in three forms: as files, as a table, as Parquet
BYTES_PER_GROUP = 2**22
# dlt takes as long to load a small shard as a large one
BYTES_PER_SHARD = 2**24


class DatedRow(NamedTuple):
    """A row to land. Instants are UTC; `payload` is text in UTF-8, or the bytes of a file."""

    id: int | None
    start_date: datetime | None
    fetched_at: datetime
    payload: bytes
    sha256: str


class DatedRows:
    """Lands rows of an athlete unchanged; `began_at` is the run's, and part of the names of shards."""

    def __init__(self, bronze: Bronze, athlete_id: int, began_at: datetime) -> None:
        self._bronze = bronze
        self._athlete_id = athlete_id
        self._began_at = began_at

    def land(self, table: str, rows: Iterable[DatedRow]) -> None:
        """Land `rows` in `table`, in one commit.

        Raises:
            StorageFailed: a file could not be written; see `Bronze.land`.
        """
        self._bronze.land(resource_of(table, self._shards(table, rows)))

    def _shards(self, table: str, rows: Iterable[DatedRow]) -> Iterator[DataItemWithMeta]:
        pull, waiting = pull_of(table, self._athlete_id, self._began_at), iter(rows)
        while (first := next(waiting, None)) is not None:
            groups = self._groups(table, chain([first], waiting))
            yield from taken_by_dlt(*write_new_shard(groups, pull, self._bronze.waiting_path))

    def _groups(self, table: str, rows: Iterable[DatedRow]) -> Iterator[pa.Table]:
        """The first of `rows`, as many as a shard takes, in its row groups."""
        group: list[DatedRow] = []
        size = size_of_shard = 0
        for count, row in enumerate(rows, 1):
            group.append(row)
            size += len(row.payload)
            size_of_shard += len(row.payload)
            is_whole = count >= ROWS_PER_SHARD or size_of_shard >= BYTES_PER_SHARD
            if is_whole or size >= BYTES_PER_GROUP:
                taken = self._table(table, group)
                # while the table is written, there is no other copy
                group.clear()
                size = 0
                yield taken
            if is_whole:
                return
        if group:
            yield self._table(table, group)

    def _table(self, table: str, rows: list[DatedRow]) -> pa.Table:
        schema = TABLES[table].schema
        columns = {
            "id": [row.id for row in rows],
            "athlete_id": [self._athlete_id] * len(rows),
            "start_date": [row.start_date for row in rows],
            "fetched_at": [row.fetched_at for row in rows],
            "payload_hash": [row.sha256 for row in rows],
        }
        arrays = {name: pa.array(values, schema.field(name).type) for name, values in columns.items()}
        arrays["payload"] = _joined([row.payload for row in rows], schema.field("payload").type)
        return pa.table(arrays)


def _joined(payloads: list[bytes], kind: pa.DataType) -> pa.Array:
    """`payloads` as an array, copied once: `pa.array` would copy them repeatedly while it grows."""
    offsets = array("i", accumulate(map(len, payloads), initial=0))
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(payloads))]
    return pa.Array.from_buffers(kind, len(payloads), buffers)
