"""Memory follows the widest rows, whatever their number; where it does not suffice, a sentence says so."""

import hashlib
import json
from datetime import timedelta

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from landed import ask
from said import assert_said

from pipelines.bronze import store
from pipelines.ground.engine import LEASH_MB, memory_mb
from pipelines.ground.errors import StorageFailed
from pipelines.warehouse import staging
from pipelines.warehouse.database import open_warehouse


def test_a_shard_that_needs_more_memory_than_was_estimated_is_loaded_all_the_same(athlete, run, monkeypatch):
    monkeypatch.setattr(staging, "_memory_mb", lambda _missing: 1)
    ran = run("pull")
    assert ran.code == 0, ran.err
    assert athlete.sql("select count(*), count(distinct id) from staging.activities") == [(60, 60)]


@pytest.mark.deep
def test_a_shard_with_more_payloads_than_fit_the_limit_stops_nothing(athlete, run):
    """As the version before wrote 500 details of 290 kB that came in one commit."""
    run("pull")
    [shard] = athlete.shards()
    rows = pq.read_table(shard).to_pylist()
    name = shard.stem.replace("activities_", "activity_details_")
    for row in rows:
        detail = json.loads(row["payload"]) | {"description": "x" * 3_000_000, "name": "as it was"}
        row["payload"] = json.dumps(detail)
        row["payload_hash"] = hashlib.sha256(row["payload"].encode()).hexdigest()
        row["fetched_at"] += timedelta(seconds=1)
        row["shard"] = name
    wide = athlete.home / "data" / "activity_details" / f"{name}.parquet"
    wide.parent.mkdir()
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(shard)), wide, use_dictionary=["shard"])
    del rows
    # pull, enrich, stage: what versions tell is read of all payloads
    ran = run(ENRICH_LIMIT="2")
    assert ran.code == 0, ran.err
    [(widest, count)] = athlete.sql("select max(length(payload)), count(*) from staging.activity_details")
    assert (widest > 3_000_000, count) == (True, 60)
    assert run("status").code == 0
    ran = run("sql", "select max(length(payload)) as widest from (from staging.activity_details order by payload)")
    assert (ran.code, str(widest) in ran.out) == (0, True), ran.err
    # a damaged one is written again from the warehouse, which holds all of it
    before = sorted(pq.read_table(wide, columns=["payload_hash"]).column(0).to_pylist())
    wide.write_bytes(wide.read_bytes()[:-100])
    athlete.warehouse.with_name(".state").joinpath("told_activity_details.parquet").unlink()
    assert run(ENRICH_LIMIT="0").code == 0
    assert sorted(pq.read_table(wide, columns=["payload_hash"]).column(0).to_pylist()) == before


@pytest.mark.deep
def test_wide_details_land_in_several_shards_and_byte_for_byte(athlete, run, strava):
    for activity in strava.activities()[:10]:
        strava.edit_detail(activity["id"], description="y" * 7_000_000)
    assert run(ENRICH_LIMIT="all").code == 0
    shards = athlete.shards("activity_details")
    assert len(shards) > 1
    sizes = [sum(map(len, pq.read_table(path, columns=["payload"]).column(0).to_pylist())) for path in shards]
    assert max(sizes) < 50_000_000
    assert len(athlete.sql("from staging.activity_details")) == 60
    [(id_, payload)] = athlete.sql(
        "select id, payload from staging.activity_details order by length(payload) desc limit 1"
    )
    assert payload.encode() == ask(athlete, f"/activities/{id_}", include_all_efforts="true")


def test_memory_is_by_the_widest_rows_but_no_more_than_all_rows_take():
    assert memory_mb(2_000, 10**9) == LEASH_MB
    assert memory_mb(290_000, 10**12) == 4 * 2048 * 290_000 // 2**20
    assert memory_mb(50_000_000, 60_000_000) == 4 * 60_000_000 // 2**20


def test_too_little_memory_is_one_sentence_and_no_shard_counts_as_damaged(athlete, run, monkeypatch):
    run("pull")

    def too_much(*_):
        raise duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate data of size 1.0 GiB")

    # as a machine of a few megabytes would have it; there is none to be had here
    monkeypatch.setattr(store, "rows_of", too_much)
    before = athlete.shards()
    for command in ("pull", "status"):
        assert_said(run(command), 6, "memory does not suffice", "run again")
    assert athlete.shards() == before
    assert list(athlete.home.rglob("*.torn")) == []


def test_whatever_duckdb_says_of_the_warehouse_is_a_typed_error(tmp_path):
    file = tmp_path / "x.duckdb"
    for query in ("select 1 from staging.nothing", "select error('odd')", "select cast('x' as int)"):
        with pytest.raises(StorageFailed, match="move the file away"), open_warehouse(file) as connection:
            connection.execute(query)
    with pytest.raises(StorageFailed, match="Memory ran out"), open_warehouse(file) as connection:
        sort_in_one_megabyte(connection)


def sort_in_one_megabyte(connection):
    connection.execute("set memory_limit = '1MB'")
    connection.execute("select max(a) from (select list(i) as a from range(10000000) r(i))")
