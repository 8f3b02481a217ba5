"""Bronze and dbt agree on which activities are live, whatever has landed in whatever order."""

from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from versions import Version, Warehouse, tombstone, version

from pipelines.bronze.liveness import with_enriched
from pipelines.bronze.store import BronzeReader
from pipelines.bronze.tables import (
    ACTIVITIES,
    ACTIVITY_DETAILS,
    ACTIVITY_FILES,
    EXPORT_ACTIVITIES,
    SCHEMA,
    TABLES,
    TOMBSTONES,
)

NOON = datetime(2026, 11, 1, 12)
PURGE, ERASED = "purge", "purge whose rows are erased"
# (what, of which activity, at which minute)
Event = tuple[str, int, int]
SEEN = (ACTIVITIES, EXPORT_ACTIVITIES, ACTIVITY_DETAILS, ACTIVITY_FILES)
EVENTS = st.lists(
    st.tuples(st.sampled_from([*SEEN, TOMBSTONES, PURGE, ERASED]), st.integers(1, 3), st.integers(0, 8)),
    max_size=14,
)


@pytest.fixture(scope="module")
def warehouse(clone: Path) -> Warehouse:
    """Empty staging with dbt's view of what is gone on it."""
    built = Warehouse(clone / "warehouse" / "strava.duckdb", clone)
    built.built("run", "--select", "+int_activities__buried")
    return built


def rows_after(events: list[Event]) -> dict[str, list[Version]]:
    """The rows of bronze by table: the last purge has erased what was there, unless a kill kept it from that."""
    purged_at = {id_: -1 for _, id_, _ in events}
    for what, id_, minute in events:
        if what == ERASED:
            purged_at[id_] = max(purged_at[id_], minute)
    rows: dict[str, list[Version]] = {table: [] for table in (*SEEN, TOMBSTONES)}
    for what, id_, minute in events:
        at = NOON + timedelta(minutes=minute)
        if what in (PURGE, ERASED):
            rows[TOMBSTONES].append(tombstone(id_, at, purged=True))
        elif what == TOMBSTONES:
            rows[TOMBSTONES].append(tombstone(id_, at))
        elif minute > purged_at[id_]:
            rows[what].append(version({"id": id_, "at": minute}, at))
    return rows


def expected(rows: dict[str, list[Version]]) -> set[int | None]:
    """The rule as a person says it."""
    at = {table: {id_: max(row[2] for row in of if row[0] == id_) for id_ in {row[0] for row in of}}
          for table, of in rows.items()}  # fmt: skip

    def newest_of(*tables: str) -> dict[int | None, datetime]:
        return {
            id_: max(at[table][id_] for table in tables if id_ in at[table]) for table in tables for id_ in at[table]
        }

    newest = newest_of(ACTIVITY_DETAILS, ACTIVITY_FILES) | newest_of(ACTIVITIES, EXPORT_ACTIVITIES)
    return {id_ for id_, seen in newest.items() if id_ not in at[TOMBSTONES] or seen > at[TOMBSTONES][id_]}


@pytest.mark.deep
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS)
@example(events=[(ACTIVITIES, 1, 0), (TOMBSTONES, 1, 1), (ACTIVITIES, 1, 2)])
@example(events=[(TOMBSTONES, 1, 1), (ACTIVITY_DETAILS, 1, 2)])
@example(events=[(ACTIVITIES, 1, 0), (TOMBSTONES, 1, 1), (ACTIVITY_DETAILS, 1, 2)])
@example(events=[(ACTIVITIES, 1, 0), (ACTIVITY_DETAILS, 1, 1), (ERASED, 1, 2), (ACTIVITY_DETAILS, 1, 3)])
@example(events=[(ACTIVITIES, 1, 0), (TOMBSTONES, 1, 1), (EXPORT_ACTIVITIES, 1, 2)])
@example(events=[(EXPORT_ACTIVITIES, 1, 0), (TOMBSTONES, 1, 1), (ACTIVITY_FILES, 1, 2), (ACTIVITY_DETAILS, 1, 2)])
@example(events=[(ACTIVITY_FILES, 1, 0), (TOMBSTONES, 1, 1), (ACTIVITY_DETAILS, 1, 2)])
def test_bronze_and_dbt_call_the_same_activities_live(events, warehouse, tmp_path):
    rows = rows_after(events)
    with duckdb.connect(str(warehouse.path)) as connection:
        for table, of in rows.items():
            shard = tmp_path / "data" / table / "one.parquet"
            shard.parent.mkdir(parents=True, exist_ok=True)
            # without a start, as a row whose payload had none
            landed = [(id_, athlete, None, *rest) for id_, athlete, *rest in of]
            columns = zip(*landed, strict=True) if landed else [[] for _ in SCHEMA]
            columns = [pa.array(c, kind.type) for c, kind in zip(columns, SCHEMA, strict=True)]
            held = pa.table(columns, schema=SCHEMA)
            pq.write_table(held.cast(TABLES[table].schema), shard)
            connection.execute(f"delete from staging.{table}")
            connection.execute(f"insert into staging.{table} from held")
        live = {
            id_
            for (id_,) in connection.execute(
                f"select id from ({' union '.join(f'select id from staging.{table}' for table in SEEN)}) "
                "where id not in (select id from staging.int_activities__buried where is_gone)"
            ).fetchall()
        }
    bronze = BronzeReader(tmp_path / "data")
    assert live == bronze.live_of_all() == bronze.live(7).keys() == expected(rows)
    enriched = {id_ for (id_,) in bronze.query(f"{with_enriched()} select id from enriched", athlete_id=7)}
    assert enriched == live & {row[0] for row in rows[ACTIVITY_DETAILS]}
