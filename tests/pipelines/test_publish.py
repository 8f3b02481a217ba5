"""A read-only copy of the warehouse, for dashboards: always whole, never locked."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from types import SimpleNamespace

import duckdb
import pytest
from landed import contents
from said import assert_said

from pipelines.ground.errors import BadSetting
from pipelines.ground.written_places import Places
from pipelines.warehouse.publish import publish

# opens the copy again and again, as a dashboard does, and says how often it did and what it saw
READ = """
import duckdb, sys, time
from pathlib import Path
copy, end, seen, times = sys.argv[1], Path(sys.argv[2]), set(), 0
while not end.exists():
    if not Path(copy).exists():
        continue
    with duckdb.connect(copy, read_only=True) as connection:
        summed = connection.execute("select sum(activities) from strava.activities_yearly").fetchone()[0]
        counted = connection.execute("select count(*) from strava.activities").fetchone()[0]
        versions = connection.execute("select count(*) from strava.activities_history").fetchone()[0]
        time.sleep(0.2)
        again = connection.execute("select count(*) from strava.activities").fetchone()[0]
    assert summed == counted == again <= versions, (summed, counted, again, versions)
    seen.add(counted)
    times += 1
print(times, *sorted(seen))
"""


@contextmanager
def reading_until(end):
    """Whatever goes wrong meanwhile, the reader ends."""
    try:
        yield
    finally:
        end.touch()


@pytest.mark.deep
def test_readers_of_the_copy_never_meet_an_error_or_half_a_build(settled, run, strava):
    athlete = settled
    copy, end = athlete.home / "shared" / "strava.duckdb", athlete.home / "end"
    settings = {"STRAVA_PUBLISH": "shared/strava.duckdb", "ENRICH_LIMIT": "0"}
    assert run("flow", **settings).code == 0
    command = [sys.executable, "-c", READ, str(copy), str(end)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader,
        reading_until(end),
    ):
        # one more flow, while somebody has the copy open all the time
        with duckdb.connect(str(copy), read_only=True) as stored:
            strava.add(name="one more")
            ran = run("flow", **settings)
            assert (ran.code, f"Published: {copy}." in ran.err) == (0, True), ran.err
            assert stored.execute("select count(*) from strava.activities").fetchone() == (60,)
        strava.delete(strava.activities()[5]["id"])
        strava.delete(strava.activities()[6]["id"])
        # a flow with a purge makes the warehouse again
        assert run("flow", STRAVA_PURGE_DELETED="true", **settings).code == 0
        time.sleep(1)
        end.touch()
        out, err = reader.communicate(timeout=30)
    assert (reader.returncode, err) == (0, "")
    times, *seen = map(int, out.split())
    assert seen == [59, 60, 61]
    assert times > 10
    assert copy.stat().st_mode & 0o777 == 0o444
    assert [path.name for path in copy.parent.iterdir()] == ["strava.duckdb"]

    # nothing new: not written again; missing: written though dbt is not started
    inode = copy.stat().st_ino
    ran = run("flow", **settings)
    assert ("nothing landed" in ran.err, "Published" in ran.err, copy.stat().st_ino) == (True, False, inode)
    copy.unlink()
    ran = run("flow", **settings)
    assert ("nothing landed" in ran.err, "Published" in ran.err, copy.exists()) == (True, True, True)

    # another number of the athlete's: no build, but what the views of the copy read
    ran = run("flow", STRAVA_MAX_HR="190", **settings)
    assert ("nothing landed" in ran.err, "Published" in ran.err) == (True, True)
    with duckdb.connect(str(copy), read_only=True) as connection:
        assert connection.execute("select max_hr from staging.stg_strava__athlete_settings").fetchall() == [(190,)]
    assert run("flow", **settings).code == 0

    # something that is no copy is left alone
    strava.add(name="another one")
    copy.unlink()
    copy.write_text("my diary")
    assert_said(run("flow", **settings), 2, str(copy), "move it away")
    assert copy.read_text() == "my diary"
    copy.unlink()
    assert run("flow", **settings).code == 0
    assert contents(copy.parent)[copy.name] == athlete.warehouse.read_bytes()


@pytest.mark.slow
def test_a_disk_too_full_for_the_copy_is_reported_and_the_old_one_stays(settled, run):
    athlete = settled
    folder = athlete.home / "shared"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only a superuser may mount a small disk")
    try:
        copy = folder / "strava.duckdb"
        duckdb.connect(str(copy)).close()
        before = contents(folder)
        settings = {"STRAVA_PUBLISH": str(copy), "ENRICH_LIMIT": "0"}
        assert_said(run("flow", **settings), 6, "disk is full", str(copy))
        assert contents(folder) == before
        subprocess.run(["mount", "-o", "remount,size=50m", str(folder)], check=True)
        ran = run("flow", **settings)
        assert ("nothing landed" in ran.err, "Published" in ran.err) == (True, True), ran.err
        assert contents(folder) == {copy.name: athlete.warehouse.read_bytes()}
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("copy", ["warehouse/strava.duckdb", "shared/dashboard.duckdb", "shared"])
def test_a_copy_that_could_not_be_used_is_refused_before_anything_is_asked(athlete, run, copy):
    (athlete.home / "shared").mkdir()
    assert_said(run("flow", STRAVA_PUBLISH=copy), 2, "STRAVA_PUBLISH", copy)
    assert athlete.requests() == []


@pytest.mark.parametrize(
    ("mode", "is_a_copy"), [(0o444, True), (0o400, True), (0o644, False), (0o464, False), (0o446, False)]
)
def test_a_writable_warehouse_does_not_count_as_a_copy(tmp_path, mode, is_a_copy):
    warehouse, copy = tmp_path / "warehouse.duckdb", tmp_path / "copy.duckdb"
    for number, path in enumerate((copy, warehouse)):
        with duckdb.connect(str(path)) as connection:
            connection.execute("create schema staging")
            connection.execute(
                f"create table staging.dbt_builds as select timestamp '2026-01-0{number + 1}' as built_at"
            )
    copy.chmod(mode)
    places = Places(SimpleNamespace(home_path=tmp_path, state_path=tmp_path, bronze_path=tmp_path, bronze_store=None))
    if is_a_copy:
        assert publish(warehouse, copy, places)
        assert copy.read_bytes() == warehouse.read_bytes()
        assert not publish(warehouse, copy, places)
    else:
        before = copy.read_bytes()
        with pytest.raises(BadSetting, match="is not a copy of this warehouse"):
            publish(warehouse, copy, places)
        assert copy.read_bytes() == before


def test_a_copy_that_shows_the_last_build_is_not_written_again_while_somebody_reads_it(tmp_path):
    warehouse, copy = tmp_path / "warehouse.duckdb", tmp_path / "copy.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema staging")
        connection.execute("create table staging.dbt_builds as select timestamp '2026-01-01' as built_at")
    places = Places(SimpleNamespace(home_path=tmp_path, state_path=tmp_path, bronze_path=tmp_path, bronze_store=None))
    assert publish(warehouse, copy, places)
    read = "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", read, str(copy)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        assert reader.stdout.readline() == b"1\n"
        assert not publish(warehouse, copy, places)


def test_a_damaged_duckdb_file_that_is_not_ours_is_left_alone(tmp_path):
    warehouse, copy = tmp_path / "warehouse.duckdb", tmp_path / "copy.duckdb"
    duckdb.connect(str(warehouse)).close()
    copy.write_bytes(b"\0" * 8 + b"DUCK" + b"torn" * 1000)
    before = copy.read_bytes()
    places = Places(SimpleNamespace(home_path=tmp_path, state_path=tmp_path, bronze_path=tmp_path, bronze_store=None))
    with pytest.raises(BadSetting, match="is not a copy of this warehouse"):
        publish(warehouse, copy, places)
    assert copy.read_bytes() == before


def test_a_yes_or_no_that_is_neither_is_refused(athlete, run):
    assert_said(run("flow", STRAVA_PURGE_DELETED="maybe"), 2, "STRAVA_PURGE_DELETED is 'maybe'", "true or false")
