"""What Spark cannot read from bronze: readings of exports and files, as Parquet for it.

They come from staging, where the pipeline loads them. A shard belongs to one of a few files, whose name has a hash of
its content: what has not changed is not written again, and what was purged is gone with the next call.
"""

from pathlib import Path

import duckdb

from pipelines.bronze.tables import READ
from pipelines.ground.durable import entries, remove
from pipelines.ground.engine import quoted
from pipelines.warehouse.database import DATASET, open_warehouse, staged_tables
from pipelines.warehouse.points import POINT_FILES

# table -> the query for its rows
QUERIES = {
    **{table: f"select * from {DATASET}.{table}" for table in READ},
    POINT_FILES: f"""
        select id, athlete_id, fetched_at, payload_hash, started_at, samples, shard, made_of,
               cast(file_id - min(file_id) over (partition by shard) + 1 as integer) as file_number
        from {DATASET}.{POINT_FILES}
    """,
}


def write_staged(warehouse: Path, folder: Path) -> int:
    """Bring the tables in `folder` up to date with staging of the DuckDB file; returns how many files were written.

    Raises:
        WarehouseBusy: another process has the DuckDB file open.
        StorageFailed: a file could not be written.
    """
    written = 0
    with open_warehouse(warehouse) as connection:
        for table in QUERIES.keys() & staged_tables(connection):
            written += _write_table(connection, QUERIES[table], folder / table)
    return written


def _write_table(connection: duckdb.DuckDBPyConnection, query: str, folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    part = "substr(md5(shard), 1, 1)"
    hashes = connection.execute(
        f"select {part}, substr(md5(string_agg(row_, '' order by row_)), 1, 12) "
        f"from (select shard, md5(cast(landed as varchar)) as row_ from ({query}) as landed) group by all"
    ).fetchall()
    wanted = {f"{name}.{digest}.parquet": name for name, digest in hashes}
    present = {entry.name for entry in entries(folder) if entry.name.endswith(".parquet")}
    for file, name in wanted.items():
        if file in present:
            continue
        beside = folder / f".{file}.tmp"
        connection.execute(
            f"copy (select * from ({query}) where {part} = '{name}' order by shard) "
            f"to {quoted(str(beside))} (format parquet, compression zstd)"
        )
        beside.replace(folder / file)
    for file in present - wanted.keys():
        remove(folder / file)
    return len(wanted.keys() - present)
