"""The details of activities on the page: what the marts say, in columns, packed; nothing of them on a public page."""

import base64
import json
import zlib

import duckdb
import pytest
from made_page import Parsed, page_file, rows_of

from pipelines.page.details import MOST_SPLITS, MOST_SPLITS_OF_A_RIDE, SPLITS_IN_ONE, details_text

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(built):
    assert built.spawn("page").code == 0
    return Parsed(page_file(built).read_text())


@pytest.fixture(scope="module")
def details(page):
    return unpacked(page.details)


@pytest.fixture(scope="module")
def ids(page):
    """The ids of the activities of the page, in their order."""
    return [row["id"] for row in rows_of(page.data, "activities")]


def unpacked(text):
    return json.loads(zlib.decompress(base64.b64decode(text)))


def rows(details, ids, table):
    """The rows of a table of details by the activity's id."""
    columns = dict(details["tables"][table])
    positions = columns.pop("position")
    assert len(set(positions)) == len(positions)
    return {
        ids[position]: [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]
        for position, *lists in zip(positions, *columns.values(), strict=True)
    }


def stored(built, query):
    """The rows of a query by `activity_id`, each as a dict without it."""
    with duckdb.connect(str(built.warehouse), read_only=True) as connection:
        found = connection.execute(query)
        names = [name for name, *_ in found.description]
        made = {}
        for row in found.fetchall():
            named = dict(zip(names, row, strict=True))
            made.setdefault(str(named.pop("activity_id")), []).append(named)
    assert made, "an empty mart proves nothing"
    return made


MARTS = {
    "laps": "select activity_id, nullif(name, 'Lap ' || lap_index) as name, round(distance_m)::bigint as distance_m, "
    "moving_time_s, round(total_elevation_gain_m)::bigint as total_elevation_gain_m, "
    "round(average_heartrate)::bigint as average_heartrate from strava.laps where activity_id in "
    "(select activity_id from strava.laps group by activity_id having count(*) > 1) order by lap_index",
    "best_efforts": "select activity_id, effort, elapsed_time_s, rank_all_time, rank_in_year from strava.best_efforts "
    "order by distance_m, effort",
    "zone_times": "select activity_id, zone, moving_time_s::bigint as moving_time_s, source from strava.zone_times "
    "order by zone, source",
    "left_out": "select activity_id, reason, explanation, left_out_of, effort, round(value, 3) as value, "
    "round(limit_value, 3) as limit_value, unit from strava.left_out order by reason, effort, effort_id",
}


@pytest.mark.parametrize("table", MARTS)
def test_a_table_of_details_says_what_its_mart_says(built, details, ids, table):
    assert rows(details, ids, table) == stored(built, MARTS[table])


def test_efforts_on_segments_have_their_segment_and_its_efforts(built, details, ids):
    segments = details["segments"]
    shown = {
        id_: [
            {name: value for name, value in row.items() if name != "segment"}
            | {name: segments[name][row["segment"]] for name in segments}
            for row in efforts
        ]
        for id_, efforts in rows(details, ids, "segment_efforts").items()
    }
    expected = stored(
        built,
        "select activity_id, elapsed_time_s, rank_own, pr_rank, kom_rank, segment_id::varchar as id, "
        "segment_name as name, (select count(rank_own) from strava.segment_efforts as others "
        "where others.segment_id = efforts.segment_id) as efforts "
        "from strava.segment_efforts as efforts where not hidden order by start_date_local, effort_id",
    )
    assert shown == expected


def test_every_activity_says_what_the_list_leaves_out(built, details, ids):
    shown = {id_: row for id_, [row] in rows(details, ids, "activity").items()}
    assert list(shown) == ids
    with_details = {id_ for (id_,) in built.sql("select id::varchar from strava.activity_details")}
    assert {id_ for id_, row in shown.items() if row["has_details"]} == with_details
    assert 0 < len(with_details) < len(ids)
    loads = dict(built.sql("select activity_id::varchar, load from strava.activity_load"))
    for activity in built.strava.activities():
        row = shown[str(activity["id"])]
        assert row["elapsed_time_s"] == activity["elapsed_time"]
        assert row["gear_id"] == activity.get("gear_id")
        assert row["device_name"] == activity.get("device_name")
        assert row["doors"] == "api"
        assert row["load"] == pytest.approx(loads[str(activity["id"])], abs=0.051)
        assert row["average_watts"] == pytest.approx(activity.get("average_watts"), abs=0.51)
        if 20 <= activity.get("max_heartrate", 0) <= 250:
            assert row["max_heartrate"] == pytest.approx(activity["max_heartrate"], abs=0.51)


@pytest.mark.parametrize(("units", "system"), [("km", "metric"), ("mi", "standard")])
def test_splits_are_by_the_unit_of_the_athlete_and_those_of_long_rides_come_by_five(built, ids, units, system):
    with duckdb.connect(str(built.warehouse), read_only=True) as connection:
        shown = rows(unpacked(details_text(connection, built.strava.athlete_id, units)), ids, "splits")
    splits = stored(built, f"select * from strava.splits where system = '{system}' order by split")
    groups = dict(built.sql("select id::varchar, sport_group from strava.activities_local"))
    assert shown.keys() == splits.keys()
    pooled = 0
    for id_, of_mart in splits.items():
        most = MOST_SPLITS_OF_A_RIDE if groups[id_] == "Ride" else MOST_SPLITS
        size = SPLITS_IN_ONE if len(of_mart) > most else 1
        pooled += size > 1
        parts = [of_mart[at : at + size] for at in range(0, len(of_mart), size)]
        assert [row["splits"] for row in shown[id_]] == [len(part) for part in parts]
        for row, part in zip(shown[id_], parts, strict=True):
            assert row["moving_time_s"] == sum(split["moving_time_s"] for split in part)
            assert row["distance_m"] == pytest.approx(sum(split["distance_m"] for split in part), abs=0.51)
            climbed = sum(split["elevation_difference_m"] for split in part)
            assert row["elevation_difference_m"] == pytest.approx(climbed, abs=0.51)
            beats = [split for split in part if split["average_heartrate"] is not None and split["moving_time_s"]]
            if beats:
                seconds = sum(split["moving_time_s"] for split in beats)
                mean = sum(split["average_heartrate"] * split["moving_time_s"] for split in beats) / seconds
                assert row["average_heartrate"] == pytest.approx(mean, abs=0.51)
            else:
                assert row["average_heartrate"] is None
    assert 0 < pooled < len(splits)


def test_details_are_the_same_bytes_again_whatever_threads_do(built, page):
    texts = set()
    for threads in (1, 2, 4):
        with duckdb.connect(str(built.warehouse), read_only=True, config={"threads": threads}) as connection:
            texts.add(details_text(connection, built.strava.athlete_id, "mi"))
    assert texts == {page.details}
    # neither a time nor a name is in a zlib stream; its header says how it was made, and nothing else
    assert base64.b64decode(page.details)[:2] == b"\x78\x9c"


def test_zones_of_activities_add_up_to_those_of_months(details, page, ids):
    seconds = {}
    for zone_times in rows(details, ids, "zone_times").values():
        for row in zone_times:
            key = row["zone"], row["source"]
            seconds[key] = seconds.get(key, 0) + row["moving_time_s"]
    months = {}
    for row in rows_of(page.data, "zones"):
        key = row["zone"], row["source"]
        months[key] = months.get(key, 0) + row["moving_time_s"]
    assert seconds == months


def test_a_public_page_has_no_details(built):
    ran = built.spawn("page", "--public")
    assert ran.code == 0, ran.err
    public = Parsed((built.home / "site" / "public" / "index.html").read_text())
    assert public.details == ""


def test_an_account_without_details_or_activities_has_none_to_show(built):
    with duckdb.connect(str(built.warehouse), read_only=True) as connection:
        nobody = unpacked(details_text(connection, None, "km"))
    assert {tuple(column) for table in nobody["tables"].values() for column in table.values()} == {()}
    assert nobody["segments"] == {"id": [], "name": [], "efforts": []}
