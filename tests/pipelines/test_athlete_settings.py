"""The athlete's own numbers and goals: from the settings into bronze, and from there into the warehouse."""

import json
import shutil

import duckdb
import pytest
import yaml
from imports import without_account
from landed import assert_one_sentence, contents, versions
from stravalib.strava_model import SportType

from pipelines.ground.goals import GROUPS, UNITS
from pipelines.ground.settings import REPO
from simulator import World, write_export

pytestmark = pytest.mark.slow

NUMBERS = (
    "select athlete_id, rest_hr, max_hr, threshold_hr, ftp_w, sex, units from staging.stg_strava__athlete_settings "
    "order by athlete_id"
)
GOALS = "select athlete_id, sport_group, measure, period, target from staging.stg_strava__goals order by all"
MINE = {
    "STRAVA_REST_HR": "47.5",
    "STRAVA_MAX_HR": "191",
    "STRAVA_THRESHOLD_HR": "172",
    "STRAVA_FTP": "262",
    "STRAVA_SEX": "F",
    "STRAVA_UNITS": "Mi",
    "STRAVA_GOALS": " run 1000 km/year,Ride 62.5mi / week ,All 7.5 h/month,swim 20000 m/month, Ride 900 M/month, "
    "Gym 3 x/week, All 200 days/year,",
}
NUMBERS_OF_MINE = {
    "rest_hr": 47.5,
    "max_hr": 191.0,
    "threshold_hr": 172.0,
    "ftp_w": 262.0,
    "sex": "f",
    "units": "mi",
}
GOALS_OF_MINE = [
    ("All", "active_days", "year", 200),
    ("All", "moving_time_s", "month", 27_000),
    ("Gym", "activities", "week", 3),
    ("Ride", "distance_m", "week", 100_584),
    ("Ride", "total_elevation_gain_m", "month", 900),
    ("Run", "distance_m", "year", 1_000_000),
    ("Swim", "distance_m", "month", 20_000),
]
TABLES = ("athlete_settings", "goals")


def landed(athlete, table):
    """(athlete, what was set) of each row of bronze, oldest first."""
    return [(id_, json.loads(payload)) for id_, payload in versions(athlete, table)]


@pytest.mark.deep
def test_numbers_and_goals_land_in_si_units_whenever_they_change(athlete, run):
    assert run("pull").code == 0
    assert [athlete.shards(table) for table in TABLES] == [[], []], "nothing is set"
    athlete_id = athlete.strava.athlete_id
    for _ in range(2):
        # the second time, nothing has changed
        assert run("pull", **MINE).code == 0
        assert landed(athlete, "athlete_settings") == [(athlete_id, NUMBERS_OF_MINE)]
        [(whose, goals)] = landed(athlete, "goals")
        assert (whose, [tuple(goal.values()) for goal in goals]) == (athlete_id, GOALS_OF_MINE)
    assert run("pull", **MINE | {"STRAVA_FTP": "263"}).code == 0
    assert landed(athlete, "athlete_settings")[1:] == [(athlete_id, NUMBERS_OF_MINE | {"ftp_w": 263.0})]
    assert len(landed(athlete, "goals")) == 1
    # a number that is withdrawn is gone; one that comes back is the newest
    assert run("pull").code == 0
    assert landed(athlete, "goals")[1:] == [(athlete_id, [])]
    assert run("pull", **MINE).code == 0
    assert [len(landed(athlete, table)) for table in TABLES] == [4, 3]
    assert landed(athlete, "athlete_settings")[-1] == (athlete_id, NUMBERS_OF_MINE)
    assert athlete.spawn("status").code == 0


def test_unchanged_settings_do_not_change_the_file(athlete, run):
    run("pull", **MINE)
    before = contents(athlete.warehouse.parent), athlete.warehouse.stat().st_mtime_ns
    assert run("pull", **MINE).code == 0
    assert (contents(athlete.warehouse.parent), athlete.warehouse.stat().st_mtime_ns) == before
    run("pull", **MINE | {"STRAVA_FTP": "263"})
    assert athlete.warehouse.stat().st_mtime_ns > before[1]


def test_commands_that_read_land_no_settings(athlete, run):
    assert run("pull").code == 0
    for command in (["status"], ["sql", "select 1"], ["backup", "--unencrypted", "all.tar.gz"]):
        assert athlete.spawn(*command, **MINE).code == 0
    assert [athlete.shards(table) for table in TABLES] == [[], []]


@pytest.mark.deep
def test_the_newest_of_an_athlete_shows_at_once_without_a_build(athlete, run, strava):
    # of now, so of the current week wherever the athlete is
    strava.add(strava.now(), name="today", distance=12_000)
    goals = "select sport_group, measure, period, target, share >= 12000 / target from goals order by all"
    ran = run("flow", ENRICH_LIMIT="0", STRAVA_GOALS="All 10 km/week")
    assert ran.code == 0, ran.err
    assert athlete.sql(goals) == [("All", "distance_m", "week", 10_000, True)]
    ran = run("flow", ENRICH_LIMIT="0", **MINE | {"STRAVA_GOALS": "All 20 km/week, Swim 1 x/year"})
    assert "nothing landed" in ran.err
    assert athlete.sql(goals)[0] == ("All", "distance_m", "week", 20_000, True)
    assert [row[:4] for row in athlete.sql(goals)[1:]] == [("Swim", "activities", "year", 1)]
    assert athlete.sql(NUMBERS) == [(strava.athlete_id, 47.5, 191, 172, 262, "f", "mi")]
    # the next one says nothing new, and neither lands nor builds anything
    before = athlete.warehouse.stat().st_mtime_ns
    ran = run("flow", ENRICH_LIMIT="0", **MINE | {"STRAVA_GOALS": "All 20 km/week, Swim 1 x/year"})
    assert ("nothing landed" in ran.err, athlete.warehouse.stat().st_mtime_ns) == (True, before)
    # the warehouse is a cache of them too
    shutil.rmtree(athlete.warehouse.parent)
    assert run("build", **MINE | {"STRAVA_GOALS": "All 20 km/week, Swim 1 x/year"}).code == 0
    assert [row[:4] for row in athlete.sql(goals)[1:]] == [("Swim", "activities", "year", 1)]


@pytest.mark.deep
def test_a_home_of_the_version_before_comes_up_to_date_without_a_step_or_a_request(athlete, run, strava):
    assert run("flow", ENRICH_LIMIT="0", **MINE).code == 0
    expected = athlete.sql(NUMBERS), athlete.sql(GOALS), athlete.sql("from zone_bounds order by all")
    # as that version left it: one row for the whole warehouse, and nothing in bronze
    for table in TABLES:
        shutil.rmtree(athlete.home / "data" / table)
    with duckdb.connect(str(athlete.warehouse)) as connection:
        for table in TABLES:
            connection.execute(f"drop table staging.{table}")
        connection.execute(
            "create table staging.athlete_settings as select 40e0 as rest_hr, 180e0 as max_hr, 'km' units"
        )
        connection.execute("create table staging.goals (sport_group varchar, target double)")
        connection.execute("update staging.dbt_builds set whole_at = timestamp '2020-01-01'")
        connection.execute("delete from staging._dlt_version")
    shutil.rmtree(athlete.home / "warehouse" / ".state" / "dlt")
    assert athlete.spawn("status").code == 0
    assert_one_sentence(athlete.spawn("page", **MINE), 2, "older version", "make compact")
    assert [athlete.shards(table) for table in TABLES] == [[], []]
    strava.clear_requests()
    assert run("build", **MINE).code == 0
    assert strava.requests == []
    assert (athlete.sql(NUMBERS), athlete.sql(GOALS), athlete.sql("from zone_bounds order by all")) == expected
    assert athlete.spawn("status").code == 0


def test_without_a_token_they_wait_for_the_athlete_of_an_export(tmp_path):
    athlete = without_account(tmp_path / "home")
    world = World(seed=3, activities=20)
    export = tmp_path / "export_3.zip"
    write_export(world, export)
    assert athlete.spawn("build", SOAK_STEPS="stage", **MINE).code == 0
    assert [athlete.shards(table) for table in TABLES] == [[], []]
    assert athlete.spawn("import", str(export), SOAK_STEPS="import,stage", **MINE).code == 0
    assert landed(athlete, "athlete_settings") == [(world.athlete_id, NUMBERS_OF_MINE)]
    assert [whose for whose, _ in landed(athlete, "goals")] == [world.athlete_id]


@pytest.mark.deep
def test_among_several_athletes_they_are_of_the_one_with_the_token(athlete, run, tmp_path):
    """The shards of two homes in one folder, as in a bucket of a family."""
    assert run("pull", **MINE).code == 0
    other = without_account(tmp_path / "other")
    world = World(seed=3, activities=20)
    export = tmp_path / "export_3.zip"
    write_export(world, export)
    theirs = {"STRAVA_MAX_HR": "175"}
    assert other.spawn("import", str(export), SOAK_STEPS="import,stage", **theirs).code == 0
    shutil.copytree(other.home / "data", athlete.home / "data", dirs_exist_ok=True)
    assert run("pull", **MINE | {"STRAVA_FTP": "263"}).code == 0

    def newest():
        return {whose: said["ftp_w"] for whose, said in landed(athlete, "athlete_settings")}

    rows = {athlete.strava.athlete_id: 263, world.athlete_id: None}
    assert newest() == rows
    assert {whose for whose, _ in landed(athlete, "goals")} == {athlete.strava.athlete_id}
    # without one they are nobody's, which is said
    athlete.token_file.unlink()
    ran = athlete.spawn("build", SOAK_STEPS="stage", **MINE | {"STRAVA_FTP": "264"})
    assert (ran.code, "apply to nobody" in ran.err) == (0, True), ran.err
    ran = athlete.spawn("build", SOAK_STEPS="stage")
    assert (ran.code, "apply to nobody" in ran.err) == (0, False), ran.err
    assert newest() == rows


def test_what_was_set_here_stays_when_everything_of_strava_is_withdrawn(athlete, run):
    assert run("pull", **MINE).code == 0
    before = [landed(athlete, table) for table in TABLES]
    assert run("withdraw", "--door", "api", "--yes", SOAK_STEPS="withdraw,stage", **MINE).code == 0
    assert athlete.shards() == []
    assert [landed(athlete, table) for table in TABLES] == before
    assert athlete.spawn("status").code == 0


def test_the_seed_groups_every_sport_of_strava_into_the_groups_that_goals_may_name():
    lines = (REPO / "dbt_project" / "seeds" / "sport_groups.csv").read_text().splitlines()
    groups = dict(line.split(",") for line in lines[1:])
    assert len(groups) == len(lines) - 1
    assert set(groups) == set(SportType.model_json_schema()["enum"])
    assert set(groups.values()) == set(GROUPS)


def test_goals_measure_what_the_rollups_contain():
    models = yaml.safe_load((REPO / "dbt_project" / "models" / "marts" / "core" / "_core.yml").read_text())["models"]
    [daily] = [model for model in models if model["name"] == "activities_daily"]
    assert {measure for measure, _ in UNITS.values()} <= {column["name"] for column in daily["columns"]}
