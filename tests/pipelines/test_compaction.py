"""Small files of shards become few: with every row as it came, once, whatever happens meanwhile."""

import json
import os
import shutil
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest
from deep import deep_but
from imports import Steps, without_account
from landed import all_ids, ids

from pipelines.bronze.compaction import MOST_FILES, is_compacted
from pipelines.bronze.store import BronzeReader
from pipelines.bronze.tables import SCHEMA
from simulator.activity_files import Sample, gpx_file

pytestmark = pytest.mark.slow


def rows(athlete, table="activities"):
    """Each row of each file, with the name of its shard."""
    found = [row for path in athlete.shards(table) for row in pq.read_table(path).to_pylist()]
    return sorted(found, key=lambda row: (row["shard"], row["id"] or 0))


def compacted(athlete, table="activities"):
    return [path for path in athlete.shards(table) if is_compacted(path)]


@pytest.fixture
def aged(athlete, pull):
    """`athlete`, whose activities landed one by one, and whose warehouse is gone; the folder of their shards."""
    assert pull().code == 0
    shutil.rmtree(athlete.home / "warehouse")
    [shard] = athlete.shards()
    table = pq.read_table(shard)
    shard.unlink()
    for number in range(len(table)):
        row = table.slice(number, 1)
        name = f"{shard.stem[:-8]}{number:08x}"
        path = shard.with_name(f"{name}.parquet")
        pq.write_table(row.set_column(row.schema.get_field_index("shard"), "shard", [[name]]), path)
    athlete.strava.clear_requests()
    return shard.parent


def test_many_small_files_become_one_with_every_row_as_it_came(athlete, run, aged):
    before = rows(athlete)
    ran = run("pull")
    assert ran.code == 0, ran.err
    assert "Staging: 61 shards loaded." in ran.err
    assert "Bronze: 60 small shard files compacted." in ran.err
    assert athlete.shards() == compacted(athlete)
    assert len(athlete.shards()) == 1
    assert rows(athlete) == before
    assert athlete.sql("select count(*), count(distinct shard) from staging.activities") == [(60, 60)]
    again = run("pull")
    assert "nothing new" in again.err
    assert "shards loaded" not in again.err
    assert "compacted" not in again.err
    assert run("status").code == 0


def test_a_warehouse_that_is_made_anew_has_each_row_of_a_compacted_file_once(athlete, run, strava, aged):
    run("pull")
    strava.add(name="today")
    run("pull")
    shutil.rmtree(athlete.home / "warehouse")
    ran = run("pull")
    assert "Staging: 62 shards loaded." in ran.err
    assert athlete.sql("select count(*), count(distinct id) from staging.activities") == [(61, 61)]


def test_few_small_files_stay_as_they_are(athlete, steps, aged):
    for path in athlete.shards()[MOST_FILES:]:
        path.unlink()
    before = athlete.shards()
    steps.run("stage")
    assert athlete.shards() == before


def test_a_file_that_bears_another_name_than_its_rows_is_left_alone(athlete, steps, aged):
    odd = athlete.shards()[7].rename(aged / "odd.parquet")
    steps.run("stage")
    assert athlete.shards() == [*compacted(athlete), odd]
    assert sorted(ids(athlete)) == sorted(all_ids(athlete.strava))


@pytest.mark.parametrize(
    "moment",
    deep_but(1, "os.remove .*/data/activities/.*", "os.rename .*--.*", "open .*--.*"),
    ids=["before what it covers goes", "before it appears", "before it is written"],
)
def test_readers_see_each_row_once_after_a_kill_and_the_next_run_completes_it(athlete, run, aged, moment):
    before = rows(athlete)
    assert athlete.spawn("pull", SOAK_KILL_AT=moment).code == -9
    bronze = BronzeReader(athlete.home / "data")
    seen = bronze.query("select id, shard, payload from {activities}")
    assert sorted(seen, key=lambda row: row[1]) == [(row["id"], row["shard"], row["payload"]) for row in before]
    assert run("status").code == 0
    assert run("pull").code == 0
    assert len(athlete.shards()) == 1
    assert rows(athlete) == before


def test_compacted_files_are_compacted_in_turn(athlete, run, aged, monkeypatch):
    before = rows(athlete)
    monkeypatch.setattr("pipelines.bronze.compaction.FILE_BYTES", 6 * athlete.shards()[0].stat().st_size)
    run("pull")
    assert 8 < len(compacted(athlete)) == len(athlete.shards()) <= MOST_FILES
    monkeypatch.undo()
    monkeypatch.setattr("pipelines.bronze.compaction.MOST_FILES", 3)
    run("pull")
    assert len(athlete.shards()) == 1
    assert rows(athlete) == before


def test_of_files_that_overlap_each_row_is_staged_once(athlete, steps, aged):
    """As two machines make them that share a bucket: each compacts what it knows."""
    small = sorted(athlete.shards())
    theirs = athlete.home / "theirs"
    theirs.mkdir()
    for path in small[40:]:
        path.rename(theirs / path.name)
    kept = [(path.name, path.read_bytes()) for path in small[20:40]]
    steps.run("stage")
    [ours] = compacted(athlete)
    ours.rename(athlete.home / ours.name)
    for name, content in kept:
        (aged / name).write_bytes(content)
    for path in theirs.iterdir():
        path.rename(aged / path.name)
    steps.run("stage")
    shutil.rmtree(athlete.home / "warehouse")
    (athlete.home / ours.name).rename(ours)
    assert len(compacted(athlete)) == len(athlete.shards()) == 2
    assert len(ids(athlete)) == 80
    steps.run("stage")
    assert athlete.sql("select count(*), count(distinct id) from staging.activities") == [(60, 60)]


@pytest.mark.deep
def test_what_was_purged_is_erased_from_a_compacted_file_and_from_what_comes_back(athlete, run, strava, aged):
    small = {path.name: path.read_bytes() for path in athlete.shards()}
    run("pull")
    gone = strava.activities()[5]["id"]
    strava.delete(gone)
    assert run("pull", "--all").code == 0
    ran = run("purge")
    assert ran.code == 0, ran.err
    assert gone not in ids(athlete)
    assert len(ids(athlete)) == 59
    # somebody puts an old backup of the folder back
    for name, content in small.items():
        (aged / name).write_bytes(content)
    assert run("purge").code == 0
    assert gone not in ids(athlete)
    assert len(ids(athlete)) == 59
    assert run("status").code == 0


@pytest.mark.parametrize("damage", deep_but(1, "its middle", "its end"))
def test_a_damaged_compacted_file_is_written_anew_from_the_warehouse(athlete, run, strava, aged, damage):
    run("pull")
    strava.add(name="today")
    run("pull")
    before = rows(athlete)
    [file] = compacted(athlete)
    content = file.read_bytes()
    at = pq.read_metadata(file).row_group(0).column(SCHEMA.names.index("start_date")).data_page_offset
    damaged = {"its end": content[:-20], "its middle": content[:at] + b"\xff" * 20 + content[at + 20 :]}
    file.write_bytes(damaged[damage])
    status = run("status")
    assert "the DuckDB file has its rows" in status.out + status.err
    ran = run("pull")
    assert ran.code == 0, ran.err
    assert "the warehouse had its rows, and it was written anew" in ran.err
    assert rows(athlete) == before
    assert run("status").code == 0


def test_a_damaged_compacted_file_that_nobody_has_is_set_aside_and_its_activities_are_fetched_again(
    athlete, run, steps, strava, aged
):
    steps.run("stage")
    shutil.rmtree(athlete.home / "warehouse")
    [file] = compacted(athlete)
    file.write_bytes(file.read_bytes()[:-20])
    ran = run("pull")
    assert ran.code == 0, ran.err
    assert "nothing else here has its rows" in ran.err
    assert set(ids(athlete)) == all_ids(strava)


def test_output_that_a_killed_pull_did_not_write_comes_from_a_compacted_file_too(athlete, run, steps, aged):
    shutil.rmtree(athlete.home / "output")
    steps.run("stage")
    assert compacted(athlete)
    run("pull")
    [array] = (athlete.home / "output").iterdir()
    assert {activity["id"] for activity in json.loads(array.read_bytes())} == all_ids(athlete.strava)


def test_a_purge_survives_a_restore_of_a_bundle_from_before_though_its_tombstone_was_compacted(
    athlete, run, steps, strava, aged, tmp_path_factory
):
    bundle = str(tmp_path_factory.mktemp("backups") / "strava.bundle")
    steps.run("stage")
    assert run("backup", bundle, "--unencrypted").code == 0
    gone, hidden = (activity["id"] for activity in strava.activities()[5:7])
    for id_ in (hidden, gone):
        strava.delete(id_)
        assert run("pull", "--all").code == 0
        if id_ == gone:
            steps.run("purge")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.bronze.compaction.MOST_FILES", 1)
        steps.run("stage")
    [tombstones] = athlete.shards("tombstones")
    assert is_compacted(tombstones)
    assert run("restore", bundle, "--force", "--unencrypted").code == 0
    athlete.authorise()
    steps.run("purge_if_wanted")
    assert gone not in ids(athlete)
    assert hidden not in ids(athlete)


def test_what_is_withdrawn_is_erased_from_compacted_files(athlete, run, steps, strava, aged):
    steps.run("stage")
    assert compacted(athlete)
    steps.withdraw("api")
    assert athlete.shards() == []
    assert run("pull").code == 0
    assert set(ids(athlete)) == all_ids(strava)


@pytest.mark.deep
def test_files_of_a_watch_are_read_from_a_compacted_file(tmp_path, monkeypatch, capfd):
    folder = tmp_path / "watch"
    folder.mkdir()
    newcomer = without_account(tmp_path / "home")
    newcomer.settings["STRAVA_WATCH"] = str(folder)
    steps = Steps(newcomer, monkeypatch, capfd)
    for number in range(4):
        began_at = datetime(2026, 3, 1 + number, 12, tzinfo=UTC)
        samples = [Sample(t_s, lat=47.0 + t_s / 1e5, lng=8.5) for t_s in range(0, 600, 60)]
        path = folder / f"{number}.gpx"
        path.write_bytes(gpx_file(samples, start=began_at))
        # one that is being written is not taken in
        os.utime(path, (1e9, 1e9))
        steps.run("watch", "stage")
    before = newcomer.sql("select id, payload from staging.activity_files order by id")
    assert len(before) == 4
    monkeypatch.setattr("pipelines.bronze.compaction.MOST_FILES", 2)
    steps.run("stage")
    assert len(newcomer.shards("activity_files")) == 1
    for path in (newcomer.home / "warehouse").iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    steps.run("stage")
    assert newcomer.sql("select id, payload from staging.activity_files order by id") == before
