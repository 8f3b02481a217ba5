"""Rows of bronze that say themselves when they were seen: an export's and a file's instants are not those of a run."""

import secrets
from array import array
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import accumulate
from typing import NamedTuple

import dlt
import pyarrow as pa
from dlt.extract.items import DataItemWithMeta

from pipelines.bronze.shard import write_shard
from pipelines.bronze.store import Bronze
from pipelines.bronze.tables import TABLES

ROWS_PER_SHARD = 2000
# what is in memory at a time, three times: as files, as a table, as Parquet
BYTES_PER_SHARD = 2**23


class DatedRow(NamedTuple):
    """A row to land. Instants are UTC; `payload` is text in UTF-8, or the bytes of a file."""

    id: int | None
    start_date: datetime | None
    fetched_at: datetime
    payload: bytes
    sha256: str


class DatedRows:
    """Lands rows of an athlete as they are; `began_at` is the run's, and part of the names of shards."""

    def __init__(self, bronze: Bronze, athlete_id: int, began_at: datetime) -> None:
        self._bronze = bronze
        self._athlete_id = athlete_id
        self._began_at = began_at

    def land(self, table: str, rows: Iterable[DatedRow]) -> None:
        """Land `rows` in `table`, in one commit.

        Raises:
            StorageFailed: a file could not be written; see `Bronze.land`.
        """

        @dlt.resource(name=table, columns=TABLES[table].columns, write_disposition="append")
        def shards() -> Iterator[DataItemWithMeta]:
            batch: list[DatedRow] = []
            size = 0
            for row in rows:
                batch.append(row)
                size += len(row.payload)
                if len(batch) >= ROWS_PER_SHARD or size >= BYTES_PER_SHARD:
                    full, batch, size = batch, [], 0
                    yield from self._shard(table, full)
                    full.clear()
            if batch:
                yield from self._shard(table, batch)

        self._bronze.land(shards())

    def _shard(self, table: str, rows: list[DatedRow]) -> Iterator[DataItemWithMeta]:
        # unique within a second and a run: two files of one name would be one file
        name = f"{table}_{self._athlete_id}_{self._began_at:%Y%m%d%H%M%S}_{secrets.token_hex(4)}"
        path = self._bronze.waiting_path / f"{name}.parquet"
        count = len(rows)
        write_shard(self._table(table, rows, name), path)
        # what waits for dlt is on the disk by now
        rows.clear()
        yield dlt.mark.with_file_import(str(path), "parquet", count, hints=[])
        # dlt has linked it into its package
        path.unlink()

    def _table(self, table: str, rows: list[DatedRow], name: str) -> pa.Table:
        schema = TABLES[table].schema
        columns = {
            "id": [row.id for row in rows],
            "athlete_id": [self._athlete_id] * len(rows),
            "start_date": [row.start_date for row in rows],
            "fetched_at": [row.fetched_at for row in rows],
            "payload_hash": [row.sha256 for row in rows],
            "shard": [name] * len(rows),
        }
        arrays = {name: pa.array(values, schema.field(name).type) for name, values in columns.items()}
        arrays["payload"] = _joined([row.payload for row in rows], schema.field("payload").type)
        return pa.table({name: arrays[name] for name in schema.names})


def _joined(payloads: list[bytes], kind: pa.DataType) -> pa.Array:
    """`payloads` as an array, copied once: `pa.array` would copy them again and again while it grows."""
    offsets = array("i", accumulate(map(len, payloads), initial=0))
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(payloads))]
    return pa.Array.from_buffers(kind, len(payloads), buffers)
