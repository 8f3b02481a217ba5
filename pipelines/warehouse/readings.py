"""Readings: what readers make of an export's rows and of activity files, as Parquet for staging.

A reading is a row of bronze with another payload: a JSON object under the names of Strava's API. Its first key,
`reader`, says which code made it; what other code made is made anew.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.bronze.shard import opened
from pipelines.bronze.store import Bronze
from pipelines.bronze.tables import ACTIVITY_FILES, EXPORT_ACTIVITIES, SCHEMA
from pipelines.ground import polyline
from pipelines.ground.durable import storage_error
from pipelines.sources import strava_export
from pipelines.sources.strava_api.pause import Pause
from pipelines.warehouse import file_readings, row_readings, windows
from pipelines.warehouse.windows import Window

# of which a reading follows; `fitdecode` has the names of devices, `tzfpy` the map of time zones
LIBRARIES = ("fitdecode", "tzfpy")
CODE = (__file__, file_readings.__file__, row_readings.__file__, windows.__file__, polyline.__file__)
# one file is 200 kB, at times some megabytes
FILES_AT_A_TIME, ROWS_AT_A_TIME = 8, 500


@cache
def reader_version() -> str:
    """Which code reads: the hash of it, so that nobody has to remember to count a version up."""
    source = Path(strava_export.__file__).parent
    seeds = sorted([*source.rglob("*.py"), *source.rglob("*.csv")])
    code = hashlib.blake2b(digest_size=6)
    for path in (*seeds, *map(Path, CODE)):
        code.update(path.read_bytes())
    code.update(" ".join(map(version, LIBRARIES)).encode())
    return code.hexdigest()


def made_by_this_reader() -> str:
    """SQL that says of a row of staging whether this code has made its payload."""
    return f"starts_with(payload, '{_beginning()}')"


def _beginning() -> str:
    return f'{{"reader":"{reader_version()}"'


class Readings:
    """Makes readings of the shards of `bronze`; between two files it asks `pause` whether to end.

    `tell` takes how far it has come, in words and as a share.
    """

    def __init__(self, bronze: Bronze, pause: Pause, tell: Callable[[str, float], None]) -> None:
        self._bronze = bronze
        self._pause = pause
        self.tell = tell
        row_reading = row_readings.RowReadings(self._rows_of_all_exports)
        self._readers: dict[str, Callable[[Any, Window | None], dict[str, Any]]] = {
            EXPORT_ACTIVITIES: lambda payload, _: row_reading(payload),
            ACTIVITY_FILES: file_readings.file_reading,
        }
        # of the activities whose files are read
        self.windows: dict[int, Window] = {}

    def write(self, table: str, shard: Path, target: Path) -> None:
        """Write the readings of the rows in `shard` of `table`, in their order, to the Parquet file `target`.

        Raises:
            FileNotFoundError, ShardDamaged, StorageFailed: as `opened`; or `target` cannot be written.
            Interrupted: somebody wants out.
        """
        batches = _batches(shard, FILES_AT_A_TIME if table == ACTIVITY_FILES else ROWS_AT_A_TIME)
        read = (self._read(table, batch) for batch in batches)
        first = next(read)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with pq.ParquetWriter(target, SCHEMA, compression="zstd") as writer:
                for rows in chain([first], read):
                    writer.write_table(rows)
        except OSError as error:
            raise storage_error(target, error) from error

    def _read(self, table: str, batch: pa.RecordBatch) -> pa.Table:
        texts = []
        for id_, payload in zip(batch["id"].to_pylist(), batch["payload"], strict=True):
            self._pause.wait(0)
            texts.append(self._text(table, id_, payload.as_py()))
        at = SCHEMA.get_field_index("payload")
        columns = [pa.array(texts, pa.string()) if i == at else batch[name] for i, name in enumerate(SCHEMA.names)]
        return pa.table(columns, names=SCHEMA.names).cast(SCHEMA)

    def _text(self, table: str, id_: int | None, payload: str | bytes | None) -> str:
        window = self.windows.get(id_) if table == ACTIVITY_FILES and id_ is not None else None
        beginning = {"reader": reader_version()} | ({"window": list(window)} if window else {})
        reading = {"problem": "It is empty."} if payload is None else self._readers[table](payload, window)
        try:
            return orjson.dumps(beginning | reading).decode()
        except orjson.JSONEncodeError as error:
            # half a surrogate pair, which JSON may have as an escape
            return orjson.dumps(beginning | {"problem": f"What it says is no JSON: {error}"}).decode()

    def _rows_of_all_exports(self) -> Iterator[str]:
        for shard in self._bronze.shards(EXPORT_ACTIVITIES):
            for batch in _batches(shard, ROWS_AT_A_TIME):
                yield from (payload for payload in batch["payload"].to_pylist() if payload is not None)


def _batches(shard: Path, rows: int) -> Iterable[pa.RecordBatch]:
    with opened(shard) as file:
        yield from file.iter_batches(batch_size=rows, columns=SCHEMA.names)
