"""Activities that an export or a file alone knows are whole ones: on the athlete's calendar, in all statistics."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from versions import Version, Warehouse, tombstone, version

EXPORTED = datetime(2026, 7, 1)
BERLIN, KATHMANDU = "(GMT+01:00) Europe/Berlin", "(GMT+05:45) Asia/Kathmandu"
# its older name
KATMANDU = "(GMT+05:45) Asia/Katmandu"
# an athlete with both doors, one with an export alone, one of whom nobody knows where they live
BOTH, EXPORT_ALONE, NOWHERE = 7, 8, 9
pytestmark = pytest.mark.deep


def exported(activity_id: int, start: str | None, athlete_id: int = BOTH, **says: Any) -> Version:
    says |= {"start_date": start} if start else {}
    return version(says, EXPORTED, athlete_id, activity_id)


def sent(
    activity_id: int,
    start: str,
    local: str,
    offset_s: int,
    timezone: str,
    athlete_id: int = BOTH,
    fetched_at: datetime = EXPORTED,
) -> Version:
    payload = {"id": activity_id, "start_date": start, "start_date_local": local, "utc_offset": offset_s}
    return version(payload | {"timezone": timezone, "kudos_count": 2, "name": "sent"}, fetched_at, athlete_id)


def recorded(activity_id: int, athlete_id: int = BOTH, **says: Any) -> Version:
    return version(says, EXPORTED, athlete_id, activity_id)


WHERE_NOBODY_SAYS = {
    # the clocks go forward on the 29th, at 01:00 UTC
    11: ("2026-03-28T23:30:00Z", datetime(2026, 3, 29, 0, 30), 3600, BERLIN),
    12: ("2026-03-29T06:00:00Z", datetime(2026, 3, 29, 8, 0), 7200, BERLIN),
    # as far from the one of 28 March, 12:00, as from that of 1 May, 01:00; and a second later
    13: ("2026-04-14T06:30:00Z", datetime(2026, 4, 14, 8, 30), 7200, BERLIN),
    14: ("2026-04-14T06:30:01Z", datetime(2026, 4, 14, 12, 15, 1), 20700, KATHMANDU),
    # local midnight
    15: ("2026-05-01T18:15:00Z", datetime(2026, 5, 2, 0, 0), 20700, KATHMANDU),
    # of a watch that says its offset and no zone
    16: ("2026-06-02T10:00:00Z", datetime(2026, 6, 2, 6, 30), -12600, None),
    # of a zone that does not exist
    17: ("2026-06-21T10:00:00Z", datetime(2026, 6, 21, 11, 0), 3600, "(GMT+01:00) Mars/Olympus"),
    # before all others
    18: ("2020-01-01T00:00:00Z", datetime(2020, 1, 1, 1, 0), 3600, BERLIN),
}


@pytest.fixture(scope="module")
def chapters(clone: Path) -> dict[str, Any]:
    """Rows of the warehouse after each of four builds, the later ones of activities alone."""
    warehouse = Warehouse(clone / "warehouse" / "doors.duckdb", clone, {"STRAVA_WAREHOUSE": "warehouse/doors.duckdb"})
    warehouse.land(
        [
            sent(1, "2026-03-28T12:00:00Z", "2026-03-28T13:00:00Z", 3600, BERLIN),
            sent(4, "2026-06-20T10:00:00Z", "2026-06-20T11:00:00Z", 3600, "(GMT+01:00) Mars/Olympus"),
        ]
    )
    warehouse.land(
        [
            exported(2, "2026-05-01T01:00:00Z"),
            exported(3, "2026-06-01T10:00:00Z"),
            *(exported(id_, start) for id_, (start, *_) in WHERE_NOBODY_SAYS.items()),
            exported(19, None, name="no date"),
            exported(21, "2026-03-01T23:30:00Z", NOWHERE),
            *EXPORTED_ALONE,
        ],
        "export_activities",
    )
    warehouse.land(
        [
            recorded(2, utc_offset=20700.0, timezone=KATHMANDU, time_zone_source="position"),
            recorded(3, utc_offset=-12600, time_zone_source="file"),
            recorded(
                31, EXPORT_ALONE, utc_offset=3600, timezone=BERLIN, map={"summary_polyline": "_p~iF~ps|U_ulLnnqC"}
            ),
        ],
        "activity_files",
    )
    warehouse.built("build", "--exclude-resource-type", "unit_test")
    found = {"first": local_times(warehouse)} | {
        query: warehouse.rows(query) for query in (*OF_EXPORT_ALONE, *OF_ALL_ATHLETES)
    }
    started = ("2026-03-02T08:00:00Z", "2026-03-02T13:45:00Z", 20700)
    warehouse.land([sent(22, *started, KATHMANDU, NOWHERE)])
    # of another athlete, at the same instant
    warehouse.land([sent(20, "2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z", 3600, BERLIN)])
    warehouse.built("run", "--select", "activities")
    found["one more"] = local_times(warehouse)
    warehouse.land([sent(22, *started, KATMANDU, NOWHERE, datetime(2026, 7, 2))])
    warehouse.built("run", "--select", "activities")
    found["another name"] = local_times(warehouse)
    warehouse.land([tombstone(22, datetime(2026, 8, 1), athlete_id=NOWHERE)], "tombstones")
    warehouse.built("run", "--select", "activities")
    found["gone"] = local_times(warehouse)
    return found


def local_times(warehouse: Warehouse) -> dict[int, tuple[Any, ...]]:
    query = "select id, start_date_local, utc_offset, timezone, time_zone_source from strava.activities"
    return {id_: tuple(row) for id_, *row in warehouse.rows(query)}


@pytest.mark.parametrize("activity_id", WHERE_NOBODY_SAYS)
def test_what_has_no_time_zone_takes_that_of_its_neighbour_in_time(chapters: dict[str, Any], activity_id: int) -> None:
    _, local, offset_s, timezone = WHERE_NOBODY_SAYS[activity_id]
    assert chapters["first"][activity_id] == (local, offset_s, timezone, "neighbour")


def test_what_has_one_keeps_it_and_what_has_no_date_has_none(chapters: dict[str, Any]) -> None:
    assert chapters["first"][1] == (datetime(2026, 3, 28, 13), 3600, BERLIN, "api")
    assert chapters["first"][2] == (datetime(2026, 5, 1, 6, 45), 20700, KATHMANDU, "position")
    assert chapters["first"][3] == (datetime(2026, 6, 1, 6, 30), -12600, None, "file")
    assert chapters["first"][19] == (None, None, None, None)


def test_a_neighbour_counts_from_when_it_is_known_until_it_is_gone(chapters: dict[str, Any]) -> None:
    in_utc = (datetime(2026, 3, 1, 23, 30), 0, None, "utc")
    assert chapters["first"][21] == in_utc
    assert chapters["one more"][21] == (datetime(2026, 3, 2, 5, 15), 20700, KATHMANDU, "neighbour")
    assert chapters["another name"][21] == (datetime(2026, 3, 2, 5, 15), 20700, KATMANDU, "neighbour")
    assert chapters["gone"][21] == in_utc


# three days in a row, the second one at home after midnight; one pair of shoes whose id a newer row has unrounded
EXPORTED_ALONE = [
    exported(
        *(31, "2026-01-01T09:00:00Z", EXPORT_ALONE),
        type="Run",
        distance=5000.0,
        moving_time=1500,
        gear_id="g16777216",
        gear_name="Shoes",
    ),
    exported(
        *(32, "2026-01-01T23:30:00Z", EXPORT_ALONE),
        type="Run",
        distance=21100.0,
        moving_time=6000,
        gear_id="g16777217",
        gear_name="Shoes",
    ),
    exported(
        *(33, "2026-01-03T09:00:00Z", EXPORT_ALONE),
        type="Run",
        distance=7000.0,
        moving_time=2000,
        gear_id="g16777217",
        gear_name="Shoes",
    ),
    # another pair, bought on the same day
    exported(
        *(34, "2025-12-24T09:00:00Z", EXPORT_ALONE),
        type="Run",
        distance=1000.0,
        moving_time=300,
        gear_id="g16777216",
        gear_name="Spikes",
    ),
    # an old export, which names gear and has no ids
    exported(
        *(35, "2018-06-01T09:00:00Z", EXPORT_ALONE),
        type="Ride",
        distance=30000.0,
        moving_time=3600,
        gear_name="Old bike",
    ),
]
OF_EXPORT_ALONE = {
    "select record, value, activity_id from strava.records "
    "where athlete_id = 8 and sport_group = 'Run' and year is null order by record": [
        ("fastest", 21100 / 6000, 32),
        ("longest_distance", 21100.0, 32),
        ("longest_time", 6000.0, 32),
    ],
    "select longest, longest_start_date, longest_end_date from strava.streaks "
    "where athlete_id = 8 and sport_group = 'All' and period = 'day'": [(3, date(2026, 1, 1), date(2026, 1, 3))],
    "select min(calendar_date), count(*) filter (is_active) from strava.calendar where athlete_id = 8": [
        (date(2018, 6, 1), 5)
    ],
    "select gear_id, name, kind, activities, distance_m from strava.gear where athlete_id = 8 order by gear_id": [
        ("g16777216", "Spikes", "shoes", 1, 1000.0),
        ("g16777217", "Shoes", "shoes", 3, 33100.0),
        ("name:Old bike", "Old bike", None, 1, 30000.0),
    ],
    "select activity_date, sport_type, sport_group, has_route, kudos from staging.int_activities__dated "
    "where athlete_id = 8 and id in (31, 32) order by id": [
        (date(2026, 1, 1), "Run", "Run", True, None),
        (date(2026, 1, 2), "Run", "Run", False, None),
    ],
}
OF_ALL_ATHLETES = {
    "select athlete_id, activities, with_route, without_api, without_time_zone from strava.data_coverage order by 1": [
        (7, 13, 0, 11, 8),
        (8, 5, 1, 5, 4),
        (9, 1, 0, 1, 1),
    ],
    # kudos that nobody knows are none, and those of others stay
    "select athlete_id, year, kudos from strava.year_in_review where sport_group = 'All' order by 1, 2": [
        (7, 2020, None),
        (7, 2026, 4),
        (8, 2018, None),
        (8, 2025, None),
        (8, 2026, None),
        (9, 2026, None),
    ],
}


@pytest.mark.parametrize("query", [*OF_EXPORT_ALONE, *OF_ALL_ATHLETES])
def test_an_export_alone_fills_the_statistics(chapters: dict[str, Any], query: str) -> None:
    assert chapters[query] == (OF_EXPORT_ALONE | OF_ALL_ATHLETES)[query]
