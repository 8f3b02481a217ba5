"""Windows: the part of its file that an activity is. A crop at Strava changes start or duration, but not the file."""

from typing import NamedTuple

import duckdb

from pipelines.bronze.store import READABLE
from pipelines.bronze.tables import ACTIVITIES, ACTIVITY_FILES, EXPORT_ACTIVITIES
from pipelines.warehouse.database import CATALOG, DATASET

_STAGING = f"{CATALOG}.{DATASET}"
# start and elapsed time in the newest version of an activity, through any door
_NEWEST = f"""
    select id, max_by(start_s, (fetched_at, payload_hash)) as start_s,
           max_by(elapsed_s, (fetched_at, payload_hash)) as elapsed_s
    from (
        select id, fetched_at, payload_hash, cast(floor(epoch(start_date)) as bigint) as start_s,
               try_cast(try(json_extract_string({READABLE}, '$.elapsed_time')) as bigint) as elapsed_s
        from {_STAGING}.{ACTIVITIES} where {{wanted}}
        union all
        select id, fetched_at, payload_hash,
               cast(epoch(try_cast(json_extract_string(payload, '$.start_date') as timestamp)) as bigint),
               try_cast(json_extract_string(payload, '$.elapsed_time') as bigint)
        from {_STAGING}.{EXPORT_ACTIVITIES} where {{wanted}}
    )
    group by id
"""


class Window(NamedTuple):
    """When an activity began, in seconds since 1970, and how long it took."""

    start_s: int
    elapsed_s: int


def windows(connection: duckdb.DuckDBPyConnection) -> dict[int, Window]:
    """The window of each activity in staging of the opened warehouse, by id, if start and time are known."""
    rows = connection.execute(_NEWEST.format(wanted="id is not null")).fetchall()
    return {id_: Window(start_s, elapsed_s) for id_, start_s, elapsed_s in rows if start_s is not None and elapsed_s}


def holds_files(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether staging of the opened warehouse has activity files."""
    return connection.execute(f"select 1 from {_STAGING}.{ACTIVITY_FILES} limit 1").fetchone() is not None


def shards_read_otherwise(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The shards of activity files with a reading for another window than the present one."""
    newest = _NEWEST.format(wanted=f"id in (select id from {_STAGING}.{ACTIVITY_FILES})")
    rows = connection.execute(
        f"""
        select distinct files.shard
        from {_STAGING}.{ACTIVITY_FILES} as files inner join ({newest}) as newest on files.id = newest.id
        where newest.start_s is not null and newest.elapsed_s > 0
          and json_extract_string(files.payload, '$.window')
              is distinct from format('[{{}},{{}}]', newest.start_s, newest.elapsed_s)
        """
    )
    return {shard for (shard,) in rows.fetchall()}
