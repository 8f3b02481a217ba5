"""Builds like one that dbt has done before: its statements are sent again, without dbt."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from home import Athlete, Ran, copy_home
from landed import NO_LIMITS, until
from said import assert_said

from pipelines.ground.settings import StravaSettings
from pipelines.warehouse.replay import recording_path, replay
from simulator import Simulator

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def strava() -> Iterator[Simulator]:
    with Simulator(seed=7, activities=40, limits=NO_LIMITS) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, strava: Simulator) -> Athlete:
    """A user whose dbt has built everything, and then what one new activity needs."""
    athlete = Athlete(tmp_path_factory.mktemp("recorded"), strava)
    athlete.authorise()
    assert athlete.spawn("flow", ENRICH_LIMIT="5").code == 0
    strava.add(name="for dbt")
    assert built_by_dbt(athlete, lambda: athlete.spawn("flow", ENRICH_LIMIT="0"))
    return athlete


@pytest.fixture
def athlete(recorded: Athlete, tmp_path: Path, strava: Simulator) -> Athlete:
    """That user, in a home of the test's own."""
    copy_home(recorded.home, tmp_path)
    copy = Athlete(tmp_path, strava)
    copy.authorise()
    return copy


def built_by_dbt(athlete: Athlete, command: Callable[[], Ran]) -> bool:
    """Whether `command`, which must build tables, needed dbt for that."""
    before = dbt_ended_at(athlete)
    ran = command()
    assert ran.code == 0, ran.err
    assert " models built, " in ran.err
    return dbt_ended_at(athlete) != before


def dbt_ended_at(athlete: Athlete) -> int:
    return (athlete.home / "warehouse" / ".state" / "dbt" / "target" / "run_results.json").stat().st_mtime_ns


def tables(warehouse: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables that dbt makes; sums of floats depend on their order in the last bits."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        names = connection.execute("select table_name from duckdb_tables() where schema_name = 'main'").fetchall()
        return {
            name: [
                tuple(round(value, 6) if isinstance(value, float) else value for value in row)
                for row in connection.execute(f"from main.{name} order by all").fetchall()
            ]
            for (name,) in names
        }


def built_anew(athlete: Athlete, folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The tables as dbt makes them of the same shards in a new warehouse."""
    copy_home(athlete.home, folder)
    shutil.rmtree(folder / "warehouse")
    copy = Athlete(folder, athlete.strava)
    copy.authorise()
    ran = copy.spawn("build")
    assert ran.code == 0, ran.err
    return tables(copy.warehouse)


def settings_of(athlete: Athlete) -> StravaSettings:
    settings = StravaSettings()
    settings.home = str(athlete.home)
    return settings


def recordings(athlete: Athlete) -> list[Path]:
    return sorted((athlete.home / "warehouse" / ".state" / "dbt" / "recordings").glob("*/*.json"))


def test_what_dbt_has_built_once_is_built_without_it_and_equals_what_it_would_build(athlete, run, tmp_path):
    strava = athlete.strava
    flow = lambda: run("flow", ENRICH_LIMIT="0")  # noqa: E731
    strava.add(name="one more", sport_type="Swim")
    assert not built_by_dbt(athlete, flow)
    # two at a time, and one that has changed
    strava.add(name="another", distance=123_456)
    strava.add(name="and another", sport_type="Ride")
    strava.edit(strava.activities()[3]["id"], name="renamed", distance=4_321)
    assert not built_by_dbt(athlete, flow)
    assert tables(athlete.warehouse) == built_anew(athlete, tmp_path / "anew")
    assert len(tables(athlete.warehouse)["activities"]) == strava.count
    # what else has landed needs other models: dbt first, then not
    for is_first in (True, False):
        strava.add(name="with details")
        assert built_by_dbt(athlete, lambda: run("flow", ENRICH_LIMIT="2")) == is_first
    assert tables(athlete.warehouse) == built_anew(athlete, tmp_path / "again")
    assert run("status").code == 0


@pytest.mark.deep
def test_a_deleted_activity_leaves_all_tables_without_dbt(athlete, run, tmp_path):
    # the first deletion of all has dbt build everything
    deleted = []
    for needs_dbt in (True, True, False):
        [(newest,)] = athlete.sql("select arg_max(id, start_date) from strava.activities")
        athlete.strava.delete(newest)
        deleted.append(newest)
        assert built_by_dbt(athlete, lambda: run("flow", ENRICH_LIMIT="0")) == needs_dbt
    assert tables(athlete.warehouse) == built_anew(athlete, tmp_path / "anew")
    for id_ in deleted:
        # for the homes of other tests
        athlete.strava.restore(id_)


@pytest.mark.deep
def test_dbt_builds_if_the_database_answers_otherwise_and_names_the_tests_that_fail(athlete, run, tmp_path):
    strava, flow = athlete.strava, partial(run, "flow", ENRICH_LIMIT="0")
    strava.add(name="one more")
    with duckdb.connect(str(athlete.warehouse)) as connection:
        # a relation that dbt lists before it begins
        connection.execute("drop table main.records")
    assert built_by_dbt(athlete, flow)
    assert tables(athlete.warehouse) == built_anew(athlete, tmp_path / "anew")
    # a test that warns, and goes on to do so
    negative = strava.add(distance=-1)["id"]
    assert "1 of them with a warning: in_range_activities_distance" in flow().err
    strava.add(name="and another")
    before = dbt_ended_at(athlete)
    assert flow().err.count("1 of them with a warning: in_range_activities_distance") == 1
    assert dbt_ended_at(athlete) == before
    # a test that fails
    strava.edit(negative, distance=1)
    with duckdb.connect(str(athlete.warehouse)) as connection:
        connection.execute("insert into main.activities from main.activities order by start_date limit 1")
    assert_said(flow(), 7, "dbt build failed", "unique_activities_id")


@pytest.mark.deep
def test_a_recording_that_is_damaged_or_of_other_variables_is_not_replayed_and_does_not_stay(athlete, run):
    [recording] = recordings(athlete)
    whole = recording.read_bytes()
    nested = b"[" * 100_000
    for damaged in (b"", whole[:-1], b"{}", b"null", nested, whole.replace(b" from ", b" form ")):
        recording.write_bytes(damaged)
        athlete.strava.add()
        assert built_by_dbt(athlete, lambda: run("flow", ENRICH_LIMIT="0"))
        assert recordings(athlete) == [recording]
    athlete.strava.add()
    assert built_by_dbt(athlete, lambda: run("flow", ENRICH_LIMIT="0", DBT_INDIRECT_SELECTION="cautious"))
    [other] = recordings(athlete)
    assert other.parent != recording.parent


@pytest.mark.deep
def test_a_recording_that_cannot_be_written_or_read_costs_only_time(athlete, run):
    [recording] = recordings(athlete)
    folder = recording.parent.parent
    # a file where a folder should be, and the other way round, stop root too
    for make in (
        lambda: folder.write_text(""),
        lambda: (folder.mkdir(), recording.parent.write_text("")),
        lambda: recording.mkdir(parents=True),
        lambda: recording.with_suffix(".tmp").mkdir(parents=True),
    ):
        shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
        make()
        athlete.strava.add()
        assert built_by_dbt(athlete, lambda: run("flow", ENRICH_LIMIT="0"))
    shutil.rmtree(folder)
    folder.mkdir()
    # what is not ours
    (folder / ".DS_Store").write_text("")
    athlete.strava.add()
    assert built_by_dbt(athlete, lambda: run("flow", ENRICH_LIMIT="0"))
    athlete.strava.add()
    assert not built_by_dbt(athlete, lambda: run("flow", ENRICH_LIMIT="0"))


@pytest.mark.deep
def test_a_second_ctrl_c_ends_it_at_once_without_a_traceback(athlete, run):
    [path] = recordings(athlete)
    whole = path.read_bytes()
    recording = json.loads(whole)
    begun = athlete.home / "begun"
    # minutes; DuckDB does not notice a signal in the middle of a task
    more = [f"copy (select 1) to '{begun}' (format csv)", *["select sum(range) from range(50_000_000)"] * 5000]
    nothing = {"cursor": 1000, "call": "execute", "bindings": None, "columns": None, "rows": None}
    recording["calls"][60:60] = [nothing | {"sql": sql} for sql in more]
    path.write_text(json.dumps(recording))
    athlete.strava.add()
    with athlete.start("flow", ENRICH_LIMIT="0") as process:
        until(begun.exists)
        time.sleep(0.5)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (130, False), err
    path.write_bytes(whole)
    assert not built_by_dbt(athlete, lambda: run("flow", ENRICH_LIMIT="0"))


@pytest.mark.deep
def test_a_home_that_was_moved_or_copied_builds_its_own_warehouse_alone(athlete, tmp_path):
    copy_home(athlete.home, tmp_path / "copy")
    copy = Athlete(tmp_path / "copy", athlete.strava)
    copy.authorise()
    before = athlete.warehouse.read_bytes()
    athlete.strava.add(name="of the copy")
    assert not built_by_dbt(copy, lambda: copy.spawn("flow", ENRICH_LIMIT="0"))
    assert athlete.warehouse.read_bytes() == before
    assert str(athlete.home) not in recordings(athlete)[0].read_text()


@pytest.mark.deep
def test_a_kill_in_the_middle_of_it_loses_nothing(athlete, run, tmp_path):
    settings = settings_of(athlete)
    path = recording_path(settings, frozenset({"activities"}))
    assert path in recordings(athlete)
    for delay_s in (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8):
        athlete.strava.add(name=f"killed after {delay_s} s")
        assert run("pull").code == 0
        child = os.fork()
        if child == 0:
            replay(settings, path)
            os._exit(0)
        time.sleep(delay_s)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert run("flow", ENRICH_LIMIT="0").code == 0
    assert tables(athlete.warehouse) == built_anew(athlete, tmp_path / "anew")


@pytest.mark.deep
def test_random_changes_give_the_tables_that_dbt_makes(athlete, run, tmp_path):
    random, strava = Random(7), athlete.strava  # noqa: S311 - the same changes each time
    deleted: list[int] = []
    by_dbt: list[bool] = []
    for _ in range(20):
        known = [activity["id"] for activity in strava.activities()[:15]]
        strava.add(sport_type=random.choice(["Run", "Ride", "Swim", "Yoga"]), distance=random.randrange(100_000))
        for one in random.sample(known, random.randint(0, 2)):
            match random.randrange(3):
                case 0:
                    strava.edit(one, name="renamed", distance=random.randrange(50_000))
                case 1:
                    strava.edit(one, sport_type="Ride", gear_id=random.choice(strava.gear_ids()))
                case _:
                    strava.delete(one)
                    deleted.append(one)
        flow = partial(run, "flow", ENRICH_LIMIT=random.choice(["0", "0", "2"]))
        by_dbt.append(built_by_dbt(athlete, flow))
    assert by_dbt.count(False) > 8
    assert tables(athlete.warehouse) == built_anew(athlete, tmp_path / "anew")
    for id_ in deleted:
        # for the homes of other tests
        strava.restore(id_)
