"""The points of activity files: a layer of Parquet beside the warehouse, and the same in staging for SQL.

One file per shard of bronze, with the same name, in long form: a row per sample, file by file, ordered by time. It is a
cache that is made with the readings, in one pass over the files, so it has the points of the shards of which staging
has readings. A file of points notes from what it was made: for another reader or other windows it is made again.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.bronze.tables import ACTIVITY_FILES
from pipelines.ground.durable import entries, remove, written_whole
from pipelines.ground.engine import limit_memory, literal, read_parquet
from pipelines.sources.strava_export.readers import ActivityFile
from pipelines.warehouse.database import CATALOG, DATASET, open_warehouse, staged_tables

# tables of staging: a row per sample, and one per file that has any
POINTS, POINT_FILES = "activity_points", "activity_point_files"
FOLDER = "points"
# DuckDB's default: a group costs memory while the file is open, and there are many points
ROWS_PER_GROUP = 122_880
MEMORY_MB = 64
# a longer gap between two samples is a pause, which the sample before it does not represent
LONGEST_STEP_S = 10
LONGEST_LEAD_S = 86400
# measurements: the column of a reader's points, the factor, and the type of integer
_MEASURES = {
    "lat_e6": ("lat", 1e6, pa.int32()),
    "lng_e6": ("lng", 1e6, pa.int32()),
    "distance_dm": ("distance_m", 10, pa.int32()),
    "altitude_dm": ("altitude_m", 10, pa.int32()),
    "speed_mm_s": ("speed_m_s", 1000, pa.int32()),
    "heart_rate": ("heart_rate", 1, pa.int16()),
    "cadence": ("cadence", 1, pa.int16()),
    "power_w": ("power_w", 1, pa.int16()),
    "temperature_c": ("temperature_c", 1, pa.int8()),
}
SAMPLES = pa.schema(
    [("t_s", pa.int32()), ("dt_s", pa.int16()), *((name, kind) for name, (_, _, kind) in _MEASURES.items())]
)
# the number of the file among those of its shard with samples, its activity, and the instant of t_s = 0
KEYS = pa.schema(
    [
        ("file_number", pa.int32()),
        ("id", pa.int64()),
        ("athlete_id", pa.int64()),
        ("fetched_at", pa.timestamp("us")),
        ("payload_hash", pa.string()),
        ("started_at", pa.timestamp("us")),
    ]
)
SCHEMA = pa.schema([*KEYS, *SAMPLES])
_MADE_OF = b"strava:made_of"
_DELTAS = dict.fromkeys(SAMPLES.names, "DELTA_BINARY_PACKED")
_DUCKDB_TYPES = {pa.int8(): "tinyint", pa.int16(): "smallint", pa.int32(): "integer"}
_TABLES = {
    POINT_FILES: "file_id bigint, id bigint, athlete_id bigint, fetched_at timestamp, payload_hash varchar, "
    "started_at timestamp, samples bigint, shard varchar, made_of varchar",
    POINTS: "file_id bigint, " + ", ".join(f"{field.name} {_DUCKDB_TYPES[field.type]}" for field in SAMPLES),
}
# (id, window) of a row of a shard, whose content never changes; the window as JSON, None without one
Row = tuple[int | None, str | None]
# the instant of t_s = 0, and a table with the columns of `SAMPLES`
Samples = tuple[datetime, pa.Table]


def samples_of(activity: ActivityFile) -> Samples | None:
    """The instant of t_s = 0, which is the start if known, and the samples in `SAMPLES`; None without any."""
    points = activity.points
    if not len(points):
        return None
    began_at: datetime = points["time"][0].as_py()
    if activity.start is not None and 0 <= (began_at - activity.start).total_seconds() < LONGEST_LEAD_S:
        began_at = activity.start.replace(microsecond=0)
    t_s = pc.subtract(points["time"].cast(pa.int64()), int(began_at.timestamp()))
    t_s = pa.concat_arrays(t_s.chunks) if isinstance(t_s, pa.ChunkedArray) else t_s
    step_s = pc.subtract(t_s.slice(1), t_s.slice(0, len(t_s) - 1))
    step_s = pc.if_else(pc.greater(step_s, LONGEST_STEP_S), 1, step_s)
    columns = {"t_s": t_s, "dt_s": pa.chunked_array([step_s, pa.array([1], pa.int64())])}
    for name, (measure, factor, kind) in _MEASURES.items():
        columns[name] = _scaled(points[measure], factor, kind)
    return began_at, pa.table(columns).cast(SAMPLES)


def _scaled(values: pa.ChunkedArray, factor: float, kind: pa.DataType) -> pa.ChunkedArray:
    """Values times `factor` as integers; null if they do not fit."""
    if values.null_count == len(values):
        return pa.nulls(len(values), kind)
    whole = pc.round(pc.multiply(values.cast(pa.float64()), float(factor)))
    # without the lowest integer, and so without NaN
    limit = 2 ** (kind.bit_width - 1) - 1
    return pc.if_else(pc.less_equal(pc.abs(whole), limit), whole, None).cast(kind)


def made_of(reader: str, rows: Iterable[Row]) -> str:
    """What decides about the points of a shard: which code has read which rows, and the windows that clipped them."""
    listed = orjson.dumps([reader, sorted(map(list, rows), key=str)])
    return hashlib.blake2b(listed, digest_size=16).hexdigest()


class ShardPoints:
    """The points of one shard, added as they are read."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._rows: list[Row] = []
        self._written: set[tuple[Any, Any]] = set()
        self._waiting: list[pa.Table] = []

    def add(self, row: dict[str, Any], window: str | None, samples: Samples | None) -> None:
        """Add a row of the shard, by its keys, and its samples if it has any."""
        key = row["id"], row["payload_hash"]
        self._rows.append((row["id"], window))
        if samples is None or key in self._written:
            return
        self._written.add(key)
        began_at, table = samples
        keys = row | {"file_number": len(self._written), "started_at": began_at.replace(tzinfo=None)}
        columns = [pa.repeat(pa.scalar(keys[field.name], field.type), len(table)) for field in KEYS]
        self._waiting.append(pa.table([*columns, *table.columns], schema=SCHEMA))
        if sum(map(len, self._waiting)) >= ROWS_PER_GROUP:
            self._write()

    def _write(self) -> None:
        if self._waiting:
            rows = pa.concat_tables(self._waiting).combine_chunks()
            self._writer.write_table(rows, row_group_size=len(rows))
            self._waiting = []

    def finish(self, reader: str) -> None:
        """Write what is left, and note from what all of it was made."""
        self._write()
        self._writer.add_key_value_metadata({_MADE_OF: made_of(reader, self._rows)})


class PointLayer:
    """The layer beside the DuckDB file at `warehouse`."""

    def __init__(self, warehouse: Path) -> None:
        self.folder = warehouse.parent / FOLDER

    def path(self, shard: str) -> Path:
        """The file with the points of `shard`."""
        return self.folder / f"{shard}.parquet"

    @contextmanager
    def writing(self, shard: str, reader: str) -> Iterator[ShardPoints]:
        """The points of `shard`, to be added; at the end they replace what was there.

        Raises:
            StorageFailed: they cannot be written.
        """
        with (
            written_whole(self.path(shard)) as file,
            pq.ParquetWriter(
                file,
                SCHEMA,
                compression="zstd",
                use_dictionary=KEYS.names,
                column_encoding=_DELTAS,
                write_statistics=["id", "t_s"],
            ) as writer,
        ):
            points = ShardPoints(writer)
            yield points
            points.finish(reader)

    def made(self) -> dict[str, tuple[str, int]]:
        """By shard, from what its points were made, and how many there are; without unreadable files.

        Raises:
            StorageFailed: the folder cannot be listed.
        """
        found = {}
        for path in self.files():
            noted = _noted(path)
            if noted is not None:
                found[path.stem] = noted
        return found

    def files(self) -> list[Path]:
        """The files of the layer, without files of others.

        Raises:
            StorageFailed: the folder cannot be listed.
        """
        paths = [self.folder / entry.name for entry in entries(self.folder) if entry.name.endswith(".parquet")]
        return [path for path in paths if path.name.startswith(f"{ACTIVITY_FILES}_") or _noted(path) is not None]

    def keep(self, shards: set[str]) -> None:
        """Remove the points of all other shards.

        Raises:
            StorageFailed: a file cannot be removed.
        """
        for path in self.files():
            if path.stem not in shards:
                remove(path)

    def forget(self, ids: set[int] | None) -> list[Path]:
        """Remove the files with points of one of the activities `ids`, and unreadable ones; returns which.

        None: all files.

        Raises:
            StorageFailed: a file cannot be removed.
        """
        found = [path for path in self.files() if ids is None or _holds_any(path, pa.array(ids, pa.int64()))]
        for path in found:
            remove(path)
        return found


def _noted(path: Path) -> tuple[str, int] | None:
    """The note in a file of the layer, and how many rows it has; None if it is another file, or damaged."""
    try:
        metadata = pq.read_metadata(path)
    except (OSError, ValueError, pa.ArrowException):
        return None
    noted = (metadata.metadata or {}).get(_MADE_OF)
    return None if noted is None else (noted.decode(), metadata.num_rows)


def _holds_any(path: Path, ids: pa.Array) -> bool:
    try:
        with pq.ParquetFile(path) as file:
            batches = file.iter_batches(columns=["id"])
            return any(pc.any(pc.is_in(batch["id"], ids)).as_py() for batch in batches)
    except (OSError, ValueError, LookupError, pa.ArrowException):
        return True


def shards_without_points(connection: duckdb.DuckDBPyConnection, layer: PointLayer, reader: str) -> set[str]:
    """The shards with readings by `reader` in staging of the opened warehouse whose points the layer lacks."""
    rows = connection.execute(
        rf"""
        select shard, id, nullif(regexp_extract(substr(payload, 1, 200), '"window":(\[[-\d,]+\])', 1), '')
        from {CATALOG}.{DATASET}.{ACTIVITY_FILES}
        """
    ).fetchall()
    by_shard = defaultdict(list)
    for shard, id_, window in rows:
        by_shard[shard].append((id_, window))
    layer.keep(set(by_shard))
    made = layer.made()
    return {shard for shard, of_it in by_shard.items() if made.get(shard, ("", 0))[0] != made_of(reader, of_it)}


def load_points(warehouse: Path, layer: PointLayer) -> None:
    """Bring staging of the DuckDB file at `warehouse` up to date with the layer, each shard in one transaction.

    Raises:
        WarehouseBusy: another process has the DuckDB file open.
        StorageFailed: it could not be written.
    """
    made = layer.made()
    wanted = {shard: noted for shard, (noted, rows) in made.items() if rows}
    with open_warehouse(warehouse, rows_per_group=ROWS_PER_GROUP) as connection:
        limit_memory(connection, MEMORY_MB)
        for table, columns in _TABLES.items():
            connection.execute(f"create table if not exists {CATALOG}.{DATASET}.{table} ({columns})")
        for shard in sorted(_otherwise(connection, wanted)):
            connection.begin()
            _delete(connection, shard)
            if shard in wanted:
                _insert(connection, shard, layer.path(shard), wanted[shard])
            connection.commit()


def points_are_behind(connection: duckdb.DuckDBPyConnection, layer: PointLayer) -> bool:
    """Whether staging of the opened warehouse has other points than the layer."""
    return bool(_otherwise(connection, {shard: noted for shard, (noted, rows) in layer.made().items() if rows}))


def _otherwise(connection: duckdb.DuckDBPyConnection, wanted: dict[str, str]) -> set[str]:
    staged: dict[str, str] = {}
    if POINT_FILES in staged_tables(connection):
        query = f"select shard, any_value(made_of) from {CATALOG}.{DATASET}.{POINT_FILES} group by shard"
        staged = dict(connection.execute(query).fetchall())
    return {shard for shard in (*staged, *wanted) if staged.get(shard) != wanted.get(shard)}


def _delete(connection: duckdb.DuckDBPyConnection, shard: str) -> None:
    files, points = (f"{CATALOG}.{DATASET}.{table}" for table in (POINT_FILES, POINTS))
    connection.execute(f"delete from {points} where file_id in (select file_id from {files} where shard = $1)", [shard])
    connection.execute(f"delete from {files} where shard = $1", [shard])


def _insert(connection: duckdb.DuckDBPyConnection, shard: str, path: Path, noted: str) -> None:
    files, points = (f"{CATALOG}.{DATASET}.{table}" for table in (POINT_FILES, POINTS))
    source = read_parquet("[$path]")
    last = f"(select coalesce(max(file_id), 0) from {files})"
    parameters = {"path": literal(path)}
    connection.execute(
        f"insert into {points} select {last} + file_number, {', '.join(SAMPLES.names)} from {source}", parameters
    )
    # afterwards, because the next file's numbers continue from it
    connection.execute(
        f"""
        insert into {files}
        select {last} + file_number, {", ".join(KEYS.names[1:])}, count(*), $shard, $made_of
        from {source} group by {", ".join(KEYS.names)}
        """,
        parameters | {"shard": shard, "made_of": noted},
    )
