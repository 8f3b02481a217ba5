"""What was deleted at Strava is erased for good, and nothing else is."""

import json
import secrets
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from home import Athlete, copy_home
from landed import contents, ids, versions
from said import assert_said

from pipelines.mirror.pull import PullChoice
from simulator import Simulator

pytestmark = pytest.mark.slow

TABLES = ("activities", "activity_details")
HOLD = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def rows(athlete, table):
    """Every row of every shard, as JSON text, with the shard's file."""
    return {
        (path.name, json.dumps(row, default=str, sort_keys=True))
        for path in athlete.shards(table)
        for row in pq.ParquetFile(path).read().to_pylist()
    }


def mentions(athlete, text):
    """The files of a home that hold `text`, in shards also where it is compressed."""
    found = {
        str(path.relative_to(athlete.home))
        for path in athlete.home.rglob("*")
        if path.is_file() and text.encode() in path.read_bytes()
    }
    return found | {name for table in TABLES for name, row in rows(athlete, table) if text in row}


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    """A home with an activity with a name that nothing else bears, in two versions, with details; and that name."""
    name = f"Secret {secrets.token_hex(16)}"
    with Simulator(seed=7, activities=60) as strava:
        user = Athlete(tmp_path_factory.mktemp("past"), strava)
        user.authorise()
        id_ = strava.activities()[3]["id"]
        strava.edit(id_, name=name)
        assert user.spawn(ENRICH_LIMIT="6").code == 0
        # names of pulls have seconds
        time.sleep(1)
        strava.edit(id_, kudos_count=999)
        assert user.spawn("pull").code == 0
    return user.home, name


@pytest.fixture
def secret(athlete, strava, past):
    """The id and name of that activity, in a home like that."""
    home, name = past
    copy_home(home, athlete.home)
    athlete.authorise()
    id_ = strava.activities()[3]["id"]
    strava.edit(id_, name=name, kudos_count=999)
    assert {path.split("/")[0] for path in mentions(athlete, name)} >= {"output", "warehouse"}
    assert (ids(athlete).count(id_), ids(athlete, "activity_details").count(id_)) == (2, 1)
    return id_, name


def outputs(athlete):
    return sorted((athlete.home / "output").glob("*.json"))


def in_outputs(athlete):
    return [activity for path in outputs(athlete) for activity in json.loads(path.read_bytes())]


def test_a_purge_erases_what_was_deleted_from_every_file_and_nothing_else(athlete, run, strava, secret):
    id_, name = secret
    start = next(activity["start_date"] for activity in strava.activities() if activity["id"] == id_)
    strava.delete(id_)
    assert run("flow", "--all", ENRICH_LIMIT="0").code == 0
    assert athlete.sql("select name from strava.deleted_activities") == [(name,)]
    before, listed = {table: rows(athlete, table) for table in TABLES}, in_outputs(athlete)
    # when details were last checked
    looked_at = athlete.home / "warehouse" / ".state" / "refreshed.json"
    looked_at.write_text(json.dumps({str(id_): time.time(), "17": 5.0}))
    athlete.token_file.rename(athlete.home / "token")
    strava.clear_requests()

    ran = run("purge")
    assert ran.code == 0, ran.err
    assert "3 rows erased from 3 shards and 2 JSON files; the DuckDB file had them too" in ran.err
    assert mentions(athlete, name) == set()
    assert json.loads(looked_at.read_bytes()) == {"17": 5.0}
    for table in TABLES:
        assert rows(athlete, table) == {row for row in before[table] if json.loads(row[1])["id"] != id_}
    assert in_outputs(athlete) == [activity for activity in listed if activity["id"] != id_]
    assert athlete.sql("select id, reason, purged, name, payload from strava.deleted_activities") == [
        (id_, "deleted", True, None, None)
    ]
    assert athlete.sql("select count(*) from strava.activities") == [(59,)]
    assert athlete.sql("select count(*) from strava.activities_history where id = ?", id_) == [(0,)]

    stored = [contents(athlete.home / "data" / table) for table in (*TABLES, "tombstones")]
    ran = run("purge")
    assert (ran.code, ran.err) == (0, "Purge: nothing to erase.\n")
    assert [contents(athlete.home / "data" / table) for table in (*TABLES, "tombstones")] == stored
    assert strava.requests == []

    (athlete.home / "token").rename(athlete.token_file)
    strava.add(start_date=start, id=id_, name=name)
    assert run("flow", "--all", ENRICH_LIMIT="1", STRAVA_PURGE_DELETED="true").code == 0
    assert (ids(athlete).count(id_), ids(athlete, "activity_details").count(id_)) == (1, 1)
    assert athlete.sql("select name from strava.activities where id = ?", id_) == [(name,)]
    assert athlete.sql("select count(*) from strava.activity_details where id = ?", id_) == [(1,)]
    assert name in [activity["name"] for activity in in_outputs(athlete)]


def test_a_purge_that_has_nothing_to_do_starts_no_dbt(athlete, run, strava):
    assert (run("purge").code, run("pull").code) == (0, 0)
    strava.add(name="not built")
    assert run("pull").code == 0
    ran = run("purge", STRAVA_PAGE="true", STRAVA_PUBLISH="copy/strava.duckdb")
    assert (ran.code, ran.err) == (0, "Purge: nothing to erase.\n")
    assert not (athlete.home / "warehouse" / ".state" / "dbt").exists()


@pytest.mark.deep
def test_a_flow_purges_if_the_settings_say_so_and_completes_what_an_open_warehouse_delayed(
    athlete, run, strava, secret
):
    id_, name = secret
    strava.delete(id_)
    before = mentions(athlete, name)
    with stored(athlete.warehouse) as holder:
        assert_said(run("flow", "--all", ENRICH_LIMIT="0"), 5, f"process {holder.pid}")
        assert mentions(athlete, name) == before
        purged = run("flow", ENRICH_LIMIT="0", STRAVA_PURGE_DELETED="true")
        assert_said(purged, 5, f"process {holder.pid}", "run again")
        assert {path.split("/")[0] for path in mentions(athlete, name)} == {"warehouse"}
    # also where no others are to be purged
    ran = run("flow", ENRICH_LIMIT="0")
    assert ran.code == 0, ran.err
    assert mentions(athlete, name) == set()
    assert athlete.sql("select count(*) from strava.activities") == [(59,)]
    ran = run("flow", ENRICH_LIMIT="0", STRAVA_PURGE_DELETED="true")
    assert (ran.code, "Purge" in ran.err) == (0, False), ran.err


@contextmanager
def stored(warehouse):
    """Another process that has opened the DuckDB file."""
    command = [sys.executable, "-c", HOLD, str(warehouse)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.stdin.close()


def test_a_purge_finds_its_way_through_odd_names_columns_and_leftovers(athlete, run, steps, strava):
    named = strava.activities()[:4]
    for activity, name in zip(named, ('"},\n{"', "]\n", 'a "quote" \\', "Ü 🚴\u2028"), strict=True):
        strava.edit(activity["id"], name=name)
    strava.set_summary(named[2]["id"], json.dumps(named[2], indent=1).encode())
    run("pull")
    time.sleep(1)
    alone = strava.add(name="alone in its shard")["id"]
    run("pull")
    assert (len(athlete.shards()), len(outputs(athlete))) == (2, 2)
    # as a later version might write it
    shard = max(athlete.shards(), key=lambda path: path.stat().st_size)
    table = pq.read_table(shard)
    table = table.append_column("source", pa.array(["api"] * len(table)))
    pq.write_table(table, shard)
    folder = athlete.home / "data" / "activities"
    half, torn = folder / ".some.parquet.1.tmp", folder / "some.parquet.torn"
    half.write_bytes(b"half a shard")
    torn.write_bytes(b"half a shard")

    for gone in (named[0]["id"], named[2]["id"], alone):
        strava.delete(gone)
    run("pull", "--all")
    said = steps.run("purge", "stage")
    left = sorted(activity["id"] for activity in strava.activities())
    assert sorted(ids(athlete)) == left
    assert sorted(activity["id"] for activity in in_outputs(athlete)) == left
    assert (athlete.shards(), len(outputs(athlete))) == ([shard], 1)
    kept = pq.read_table(shard)
    assert kept.schema == table.schema
    assert kept.to_pylist() == [row for row in table.to_pylist() if row["id"] in left]
    assert not half.exists()
    assert f"warning: {torn}: damaged" in said
    # an array that was removed does not come back
    run("pull")
    assert len(outputs(athlete)) == 1


def test_a_purge_names_the_files_that_mention_what_it_erased_and_no_others(athlete, pull, steps, strava):
    id_ = strava.activities()[3]["id"]
    strava.edit(id_, name="Tempo of week 1")
    pull()
    mine, others = (athlete.home / "output" / f"{whose}.json" for whose in ("mine", "others"))
    mine.write_text('["Tempo of week 1"]')
    others.write_text('["Tempo of week 2"]')
    strava.delete(id_)
    pull("--all")
    said = steps.run("purge")
    named = [line for line in said.splitlines() if "still in it" in line]
    assert named == [f"warning: {mine}: what was purged is still in it. Delete it yourself."]
    assert "nothing to erase" not in said
    assert "nothing to erase" in steps.run("purge")


def test_a_purge_leaves_a_shard_alone_in_which_nothing_is_purged(athlete, pull, steps, strava):
    back, gone = (activity["id"] for activity in strava.activities()[3:5])
    pull()
    strava.delete(back)
    pull("--all")
    steps.run("purge")
    before = set(athlete.shards())
    strava.restore(back)
    pull("--all")
    [later] = set(athlete.shards()) - before
    assert ids(athlete).count(back) == 1
    strava.delete(gone)
    pull("--all")
    written = later.stat()
    assert "1 row erased from 1 shard and 1 JSON file" in steps.run("purge")
    assert (later.stat().st_ino, later.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)


# the change of a file before which it is killed (see `launcher`), by what it has done by then
MOMENTS = {
    "intended": "open .*/output/[.].*",
    "an array": "os.remove .*/output/.*",
    "a shard": "os.remove .*/data/activities/.*",
    "removed": "os.remove .*/strava.duckdb.wal",
    "made anew": "os.remove .*/target/run_results.json",
}


@pytest.mark.parametrize(
    "moments",
    [("removed",), pytest.param(tuple(MOMENTS), marks=pytest.mark.deep)],
    ids=["one of them", "each"],
)
def test_a_purge_killed_at_any_moment_is_completed_by_the_next(athlete, run, strava, secret, moments):
    id_, name = secret
    strava.delete(id_)
    run("pull", "--all")
    before = {table: rows(athlete, table) for table in TABLES}
    shutil.copytree(athlete.home, athlete.home / "whole", ignore=shutil.ignore_patterns("whole"))
    intents = len(athlete.shards("tombstones")) + 1
    for number, moment in enumerate(moments):
        killed = athlete.spawn("purge", SOAK_KILL_AT=MOMENTS[moment])
        assert killed.code == -9, killed.err
        assert len(athlete.shards("tombstones")) == intents
        assert any(name not in path.read_text() for path in outputs(athlete)) == (moment != "intended")
        assert athlete.warehouse.exists() == (moment != "removed")
        ran = run(*(("flow", "--limit", "0") if number % 2 else ("purge",)))
        assert ran.code == 0, ran.err
        assert {found for found in mentions(athlete, name) if not found.startswith("whole/")} == set()
        for table, stored in before.items():
            assert rows(athlete, table) == {row for row in stored if json.loads(row[1])["id"] != id_}
        assert athlete.sql("select count(*), count(distinct id) from strava.activities") == [(59, 59)]
        restore(athlete.home)


def test_a_purge_that_was_killed_leaves_an_activity_that_came_back_in_the_json_files(
    athlete, run, steps, strava, secret
):
    id_, name = secret
    strava.delete(id_)
    assert run("pull", "--all").code == 0
    assert athlete.spawn("purge", SOAK_KILL_AT=MOMENTS["intended"]).code == -9
    assert ids(athlete).count(id_) == 2
    strava.restore(id_)
    time.sleep(1)
    # as in a flow, without its build
    steps.run("pull", "purge_if_wanted", "stage", pull=PullChoice(everything=True))
    [kept] = [row for row in versions(athlete) if row[0] == id_]
    assert name in kept[1]
    assert name in [activity["name"] for activity in json.loads(outputs(athlete)[-1].read_bytes())]


def restore(home: Path) -> None:
    """Put the home back to what was copied into `whole`; the inodes are those of before."""
    for path in (home / "whole").rglob("*"):
        if path.is_file():
            place = home / path.relative_to(home / "whole")
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists() or place.read_bytes() != path.read_bytes():
                place.write_bytes(path.read_bytes())
    for path in home.rglob("*"):
        if path.is_file() and "whole" not in path.parts and not (home / "whole" / path.relative_to(home)).exists():
            path.unlink()


@pytest.mark.deep
def test_an_activity_that_came_back_is_not_erased_where_only_its_details_are_left(athlete, run, strava):
    id_ = max(strava.activities(), key=lambda activity: activity["start_date"])["id"]
    assert run("pull").code == 0
    strava.delete(id_)
    assert run("pull", "--all").code == 0
    strava.restore(id_)
    assert run("pull", "--all").code == 0
    # the details of the newest
    assert run(ENRICH_LIMIT="1").code == 0
    for shard in athlete.shards():
        shard.unlink()
    athlete.warehouse.unlink()
    ran = run("purge")
    assert ran.code == 0
    assert "nothing to erase" in ran.err
    assert ids(athlete, "activity_details") == [id_]
    assert run("build").code == 0
    assert athlete.sql("select id from strava.activity_details") == [(id_,)]
    assert athlete.sql("from strava.deleted_activities") == []
