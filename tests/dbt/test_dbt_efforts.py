"""What is computed from details and loads, computed again in plain Python from what a simulated athlete did."""

import math
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from versions import Version, Warehouse, sorted_rows, tombstone, version

from simulator.world import World

FETCHED = datetime(2026, 10, 1)
SETTINGS = {"rest_hr": 48.0, "max_hr": 188.0, "threshold_hr": 170.0, "ftp_w": 240.0}
NUMBERS = {**SETTINGS, "sex": "f", "units": "km"}
TODAY = date(2026, 10, 3)
NIGHT_S = 50_000
pytestmark = pytest.mark.deep

Row = tuple[Any, ...]
Json = dict[str, Any]


@dataclass
class Truth:
    """Summaries and details as Strava last said them, of the activities that are live, by id."""

    summaries: dict[int, Json]
    details: dict[int, Json]
    # (fetched_at, id, gear object) of each detail
    gear_seen: list[tuple[datetime, int, Json]] = field(default_factory=list)


@dataclass
class Story:
    """The parsed details at each chapter, the marts at the last incremental one, and the truth of that."""

    truth: Truth
    warehouse: Warehouse
    parsed: dict[str, list[Row]] = field(default_factory=dict)
    written_again: set[int] = field(default_factory=set)

    def note(self, chapter: str) -> None:
        self.parsed[chapter] = sorted_rows(
            self.warehouse.rows(
                "select id, splits_metric, splits_standard, laps, segment_efforts, best_efforts, gear, fetched_at,"
                " payload_hash from staging.int_details__parsed"
            )
        )


def landed(payloads: Iterable[Json], fetched_at: datetime) -> list[Version]:
    return [version(payload, fetched_at) for payload in payloads]


def worsen(summaries: Iterable[Json]) -> None:
    """Flag some, break the straps of others, leave some recording."""
    for number, summary in enumerate(summaries):
        # Flagged ones, and broken straps.
        if number % 97 == 5:
            summary |= {"flagged": True}
        if number % 89 == 7:
            summary |= {"average_heartrate": 65535}
        if number % 89 == 8:
            summary |= {"average_heartrate": 0, "has_heartrate": True}
        if summary.get("sport_type") == "Ride" and number % 5 == 0:
            # left recording overnight
            summary |= {"distance": 9000.0, "total_elevation_gain": 0, "moving_time": NIGHT_S, "elapsed_time": NIGHT_S}


def worsen_details(details: dict[int, Json]) -> None:
    """Make efforts and heart rates that make no sense."""
    ids = sorted(details)
    efforts = [effort for id_ in ids for effort in details[id_].get("best_efforts") or []]
    for number, effort in enumerate(efforts):
        # A treadmill corrected to less, a jump of the GPS.
        if number % 7 == 0:
            effort |= {"distance": 100_000}
        if number % 7 == 1:
            effort |= {"elapsed_time": 20}
    for id_ in ids[20:]:
        for number, split in enumerate(details[id_].get("splits_metric") or []):
            if number % 5 == 2 and "average_heartrate" in split:
                split |= {"average_heartrate": 0}


@pytest.fixture(scope="module")
def story(clone: Path) -> Story:
    world = World(seed=11, activities=500, clock=datetime(2026, 9, 30, tzinfo=UTC))
    summaries = {activity["id"]: activity for activity in world.activities()}
    worsen(summaries.values())
    rng = random.Random(5)  # noqa: S311 - a reproducible test, no secret
    details = {id_: world.detail(id_) for id_ in rng.sample(sorted(summaries), 320)}
    ids = sorted(details)
    worsen_details(details)

    warehouse = Warehouse(path=clone / "warehouse" / "club.duckdb", cwd=clone, env={"STRAVA_WAREHOUSE": "club.duckdb"})
    warehouse.env["STRAVA_HOME"] = str(clone / "warehouse")
    warehouse.set(NUMBERS)
    truth = Truth(summaries, details)

    story = Story(truth, warehouse)
    warehouse.land(landed(summaries.values(), FETCHED))
    warehouse.land(landed((details[id_] for id_ in ids[:300]), FETCHED), "activity_details")
    truth.gear_seen = [(FETCHED, id_, details[id_]["gear"]) for id_ in ids[:300] if "gear" in details[id_]]
    warehouse.built("build", "--exclude-resource-type", "unit_test")
    story.note("first build")

    # The rest lands; ten were cut, ten are gone, all gear has another name by now.
    later = FETCHED + timedelta(days=1)
    news = ids[:10] + ids[300:]
    for id_ in ids[:10]:
        details[id_] |= {"splits_metric": [{"distance": 1.5, "moving_time": 2}], "laps": None}
    for id_ in news:
        if "gear" in details[id_]:
            details[id_]["gear"] |= {"name": "Renamed", "retired": True, "distance": 1}
    warehouse.land(landed((details[id_] for id_ in news), later), "activity_details")
    truth.gear_seen += [(later, id_, details[id_]["gear"]) for id_ in news if "gear" in details[id_]]
    warehouse.land([tombstone(id_, later) for id_ in ids[10:20]], "tombstones")
    for id_ in ids[10:20]:
        del summaries[id_], details[id_]
    truth.gear_seen = [seen for seen in truth.gear_seen if seen[1] in details]
    # What is parsed again is written again; gear is a table, which must not see the mark.
    warehouse.rows("update staging.int_details__parsed set athlete_id = -1 where gear is null")
    warehouse.built("build", "--exclude-resource-type", "unit_test")
    written = warehouse.rows("select id from staging.int_details__parsed where athlete_id <> -1 and gear is null")
    story.written_again = {row[0] for row in written}
    warehouse.rows("update staging.int_details__parsed set athlete_id = 7")
    story.note("news")
    warehouse.rows(
        f"create or replace view staging.int_athletes__today as select 7 as athlete_id, date '{TODAY}' as today"
    )
    return story


@pytest.fixture(scope="module")
def other_fields(story: Story) -> Story:
    """The story after a change of the project: laps have a field less, and one more; and back again."""
    model = story.warehouse.cwd / "dbt_project/models/intermediate/int_details__parsed.sql"
    before = model.read_text()
    after = before.replace("        'max_speed': 'double',\n", "        'device_watts': 'boolean',\n")
    for chapter, text, arguments in (
        ("other fields", after, ()),
        ("full refresh", after, ("--full-refresh",)),
        ("fields as before", before, ()),
    ):
        model.write_text(text)
        story.warehouse.built("run", "--select", "int_details__parsed", *arguments)
        story.note(chapter)
    return story


def local_date(summary: Json) -> date:
    return date.fromisoformat(summary["start_date_local"][:10])


@pytest.mark.deep
def test_only_details_of_a_new_version_are_parsed(story: Story) -> None:
    assert sorted(row[0] for row in story.parsed["news"]) == sorted(story.truth.details)
    first_build = {row[0]: row for row in story.parsed["first build"]}
    changed = {row[0] for row in story.parsed["news"] if row != first_build.get(row[0])}
    assert len(changed) == 30
    assert story.written_again == {id_ for id_ in changed if "gear" not in story.truth.details[id_]}
    assert story.written_again


def test_every_element_of_the_details_has_its_row(story: Story) -> None:
    for mart, arrays in (
        ("splits", ("splits_metric", "splits_standard")),
        ("laps", ("laps",)),
        ("segment_efforts", ("segment_efforts",)),
        ("best_efforts", ("best_efforts",)),
    ):
        expected = {
            id_: sum(len(detail.get(array) or []) for array in arrays) for id_, detail in story.truth.details.items()
        }
        counted = dict(story.warehouse.rows(f"select activity_id, count(*) from strava.{mart} group by all"))
        assert counted == {id_: count for id_, count in expected.items() if count}
        assert sum(expected.values()) > 300


def test_splits_and_laps_keep_what_strava_said(story: Story) -> None:
    expected = []
    for id_, detail in story.truth.details.items():
        for system in ("metric", "standard"):
            expected += [
                (id_, system, split.get("split", 1), split["distance"], split["moving_time"])
                for split in detail.get(f"splits_{system}") or []
            ]
    stored = story.warehouse.rows("select activity_id, system, split, distance_m, moving_time_s from strava.splits")
    assert sorted_rows(stored) == sorted_rows([(*row[:3], float(row[3]), row[4]) for row in expected])
    expected = [
        (id_, lap["lap_index"], lap["id"], lap["name"], float(lap["total_elevation_gain"]))
        for id_, detail in story.truth.details.items()
        for lap in detail.get("laps") or []
    ]
    stored = story.warehouse.rows(
        "select activity_id, lap_index, lap_id, name, total_elevation_gain_m from strava.laps"
    )
    assert sorted_rows(stored) == sorted_rows(expected)


def test_segment_efforts_rank_by_time_the_earlier_first(story: Story) -> None:
    efforts = defaultdict(list)
    for id_, detail in story.truth.details.items():
        summary = story.truth.summaries[id_]
        for effort in detail["segment_efforts"]:
            if summary.get("flagged") or effort["distance"] > summary["distance"] * 1.01 + 10:
                continue
            efforts[effort["segment"]["id"]].append((effort["elapsed_time"], effort["start_date_local"], effort["id"]))
    expected = {effort[2]: rank for of_segment in efforts.values() for rank, effort in enumerate(sorted(of_segment), 1)}
    stored = story.warehouse.rows("select effort_id, rank_own from strava.segment_efforts where rank_own is not null")
    assert dict(stored) == expected
    assert max(expected.values()) > 1


def test_best_efforts_rank_of_all_time_and_of_their_year(story: Story) -> None:
    efforts = []
    for id_, detail in story.truth.details.items():
        summary = story.truth.summaries[id_]
        for effort in detail.get("best_efforts") or []:
            day = local_date(summary)
            # nobody is faster than 12.42 m/s, and 5 %
            too_fast = effort["distance"] / effort["elapsed_time"] > 13.041 or effort["elapsed_time"] == 20
            left_out = bool(summary.get("flagged")) or too_fast or effort["distance"] > summary["distance"] * 1.01 + 10
            efforts.append((effort["name"], left_out, effort["elapsed_time"], day, id_))
    efforts.sort()
    expected = []
    for (name, left_out), group in groupby(efforts, key=lambda effort: effort[:2]):
        in_year: dict[int, int] = defaultdict(int)
        for rank, (_, _, _, day, id_) in enumerate(group, 1):
            in_year[day.year] += 1
            expected.append((id_, name, *((None, None) if left_out else (rank, in_year[day.year]))))
    stored = story.warehouse.rows("select activity_id, effort, rank_all_time, rank_in_year from strava.best_efforts")
    assert sorted_rows(stored) == sorted_rows(expected)
    assert any(row[2] is None for row in expected)


def test_gear_sums_its_activities_and_bears_its_newest_name(story: Story) -> None:
    sums: dict[str, list[Any]] = {}
    for summary in story.truth.summaries.values():
        if summary.get("gear_id"):
            gear = sums.setdefault(summary["gear_id"], [0, 0.0, 0, []])
            gear[0] += 1
            gear[1] += summary["distance"]
            gear[2] += summary["moving_time"]
            gear[3].append(local_date(summary))
    gear_by_id = {gear["id"]: gear for _, _, gear in sorted(story.truth.gear_seen, key=lambda seen: seen[0])}
    stored = story.warehouse.rows(
        "select gear_id, activities, distance_m, moving_time_s, first_used_date, last_used_date from strava.gear"
    )
    assert sorted(stored) == sorted(
        (id_, count, pytest.approx(metres, abs=0.001), seconds, min(days), max(days))
        for id_, (count, metres, seconds, days) in sums.items()
    )
    names = dict(story.warehouse.rows("select gear_id, name from strava.gear where name is not null"))
    assert names == {id_: gear["name"] for id_, gear in gear_by_id.items() if id_ in sums}
    assert "Renamed" in names.values()


def load_of(summary: Json) -> float | None:
    """TSS by power, else hrTSS by the average heart rate, of a woman."""
    if summary["moving_time"] == NIGHT_S:
        return None
    hours = summary["moving_time"] / 3600
    watts = summary.get("weighted_average_watts")
    if summary.get("device_watts") and watts:
        return 100 * hours * (watts / SETTINGS["ftp_w"]) ** 2
    heart_rate = summary.get("average_heartrate")
    if heart_rate is None or not 20 <= heart_rate <= 250:
        return None

    def trimp(minutes: float, bpm: float) -> float:
        reserve = max(0.0, (bpm - SETTINGS["rest_hr"]) / (SETTINGS["max_hr"] - SETTINGS["rest_hr"]))
        return minutes * reserve * 0.86 * math.exp(1.67 * reserve)

    return 100 * trimp(60 * hours, heart_rate) / trimp(60, SETTINGS["threshold_hr"])


def test_training_load_is_what_the_recursion_gives(story: Story) -> None:
    loads: dict[date, list[float]] = defaultdict(list)
    times: dict[date, list[int]] = defaultdict(lambda: [0, 0])
    for summary in story.truth.summaries.values():
        load, day = load_of(summary), local_date(summary)
        times[day][0] += summary["moving_time"]
        if load is not None:
            loads[day].append(load)
            times[day][1] += summary["moving_time"]
    first_load = min(day for day, known in loads.items() if sum(known) > 0)
    day, fitness, fatigue, form, last_loads = min(times), 0.0, 0.0, 0.0, [0.0] * 7
    rows = story.warehouse.rows(
        "select date, load, moving_time_s, moving_time_with_load_s, coverage, fitness, fatigue, form, monotony, strain,"
        " is_warm_up from strava.training_load_daily order by date"
    )
    # Several times the 350 days after which the query counts anew.
    assert len(rows) > 3 * 350
    for row in rows:
        number = (day - first_load).days
        load = sum(loads[day])
        form = fitness - fatigue
        fitness += (load - fitness) * (1 - math.exp(-1 / 42))
        fatigue += (load - fatigue) * (1 - math.exp(-1 / 7))
        last_loads = [*last_loads[1:], load]
        mean = sum(last_loads) / 7
        deviation = math.sqrt(sum((each - mean) ** 2 for each in last_loads) / 7)
        monotony = mean / deviation if deviation > 1e-9 and number >= 6 else None
        moving_s, loaded_s = times.get(day, (0, 0))
        assert row[0] == day
        assert row[1] == (pytest.approx(load, abs=2e-6) if loads[day] else None)
        assert row[2:4] == (moving_s, loaded_s)
        assert row[4] == (pytest.approx(loaded_s / moving_s, abs=1e-6) if moving_s else None)
        assert row[5:8] == (pytest.approx((fitness, fatigue, form), abs=3e-6) if number >= 0 else (None, None, None))
        assert row[8] == (None if monotony is None else pytest.approx(monotony, abs=3e-6))
        assert row[9] == (None if monotony is None else pytest.approx(sum(last_loads) * monotony, abs=1e-4))
        assert row[10] == (number < 42)
        day += timedelta(days=1)
    assert day == TODAY + timedelta(days=1)


def test_zones_hold_the_time_of_splits_else_of_activities(story: Story) -> None:
    rest, reserve = SETTINGS["rest_hr"], SETTINGS["max_hr"] - SETTINGS["rest_hr"]
    borders = [math.ceil(round(rest + reserve * percent / 100, 6)) for percent in (60, 70, 80, 90)]
    expected: dict[Row, float] = defaultdict(float)
    for id_, summary in story.truth.summaries.items():
        if summary["moving_time"] == NIGHT_S:
            continue
        timed = [
            (split["average_heartrate"], split["moving_time"])
            for split in story.truth.details.get(id_, {}).get("splits_metric") or []
            if 20 <= split.get("average_heartrate", 0) <= 250 and split["moving_time"] > 0
        ]
        source = "splits" if timed else "average"
        if not timed and 20 <= summary.get("average_heartrate", 0) <= 250 and summary["moving_time"] > 0:
            timed = [(summary["average_heartrate"], summary["moving_time"])]
        for heart_rate, seconds in timed:
            zone = 1 + sum(heart_rate >= border for border in borders)
            expected[local_date(summary).replace(day=1), zone, source] += seconds
    stored = story.warehouse.rows(
        "select month_start_date, zone, source, sum(moving_time_s) from strava.zones group by all"
    )
    assert {row[:3]: row[3] for row in stored} == expected
    assert {key[2] for key in expected} == {"splits", "average"}


def test_races_are_predicted_by_riegel(story: Story) -> None:
    rows = story.warehouse.rows(
        "select from_distance_m, from_time_s, to_distance_m, predicted_time_s, from_activity_date"
        " from strava.race_predictions"
    )
    assert rows
    for from_m, from_s, to_m, predicted_s, day in rows:
        assert predicted_s == pytest.approx(from_s * (to_m / from_m) ** 1.06, abs=1e-5)
        assert 210 <= from_s <= 13800
        assert 210 <= predicted_s <= 13800
        assert TODAY - timedelta(days=365) < day <= TODAY


def test_what_does_not_rank_or_weigh_is_listed(story: Story) -> None:
    unranked = story.warehouse.rows("select activity_id, effort from strava.best_efforts where rank_all_time is null")
    listed = story.warehouse.rows(
        "select activity_id, effort from strava.left_out where contains(left_out_of, 'best_efforts')"
    )
    assert set(unranked) <= {*listed, *((id_, name) for id_, none in listed if none is None for _, name in unranked)}
    reasons = dict(story.warehouse.rows("select reason, count(*) from strava.left_out group by all"))
    assert {"effort_too_long", "effort_too_fast", "left_recording", "no_heart_rate", "flagged"} <= reasons.keys()
    twice = "select 1 from strava.left_out group by activity_id, effort_id, effort, reason having count(*) > 1"
    assert story.warehouse.rows(twice) == []
    nights = [id_ for id_, summary in story.truth.summaries.items() if summary["moving_time"] == NIGHT_S]
    left = story.warehouse.rows("select activity_id from strava.left_out where reason = 'left_recording'")
    assert sorted(id_ for (id_,) in left) == sorted(nights)
    held = story.warehouse.rows("select distinct activity_id from strava.records where record like 'longest%'")
    assert not {id_ for (id_,) in held} & set(nights)


def test_settings_count_without_a_build(story: Story) -> None:
    """What hangs on them is a view: another FTP is another load at once, and none without any."""
    query = (
        "select (select count(load) from strava.training_load_daily), (select count(fitness) from"
        " strava.training_load_daily), (select count(*) from strava.zones)"
    )
    ((loads, days, zones),) = story.warehouse.rows(query)
    assert loads > 50
    assert days > loads
    assert zones > 10
    story.warehouse.set({**NUMBERS, "max_hr": None, "ftp_w": None})
    try:
        assert story.warehouse.rows(query) == [(0, 0, 0)]
    finally:
        story.warehouse.set(NUMBERS)


def test_other_fields_are_parsed_into_every_row_without_a_full_refresh(other_fields: Story) -> None:
    parsed = other_fields.parsed
    assert parsed["other fields"] == parsed["full refresh"]
    laps = [lap for row in parsed["other fields"] for lap in row[3] or []]
    assert any(lap["device_watts"] is not None for lap in laps)
    assert all("max_speed" not in lap for lap in laps)
    assert parsed["fields as before"] == parsed["news"]
