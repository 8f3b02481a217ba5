"""Readings: what readers make of an export's rows and of activity files, as Parquet for staging; also files' points.

A reading is a row of bronze with another payload: a JSON object with the names of Strava's API. Its first key,
`reader`, identifies the code that made it; a reading by other code is made again.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.bronze.compaction import batches_of
from pipelines.bronze.shard import opened
from pipelines.bronze.store import Bronze
from pipelines.bronze.tables import ACTIVITY_FILES, EXPORT_ACTIVITIES, SCHEMA
from pipelines.ground import polyline
from pipelines.ground.durable import storage_error
from pipelines.sources import strava_export
from pipelines.sources.strava_api.pause import Pause
from pipelines.warehouse import file_readings, points, row_readings, windows
from pipelines.warehouse.points import PointLayer, Samples, ShardPoints
from pipelines.warehouse.windows import Window

# a reading depends on these; `fitdecode` has the names of devices, `tzfpy` the map of time zones
LIBRARIES = ("fitdecode", "tzfpy")
CODE = (
    *(__file__, file_readings.__file__, points.__file__, row_readings.__file__, windows.__file__),
    polyline.__file__,
)
# one file has 200 kB, sometimes some megabytes
FILES_AT_A_TIME, ROWS_AT_A_TIME = 8, 500
EMPTY = {"problem": "It is empty."}


@cache
def reader_version() -> str:
    """The hash of the code that reads, so that nobody has to remember to increment a version."""
    source = Path(strava_export.__file__).parent
    seeds = sorted([*source.rglob("*.py"), *source.rglob("*.csv")])
    code = hashlib.blake2b(digest_size=6)
    for path in (*seeds, *map(Path, CODE)):
        code.update(path.read_bytes())
    code.update(" ".join(map(version, LIBRARIES)).encode())
    return code.hexdigest()


def made_by_this_reader() -> str:
    """SQL for whether this code made the payload of a row of staging."""
    return f"starts_with(payload, '{_beginning()}')"


def _beginning() -> str:
    return f'{{"reader":"{reader_version()}"'


class Readings:
    """Makes readings of the shards of `bronze`, and files' points in `layer`; between two files it calls `pause`.

    `show` takes the progress, in words and as a share.
    """

    def __init__(self, bronze: Bronze, layer: PointLayer, pause: Pause, show: Callable[[str, float], None]) -> None:
        self._bronze = bronze
        self._layer = layer
        self._pause = pause
        self.show = show
        row_reading = row_readings.RowReadings(self._rows_of_all_exports)
        self._readers: dict[str, Callable[[Any, Window | None], tuple[dict[str, Any], Samples | None]]] = {
            EXPORT_ACTIVITIES: lambda payload, _: (row_reading(payload), None),
            ACTIVITY_FILES: file_readings.reading_and_samples,
        }
        # the windows of the activities whose files are read
        self.windows: dict[int, Window] = {}

    @property
    def version(self) -> str:
        """The hash of the code that reads."""
        return reader_version()

    def write(self, table: str, shard: Path, name: str, target: Path) -> None:
        """Write the readings of the shard `name` of `table`, in their order, to the Parquet file `target`.

        shard: the file that has it. Before the readings are complete, the layer has the points of files.

        Raises:
            FileNotFoundError, ShardDamaged, StorageFailed: like `opened`; or `target` or the points cannot be written.
            Interrupted: a signal came.
        """
        batches = _batches(shard, name, FILES_AT_A_TIME if table == ACTIVITY_FILES else ROWS_AT_A_TIME)
        first = next(batches)
        layer = self._layer.writing(name, reader_version()) if table == ACTIVITY_FILES else nullcontext()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with pq.ParquetWriter(target, SCHEMA, compression="zstd") as writer, layer as shard_points:
                for batch in chain([first], batches):
                    writer.write_table(self._read(table, batch, shard_points))
        except OSError as error:
            raise storage_error(target, error) from error

    def _read(self, table: str, batch: pa.RecordBatch, shard_points: ShardPoints | None) -> pa.Table:
        texts = []
        keys = batch.drop_columns(["payload"]).to_pylist()
        for key, payload in zip(keys, batch["payload"], strict=True):
            self._pause.wait(0)
            window = self.windows.get(key["id"]) if table == ACTIVITY_FILES else None
            read = self._readers[table]
            reading, samples = (EMPTY, None) if payload.as_py() is None else read(payload.as_py(), window)
            texts.append(_text(reading, window))
            if shard_points is not None:
                shard_points.add(key, orjson.dumps(list(window)).decode() if window else None, samples)
        at = SCHEMA.get_field_index("payload")
        columns = [pa.array(texts, pa.string()) if i == at else batch[name] for i, name in enumerate(SCHEMA.names)]
        return pa.table(columns, names=SCHEMA.names).cast(SCHEMA)

    def _rows_of_all_exports(self) -> Iterator[str]:
        for name, shard in self._bronze.whole_shards(EXPORT_ACTIVITIES, but=set()).items():
            for batch in _batches(shard, name, ROWS_AT_A_TIME):
                yield from (payload for payload in batch["payload"].to_pylist() if payload is not None)


def _text(reading: dict[str, Any], window: Window | None) -> str:
    beginning = {"reader": reader_version()} | ({"window": list(window)} if window else {})
    try:
        return orjson.dumps(beginning | reading).decode()
    except orjson.JSONEncodeError as error:
        # half a surrogate pair, which JSON may contain as an escape
        return orjson.dumps(beginning | {"problem": f"What it says is not JSON: {error}"}).decode()


def _batches(shard: Path, name: str, rows: int) -> Iterator[pa.RecordBatch]:
    with opened(shard) as file:
        yield from batches_of(file, shard, name, rows)
