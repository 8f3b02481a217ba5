"""The athlete's own numbers and goals: from the settings into the warehouse, where dbt's views read them."""

import duckdb
import pytest
import yaml
from landed import contents
from stravalib.strava_model import SportType

from pipelines.ground.goals import GROUPS, UNITS
from pipelines.ground.settings import REPO

NUMBERS = "select rest_hr, max_hr, threshold_hr, ftp_w, sex, units from staging.athlete_settings"
GOALS = "select sport_group, measure, period, target from staging.goals order by all"
NOTHING = (None, None, None, None, None, "km")
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


def own(athlete):
    return athlete.sql(NUMBERS), athlete.sql(GOALS)


def test_numbers_and_goals_reach_the_warehouse_in_si_units(athlete, run):
    assert run("pull").code == 0
    assert own(athlete) == ([NOTHING], [])
    assert run("pull", **MINE).code == 0
    assert own(athlete) == (
        [(47.5, 191, 172, 262, "f", "mi")],
        [
            ("All", "active_days", "year", 200),
            ("All", "moving_time_s", "month", 27_000),
            ("Gym", "activities", "week", 3),
            ("Ride", "distance_m", "week", 100_584),
            ("Ride", "total_elevation_gain_m", "month", 900),
            ("Run", "distance_m", "year", 1_000_000),
            ("Swim", "distance_m", "month", 20_000),
        ],
    )
    # a number that is withdrawn is gone
    assert run("pull").code == 0
    assert own(athlete) == ([NOTHING], [])


def test_unchanged_settings_do_not_change_the_file(athlete, run):
    run("pull", **MINE)
    before = contents(athlete.warehouse.parent), athlete.warehouse.stat().st_mtime_ns
    assert run("pull", **MINE).code == 0
    assert (contents(athlete.warehouse.parent), athlete.warehouse.stat().st_mtime_ns) == before
    run("pull", **MINE | {"STRAVA_FTP": "263"})
    assert athlete.warehouse.stat().st_mtime_ns > before[1]


def test_a_warehouse_without_these_tables_or_with_different_ones_gets_them(athlete, run):
    run("pull", **MINE)
    before = own(athlete)
    with duckdb.connect(str(athlete.warehouse)) as connection:
        connection.execute("drop table staging.goals")
        connection.execute("alter table staging.athlete_settings drop sex")
    run("pull", **MINE)
    assert own(athlete) == before
    athlete.warehouse.unlink()
    run("pull", **MINE)
    assert own(athlete) == before


@pytest.mark.slow
def test_a_goal_that_was_changed_shows_at_once_without_a_build(athlete, run, strava):
    # of now, so of the current week wherever the athlete is
    strava.add(strava.now(), name="today", distance=12_000)
    goals = "select sport_group, measure, period, target, share >= 12000 / target from goals order by all"
    ran = run("flow", ENRICH_LIMIT="0", STRAVA_GOALS="All 10 km/week")
    assert ran.code == 0, ran.err
    assert athlete.sql(goals) == [("All", "distance_m", "week", 10_000, True)]
    ran = run("flow", ENRICH_LIMIT="0", STRAVA_GOALS="All 20 km/week, Swim 1 x/year")
    assert "nothing landed" in ran.err
    assert athlete.sql(goals)[0] == ("All", "distance_m", "week", 20_000, True)
    assert [row[:4] for row in athlete.sql(goals)[1:]] == [("Swim", "activities", "year", 1)]


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
