"""What tombstones and sweeps in bronze do to the warehouse, and a warehouse from before there were any."""

import hashlib
import json
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from imports import Steps

from pipelines.bronze.tables import SCHEMA, SWEEPS, TOMBSTONES

pytestmark = pytest.mark.slow

N = 60
NOTHING_LANDED = "nothing landed since the last build"


@pytest.fixture
def built(settled):
    """A user with a home in which a flow has landed 60 activities and the details of three, and built."""
    settled.authorise(athlete_id=settled.strava.athlete_id)
    return settled


def build_if_needed(athlete):
    """Stage what bronze has and build if that is called for, without a look at the list; what it said."""
    return done(athlete, "enrich")


def done(athlete, command):
    ran = athlete.spawn(command, ENRICH_LIMIT="0")
    assert ran.code == 0, ran.err
    return ran.err


def land(athlete, table, id_, fetched_at, payload):
    """Put a shard with one row of ours into bronze."""
    text = json.dumps(payload)
    row = {
        "id": id_,
        "athlete_id": athlete.sql("select any_value(athlete_id) from staging.activities")[0][0],
        "start_date": None,
        "fetched_at": fetched_at,
        "payload_hash": hashlib.sha256(text.encode()).hexdigest(),
        "payload": text,
        "shard": f"{table}_{fetched_at:%Y%m%d%H%M%S}",
    }
    path = athlete.home / "data" / table / f"{row['shard']}.parquet"
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist([row], SCHEMA), path)


def counts(athlete):
    return tuple(
        athlete.sql(f"select count(*) from strava.{table}")[0][0]
        for table in ("activities", "activity_details", "deleted_activities")
    )


def test_a_tombstone_takes_an_activity_and_its_details_out_and_a_later_version_brings_both_back(built):
    ((id_, name, seen_at),) = built.sql(
        "select a.id, a.name, a.fetched_at from strava.activities a join strava.activity_details d using (id) limit 1"
    )
    noticed_at = seen_at + timedelta(days=1)
    said = {"reason": "deleted", "purged": False, "last_payload_hash": "00", "noticed_by": "sweep"}
    land(built, TOMBSTONES, id_, noticed_at, said)
    build_if_needed(built)
    assert counts(built) == (N - 1, 2, 1)
    deleted = built.sql("select id, noticed_at, reason, noticed_by, purged, name from strava.deleted_activities")
    assert deleted == [(id_, noticed_at, "deleted", "sweep", False, name)]
    assert built.sql("select sum(activities) from strava.activities_yearly") == [(N - 1,)]
    assert NOTHING_LANDED in build_if_needed(built)

    land(built, "activities", id_, noticed_at + timedelta(days=1), {"id": id_, "name": "Back again"})
    build_if_needed(built)
    assert counts(built) == (N, 3, 0)
    history = built.sql(
        "select version, name, valid_from, valid_to from strava.activities_history where id = ? order by version", id_
    )
    assert history == [(1, name, seen_at, noticed_at), (2, "Back again", noticed_at + timedelta(days=1), None)]


def test_a_sweep_that_found_nothing_starts_no_dbt_and_can_be_queried(built):
    land(built, SWEEPS, None, datetime(2026, 1, 1), {"listed": N, "landed": 0, "gone": 0, "complete": True})
    assert NOTHING_LANDED in build_if_needed(built)
    swept = built.sql("select ended_at, activities_listed, complete from staging.stg_strava__sweeps")
    assert (datetime(2026, 1, 1), N, True) in swept


@pytest.mark.deep
def test_a_warehouse_of_the_version_without_tombstones_gets_what_it_lacks_from_the_next_flow(built):
    before = built.sql("from strava.activities order by id")
    older = (
        "drop view strava.activities_history",
        "drop table strava.deleted_activities",
        "drop view staging.int_activities__buried",
        "drop view staging.stg_strava__tombstones",
        "drop view staging.stg_strava__sweeps",
        f"drop table staging.{TOMBSTONES}",
        f"drop table staging.{SWEEPS}",
        # dlt makes tables that its own record of the schema does not know yet
        "delete from staging._dlt_version",
        "alter table staging.dbt_builds drop tombstone_rows",
        # nor were there doors
        *(f"alter table strava.activities drop {name}" for name in ("doors", "time_zone_source", "export_hash")),
        "alter table strava.activities drop file_hash",
    )
    with duckdb.connect(str(built.warehouse)) as connection:
        for statement in older:
            connection.execute(statement)
    done(built, "flow")
    assert counts(built) == (N, 3, 0)
    assert built.sql("from strava.activities order by id") == before
    assert built.sql("select count(*) from strava.activities_history") == [(N,)]
    assert NOTHING_LANDED in build_if_needed(built)


@pytest.mark.deep
def test_an_activity_known_by_its_details_alone_is_told_and_buried_and_erased_when_it_is_gone(
    built, monkeypatch, capfd
):
    gone, *kept = (id_ for (id_,) in built.sql("select id from strava.activity_details order by id"))
    built.strava.delete(gone)
    # as after a disk's fault
    for shard in built.shards():
        shard.write_bytes(shard.read_bytes()[:100])
    built.warehouse.unlink()
    ran = built.spawn("status")
    assert ran.code == 1
    assert "3 known by their details alone" in ran.out
    done(built, "flow")
    assert built.sql("select id from strava.activity_details order by id") == [(id_,) for id_ in kept]
    assert built.sql("select id, payload from strava.deleted_activities") == [(gone, None)]
    assert built.spawn("status").code == 0
    Steps(built, monkeypatch, capfd).run("purge", "stage")
    details = [row for shard in built.shards("activity_details") for row in pq.read_table(shard).to_pylist()]
    assert sorted(row["id"] for row in details) == kept
