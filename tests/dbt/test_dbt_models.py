"""What a user finds in the warehouse after `dbt build` from the repo's root, on a file of any name."""

import json
import re
from datetime import UTC, date, datetime

import pytest
from processes import REPO
from versions import Warehouse, version

from pipelines.ground.resources import ON_DEMAND

pytestmark = pytest.mark.slow

FETCHED = datetime(2026, 11, 1, 12, 0, 0, 123456)
HOSTILE_NAME = '\'; drop table activities; -- "<script>" {{ name }} \n\t\x00 \U0001f6b4 \u202e\u0631\u062d\u0644\u0629'

# Every field that 9,776 real summaries held, and the two that Strava's specification adds.
SUMMARY_FIELDS = {
    "id": 19836390460,
    "id_str": "19836390460",
    "resource_state": 2,
    "athlete": {"id": 7, "resource_state": 1},
    "external_id": "garmin_ping_1.fit",
    "upload_id": 18446744073,
    "upload_id_str": "18446744073",
    "gear_id": "b1",
    "device_name": "Edge",
    "name": HOSTILE_NAME,
    "type": "Run",
    "sport_type": "TrailRun",
    "workout_type": 2,
    "start_date": "2026-01-31T12:30:00Z",
    "start_date_local": "2026-02-01T01:30:00Z",
    "timezone": "(GMT+13:00) Pacific/Tongatapu",
    "utc_offset": 46800,
    "moving_time": 3600,
    "elapsed_time": 3700,
    "distance": 10000,
    "total_elevation_gain": 120.5,
    "elev_high": 300.2,
    "elev_low": 10,
    "average_speed": 2.778,
    "max_speed": 5,
    "has_heartrate": True,
    "average_heartrate": 150,
    "max_heartrate": 180.0,
    "heartrate_opt_out": False,
    "display_hide_heartrate_option": True,
    "average_cadence": 82.5,
    "average_temp": -3,
    "average_watts": 201.5,
    "weighted_average_watts": 210,
    "max_watts": 900,
    "kilojoules": 725.4,
    "device_watts": True,
    "suffer_score": 55.0,
    "start_latlng": [-21.13, -175],
    "end_latlng": [],
    "start_latitude": -21.13,
    "start_longitude": -175.2,
    "location_city": "Nuku'alofa",
    "location_state": "Tongatapu",
    "location_country": "Tonga",
    "map": {"id": "a19836390460", "summary_polyline": "_p~iF~ps|U\\", "resource_state": 2},
    "achievement_count": 4,
    "kudos_count": 12,
    "comment_count": 1,
    "athlete_count": 2,
    "photo_count": 0,
    "total_photo_count": 3,
    "pr_count": 1,
    "has_kudoed": False,
    "trainer": False,
    "commute": False,
    "manual": False,
    "private": False,
    "visibility": "everyone",
    "hide_from_home": False,
    "flagged": False,
    "from_accepted_tag": False,
}

# what DuckDB takes for no JSON at all, if it is let
HALF_A_PAIR = (
    r'{"id": 4, "name": "\ud83d half, \uD83D\uDEB4, \\ud83d, \udeb4\ud83d", "kudos_count": 6, "\udfff": 1, '
    r'"laps": [{"name": "\uDC00", "distance": 400}, {"name": "Lap 2", "distance": 200}]}'
)


# Any warning is an error, a deprecation too; only data tests may warn.
STRICTLY = ("--warn-error-options", '{"error": "all", "warn": ["LogTestResult"]}')


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    home = tmp_path_factory.mktemp("home")
    warehouse = Warehouse(
        path=home / "my club.duckdb",
        cwd=REPO,
        env={
            "STRAVA_HOME": str(home),
            "STRAVA_WAREHOUSE": "my club.duckdb",
            "DBT_TARGET_PATH": str(home / "target"),
            "DBT_LOG_PATH": str(home / "logs"),
        },
    )
    warehouse.land(
        [
            version(SUMMARY_FIELDS, FETCHED),
            version({"id": 2, "name": "A field of tomorrow", "tomorrow": {"x": [1]}, "type": "Walk"}, FETCHED),
            version({"id": 3, "distance": "far", "moving_time": 1.5, "start_latlng": None, "kudos_count": 1}, FETCHED),
            version(HALF_A_PAIR, FETCHED, activity_id=4),
            version({"name": "no id"}, FETCHED),
            version(
                {"id": 5, "sport_type": "Swim", "start_date": "2026-03-01T06:00:00Z", "utc_offset": -28800}
                | {"start_date_local": "2026-02-28T22:00:00Z", "athlete": {"id": 8}},
                FETCHED,
                athlete_id=8,
            ),
        ]
    )
    details = [
        version({"id": 19836390460, "kudos_count": 13, "calories": 500}, FETCHED),
        version(HALF_A_PAIR, FETCHED, activity_id=4),
    ]
    warehouse.land(details, "activity_details")
    output = warehouse.built(*STRICTLY, "build")
    assert "PASS activities::the_newest_version_wins" in output
    assert "WARN 1 always_null_activities_misfit_fields" in output
    assert "ERROR=0" in output
    return warehouse


def test_the_queries_of_the_readme_run_as_they_stand(warehouse: Warehouse) -> None:
    newest = warehouse.rows(
        "SELECT id, start_date, name, sport_type, distance FROM strava.activities ORDER BY start_date DESC LIMIT 10;"
    )
    assert newest[0][:2] == (5, datetime(2026, 3, 1, 6))
    assert newest[1] == (19836390460, datetime(2026, 1, 31, 12, 30), HOSTILE_NAME, "TrailRun", 10000.0)
    kudos = warehouse.rows(
        "SELECT a.id, (d.json->>'kudos_count')::INT AS kudos"
        " FROM strava.activities a LEFT JOIN strava.activity_details d ON d.id = a.id;"
    )
    assert dict(kudos) == {19836390460: 13, 2: None, 3: None, 4: 6, 5: None}


@pytest.mark.parametrize("name", SUMMARY_FIELDS)
def test_every_field_of_a_summary_keeps_its_name_and_its_value(warehouse: Warehouse, name: str) -> None:
    sent = SUMMARY_FIELDS[name]
    if name in ("start_date", "start_date_local"):
        # Both as they read: the Z of the local time is false.
        sent = datetime.fromisoformat(str(sent)).astimezone(UTC).replace(tzinfo=None)
    ((stored,),) = warehouse.rows(f"select {name} from strava.activities where id = 19836390460")
    assert stored == sent
    assert isinstance(stored, bool) == isinstance(sent, bool)


def test_a_misfit_becomes_null_and_is_named_while_its_neighbours_stay(warehouse: Warehouse) -> None:
    rows = warehouse.rows(
        "select id, distance, moving_time, kudos_count, misfit_fields from strava.activities where id < 5 order by id"
    )
    assert rows == [
        (2, None, None, None, None),
        (3, None, None, 1, "moving_time, distance"),
        (4, None, None, 6, None),
    ]


def test_half_a_surrogate_pair_costs_its_own_character_and_nothing_else(warehouse: Warehouse) -> None:
    name = "\ufffd half, \U0001f6b4, \\ud83d, \ufffd\ufffd"
    assert warehouse.rows("select name, kudos_count from strava.activities where id = 4") == [(name, 6)]
    assert warehouse.rows("select json->>'name' from strava.activity_details where id = 4") == [(name,)]
    assert warehouse.rows("select name, distance_m from strava.laps") == [("\ufffd", 400.0), ("Lap 2", 200.0)]
    assert warehouse.rows("select name from strava.activities_history where id = 4") == [(name,)]
    # as it was sent
    assert warehouse.rows("select payload from staging.activities where id = 4") == [(HALF_A_PAIR,)]


def test_an_empty_list_stays_apart_from_a_missing_one(warehouse: Warehouse) -> None:
    rows = warehouse.rows("select end_latlng from strava.activities where id in (19836390460, 3) order by id")
    assert rows == [(None,), ([],)]


def test_users_find_the_documented_columns_and_types(warehouse: Warehouse) -> None:
    types = {
        (table, column): data_type
        for table, column, data_type in warehouse.rows(
            "select table_name, column_name, data_type from duckdb_columns() where schema_name = 'strava'"
        )
    }
    assert types["activities", "start_date"] == types["activities", "start_date_local"] == "TIMESTAMP"
    assert types["activities", "id"] == types["activities", "upload_id"] == "BIGINT"
    assert types["activities", "start_latlng"] == "DOUBLE[]"
    details = {column: data_type for (table, column), data_type in types.items() if table == "activity_details"}
    assert details == {
        "id": "BIGINT",
        "athlete_id": "BIGINT",
        "json": "JSON",
        "fetched_at": "TIMESTAMP",
        "payload_hash": "VARCHAR",
    }
    measures = {
        "activities": "BIGINT",
        "distance_m": "DOUBLE",
        "moving_time_s": "BIGINT",
        "total_elevation_gain_m": "DOUBLE",
        "kudos": "BIGINT",
        "active_days": "BIGINT",
    }
    for table, period in (
        ("activities_daily", "activity_date"),
        ("activities_weekly", "week_start_date"),
        ("activities_monthly", "month_start_date"),
        ("activities_yearly", "year_start_date"),
    ):
        columns = {column: data_type for (name, column), data_type in types.items() if name == table}
        assert columns == {"athlete_id": "BIGINT", period: "DATE", "sport_type": "VARCHAR", **measures}


def test_rollups_follow_each_athletes_own_calendar(warehouse: Warehouse) -> None:
    assert warehouse.rows(
        "select athlete_id, activity_date, sport_type, distance_m from strava.activities_daily order by all"
    ) == [(7, date(2026, 2, 1), "TrailRun", 10000.0), (8, date(2026, 2, 28), "Swim", 0.0)]
    assert warehouse.rows("select athlete_id, month_start_date from strava.activities_monthly order by all") == [
        (7, date(2026, 2, 1)),
        (8, date(2026, 2, 1)),
    ]
    assert warehouse.rows("select athlete_id, week_start_date from strava.activities_weekly order by all") == [
        (7, date(2026, 1, 26)),
        (8, date(2026, 2, 23)),
    ]


def test_the_build_is_recorded_with_what_it_saw(warehouse: Warehouse) -> None:
    last_build = warehouse.last_build()
    assert last_build is not None
    assert last_build[1:] == (6, 2, 0)
    assert abs((datetime.now(UTC).replace(tzinfo=None) - last_build[0]).total_seconds()) < 600


@pytest.mark.deep
def test_what_is_fetched_on_demand_is_built_and_tested_if_variables_say_so(warehouse: Warehouse) -> None:
    tables = [endpoint.name for endpoint in ON_DEMAND.values()]
    variables = json.dumps({f"strava__using_{table}": True for table in tables})
    given = version('[{"firstname": "Ana"}, {"firstname": "Bo"}]', FETCHED, activity_id=4)
    gone = version('[{"firstname": "Cy"}]', FETCHED, activity_id=99)
    warehouse.land([given, gone], "activity_kudos")
    selected = [f"source:strava.{table}+" for table in tables]
    output = warehouse.built(*STRICTLY, "build", "--vars", variables, "--select", *selected)
    assert "ERROR=0" in output
    # each has a unit test
    models = {
        "kudos",
        "comments",
        "photos",
        "activity_zones",
        "routes",
        "laps",
        *(f"stg_strava__{table}" for table in tables),
    }
    assert models <= set(re.findall(r"PASS (\w+)::", output))
    assert warehouse.rows(
        "select athlete_id, activity_id, position, firstname from strava.kudos order by position"
    ) == [
        (7, 4, 1, "Ana"),
        (7, 4, 2, "Bo"),
    ]
