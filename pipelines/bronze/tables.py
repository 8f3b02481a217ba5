"""The tables of bronze: one declaration each, which landing, staging, purge, reconciliation and backup use."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import pyarrow as pa
from dlt.common.schema.typing import TColumnSchema, TDataType, TTableSchemaColumns

from pipelines.ground.resources import ALWAYS, ON_DEMAND
from pipelines.sources.strava_api import DETAILS
from pipelines.sources.strava_api.endpoint import ACTIVITIES as LIST
from pipelines.sources.strava_api.endpoint import Endpoint

ACTIVITIES = LIST
ACTIVITY_DETAILS = DETAILS.name
SWEEPS = "sweeps"
TOMBSTONES = "tombstones"
# the athlete's own export: one row per import, per row of activities.csv, per row of its other files, per activity file
EXPORTS = "exports"
EXPORT_ACTIVITIES = "export_activities"
EXPORT_RECORDS = "export_records"
ACTIVITY_FILES = "activity_files"
# what was withdrawn, by door
WITHDRAWALS = "withdrawals"

# through which a row came: Strava's API, the athlete's own export, an activity file by itself
Door = Literal["api", "export", "file"]
DOORS: tuple[Door, ...] = get_args(Door)
# the athlete of files by themselves as long as no token, profile or export names one; Strava counts its from 1
NOBODY = 0
# what the athlete sets here: the heart rates and the like, and the goals; one row per athlete and version
ATHLETE_SETTINGS = "athlete_settings"
GOALS = "goals"
# one row per activity file that came by itself: from a watch folder, or named on the command line
WATCHED_FILES = "watched_files"

# The keys that the pipeline itself needs, with types that never change, and the payload as it came.
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("athlete_id", pa.int64()),
        ("start_date", pa.timestamp("us")),
        ("fetched_at", pa.timestamp("us")),
        ("payload_hash", pa.string()),
        ("payload", pa.string()),
        ("shard", pa.string()),
    ]
)
_DLT_TYPES: dict[pa.DataType, TDataType] = {
    pa.int64(): "bigint",
    pa.string(): "text",
    pa.binary(): "binary",
    pa.timestamp("us"): "timestamp",
}
_DUCKDB_TYPES = {pa.int64(): "bigint", pa.string(): "varchar", pa.binary(): "blob", pa.timestamp("us"): "timestamp"}


@dataclass(frozen=True)
class Table:
    """A table of bronze: a folder of shards, one row per version of something.

    is_of_activity: a row is about the activity `id`, so purging that activity erases it. holds_bytes: its payloads are
    files as they came, not JSON text. is_read: staging has what a reader makes of its payloads, a JSON
    object with the names of Strava's API, so only bronze has the payloads. is_on_demand: staging has the table once
    there are rows. door: the one through which all of its rows came; None if that differs by row, or they came through
    none.
    """

    is_of_activity: bool = False
    holds_bytes: bool = False
    is_read: bool = False
    is_on_demand: bool = False
    door: Door | None = None

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of its shards."""
        kind = pa.field("payload", pa.binary() if self.holds_bytes else pa.string())
        return SCHEMA.set(SCHEMA.get_field_index("payload"), kind)

    @cached_property
    def columns(self) -> TTableSchemaColumns:
        """The same for dlt."""
        return _columns(self.schema)

    @cached_property
    def staged_columns(self) -> TTableSchemaColumns:
        """The columns of its rows in staging, for dlt."""
        return _columns(SCHEMA if self.is_read else self.schema)

    @cached_property
    def typed(self) -> str:
        """The same as the columns of a query."""
        return ", ".join(f"cast({field.name} as {_DUCKDB_TYPES[field.type]}) as {field.name}" for field in self.schema)

    @cached_property
    def no_rows(self) -> str:
        """The query for a table without shards."""
        columns = ", ".join(f"cast(null as {_DUCKDB_TYPES[field.type]}) as {field.name}" for field in self.schema)
        return f"(select {columns} where false)"


def _columns(schema: pa.Schema) -> TTableSchemaColumns:
    return {field.name: _column(field) for field in schema}


def _column(field: pa.Field) -> TColumnSchema:
    column = TColumnSchema(name=field.name, data_type=_DLT_TYPES[field.type], nullable=True)
    if column["data_type"] == "timestamp":
        # UTC without zone, so that no session's time zone matters
        column["timezone"] = False
        column["precision"] = 6
    return column


def _table_of(endpoint: Endpoint) -> Table:
    is_of_activity = endpoint.parent == ACTIVITIES and endpoint.by == "id"
    return Table(is_of_activity, is_on_demand=endpoint in ON_DEMAND.values(), door="api")


TABLES = {
    ACTIVITIES: Table(is_of_activity=True, door="api"),
    ACTIVITY_DETAILS: Table(is_of_activity=True, door="api"),
    **{endpoint.name: _table_of(endpoint) for endpoint in (*ALWAYS, *ON_DEMAND.values())},
    EXPORTS: Table(door="export"),
    EXPORT_ACTIVITIES: Table(is_of_activity=True, is_read=True, door="export"),
    # those that belong to an activity, like the caption of a photo, have its id
    EXPORT_RECORDS: Table(is_of_activity=True, door="export"),
    ACTIVITY_FILES: Table(is_of_activity=True, holds_bytes=True, is_read=True),
    WATCHED_FILES: Table(is_of_activity=True, is_on_demand=True, door="file"),
    ATHLETE_SETTINGS: Table(),
    GOALS: Table(),
    SWEEPS: Table(door="api"),
    TOMBSTONES: Table(),
    WITHDRAWALS: Table(is_on_demand=True),
}
# tables for which staging has readings instead of payloads
READ = tuple(name for name, table in TABLES.items() if table.is_read)
# tables from which a purge erases rows
ERASED_FROM = tuple(name for name, table in TABLES.items() if table.is_of_activity)
