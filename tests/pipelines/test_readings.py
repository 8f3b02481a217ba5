"""Readings: what staging has of an export's rows and files, from bronze alone; each row once, however a run ends."""

import gzip
import json
import math
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.bronze.shard import taken_by_dlt, write_new_shard
from pipelines.bronze.store import Bronze, resource_of
from pipelines.bronze.tables import TABLES
from pipelines.ground.errors import Interrupted
from pipelines.ground.polyline import decode
from pipelines.sources.strava_api.pause import Pause
from pipelines.sources.strava_export import Export
from pipelines.sources.strava_export.sports import is_several, sport_type_of, type_of
from pipelines.warehouse import readings, staging
from pipelines.warehouse.file_readings import file_reading
from pipelines.warehouse.staging import load_staging
from pipelines.warehouse.windows import Window
from simulator import write_export
from simulator.activity_files import Sample, fit_file, gpx_file, tcx_file
from simulator.export_words import english_titles

pytestmark = pytest.mark.slow

START = datetime(2024, 5, 1, 8, 0, tzinfo=UTC)
METRES = 1 / 111_195  # in degrees of latitude
Row = dict[str, Any]


def land(athlete, table: str, rows: list[Row]) -> str:
    """Make `rows` a shard of `table`, and return its name."""
    bronze = Bronze(athlete.home / "data", athlete.home / "warehouse" / ".state" / "dlt", print)
    bronze.waiting_path.mkdir(parents=True, exist_ok=True)
    schema = TABLES[table].schema
    whole = pa.Table.from_pylist(rows, schema=schema.remove(schema.get_field_index("shard")))
    path, count = write_new_shard([whole], f"{table}_{athlete.strava.athlete_id}_20260101000000", bronze.waiting_path)
    bronze.land(resource_of(table, taken_by_dlt(path, count)))
    return path.stem


def land_export(athlete, path: Path) -> Export:
    """Land the rows and the files of an export, the files in two shards; return it, to be read again."""
    export = Export(path)
    own = {"athlete_id": export.athlete_id, "fetched_at": export.exported_at.replace(tzinfo=None)}
    rows = [
        own | {"id": row.activity_id, "payload_hash": row.sha256, "payload": row.payload.decode()}
        for row in export.rows()
    ]
    files = [
        own | {"id": file.activity_id, "payload_hash": file.sha256, "payload": file.content} for file in export.files()
    ]
    land(athlete, "export_activities", rows)
    land(athlete, "activity_files", files[::2])
    land(athlete, "activity_files", files[1::2])
    return export


def a_file(id_: int, content: bytes) -> Row:
    return {"id": id_, "fetched_at": datetime(2026, 1, 1), "payload_hash": f"{id_}", "payload": content}


def stage(athlete, pause: Pause | None = None) -> int:
    work = athlete.home / "warehouse" / ".state" / "dlt"
    return load_staging(Bronze(athlete.home / "data", work, print), athlete.warehouse, work, pause)


def staged(athlete, table: str) -> list[tuple[Any, ...]]:
    rows = athlete.sql(f"select id, fetched_at, payload_hash, payload, shard from staging.{table} order by all")
    return [(*row[:3], json.loads(row[3]), row[4]) for row in rows]


def by_id(athlete, table: str) -> dict[int, Row]:
    return {id_: payload for id_, _, _, payload, _ in staged(athlete, table)}


def test_rows_and_files_of_an_export_say_what_strava_says(athlete, strava, tmp_path):
    write_export(strava, tmp_path / "export.zip", language="de", year=2026, points=900)
    land_export(athlete, tmp_path / "export.zip")
    assert stage(athlete) == 3
    rows, files = by_id(athlete, "export_activities"), by_id(athlete, "activity_files")
    truth = {activity["id"]: activity for activity in strava.activities()}
    assert rows.keys() == truth.keys()
    assert files.keys() == {id_ for id_, row in rows.items() if row.get("file_name")}
    for id_, true in truth.items():
        row = rows[id_]
        for name in ("id", "name", "start_date", "elapsed_time", "moving_time", "type", "manual", "commute"):
            assert row[name] == true[name], name
        assert row.get("sport_type", row["type"]) in (true.get("sport_type"), true["type"])
        for name in (
            "distance",
            "max_speed",
            "total_elevation_gain",
            "average_heartrate",
            "kilojoules",
            "suffer_score",
        ):
            assert row.get(name) == pytest.approx(true.get(name)), name
        assert row.get("gear_id") == true.get("gear_id")
        assert row["has_heartrate"] == bool(true.get("has_heartrate"))
    for id_, file in files.items():
        true, source = truth[id_], strava.uploaded(id_)
        assert "problem" not in file
        assert file["start_date"] == source["start_date"]
        assert file["elapsed_time"] == pytest.approx(source["elapsed_time"], abs=1)
        if file["format"] != "gpx":
            assert file.get("distance", 0) == pytest.approx(source["distance"], abs=1)
        if file["format"] == "fit" and true.get("sport_type"):
            assert file["sport_type"] in (true["sport_type"], "Workout")
        if true.get("start_latlng") and not true["type"].startswith("Virtual"):
            assert file["start_latlng"] == pytest.approx(true["start_latlng"], abs=2e-3)
            assert file["time_zone_source"] == "position"
            # the zone may have another name: Cuba, America/Havana
            assert file["timezone"][:12] == true["timezone"][:12]
            assert file["utc_offset"] == true["utc_offset"]
            assert file["start_date_local"] == true["start_date_local"]
            assert 1 < len(decode(file["map"]["summary_polyline"])) <= 300


def test_whatever_is_wrong_with_an_export_each_row_of_bronze_has_one_reading(athlete, run, strava, tmp_path):
    write_export(strava, tmp_path / "export.zip", defects=["mixed"], points=20)
    export = land_export(athlete, tmp_path / "export.zip")
    assert run("pull").code == 0
    rows, files = staged(athlete, "export_activities"), staged(athlete, "activity_files")
    assert sorted(row[2] for row in rows) == sorted(row.sha256 for row in export.rows())
    assert sorted(row[2] for row in files) == sorted(file.sha256 for file in export.files())
    assert not [row for row in rows if "problem" in row[3]]
    differences = json.loads(run("status", "--json").out)["differences"]
    assert not [one for one in differences if "shard" in one["reason"]]


def test_an_unreadable_file_is_a_row_with_the_reason(athlete, run):
    whole = fit_file(ride(60), start=START)
    odd = {
        1: b"",
        2: b"<html>not here</html>",
        3: gpx_file(ride(60), start=START, with_times=False),
        4: gzip.compress(whole)[:40],
        5: b"\x0e\x20\x54\x08\xff\xff\xff\xff.FIT" + bytes(50),
        6: None,
        7: gzip.compress(whole)[:-200],
    }
    land(athlete, "activity_files", [a_file(id_, content) for id_, content in odd.items()])
    row = {"fetched_at": datetime(2026, 1, 1), "payload_hash": "x"}
    payloads = [None, "no JSON", "[]", '{"a": 1}', '[["a", "b"], ["c"]]', '[["Nobody", "1"], ["knows", "this"]]']
    land(athlete, "export_activities", [row | {"id": id_, "payload": text} for id_, text in enumerate(payloads)])
    assert run("pull").code == 0
    files = by_id(athlete, "activity_files")
    assert {id_: file.get("problem_reason") for id_, file in files.items()} == {
        1: "empty",
        2: "unknown format",
        3: "no times",
        4: files[4].get("problem_reason"),
        5: "damaged",
        6: None,
        7: None,
    }
    assert files[6]["problem"] == "It is empty."
    assert files[4].keys() == {"reader", "problem", "problem_reason"}
    # cut, and read as far as it goes
    assert files[7]["faults"]
    assert 0 < files[7]["point_count"] < 60
    assert len(by_id(athlete, "export_activities")) == len(payloads)
    assert all(reading["problem"] for reading in by_id(athlete, "export_activities").values())


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_bytes_are_an_error(data):
    whole = data.draw(
        st.sampled_from(
            [
                fit_file(ride(30), start=START, laps_s=[10]),
                gpx_file(ride(30), start=START),
                tcx_file(ride(30), start=START),
            ]
        )
    )
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    reading = file_reading(bytes(content)[: data.draw(st.integers(0, len(content)))])
    assert reading.get("problem_reason") != "reader failed", reading
    assert json.loads(json.dumps(reading, allow_nan=False)) == reading


def ride(seconds: int, lat: float = 47.99, lng: float = 7.84, speed_m_s: float = 5.0, **same: Any) -> list[Sample]:
    """To the north, a sample a second."""
    return [
        Sample(
            t_s,
            **(
                {
                    "lat": lat + t_s * speed_m_s * METRES,
                    "lng": lng,
                    "distance_m": t_s * speed_m_s,
                    "altitude_m": 200.0,
                    "heart_rate": 120,
                }
                | same
            ),
        )
        for t_s in range(seconds + 1)
    ]


def later(samples: list[Sample], by_s: int, **fields: Any) -> list[Sample]:
    return [sample._replace(t_s=sample.t_s + by_s, **fields) for sample in samples]


@pytest.mark.parametrize("write", [fit_file, gpx_file, tcx_file], ids=["fit", "gpx", "tcx"])
def test_neither_a_pause_nor_standing_is_moving_time(write):
    # 100 s at 5 m/s, a pause of 300 s, 100 s at 5 m/s, then 50 s of standing
    on = ride(100)
    further = [sample._replace(distance_m=sample.distance_m + 500, lat=sample.lat + 500 * METRES) for sample in on]
    stands = [further[-1]._replace(t_s=t_s) for t_s in range(1, 51)]
    samples = [*on, *later(further, 400), *later(stands, 500)]
    reading = file_reading(write(samples, start=START))
    assert reading["elapsed_time"] == 550
    assert reading["moving_time"] == 200
    assert reading["distance"] == pytest.approx(1000, abs=1)
    assert reading["average_speed"] == pytest.approx(5, abs=0.01)


def test_few_points_far_apart_are_no_pauses_but_a_longer_gap_is():
    sparse = [sample for sample in ride(600) if sample.t_s % 30 == 0]
    assert file_reading(gpx_file(sparse, start=START))["moving_time"] == 600
    with_a_stop = [*sparse, *later(sparse, 1000, lat=sparse[-1].lat)]
    assert file_reading(gpx_file(with_a_stop, start=START))["moving_time"] == 600


def test_averages_are_by_time_and_zero_is_no_heart_rate():
    # ten seconds at 200 W and 150 bpm, a second apart; then a hundred at 100 W and 120 bpm, five seconds apart
    fast = ride(9, power_w=200, heart_rate=150)
    slow = [
        Sample(t_s, 47.99, 7.84, 50 + t_s, 200.0, None, 120 if t_s < 100 else 0, None, 100) for t_s in range(10, 110, 5)
    ]
    reading = file_reading(fit_file([*fast, *slow], start=START))
    assert reading["average_watts"] == pytest.approx((10 * 200 + 100 * 100) / 110, abs=5)
    assert reading["max_watts"] == 200
    assert reading["average_heartrate"] == pytest.approx((10 * 150 + 90 * 120) / 100, abs=0.5)
    assert reading["max_heartrate"] == 150
    assert reading["kilojoules"] == pytest.approx(12, abs=0.5)
    nobody = file_reading(fit_file(ride(10, heart_rate=None), start=START))
    assert nobody["has_heartrate"] is False
    assert not {"average_heartrate", "max_heartrate", "average_watts", "kilojoules"} & nobody.keys()


def test_noise_of_the_sensor_is_not_a_climb():
    # 200 up to 210, back to 205, up to 230, noise of 2 m, down, and 4 m up at the end
    heights = [200, 205, 210, 207, 205, 215, 230, 228, 230, 228, 229, 210, 190, 192, 194]
    samples = [Sample(t_s, altitude_m=float(height), heart_rate=100) for t_s, height in enumerate(heights)]
    reading = file_reading(fit_file(samples, start=START))
    assert reading["total_elevation_gain"] == pytest.approx(10 + 25 + 4, abs=0.5)
    assert (reading["elev_low"], reading["elev_high"]) == (190.0, 230.0)


def test_the_route_keeps_its_ends_its_corners_and_has_few_points():
    north = ride(2000)
    corner = north[-1]
    east = [
        corner._replace(t_s=2000 + s, lng=7.84 + 5 * s * METRES * 1.5, distance_m=10_000 + 5 * s)
        for s in range(1, 2000)
    ]
    reading = file_reading(fit_file([*north, *east], start=START))
    route = decode(reading["map"]["summary_polyline"])
    assert len(route) <= 5
    assert route[0] == (4799000, 784000)
    assert route[-1] == pytest.approx((round(east[-1].lat * 1e5), round(east[-1].lng * 1e5)), abs=1)
    assert min(abs(lat - corner.lat * 1e5) + abs(lng - 784000) for lat, lng in route) < 30
    # a spiral, which turns all the time
    wild = [
        Sample(t_s, 10 + t_s * 1e-5 * math.sin(t_s / 9), 10 + t_s * 1e-5 * math.cos(t_s / 9)) for t_s in range(3000)
    ]
    assert len(decode(file_reading(gpx_file(wild, start=START))["map"]["summary_polyline"])) == 300
    assert "map" not in file_reading(fit_file([Sample(t_s, heart_rate=99) for t_s in range(60)], start=START))
    across = [Sample(t_s, 0.0, (179.999 + t_s * 1e-4 + 180) % 360 - 180) for t_s in range(100)]
    assert file_reading(gpx_file(across, start=START))["distance"] == pytest.approx(99 * 1e-4 / METRES, rel=1e-3)


@pytest.mark.parametrize(
    ("place", "start", "timezone", "local"),
    [
        ((27.70, 85.32), "2024-05-01 18:30", "(GMT+05:45) Asia/Kathmandu", "2024-05-02T00:15:00Z"),
        ((47.99, 7.84), "2024-07-01 08:00", "(GMT+01:00) Europe/Berlin", "2024-07-01T10:00:00Z"),
        ((47.99, 7.84), "2024-01-01 08:00", "(GMT+01:00) Europe/Berlin", "2024-01-01T09:00:00Z"),
        # an hour before and after the clocks went forward
        ((40.71, -74.0), "2024-03-10 06:30", "(GMT-05:00) America/New_York", "2024-03-10T01:30:00Z"),
        ((40.71, -74.0), "2024-03-10 07:30", "(GMT-05:00) America/New_York", "2024-03-10T03:30:00Z"),
        ((47.56, -52.71), "2024-01-01 03:29", "(GMT-03:30) America/St_Johns", "2023-12-31T23:59:00Z"),
    ],
)
def test_the_time_zone_is_that_of_the_first_position(place, start, timezone, local):
    began = datetime.fromisoformat(start).replace(tzinfo=UTC)
    # a watch whose own clock is wrong
    content = fit_file(ride(30, *place), start=began, utc_offset_s=7 * 3600)
    reading = file_reading(content)
    assert (reading["timezone"], reading["start_date_local"]) == (timezone, local)
    assert datetime.fromisoformat(local) - began == timedelta(seconds=reading["utc_offset"])
    assert (reading["time_zone_source"], reading["file_utc_offset_s"]) == ("position", 7 * 3600)


def test_without_a_place_the_files_own_offset_counts_and_without_that_none():
    indoors = [sample._replace(lat=None, lng=None) for sample in ride(30)]
    reading = file_reading(fit_file(indoors, start=START, utc_offset_s=20_700))
    assert (reading["utc_offset"], reading["time_zone_source"]) == (20_700, "file")
    assert reading["start_date_local"] == "2024-05-01T13:45:00Z"
    assert "timezone" not in reading
    # where it was ridden on a screen is not where the athlete was
    virtual = fit_file(
        ride(30, -11.64, 166.97), start=START, sport="cycling", sub_sport="virtual_activity", utc_offset_s=7200
    )
    reading = file_reading(virtual)
    assert (reading["sport_type"], reading["utc_offset"], reading["time_zone_source"]) == ("VirtualRide", 7200, "file")
    assert reading["start_latlng"] == [-11.64, 166.97]
    unknown = file_reading(fit_file(indoors, start=START, utc_offset_s=123))
    assert not {"utc_offset", "start_date_local", "time_zone_source", "file_utc_offset_s"} & unknown.keys()


@pytest.mark.parametrize(
    ("sport", "sub_sport", "sport_type", "type_"),
    [
        ("running", "generic", "Run", "Run"),
        ("running", "trail", "TrailRun", "Run"),
        ("running", "treadmill", "Run", "Run"),
        ("cycling", "gravel_cycling", "GravelRide", "Ride"),
        ("cycling", "virtual_activity", "VirtualRide", "VirtualRide"),
        ("e_biking", "e_bike_mountain", "EMountainBikeRide", "EBikeRide"),
        ("fitness_equipment", "indoor_rowing", "Rowing", "Rowing"),
        ("training", "strength_training", "WeightTraining", "WeightTraining"),
        ("training", "pilates", "Pilates", "Workout"),
        ("racket", "padel", "Padel", "Workout"),
        ("generic", None, "Workout", "Workout"),
        ("Biking", None, "Ride", "Ride"),
        ("trail running", None, "TrailRun", "Run"),
        ("GravelRide", None, "GravelRide", "Ride"),
        ("Nordic Ski", None, "NordicSki", "NordicSki"),
        ("9", None, "Run", "Run"),
    ],
)
def test_sports_of_files_have_stravas_names(sport, sub_sport, sport_type, type_):
    assert sport_type_of(sport, sub_sport) == sport_type
    assert type_of(sport_type) == type_


def test_an_unknown_sport_has_no_name():
    assert sport_type_of("quidditch", None) is None
    assert sport_type_of(None, "trail") is None
    reading = file_reading(gpx_file(ride(30), start=START, sport="quidditch"))
    assert reading["sport"] == "quidditch"
    assert not {"type", "sport_type"} & reading.keys()


def test_a_run_may_be_any_kind_of_run_and_a_trail_run_is_one(athlete, strava, tmp_path):
    strava.edit(strava.activities()[0]["id"], type="Run", sport_type="TrailRun")
    strava.edit(strava.activities()[1]["id"], type="Pilates", sport_type="Pilates")
    write_export(strava, tmp_path / "export.zip", points=2)
    land_export(athlete, tmp_path / "export.zip")
    stage(athlete)
    rows = by_id(athlete, "export_activities")
    assert is_several("Run")
    first, second = (strava.activities()[i]["id"] for i in (0, 1))
    assert (rows[first]["type"], rows[first].get("sport_type")) == ("Run", None)
    assert (rows[second]["type"], rows[second]["sport_type"]) == ("Workout", "Pilates")


def test_races_and_long_runs_of_an_export_are_those_of_strava(athlete, strava, tmp_path):
    # race and long run of a Run, race and workout of a Ride: an export has no column for a workout
    marked = {("Run", 1): 1, ("Run", 2): 2, ("Run", 0): None, ("Ride", 11): 11, ("Ride", 12): None}
    activities = dict(zip((activity["id"] for activity in strava.activities()), marked, strict=False))
    for id_, (type_, workout_type) in activities.items():
        strava.edit(id_, type=type_, sport_type=type_, workout_type=workout_type)
    write_export(strava, tmp_path / "export.zip", points=2, year=2026)
    land_export(athlete, tmp_path / "export.zip")
    stage(athlete)
    rows = by_id(athlete, "export_activities")
    assert {activities[id_]: rows[id_].get("workout_type") for id_ in activities} == marked


def test_dates_with_slashes_are_read_as_all_rows_of_bronze_together_say(athlete):
    titles = (
        "Activity ID",
        "Activity Date",
        "Activity Name",
        "Activity Type",
        "Activity Description",
        "Elapsed Time",
        "Distance",
        "Relative Effort",
        "Commute",
        "Activity Gear",
        "Filename",
    )

    def row(id_: int, date: str) -> Row:
        texts = (f"{id_}", date, "Run", "Run", "", "60", "1", "", "false", "", "")
        payload = json.dumps(list(zip(titles, texts, strict=True)))
        return {"id": id_, "fetched_at": datetime(2026, 1, 1), "payload_hash": f"{id_}", "payload": payload}

    land(athlete, "export_activities", [row(1, "5/31/2024 8:00:00")])
    land(athlete, "export_activities", [row(2, "3/4/2024 8:00:00")])
    stage(athlete)
    land(athlete, "export_activities", [row(3, "6/7/2024 8:00:00")])
    stage(athlete)
    starts = {id_: reading["start_date"] for id_, reading in by_id(athlete, "export_activities").items()}
    assert starts == {1: "2024-05-31T08:00:00Z", 2: "2024-03-04T08:00:00Z", 3: "2024-06-07T08:00:00Z"}


def test_nonsensical_numbers_and_texts_cost_only_their_own_field_or_row(athlete):
    endless = tcx_file(ride(60), start=START).replace(b"<TotalTimeSeconds>60<", b"<TotalTimeSeconds>1e300<")
    land(athlete, "activity_files", [a_file(1, endless)])
    pairs = [[title, "1"] for title in english_titles(103)]
    for title, text in (("Activity Date", "Sep 12, 2018, 3:02:23 PM"), ("Filename", ""), ("Activity Type", "Run")):
        next(pair for pair in pairs if pair[0] == title)[1] = text
    big = [[title, "1e300" if title in ("Moving Time", "Elapsed Time") else text] for title, text in pairs]
    half = [[title, "\ud83d" if title == "Activity Name" else text] for title, text in pairs]
    rows = [
        {"fetched_at": datetime(2026, 1, 1), "id": id_, "payload": json.dumps(row)}
        for id_, row in ((1, big), (2, half))
    ]
    land(athlete, "export_activities", rows)
    stage(athlete)
    file = by_id(athlete, "activity_files")[1]
    assert (file["elapsed_time"], file["moving_time"], file["point_count"], file["distance"]) == (60, 60, 61, 300)
    readings_of_rows = by_id(athlete, "export_activities")
    assert (readings_of_rows[1]["moving_time"], readings_of_rows[1]["distance"]) == (1e300, 1)
    assert "surrogate" in readings_of_rows[2]["problem"]


# --- crops


def crop(athlete, id_: int, start: datetime, elapsed_s: int, fetched_at: datetime) -> None:
    """Land a version of an activity as Strava has it."""
    payload = json.dumps({"id": id_, "elapsed_time": elapsed_s})
    row = {"id": id_, "athlete_id": athlete.strava.athlete_id, "start_date": start.replace(tzinfo=None)}
    land(athlete, "activities", [row | {"fetched_at": fetched_at, "payload_hash": payload, "payload": payload}])


def test_what_was_cropped_at_strava_is_not_in_the_reading_whenever_that_was(athlete):
    content = fit_file(ride(600, power_w=100), start=START, laps_s=[200, 200])
    land(athlete, "activity_files", [a_file(1, content), a_file(2, content), a_file(3, None)])
    for id_ in (1, 2, 3):
        crop(athlete, id_, START, 600, datetime(2026, 1, 1))
    stage(athlete)
    whole = by_id(athlete, "activity_files")
    assert (whole[1]["point_count"], whole[1]["distance"], whole[1]["lap_count"]) == (601, 3000, 2)
    assert "clipped" not in whole[1]
    # the first and the last 100 s
    crop(athlete, 1, START + timedelta(seconds=100), 400, datetime(2026, 1, 2))
    # an older version that arrives late says nothing
    crop(athlete, 2, START + timedelta(seconds=300), 100, datetime(2025, 1, 2))
    stage(athlete)
    cropped = by_id(athlete, "activity_files")
    assert cropped[2] == whole[2]
    reading = cropped[1]
    assert (reading["clipped"], reading["start_date"]) == (True, "2024-05-01T08:01:40Z")
    assert (reading["elapsed_time"], reading["moving_time"], reading["distance"]) == (400, 400, 2000)
    north = ride(600)
    route = decode(reading["map"]["summary_polyline"])
    assert [lat for lat, _ in route] == pytest.approx([north[100].lat * 1e5, north[500].lat * 1e5], abs=1)
    assert reading["start_latlng"] == pytest.approx([north[100].lat, 7.84], abs=1e-5)
    assert reading["lap_count"] == 0
    assert stage(athlete) == 0


@pytest.mark.parametrize(
    ("starts_s", "elapsed_s"), [(-3600, 600), (300, 600), (-100, 800), (0, 598), (1, 600), (3600, 600)]
)
def test_a_window_that_is_no_crop_leaves_nothing_out(starts_s, elapsed_s):
    content = fit_file(ride(600), start=START)
    window = Window(int(START.timestamp()) + starts_s, elapsed_s)
    assert file_reading(content, window) == file_reading(content)


@pytest.mark.deep
def test_the_row_of_an_export_says_what_was_cropped_too(athlete, strava, tmp_path):
    write_export(strava, tmp_path / "export.zip", defects=["cropped"], points=2000)
    land_export(athlete, tmp_path / "export.zip")
    stage(athlete)
    files, rows = by_id(athlete, "activity_files"), by_id(athlete, "export_activities")
    [cropped] = [id_ for id_, file in files.items() if file.get("clipped")]
    assert files[cropped]["elapsed_time"] == pytest.approx(rows[cropped]["elapsed_time"], abs=10)
    assert files[cropped]["elapsed_time"] < strava.uploaded(cropped)["elapsed_time"] - 10
    assert stage(athlete) == 0


# --- staging


@pytest.fixture
def history(athlete, strava, tmp_path):
    """An export of 60 activities, landed."""
    write_export(strava, tmp_path / "export.zip", points=5)
    land_export(athlete, tmp_path / "export.zip")
    return athlete


def counts(athlete) -> list[tuple[int, int]]:
    return [
        athlete.sql(f"select count(*), count(distinct id) from staging.{table}")[0]
        for table in ("export_activities", "activity_files")
    ]


def test_only_shards_that_are_new_are_read(history):
    assert stage(history) == 3
    before = counts(history)
    with staging.open_warehouse(history.warehouse) as connection:
        connection.execute("update staging.activity_files set payload_hash = 'as it was'")
    land(history, "activity_files", [a_file(1, fit_file(ride(60), start=START))])
    assert stage(history) == 1
    hashes = history.sql("select payload_hash, count(*) from staging.activity_files group by all order by all")
    assert hashes == [("1", 1), ("as it was", before[1][0])]
    assert stage(history) == 0
    assert not (history.home / "warehouse" / ".state" / "dlt" / "readings").exists()


def test_another_reader_reads_all_again_each_row_once_and_dbt_has_to_build(history, monkeypatch):
    stage(history)
    before = staged(history, "export_activities"), staged(history, "activity_files")
    with staging.open_warehouse(history.warehouse) as connection:
        connection.execute("create table staging.dbt_builds as select now() as built_at")
    assert stage(history) == 0
    assert history.sql("select count(*) from staging.dbt_builds") == [(1,)]
    monkeypatch.setattr(readings, "reader_version", lambda: "another")
    assert stage(history) == 3
    after = staged(history, "export_activities"), staged(history, "activity_files")
    for rows, again in zip(before, after, strict=True):
        assert {row[3].pop("reader") for row in again} == {"another"}
        assert {row[3].pop("reader") for row in rows} != {"another"}
        assert sorted(rows, key=str) == sorted(again, key=str)
    assert history.sql("select count(*) from staging.dbt_builds") == [(0,)]
    assert stage(history) == 0


class Until(Pause):
    """Ends a run when it has been asked so many times whether to."""

    def __init__(self, times: int, end) -> None:
        self._left, self._end = times, end

    def wait(self, seconds: float) -> None:
        self._left -= 1
        if self._left < 0:
            self._end()


def _stop() -> None:
    raise Interrupted("Stopped.")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_run_that_is_stopped_while_it_reads_keeps_what_was_read(history):
    with pytest.raises(Interrupted):
        stage(history, Until(65, _stop))
    # all rows, and of the files, which are in two shards, none yet
    assert counts(history) == [(60, 60), (0, 0)]
    with pytest.raises(Interrupted):
        stage(history, Until(40, _stop))
    assert 0 < counts(history)[1][0] < 40
    stage(history)
    assert_all_read(history)


@pytest.mark.parametrize("times", [0, 61, 100])
def test_a_run_that_is_killed_while_it_reads_is_completed_by_the_next(history, monkeypatch, times):
    monkeypatch.setattr(staging, "SECONDS_PER_LOAD", 0)
    if child := os.fork():
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    else:
        stage(history, Until(times, _die))
        os._exit(0)
    assert stage(history) > 0
    assert_all_read(history)


def assert_all_read(athlete) -> None:
    with Export(athlete.home / "export.zip") as export:
        rows, files = len(list(export.rows())), len(list(export.files()))
    assert counts(athlete) == [(rows, rows), (files, files)]


@pytest.mark.deep
@pytest.mark.parametrize("table", ["export_activities", "activity_files"])
def test_a_damaged_shard_is_not_made_again_from_readings(history, run, monkeypatch, table):
    assert run("pull").code == 0
    shard = history.shards(table)[0]
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    reported = run("status").out
    assert f"damaged shard, left out here ({shard}" in reported
    assert "nothing else here has its rows: put it back from a backup" in reported
    # only a reader looks into it again
    monkeypatch.setattr(readings, "reader_version", lambda: "another")
    ran = run("pull")
    assert ran.code == 0, ran.err
    assert "nothing else here has its rows: restore it from a backup" in ran.err
    assert not shard.exists()
    # what was read of it is kept, until it is back
    assert_all_read(history)
    shard.write_bytes(whole)
    assert run("pull").code == 0
    assert_all_read(history)
    assert {row[3]["reader"] for row in staged(history, table)} == {"another"}
