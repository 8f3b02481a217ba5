import json
import re
import shutil
from pathlib import Path

import duckdb
import pytest
from home import REPO, Athlete, copy_home
from landed import NO_LIMITS, all_ids, contents, open_files, until
from said import assert_said

from simulator import Simulator

pytestmark = pytest.mark.slow

N = 40
TABLES = {
    "strava.activities": "* exclude fetched_at",
    "strava.activity_details": "id, athlete_id, json, payload_hash",
    "strava.activities_daily": "*",
    "strava.activities_weekly": "*",
    "strava.activities_monthly": "*",
    "strava.activities_yearly": "*",
}


@pytest.fixture(scope="module")
def strava():
    with Simulator(seed=7, activities=N, limits=NO_LIMITS) as simulator:
        yield simulator


def user(home, strava):
    athlete = Athlete(home, strava)
    athlete.authorise()
    return athlete


def models_built(ran):
    """How many models a command built, by what it says."""
    assert ran.code == 0, ran.err
    return int(re.search(r"(\d+) models built", ran.err)[1])


@pytest.fixture(scope="module")
def stopped(tmp_path_factory, strava):
    """A first flow, ended by a rate limit in mid-pull: the user and how it ended."""
    athlete = user(tmp_path_factory.mktemp("flow"), strava)
    strava.fault("429", path="/athlete/activities", after=2, window="15min")
    return athlete, athlete.spawn("flow", PER_PAGE="10"), built(athlete)


@pytest.fixture(scope="module")
def flowed(stopped):
    """The user of that flow after a second one, when the window was open again."""
    athlete, *_ = stopped
    (athlete.home / "warehouse" / ".state" / "budget.json").unlink()
    athlete.whole = models_built(athlete.spawn("flow", ENRICH_LIMIT="5"))
    return athlete


def copy_of(flowed, home, strava):
    """That user, in another home and with another Strava, the same as theirs was."""
    copy_home(flowed.home, home)
    return user(home, strava)


@pytest.fixture(scope="module")
def stepped(tmp_path_factory, strava):
    """A user who called the steps one by one, as the cron line does."""
    athlete = user(tmp_path_factory.mktemp("steps"), strava)
    for command in ("pull", "build", "enrich"):
        assert athlete.spawn(command, ENRICH_LIMIT="5").code == 0
    return athlete


def built(athlete):
    return {
        table: [rounded(row) for row in athlete.sql(f"select {columns} from {table} order by all")]
        for table, columns in TABLES.items()
    }


def rounded(row):
    # a sum of floats depends on their order in its last bits
    return tuple(round(value, 6) if isinstance(value, float) else value for value in row)


def dbt_started_at(athlete):
    return (athlete.home / "warehouse" / ".state" / "dbt" / "logs" / "dbt.log").stat().st_mtime_ns


@pytest.mark.deep
def test_a_rate_limit_in_mid_pull_ends_a_flow_cleanly_with_what_it_fetched_built(stopped):
    _, ran, tables = stopped
    assert (ran.code, ran.out) == (0, "")
    assert len(tables["strava.activities"]) == 20
    *_, spent, list_, details = ran.err.splitlines()
    assert "opens again at" in spent
    assert list_ == "The list is not complete: the next run goes on from where it stands."
    assert re.fullmatch(r"20 details left: 20 requests, done (today|tomorrow) \d\d:\d\d UTC\.", details)
    assert "error" not in ran.err


@pytest.mark.deep
def test_flow_and_its_steps_one_by_one_give_the_same_warehouse(flowed, stepped):
    tables = built(flowed)
    assert len(tables["strava.activities"]) == N
    assert len(tables["strava.activity_details"]) == 5
    assert tables == built(stepped)


def test_flow_with_nothing_new_starts_no_dbt_and_takes_no_shard(flowed, strava):
    data = [contents(flowed.home / "data" / table) for table in ("activities", "activity_details")]
    started_at = dbt_started_at(flowed)
    strava.clear_requests()
    ran = flowed.spawn("flow", ENRICH_LIMIT="0")
    assert ran.code == 0
    assert "nothing landed since the last build" in ran.err
    assert dbt_started_at(flowed) == started_at
    assert [contents(flowed.home / "data" / table) for table in ("activities", "activity_details")] == data
    assert len(strava.requests) <= 3


def all_shown(athlete):
    """The rows of all tables and views that a query may ask for."""
    relations = athlete.sql("select table_name from information_schema.tables where table_schema = 'strava'")
    return {
        name: [rounded(row) for row in athlete.sql(f"select * from strava.{name} order by all")]
        for (name,) in relations
    }


@pytest.mark.deep
def test_what_changed_is_built_alone_and_shows_as_after_a_build_of_all_until_the_next_day(flowed, tmp_path):
    with Simulator(seed=7, activities=N, limits=NO_LIMITS) as strava:
        athlete, whole = copy_of(flowed, tmp_path, strava), flowed.whole
        first, second, third, *_ = (activity["id"] for activity in strava.activities())
        strava.delete(first)
        # the first rows of a table
        assert models_built(athlete.spawn("flow", "--all", ENRICH_LIMIT="0")) == whole

        strava.delete(second)
        strava.edit(third, name="Another name", distance=12_345.6)
        added = strava.add()["id"]
        assert 0 < models_built(athlete.spawn("flow", "--all", ENRICH_LIMIT="5")) < whole / 2
        shown = all_shown(athlete)
        assert {row[0] for row in athlete.sql("select id from strava.activities")} == {*all_ids(strava)}
        assert athlete.sql(f"select count(*) from strava.activity_details where id = {added}") == [(1,)]
        assert "nothing landed since the last build" in athlete.spawn("flow", ENRICH_LIMIT="0").err
        assert models_built(athlete.spawn("build")) == whole
        assert all_shown(athlete) == shown

        strava.add()
        tomorrow = {"ENRICH_LIMIT": "0", "SOAK_CLOCK_S": str(24 * 3600)}
        assert models_built(athlete.spawn("flow", **tomorrow)) == whole


@pytest.mark.deep
def test_a_build_of_what_changed_that_failed_is_made_up_for(flowed, tmp_path):
    with Simulator(seed=7, activities=N, limits=NO_LIMITS) as strava:
        athlete = copy_of(flowed, tmp_path, strava)
        strava.add()
        with duckdb.connect(str(athlete.warehouse)) as connection:
            connection.execute("insert into strava.activities from (select * from strava.activities limit 1)")
        assert_said(athlete.spawn("flow", ENRICH_LIMIT="0"), 7, "unique_activities_id")
        with duckdb.connect(str(athlete.warehouse)) as connection:
            twice = "select max(rowid) from strava.activities group by id having count(*) > 1"
            connection.execute(f"delete from strava.activities where rowid in ({twice})")
        assert 0 < models_built(athlete.spawn("flow", ENRICH_LIMIT="0")) < flowed.whole / 2
        assert athlete.sql("select count(*) from strava.activities_yearly")[0] > (0,)


def test_the_queries_of_the_documentation_run_as_they_stand(flowed, strava):
    newest = flowed.sql(
        "SELECT id, start_date, name, sport_type, distance FROM strava.activities ORDER BY start_date DESC LIMIT 10;"
    )
    assert [row[0] for row in newest] == [activity["id"] for activity in strava.activities()[:10]]
    kudos = flowed.sql(
        "SELECT a.id, (d.json->>'kudos_count')::INT AS kudos FROM strava.activities a "
        "LEFT JOIN strava.activity_details d ON d.id = a.id;"
    )
    expected = {activity["id"]: activity["kudos_count"] for activity in strava.activities()[:5]}
    assert len(kudos) == N
    assert {id_: count for id_, count in kudos if count is not None} == expected


def test_status_tells_of_the_last_run_and_of_all_that_landed(flowed):
    flowed.spawn("pull", "--all")
    told = flowed.spawn("status").out
    assert f"Activities        {N}\n" in told
    assert f"Details missing   {N - 5}\n" in told
    last = json.loads((flowed.home / "warehouse" / ".state" / "last_run.json").read_text())
    assert f"pull at {last['started_at'][:10]}" in told


def test_two_flows_at_once_take_turns_and_both_end_well(flowed, tmp_path):
    with Simulator(seed=7, activities=N, limits=NO_LIMITS) as strava:
        athlete = copy_of(flowed, tmp_path, strava)
        strava.add()
        flows = [athlete.fork("flow", ENRICH_LIMIT="2") for _ in range(2)]
        first, second = (flow.wait() for flow in flows)
        said = [first.err, second.err]
        assert (first.code, second.code) == (0, 0), said
        # which run it is, the second may ask before the first has noted it
        assert sum("Another run is going on" in err for err in said) == 1
        activities = athlete.sql("select count(*), count(distinct id) from strava.activities")
        assert activities == [(strava.count, strava.count)]
        assert athlete.sql("select count(*) from strava.activity_details") == [(5 + 4,)]
        assert athlete.spawn("status").code == 0


@pytest.mark.deep
def test_a_warehouse_of_an_older_version_is_brought_up_to_date_without_a_request_more(flowed, tmp_path, strava):
    athlete = copy_of(flowed, tmp_path, strava)
    before = built(athlete)
    # as the version before tombstones and the history left it
    with duckdb.connect(str(athlete.warehouse)) as connection:
        connection.execute("drop view main.activities_history")
        connection.execute("drop table main.deleted_activities")
        connection.execute("drop table main.sport_groups")
        for view in (
            "int_activities__buried",
            "int_activities__dated",
            "int_athletes__today",
            "stg_strava__tombstones",
            "stg_strava__sweeps",
            "stg_strava__athlete_settings",
            "stg_strava__goals",
        ):
            connection.execute(f"drop view staging.{view}")
        for table in ("tombstones", "sweeps", "athlete_settings", "goals"):
            connection.execute(f"drop table staging.{table}")
        connection.execute("alter table staging.dbt_builds drop tombstone_rows")
    # somebody who dropped them by hand, for all that dlt knows
    assert_said(athlete.spawn("pull"), 6, str(athlete.warehouse), "move the file away")
    with duckdb.connect(str(athlete.warehouse)) as connection:
        connection.execute("delete from staging._dlt_version")
    shutil.rmtree(athlete.home / "warehouse" / ".state")
    assert athlete.spawn("status").code == 0
    strava.clear_requests()
    ran = athlete.spawn("flow", ENRICH_LIMIT="0")
    assert ran.code == 0, ran.err
    assert len(strava.requests) <= 3
    assert built(athlete) == before
    assert athlete.sql("select count(*) from strava.activities_history") == [(strava.count,)]
    assert athlete.sql("select count(*) from strava.deleted_activities") == [(0,)]
    assert athlete.spawn("status").code == 0


def test_dbt_gets_ready_while_strava_answers_and_ends_with_a_flow_that_is_killed(tmp_path, strava):
    athlete = user(tmp_path, strava)
    strava.fault("slow", path="/athlete/activities", times=1, seconds=30)
    with athlete.start("flow", ENRICH_LIMIT="0") as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        until(children.read_text)
        [dbt] = children.read_text().split()
        process.kill()
    assert athlete.shards() == []
    until(lambda: not open_files(dbt))
    strava.clear_faults()
    assert models_built(athlete.spawn("flow", ENRICH_LIMIT="0")) > 60


@pytest.mark.deep
def test_a_project_that_lies_elsewhere_by_now_builds_the_warehouse_as_before(tmp_path, strava, run, monkeypatch):
    from pipelines.warehouse import dbt_process

    ours = user(tmp_path / "home", strava).settings | {"ENRICH_LIMIT": "0"}
    # as in the image and in the clone by turns, or in a clone that was moved
    for number, folder in enumerate(("a clone", "another one")):
        project = tmp_path / folder / "dbt_project"
        shutil.copytree(REPO / "dbt_project", project, ignore=shutil.ignore_patterns("target", "logs"))
        monkeypatch.setattr(dbt_process, "PROJECT", project)
        ran = run("build" if number else "flow", **ours)
        assert ran.code == 0, ran.err
        parsed = tmp_path / "home" / "warehouse" / ".state" / "dbt" / "target" / "partial_parse.msgpack"
        assert str(project).encode() in parsed.read_bytes()
        shutil.rmtree(project)
