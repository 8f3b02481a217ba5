"""A public page gives away nothing but what it shows: not the hour, place, heart rate, gear or name of an activity."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from math import sqrt
from pathlib import Path

import attacker
import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_page import Parsed, page_file, rows_of

from pipelines.ground.goals import Goal
from pipelines.page.data import athlete_shown
from pipelines.page.public_data import Facts, last_day, public_json, tables_of

# what the public page may depend on, and how: each figure is moved within its step, each sport within its group
SHOWN = {
    "athlete_id": "athlete_id",
    "start_date_local": "date_trunc('day', start_date_local) + to_seconds(cast(86399 * {chance} as integer))",
    "sport_type": "coalesce((select any_value(theirs.sport_type order by hash(theirs.sport_type, {chance})) from "
    "strava.sport_groups as theirs join strava.sport_groups as ours using (sport_group) "
    "where ours.sport_type = coalesce(activities.sport_type, activities.type)), sport_type, type)",
    "distance": "greatest(round(distance / 100) * 100 + 98 * ({chance} - 0.5), 0)",
    "moving_time": "greatest(round(moving_time / 60) * 60 + cast(58 * ({chance} - 0.5) as integer), 0)",
    "total_elevation_gain": "greatest(round(total_elevation_gain / 10) * 10 + 9.8 * ({chance} - 0.5), 0)",
}
# everything else is anything
ANYTHING = {
    "VARCHAR": "'x' || cast(cast(1e9 * {chance} as bigint) % {few} as varchar)",
    "BIGINT": "cast(1e12 * {chance} as bigint)",
    "INTEGER": "cast(20000 * {chance} as integer)",
    "DOUBLE": "180 * {chance}",
    "BOOLEAN": "{chance} < 0.5",
    "TIMESTAMP": "timestamp '2001-01-01' + to_days(cast(9000 * {chance} as integer))",
}
# all that the public page reads; `main` is where the tables of `strava` are
NEEDED = {
    "main.activities",
    "main.sport_groups",
    "main.activities_local",
    # which that is a view on
    "staging.int_activities__dated",
    "staging.athlete_settings",
    "staging.goals",
    "staging.dbt_builds",
}
PRIVATE = {
    "hour": "hour(start_date_local) // 6",
    "heart rate": "average_heartrate // 45",
    "place": "utc_offset // 5000",
    "gear": "gear_id",
    "name": "name",
}


@pytest.fixture(scope="module")
def world(built, tmp_path_factory):
    """The warehouse again, by number: with everything of the activities that is not shown changed at random."""

    def made(number: int) -> Path:
        path = tmp_path_factory.mktemp(f"world{number}") / "strava.duckdb"
        # closed once more, the file has what a forked dbt has left in the log beside it
        duckdb.connect(str(built.warehouse)).close()
        shutil.copyfile(built.warehouse, path)
        with duckdb.connect(str(path)) as connection:
            columns = connection.execute("select column_name, column_type from (describe strava.activities)").fetchall()
            changed = []
            for name, data_type in columns:
                chance = f"(hash(id, '{name}', {number}) / 18446744073709551616.0)"
                value = SHOWN.get(name) or ANYTHING.get(data_type, "null")
                changed.append(f"{value.format(chance=chance, few=4)} as {name}")
            connection.execute(f"create table memory as select {', '.join(changed)} from strava.activities")
            connection.execute("delete from strava.activities")
            connection.execute("insert into strava.activities select * from memory order by hash(id)")
            connection.execute("drop table memory")
            # and nothing is left that another figure could come from
            for name, kind in connection.execute(
                "select table_schema || '.' || table_name, table_type from information_schema.tables"
            ).fetchall():
                if name not in NEEDED:
                    connection.execute(f"drop {'view' if kind == 'VIEW' else 'table'} {name}")
        return path

    return made


def public_data(warehouse: Path, day: date) -> bytes:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        athlete_id, _ = athlete_shown(connection, Path("no token"))
        return public_json(connection, athlete_id, day)


def exact(warehouse: Path) -> set[tuple[str, str]]:
    """What an activity has alone: where one of another warehouse has it too, it was not changed."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return {
            (name, value)
            for name in ("id", "start_date_local", "start_date", "name", "average_heartrate", "max_heartrate")
            for (value,) in connection.execute(
                f"select cast({name} as varchar) from strava.activities where {name} is not null"
            ).fetchall()
        }


def test_a_public_page_does_not_depend_on_hour_place_heart_rate_gear_name_and_ids(built, world):
    newest = max(date.fromisoformat(one["start_date_local"][:10]) for one in built.strava.activities())
    # also the day before the newest activity and that day, whose difference is that activity
    days = (newest - timedelta(days=1), newest, last_day(datetime.now(UTC)))
    pages = [public_data(built.warehouse, day) for day in days]
    assert pages[0] != pages[1]
    for number in range(3):
        other = world(number)
        assert len(exact(other) & exact(built.warehouse)) < 5
        assert [public_data(other, day) for day in days] == pages
    files = [built.home / name for name in ("public.html", "other.html")]
    for file, warehouse in zip(files, (built.warehouse, other), strict=True):
        ran = built.spawn("page", "--public", "--out", str(file), STRAVA_WAREHOUSE=str(warehouse))
        assert ran.code == 0, ran.err
    assert files[0].read_bytes() == files[1].read_bytes()


def test_knowing_half_of_the_activities_does_not_help_to_guess_the_others(built, world):
    path = world(7)
    data = json.loads(public_data(path, last_day(datetime.now(UTC))))
    with duckdb.connect(str(path), read_only=True) as connection:
        found = connection.execute(
            "select cast(cast(start_date_local as date) as varchar), coalesce(sport_group, 'Other'), "
            "round(distance / 100) * 100, round(moving_time / 60) * 60, round(total_elevation_gain / 10) * 10, "
            f"{', '.join(PRIVATE.values())} from strava.activities left join strava.sport_groups using (sport_type)"
        ).fetchall()
    private_of = {row[:5]: row[5:] for row in found}
    listed = [private_of[tuple(row)] for row in data["tables"]["activities"]["rows"]]
    assert len(listed) > 140
    reported = attacker.ways(data)
    for number, name in enumerate(PRIVATE):
        truth = dict(enumerate(row[number] for row in listed))
        assert len(set(truth.values())) >= 3
        known = {i: value for i, value in truth.items() if i % 2 and value is not None}
        for way, guess in attacker.guesses(reported, known, len(listed)):
            right = sum(truth[i] == value for i, value in guess.items())
            chance = max(list(truth.values()).count(value) for value in truth.values()) / len(truth)
            most = chance * len(guess) + 5 * sqrt(len(guess) * chance * (1 - chance))
            assert right <= most, (name, way, right, len(guess))


def test_the_attacker_finds_hours_gear_and_zones_if_the_page_had_their_tables(built):
    """Whoever finds nothing may not have looked: this is what a page with these tables gave away."""
    private = Parsed(page_file(built).read_text()).data
    listed = rows_of(private, "activities")
    columns = ("started_local", "sport_group", "distance_m", "moving_time_s", "total_elevation_gain_m")
    tables = {"activities": {"columns": columns, "rows": [[one[column] for column in columns] for one in listed]}}
    for row in tables["activities"]["rows"]:
        row[0] = row[0][:10]
    tables |= {name: private["tables"][name] for name in ("weekday_hours", "zones", "gear", "year_in_review")}
    reported = attacker.ways({"tables": tables})
    hours = [int(one["started_local"][11:13]) for one in listed]
    found = [(hour, true) for hour, true in zip(reported["weekday_hours.hour"], hours, strict=True) if hour is not None]
    assert len(found) > 0.9 * len(listed)
    assert sum(hour == true for hour, true in found) > 0.95 * len(found)
    assert sum(zone is not None for zone in reported["zones.zone"]) > 10
    # who knows half of them sees also what names and the tables of others give away
    known = {i: hour // 6 for i, hour in enumerate(hours) if i % 2}
    reported |= attacker.ways({"tables": {"activities": private["tables"]["activities"]}})
    rights = {
        way: sum(hours[i] // 6 == value for i, value in guess.items())
        for way, guess in attacker.guesses(reported, known, len(hours))
    }
    assert min(rights["weekday_hours.hour"], rights["name"]) > rights["usual"] + 5, rights


def test_what_is_computed_from_the_facts_equals_the_marts(built):
    with duckdb.connect(str(built.warehouse), read_only=True) as connection:
        (today,) = connection.execute("select today from strava.athletes_today").fetchone()
        found = connection.execute(
            "select activity_date, sport_group, distance_m, moving_time_s, total_elevation_gain_m "
            "from strava.activities_local"
        ).fetchall()
        facts = [Facts(*row) for row in found]
        goals = connection.execute("select sport_group, measure, period, target from strava.goals").fetchall()
        tables = tables_of(facts, [Goal(*row) for row in goals], today)
        assert len(facts) == 150
        filled = {name: rows for name, rows in tables.items() if rows and name != "activities"}
        assert len(filled) == 8
        sources = {
            "activities_daily": "strava.sport_groups_daily where sport_group <> 'All'",
            "records": "strava.records where record in ('longest_distance', 'longest_time', 'most_elevation')",
            "eddington_days": "strava.eddington_days join strava.eddington using (athlete_id, sport_group, unit) "
            "where distance <= 1.5 * eddington + 10",
        }
        for name, ours in filled.items():
            columns = ", ".join(ours[0])
            stored = connection.execute(f"select {columns} from {sources.get(name, f'strava.{name}')}").fetchall()
            assert len(stored) == len(ours) > 0, name

            def comparable(values):
                return [round(value, 2) + 0.0 if isinstance(value, float | int) else str(value) for value in values]

            theirs = sorted(map(comparable, stored), key=str)
            mine = sorted((comparable(row.values()) for row in ours), key=str)
            for a, b in zip(mine, theirs, strict=True):
                assert a == pytest.approx(b, abs=0.06), (name, columns)


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)),
    st.integers(-12 * 60, 14 * 60),
)
def test_a_day_is_shown_once_it_is_over_everywhere(now, offset_min):
    assert last_day(now) < (now + timedelta(minutes=offset_min)).date()
    assert last_day(now) >= now.date() - timedelta(days=2)


def test_an_athlete_without_a_day_that_is_over_has_an_empty_public_page():
    assert {name: rows for name, rows in tables_of([], [], date(2026, 11, 26)).items() if rows} == {}
