"""Staging: the rows of all shards, once, in schema `staging` of the DuckDB file; a cache that the shards refill.

The rows themselves show which shards are loaded, never a separate record: a kill, a deleted warehouse and a copied
shard all end the same way, with each row once. Of an export's rows and of activity files staging has readings
(readings.py), which take time: they are loaded regularly, so that a kill costs little of it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from typing import Any

import dlt
import duckdb
import pyarrow as pa
from dlt.common.destination.client import SqlModel
from dlt.destinations import duckdb as duckdb_destination
from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials
from dlt.extract import DltResource
from dlt.pipeline.exceptions import PipelineStepFailed

from pipelines.bronze.compaction import Span, is_compacted
from pipelines.bronze.packages import forget_packages, holds_packages, known_cause, load_package, open_pipeline, root
from pipelines.bronze.shard import ShardDamaged, bytes_and_rows
from pipelines.bronze.store import Bronze
from pipelines.bronze.tables import ACTIVITY_FILES, EXPORT_ACTIVITIES, READ, SCHEMA, TABLES
from pipelines.ground.durable import is_there, read_whole, real
from pipelines.ground.engine import (
    MOVE_AWAY,
    OUT_OF_MEMORY,
    engine_error,
    limit_memory,
    literal,
    memory_mb,
    quoted,
    read_parquet,
    refused_write,
)
from pipelines.ground.errors import Interrupted, StorageFailed, StravaError
from pipelines.sources.strava_api.pause import Pause
from pipelines.warehouse.database import (
    BUILDS,
    CATALOG,
    DATASET,
    memory_to_read_mb,
    open_warehouse,
    staged_tables,
    tables_of_shards,
)
from pipelines.warehouse.points import PointLayer, load_points, points_are_behind, shards_without_points
from pipelines.warehouse.readings import Readings, made_by_this_reader
from pipelines.warehouse.windows import holds_files, shards_read_otherwise, windows

LEAST_MEMORY_MB = 20
# seconds of readings between two loads, each of which takes half a second
SECONDS_PER_LOAD = 20

# by table, the files of shards, by the names inside; several may share a file
Shards = dict[str, dict[str, Path]]


def load_staging(
    bronze: Bronze,
    warehouse: Path,
    work_path: Path,
    pause: Pause | None = None,
    show: Callable[[str, float], None] = lambda _text, _share: None,
) -> int:
    """Load the shards that staging does not have yet; returns how many there were.

    `pause` raises at a signal; `show` is called with the progress, in words and as a share.

    Raises:
        Interrupted: not everything was read and loaded; the next call continues.
        WarehouseBusy: another process has the DuckDB file open.
        StorageFailed: the DuckDB file could not be written.
    """
    looked_through = False
    layer = PointLayer(warehouse)
    readings = Readings(bronze, layer, pause or Pause(), show)
    while True:
        try:
            return _load_missing(bronze, readings, layer, warehouse, work_path)
        except (ShardDamaged, PipelineStepFailed) as error:
            # with the warehouse closed, because this reads from it the rows of damaged shards
            if looked_through or not bronze.leave_out_damaged():
                if isinstance(error, ShardDamaged):
                    raise
                raise engine_error(warehouse, root(error), MOVE_AWAY) from error
            looked_through = True


def _load_missing(bronze: Bronze, readings: Readings, layer: PointLayer, warehouse: Path, work_path: Path) -> int:
    for is_limited in (True, False):
        with open_warehouse(warehouse) as connection:
            _drop_tables_of_earlier_versions(connection)
            missing = _missing(connection, bronze)
            try:
                for files in _steps(connection, bronze, missing, readings, layer, work_path / "readings"):
                    limit_memory(connection, _memory_mb(files) if is_limited else None)
                    _forget_readings(connection, files)
                    _load(connection, files, warehouse, work_path)
                    limit_memory(connection, memory_to_read_mb(connection, real(warehouse)) if is_limited else None)
                is_behind = points_are_behind(connection, layer)
                break
            except (MemoryError, duckdb.OutOfMemoryException):
                # a payload of unexpected size: try with as much memory as needed, in a file opened again, because
                # DuckDB releases no memory of one in which it ran out
                if not is_limited:
                    raise
    if is_behind:
        load_points(warehouse, layer)
    return sum(map(len, missing.values()))


def _steps(
    connection: duckdb.DuckDBPyConnection,
    bronze: Bronze,
    missing: Shards,
    readings: Readings,
    layer: PointLayer,
    folder: Path,
) -> Iterator[Shards]:
    """What to load in each step: first everything but files, because it clips them, then files, as many as were read.

    Files are also missing if their activity has got another start or length, or if `layer` lacks their points.
    """
    files = {table: {} if table in READ else shards for table, shards in missing.items()}
    rmtree(folder, ignore_errors=True)
    try:
        yield from _read(EXPORT_ACTIVITIES, missing.get(EXPORT_ACTIVITIES, {}), readings, folder, files)
        files = {}
        otherwise = shards_without_points(connection, layer, readings.version)
        if holds_files(connection) and (otherwise := otherwise | shards_read_otherwise(connection)):
            known = bronze.whole_shards(ACTIVITY_FILES, but=set())
            missing.setdefault(ACTIVITY_FILES, {}).update({n: path for n, path in known.items() if n in otherwise})
        if to_read := missing.get(ACTIVITY_FILES):
            readings.windows = windows(connection)
            yield from _read(ACTIVITY_FILES, to_read, readings, folder, files)
    finally:
        rmtree(folder, ignore_errors=True)


def _read(table: str, shards: dict[str, Path], readings: Readings, folder: Path, files: Shards) -> Iterator[Shards]:
    """`files` with the readings of `shards`, in several steps if that takes long; nothing if there are none."""
    began_at_s = time.monotonic()
    for number, (name, path) in enumerate(shards.items()):
        readings.show(f"{table}: {number} of {len(shards)} shards read", number / len(shards))
        target = folder / table / f"{name}.parquet"
        try:
            # another process may have just removed the shard
            with suppress(FileNotFoundError):
                readings.write(table, path, name, target)
                files.setdefault(table, {})[name] = target
        except Interrupted:
            yield from [files] if files else []
            raise
        if time.monotonic() - began_at_s > SECONDS_PER_LOAD:
            yield files
            rmtree(folder, ignore_errors=True)
            files, began_at_s = {}, time.monotonic()
    if files:
        yield files


def _forget_readings(connection: duckdb.DuckDBPyConnection, files: Shards) -> None:
    """Remove the readings of the shards in `files` by other code; then dbt has to build again."""
    there = staged_tables(connection)
    names = {table: list(files.get(table, {})) for table in READ if table in there}
    connection.begin()
    removed = 0
    for table, shards in names.items():
        query = f"delete from {CATALOG}.{DATASET}.{table} where shard in (select unnest(cast($shards as varchar[])))"
        removed += (connection.execute(query, {"shards": shards}).fetchone() or (0,))[0]
    if removed and BUILDS in there:
        connection.execute(f"delete from {CATALOG}.{DATASET}.{BUILDS}")
    connection.commit()


def _drop_tables_of_earlier_versions(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop tables that an earlier version made from something else than shards, and that shards fill now."""
    for table in TABLES.keys() & staged_tables(connection) - tables_of_shards(connection):
        connection.execute(f"drop table {CATALOG}.{DATASET}.{table}")


def staged_rows(warehouse: Path, table: str, names: Span) -> pa.Table | None:
    """The rows in staging of the shards with these `names`, in their order; None if it has none, or only readings.

    Raises:
        WarehouseBusy: another process has the DuckDB file open, so this is unknown.
        StorageFailed: it cannot be opened or read.
    """
    if table in READ or not is_there(warehouse):
        return None
    with open_warehouse(warehouse, read_only=True) as connection:
        if table not in tables_of_shards(connection):
            return None
        query = f"select * from {DATASET}.{table} where shard between ? and ? order by shard, rowid"
        rows = connection.execute(query, [names.first, names.last]).to_arrow_table()
    return rows if len(rows) else None


def _missing(connection: duckdb.DuckDBPyConnection, bronze: Bronze) -> Shards:
    """The shards that staging lacks, by table; a table that always exists is included even without shards."""
    there = staged_tables(connection)
    missing = {table: _missing_shards(connection, bronze, table, table in there) for table in TABLES}
    always = {name for name, table in TABLES.items() if not table.is_on_demand and name not in there}
    return {table: shards for table, shards in missing.items() if shards or table in always}


def _missing_shards(
    connection: duckdb.DuckDBPyConnection, bronze: Bronze, table: str, is_staged: bool
) -> dict[str, Path]:
    loaded: set[str] = set()
    if is_staged:
        query = f"select shard from {CATALOG}.{DATASET}.{table} group by shard"
        if table in READ:
            query += f" having bool_and({made_by_this_reader()})"
        loaded = {name for (name,) in connection.execute(query).fetchall()}
    # a copied or renamed file is recognised by the name inside
    return {name: path for name, path in bronze.whole_shards(table, but=loaded).items() if name not in loaded}


def _paths(files: Shards) -> set[Path]:
    return {path for shards in files.values() for path in shards.values()}


def _memory_mb(files: Shards) -> int:
    """The memory that DuckDB needs for the widest rows; with more, it would only keep more of what it wrote."""
    sizes = [bytes_and_rows(path) for path in _paths(files)]
    widest = max((size // max(rows, 1) for size, rows in sizes), default=0)
    return memory_mb(widest, sum(size for size, _ in sizes), LEAST_MEMORY_MB)


def _load(connection: duckdb.DuckDBPyConnection, files: Shards, warehouse: Path, work_path: Path) -> None:
    pipeline = open_pipeline(
        "strava_staging",
        work_path,
        # dlt works on duplicates of the connection, which do not know the current catalog and schema
        destination=duckdb_destination(DuckDbCredentials(connection, local_config={"schema": f"{CATALOG}.main"})),
        dataset_name=DATASET,
    )
    # the rows show what a killed run has loaded: the comparison above is better evidence than the package
    if holds_packages(pipeline):
        forget_packages(pipeline)
    try:
        rows = [_rows_of(connection, table, shards, work_path) for table, shards in files.items()]
        pipeline.extract(rows, loader_file_format="model")
        pipeline.normalize()
        load_package(pipeline)
    except PipelineStepFailed as error:
        for path in _paths(files):
            # what cannot be read is the shard, not the warehouse
            with suppress(FileNotFoundError):
                read_whole(path)
        if OUT_OF_MEMORY in str(error):
            raise MemoryError from error
        if "Catalog Error" in str(error):
            # a table that dlt has noted as created was dropped
            raise StorageFailed(
                f"The warehouse {warehouse} lacks tables that it had. Everything in it can be rebuilt: move the file "
                "away and run again."
            ) from error
        if isinstance(root(error), KeyboardInterrupt | StravaError | OSError):
            raise known_cause(error, warehouse) from error
        # dlt retries a job and then passes on only the text of the error
        if (refused := refused_write(warehouse, str(error))) is not None:
            raise refused from error
        # perhaps a damaged shard that was not checked yet
        raise


def _rows_of(connection: duckdb.DuckDBPyConnection, table: str, files: dict[str, Path], work_path: Path) -> DltResource:
    """All rows of the shards in `files`, as one statement for DuckDB: no row passes through Python."""
    # an empty history has these tables too: dbt's sources always exist
    shards = "(select 1) where false"
    if files:
        # dlt would misread paths in its statement: it gets a view instead, which ends with the connection
        shards = f"memory.main.shards_of_{table}"
        paths = ", ".join(quoted(literal(path)) for path in sorted(set(files.values())))
        query = f"select landed.* from {read_parquet(f'[{paths}]')} as landed"
        if any(is_compacted(path) or path.stem != name for name, path in files.items()):
            # such a file may have shards that are in already, or that another file has too
            wanted = f"memory.main.wanted_of_{table}"
            connection.execute(
                f"create or replace table {wanted} as select unnest($names) as name, unnest($files) as file",
                {"names": list(files), "files": list(map(str, files.values()))},
            )
            query += f" semi join {wanted} as wanted on wanted.name = landed.shard and wanted.file = landed.filename"
        connection.execute(f"create or replace view {shards} as {query}")
    columns = ", ".join(f"{name if files else 'null'} as {name}" for name in SCHEMA.names)
    model = SqlModel.from_query_string(f"select {columns} from {shards}", dialect="duckdb")

    @dlt.resource(name=table, columns=TABLES[table].staged_columns, write_disposition="append")
    def rows() -> Iterator[Any]:
        file = work_path / f"{table}.model"
        file.write_text(str(model))
        yield dlt.mark.with_file_import(str(file), "model")
        file.unlink()

    return rows()
