import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from landed import LIST, all_ids, details_asked, ids

from simulator import Simulator

pytestmark = pytest.mark.slow


def staged(athlete, table="activities"):
    return athlete.sql(f"select id, fetched_at, payload_hash, payload from staging.{table} order by all")


def test_a_deleted_warehouse_comes_back_from_the_shards_alone(athlete, run, strava):
    run(ENRICH_LIMIT="4")
    strava.edit(strava.activities()[0]["id"], name="Renamed")
    run(ENRICH_LIMIT="0")
    before = staged(athlete), staged(athlete, "activity_details")
    athlete.warehouse.unlink()
    strava.clear_requests()
    assert run(ENRICH_LIMIT="0").code == 0
    assert (staged(athlete), staged(athlete, "activity_details")) == before
    # what a run with nothing new asks anyway
    assert [request.path for request in strava.requests] == ["/api/v3" + LIST] * len(strava.requests)
    assert len(strava.requests) <= 3


def test_with_warehouse_and_state_deleted_everything_comes_back_from_the_shards(athlete, run, strava):
    run(ENRICH_LIMIT="4")
    before = staged(athlete), staged(athlete, "activity_details"), athlete.shards()
    shutil.rmtree(athlete.home / "warehouse")
    strava.clear_requests()
    assert run(ENRICH_LIMIT="0").code == 0
    assert (staged(athlete), staged(athlete, "activity_details"), athlete.shards()) == before
    assert details_asked(athlete) == []
    assert len(strava.requests) <= 3


def test_with_the_shards_deleted_the_cursor_starts_over_and_all_is_fetched_again(athlete, run, strava):
    run(ENRICH_LIMIT="1")
    shutil.rmtree(athlete.home / "data")
    strava.clear_requests()
    assert run(ENRICH_LIMIT="1").code == 0
    assert athlete.requests(LIST)[0].query["after"] == "0"
    assert sorted(ids(athlete)) == sorted(all_ids(strava))
    assert len(ids(athlete, "activity_details")) == 1


def test_with_only_the_shards_of_one_table_deleted_that_table_is_fetched_again(athlete, run, strava):
    run(ENRICH_LIMIT="2")
    shutil.rmtree(athlete.home / "data" / "activities")
    assert run(ENRICH_LIMIT="0").code == 0
    assert sorted(ids(athlete)) == sorted(all_ids(strava))


@pytest.mark.parametrize("how", ["copied", "renamed"])
def test_a_copied_or_renamed_shard_is_not_doubled(athlete, run, strava, how):
    run("pull")
    [shard] = athlete.shards()
    other = shard.with_name("my backup.parquet")
    (shutil.copy if how == "copied" else shutil.move)(shard, other)
    run("pull")
    assert len(staged(athlete)) == 60
    athlete.warehouse.unlink()
    run("pull")
    assert len(staged(athlete)) == 60
    assert "nothing new" in run("pull").err


def test_shards_brought_from_another_machine_are_loaded(athlete, run, strava):
    run("pull")
    [first] = athlete.shards()
    elsewhere = first.rename(athlete.home / first.name)
    shutil.rmtree(athlete.home / "warehouse")
    strava.add(name="today")
    run("pull", "--lookback-days", "0")
    elsewhere.rename(first)
    run("pull")
    # both machines had pulled the old ones: each row of each shard is there
    assert len(staged(athlete)) == 60 + 61


def test_a_second_athlete_has_a_cursor_of_its_own(athlete, run, strava, tmp_path):
    run(ENRICH_LIMIT="3")
    with Simulator(seed=8, activities=20) as other:
        settings = {
            "STRAVA_API_URL": other.api_url,
            "STRAVA_OAUTH_URL": other.oauth_url,
            "STRAVA_CLIENT_ID": other.client_id,
            "STRAVA_CLIENT_SECRET": other.client_secret,
            "STRAVA_TOKEN_FILE": "secrets/other.json",
        }
        (athlete.home / "secrets" / "other.json").write_text(f'{{"refresh_token": "{other.issue_refresh_token()}"}}')
        assert run(ENRICH_LIMIT="2", **settings).code == 0
        assert other.requests[-1].path.startswith("/api/v3/activities/")
        assert next(request.query["after"] for request in other.requests if request.path.endswith(LIST)) == "0"
        assert set(ids(athlete)) == all_ids(strava) | all_ids(other)
        reported = run("status", **settings).out
    assert f"Athlete           {other.athlete_id}\n" in reported
    assert "Activities        20\n" in reported
    assert "Details missing   18\n" in reported
    assert athlete.sql("select athlete_id, count(*) from staging.activities group by 1 order by 2") == [
        (other.athlete_id, 20),
        (strava.athlete_id, 60),
    ]
    assert "nothing new" in run("pull").err


@pytest.mark.parametrize("which", [0, -1], ids=["oldest", "newest"])
def test_a_shard_of_a_later_version_with_a_column_more_is_read_as_any_other(athlete, run, strava, which):
    run("pull")
    strava.add(name="today")
    run("pull")
    shard = sorted(athlete.shards(), key=lambda path: path.stat().st_mtime)[which]
    rows = pq.read_table(shard)
    pq.write_table(rows.append_column("source", pa.array(["api"] * len(rows))), shard)
    athlete.warehouse.unlink()
    ran = run("pull")
    assert (ran.code, "nothing new" in ran.err) == (0, True), ran.err
    assert len(staged(athlete)) == 61
    assert run("status").code == 0
