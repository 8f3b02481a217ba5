"""The statistics of whole made-up athletes against the same figures computed in plain Python from what Strava holds."""

import csv
import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

import duckdb
import pytest
from processes import REPO
from versions import Warehouse, version

from simulator.world import World

SEEDS = (1, 2, 3)
FETCHED = datetime(2026, 11, 1)
UNITS = {"km": Decimal(1000), "mi": Decimal("1609.344")}
# by sport type: metres from which on nobody has a higher mean speed, in m/s, with 5 %; the first that fits
RUNNING = (
    (319614, 3.8842),
    (100000, 4.7869),
    (42195, 6.1237),
    (21097, 6.5115),
    (10000, 6.6836),
    (5000, 6.9503),
    (3218, 7.1285),
    (1609, 7.5732),
    (1000, 7.9569),
    (800, 8.3242),
    (400, 9.7606),
    (0, 13.041),
)
WALKING = ((50000, 4.1167), (20000, 4.5952), (0, 4.8861))
CYCLING = ((1000000, 12.4714), (200000, 15.75), (50000, 19.95), (10000, 25.2), (0, 37.8))
SWIMMING = ((800, 2.205), (0, 2.5108))
SKIING = ((10000, 44.94), (0, 74.521))
TOURING = ((10000, 21.0), (0, 42.0))
PADDLING = ((0, 9.45),)
# sport types: mean speeds, highest speed, metres climbed in a second, pace that is none for eight hours
POSSIBLE: dict[tuple[str, ...], tuple[Any, float, float, float]] = {
    ("Run", "TrailRun", "VirtualRun"): (RUNNING, 14, 0.7, 0.6),
    ("Walk", "Hike", "Snowshoe"): (WALKING, 14, 0.7, 0.2),
    ("Ride", "GravelRide", "MountainBikeRide", "VirtualRide"): (CYCLING, 40, 0.7, 1.5),
    ("EBikeRide", "EMountainBikeRide"): (CYCLING, 40, 1.5, 1.5),
    ("Swim",): (SWIMMING, 10, math.inf, 0.2),
    ("AlpineSki", "Snowboard"): (SKIING, 75, math.inf, 0),
    ("BackcountrySki", "NordicSki"): (TOURING, 45, 0.7, 0.2),
    ("Kayaking", "Canoeing", "Rowing", "StandUpPaddling"): (PADDLING, 15, math.inf, 0),
}
NOTHING_IS_IMPOSSIBLE = (((0, math.inf),), math.inf, math.inf, 0)
EXERCISES = {"WeightTraining", "Workout", "Yoga", "Elliptical", "StairStepper", "Crossfit", "Pilates"}
NOT_ABOUT_SPEED = EXERCISES | {"Tennis", "RockClimbing", "Golf", "Soccer", "Badminton", "Squash"}
HOUR_S = 3600
GOALS = (
    ("All", "distance_m", "week", 50_000.0),
    ("Run", "moving_time_s", "month", 36_000.0),
    ("Ride", "total_elevation_gain_m", "year", 20_000.0),
    ("All", "active_days", "year", 200.0),
    ("Gym", "activities", "month", 4.0),
)
pytestmark = pytest.mark.deep


def goals_of(athlete_id: int) -> list[dict[str, Any]]:
    """The goals of an athlete, who aims at more than the one with the number before."""
    return [
        {"sport_group": group, "measure": measure, "period": period, "target": target + athlete_id}
        for group, measure, period, target in GOALS
    ]


def sport_groups() -> dict[str, str]:
    with (REPO / "dbt_project" / "seeds" / "sport_groups.csv").open() as file:
        return {row["sport_type"]: row["sport_group"] for row in csv.DictReader(file)}


@dataclass(frozen=True)
class Outing:
    """What counts of one activity, as Strava holds it."""

    id: int
    name: str | None
    groups: tuple[str, str]
    local: datetime
    distance_m: Decimal
    moving_time_s: int
    elevation_m: Decimal
    highest_m: float | None
    kudos: int
    gear_id: str | None
    # the records it has no part in, and the reasons
    left_out_of: frozenset[str]
    reasons: frozenset[str]

    @property
    def day(self) -> date:
        return self.local.date()

    @property
    def speed_m_s(self) -> float | None:
        return float(self.distance_m) / self.moving_time_s or None if self.moving_time_s else None


def judged(sent: dict[str, Any], sport: str, group: str) -> dict[str, set[str]]:
    """Reasons why an activity has no part in some of the records, each with these."""
    metres, seconds = float(sent.get("distance") or 0), sent.get("moving_time") or 0
    climbed, highest = float(sent.get("total_elevation_gain") or 0), sent.get("elev_high")
    pulse, top, manual = sent.get("average_heartrate"), sent.get("max_speed") or 0, bool(sent.get("manual"))
    limits = next((limits for sports, limits in POSSIBLE.items() if sport in sports), NOTHING_IS_IMPOSSIBLE)
    speeds, top_m_s, climb_m_s, pace_m_s = limits

    moves = metres > 0 and seconds > 0 and group != "Gym" and sport not in NOT_ABOUT_SPEED
    has_height = highest is not None and group not in ("Swim", "Water", "Gym")
    speed = metres / seconds if moves else 0
    # fast throughout: m/s that are no jump of the GPS
    vehicle_m_s = {RUNNING: 4.5, WALKING: 2.5, CYCLING: 14}.get(speeds, math.inf)
    is_still = sport in EXERCISES or (pace_m_s > 0 and metres <= 0)
    is_slow = pace_m_s > 0 and metres + 8 * climbed < pace_m_s * seconds
    is_left = seconds >= 12 * HOUR_S if is_still else is_slow and seconds >= 8 * HOUR_S
    found = {
        "short": (moves and seconds < 600, {"fastest"}),
        "indoors": (sent.get("trainer") and (moves or has_height), {"fastest", "highest_point"}),
        "virtual": (sport.startswith("Virtual") and (moves or has_height), {"fastest", "highest_point"}),
        "manual": (manual and moves, {"fastest"}),
        "flagged": (sent.get("flagged"), {"fastest"}),
        "too_fast": (moves and speed > next(limit for from_m, limit in speeds if metres >= from_m), set(RECORDS)),
        "beyond_top_speed": (top > top_m_s, {"fastest"}),
        "by_vehicle": (top > top_m_s and speed >= vehicle_m_s, set()),
        "left_recording": (is_left and not manual, {"longest_distance", "longest_time"}),
        "too_steep": (seconds and climbed / seconds > climb_m_s, {"most_elevation"}),
        # a sport that nobody knows may fly
        "too_high": (has_height and highest > 8849 and sport in sport_groups(), {"highest_point"}),
        "no_heart_rate": (pulse is not None and not 20 <= pulse <= 250, set()),
    }
    return {reason: records for reason, (is_so, records) in found.items() if is_so}


def outing(sent: dict[str, Any], groups: dict[str, str]) -> Outing:
    sport = sent.get("sport_type") or sent.get("type") or "Unknown"
    local = datetime.fromisoformat((sent.get("start_date_local") or sent["start_date"]).removesuffix("Z"))
    group = groups.get(sport, "Other")
    reasons = judged(sent, sport, group)
    # what the sport is not about
    no_part = {"highest_point"} if group in ("Swim", "Water", "Gym") else set()
    no_part |= {"most_elevation"} if group in ("Swim", "Water") else set()
    no_part |= {"fastest"} if group == "Gym" or sport in NOT_ABOUT_SPEED else set()
    return Outing(
        id=sent["id"],
        name=sent.get("name"),
        groups=(group, "All"),
        local=local,
        distance_m=Decimal(str(sent.get("distance") or 0)),
        moving_time_s=sent.get("moving_time") or 0,
        elevation_m=Decimal(str(sent.get("total_elevation_gain") or 0)),
        highest_m=sent.get("elev_high"),
        kudos=sent.get("kudos_count") or 0,
        gear_id=sent.get("gear_id") or None,
        left_out_of=frozenset(no_part.union(*reasons.values())),
        reasons=frozenset(reasons),
    )


def worsened(sent: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """An activity as the simulator tells it, or with what real accounts hold too: gaps, ties, odd speeds, odd hours."""
    for change in rng.sample(range(12), 2):
        match change:
            case 0:
                sent["distance"] = rng.choice([0, 10_000, 16_093.44, 8046.72, 1609.344])
            case 1:
                sent["moving_time"] = rng.choice([0, 599, 600, 3600])
            case 2:
                sent["total_elevation_gain"] = rng.choice([0, 500, None])
            case 3:
                sent["elev_high"] = rng.choice([None, -10.5, 1000])
            case 4:
                sent[rng.choice(["trainer", "manual", "flagged"])] = True
            case 5:
                # two minutes at the wrong side of a day, a week, a year
                year = int(sent["start_date_local"][:4])
                sent["start_date_local"] = rng.choice([f"{year}-12-31T23:59:00Z", f"{year}-01-01T00:01:00Z"])
            case 6:
                sent.pop("start_date_local")
                break
            case _:
                impossible(sent, rng, change)
    return sent


def impossible(sent: dict[str, Any], rng: random.Random, change: int) -> None:
    """Make of an activity what nobody can do, or hardly."""
    match change:
        case 7:
            # left recording, or an ultra
            sent["moving_time"] = sent["elapsed_time"] = rng.choice([16, 24]) * HOUR_S
        case 8:
            # home by car
            sent["distance"] = min(sent["moving_time"], 2 * HOUR_S) * rng.choice([5, 8, 20, 50])
            sent["max_speed"] = rng.choice([13.5, 16, 39.5, 60])
        case 9:
            sent["total_elevation_gain"] = sent["moving_time"] * rng.choice([0.6, 0.9, 2.0])
            sent["average_heartrate"] = rng.choice([0, 150, 65535])
        case 10:
            sent["elev_high"] = rng.choice([8849, 20000])


@dataclass(frozen=True)
class History:
    """One athlete: what Strava holds, and the marts' rows by their names, without the athlete."""

    outings: list[Outing]
    today: date
    # activity -> reason
    left_out: list[tuple[Any, ...]]
    rows: dict[str, list[tuple[Any, ...]]]
    goals: list[dict[str, Any]]

    def days(self, group: str) -> dict[date, list[Outing]]:
        days = defaultdict(list)
        for each in self.outings:
            if group in each.groups:
                days[each.day].append(each)
        return days

    @property
    def groups(self) -> list[str]:
        return sorted({group for each in self.outings for group in each.groups})


MARTS = {
    "calendar": "calendar_date, iso_year, iso_week, week_start_date, month_start_date, year, weekday, is_active",
    "records": "sport_group, year, record, value, unit, activity_id, activity_name, activity_date",
    "eddington": "sport_group, unit, eddington, days_needed_for_next",
    "eddington_days": "sport_group, unit, distance, days",
    "streaks": "sport_group, period, longest, longest_start_date, longest_end_date, current, current_start_date",
    "weekday_hours": "year, sport_group, weekday, hour, activities, moving_time_s",
    "year_in_review": "year, sport_group, activities, distance_m, moving_time_s, total_elevation_gain_m, kudos,"
    " active_days, longest_distance_m, longest_activity_id, longest_activity_name, biggest_day_date,"
    " biggest_day_distance_m, longest_day_streak, favourite_weekday, favourite_hour, most_used_gear_id, eddington_km,"
    " eddington_mi, first_activity_date, last_activity_date",
    "goals": "sport_group, measure, period, period_start_date, period_end_date, target, achieved, share,"
    " expected_share",
}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    home = tmp_path_factory.mktemp("statistics")
    paths = {"STRAVA_WAREHOUSE": str(home / "strava.duckdb"), "DBT_TARGET_PATH": str(home / "target")}
    return Warehouse(
        path=home / "strava.duckdb", cwd=REPO, env=paths | {"STRAVA_HOME": str(home), "DBT_LOG_PATH": str(home)}
    )


@pytest.fixture(scope="module")
def athletes(warehouse: Warehouse) -> dict[int, History]:
    """One warehouse with all of them, built once: what is of one must not count for another."""
    sent: dict[int, list[dict[str, Any]]] = {}
    for seed in SEEDS:
        rng = random.Random(seed)  # noqa: S311 - a reproducible test, no secret
        sent[seed] = [worsened(dict(each), rng) for each in World(seed, 500).activities()]
        warehouse.land(version(each, FETCHED, athlete_id=seed) for each in sent[seed])
        warehouse.set_goals(goals_of(seed), seed)
    warehouse.built("build", "--exclude-resource-type", "unit_test")

    groups = sport_groups()
    histories = {}
    for seed in SEEDS:
        newest = max(sent[seed], key=lambda each: (each["start_date"], each["id"]))
        before, after = (
            (datetime.now(UTC) + timedelta(seconds=newest["utc_offset"], minutes=minutes)).date() for minutes in (-5, 0)
        )
        ((today,),) = warehouse.rows(f"select today from staging.int_athletes__today where athlete_id = {seed}")
        assert today in (before, after)
        rows = {
            mart: warehouse.rows(f"select {columns} from main.{mart} where athlete_id = {seed}")
            for mart, columns in MARTS.items()
        }
        left_out = warehouse.rows(f"select activity_id, reason from main.left_out where athlete_id = {seed}")
        histories[seed] = History([outing(each, groups) for each in sent[seed]], today, left_out, rows, goals_of(seed))
    return histories


@pytest.fixture(params=SEEDS)
def athlete(request: pytest.FixtureRequest, athletes: dict[int, History]) -> History:
    return athletes[request.param]


def eddington(distances: Iterable[Decimal], unit_m: Decimal) -> int:
    whole = sorted((int(each / unit_m) for each in distances), reverse=True)
    return sum(1 for place, each in enumerate(whole, 1) if each >= place)


def metres(outings: Iterable[Outing]) -> Decimal:
    return sum((each.distance_m for each in outings), Decimal(0))


def runs(numbers: Iterable[int]) -> list[list[int]]:
    """Whole numbers, cut where one is missing."""
    placed = enumerate(sorted(set(numbers)))
    return [[number for _, number in run] for _, run in groupby(placed, lambda pair: pair[1] - pair[0])]


def first_of_most(things: Iterable[tuple[Any, int]]) -> Any:
    """What is met most often, of such what has most time, of such the least."""
    times: Counter[Any] = Counter()
    seconds: Counter[Any] = Counter()
    for thing, moving_time_s in things:
        times[thing] += 1
        seconds[thing] += moving_time_s
    return min(times, key=lambda thing: (-times[thing], -seconds[thing], thing), default=None)


def approximately(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows in order, floats to the micrometre."""
    rounded = [tuple(round(each, 6) if isinstance(each, float) else each for each in row) for row in rows]
    return sorted(rounded, key=lambda row: [(each is None, str(each)) for each in row])


RECORDS: dict[str, tuple[str, Callable[[Outing], float | None]]] = {
    "longest_distance": ("m", lambda each: float(each.distance_m) or None),
    "longest_time": ("s", lambda each: float(each.moving_time_s) or None),
    "most_elevation": ("m", lambda each: float(each.elevation_m) or None),
    "highest_point": ("m", lambda each: each.highest_m),
    "fastest": ("m/s", lambda each: each.speed_m_s),
}


def expected_records(history: History) -> Iterator[tuple[Any, ...]]:
    for group in history.groups:
        for year in {None, *(each.day.year for each in history.outings)}:
            among = [each for each in history.outings if group in each.groups and year in (None, each.day.year)]
            for record, (unit, value_of) in RECORDS.items():
                valued = [(value_of(each), each) for each in among if record not in each.left_out_of]
                competing = [(value, each) for value, each in valued if value is not None]
                if competing:
                    value, best = min(competing, key=lambda pair: (-pair[0], pair[1].local, pair[1].id))
                    yield group, year, record, float(value), unit, best.id, best.name, best.day


def test_records_belong_to_the_best_of_each_group_and_year(athlete: History) -> None:
    expected = list(expected_records(athlete))
    assert {row[2] for row in expected} == set(RECORDS)
    assert approximately(athlete.rows["records"]) == approximately(expected)


def test_what_is_left_out_is_listed_with_every_reason(athlete: History) -> None:
    expected = [(each.id, reason) for each in athlete.outings for reason in each.reasons]
    assert set(athlete.left_out) == set(expected)
    assert len(athlete.left_out) == len(expected)
    assert {reason for _, reason in expected} > {"too_fast", "left_recording", "beyond_top_speed", "too_steep"}


def test_eddington_numbers_are_those_of_the_definition(athlete: History) -> None:
    numbers, counts = [], []
    for group in athlete.groups:
        distances = [metres(outings) for outings in athlete.days(group).values()]
        for unit, unit_m in UNITS.items():
            number = eddington(distances, unit_m)
            numbers.append((group, unit, number, number + 1 - sum(each >= (number + 1) * unit_m for each in distances)))
            counts += [
                (group, unit, distance, sum(each >= distance * unit_m for each in distances))
                for distance in range(1, int(max(distances) / unit_m) + 1)
            ]
    assert max(row[2] for row in numbers) > 20
    assert sorted(athlete.rows["eddington"]) == sorted(numbers)
    assert sorted(athlete.rows["eddington_days"]) == sorted(counts)


def number_of(period: str, day: date) -> int:
    return {"day": day.toordinal(), "week": (day.toordinal() - 1) // 7, "month": day.year * 12 + day.month - 1}[period]


def first_day(period: str, number: int) -> date:
    if period == "month":
        return date(number // 12, number % 12 + 1, 1)
    return date.fromordinal(number if period == "day" else number * 7 + 1)


def test_streaks_are_runs_of_active_periods(athlete: History) -> None:
    expected = []
    for group in athlete.groups:
        for period in ("day", "week", "month"):
            found = runs(number_of(period, day) for day in athlete.days(group))
            longest = min(found, key=lambda run: (-len(run), run[0]))
            today = number_of(period, athlete.today)
            [*_, current] = [[], *(run for run in found if run[0] <= today and run[-1] >= today - 1)]
            expected.append(
                (
                    group,
                    period,
                    len(longest),
                    first_day(period, longest[0]),
                    first_day(period, longest[-1] + 1) - timedelta(days=1),
                    len(current),
                    first_day(period, current[0]) if current else None,
                )
            )
    assert any(row[5] for row in expected)
    assert approximately(athlete.rows["streaks"]) == approximately(expected)


def test_years_add_up_and_name_their_favourites(athlete: History) -> None:
    expected = []
    for group in athlete.groups:
        for year in {each.day.year for each in athlete.outings if group in each.groups}:
            days = {day: outings for day, outings in athlete.days(group).items() if day.year == year}
            among = [each for outings in days.values() for each in outings]
            longest = min(
                (each for each in among if each.distance_m > 0 and "longest_distance" not in each.left_out_of),
                key=lambda each: (-each.distance_m, each.local, each.id),
                default=None,
            )
            biggest = min(days, key=lambda day: (-metres(days[day]), day))
            moved = metres(among) > 0
            expected.append(
                (
                    year,
                    group,
                    len(among),
                    float(metres(among)),
                    sum(each.moving_time_s for each in among),
                    float(sum(each.elevation_m for each in among)),
                    sum(each.kudos for each in among),
                    len(days),
                    float(longest.distance_m) if longest else None,
                    longest.id if longest else None,
                    longest.name if longest else None,
                    biggest if moved else None,
                    float(metres(days[biggest])) if moved else None,
                    max(len(run) for run in runs(day.toordinal() for day in days)),
                    first_of_most((each.local.isoweekday(), each.moving_time_s) for each in among),
                    first_of_most((each.local.hour, each.moving_time_s) for each in among),
                    first_of_most((each.gear_id, each.moving_time_s) for each in among if each.gear_id),
                    *(eddington(map(metres, days.values()), unit_m) for unit_m in UNITS.values()),
                    min(days),
                    max(days),
                )
            )
    assert approximately(athlete.rows["year_in_review"]) == approximately(expected)


def test_hours_count_every_activity_once(athlete: History) -> None:
    times: Counter[Any] = Counter()
    seconds: Counter[Any] = Counter()
    for each in athlete.outings:
        key = each.day.year, each.groups[0], each.day.isoweekday(), each.local.hour
        times[key] += 1
        seconds[key] += each.moving_time_s
    assert sorted(athlete.rows["weekday_hours"]) == sorted((*key, times[key], seconds[key]) for key in times)


def test_the_calendar_is_pythons(athlete: History) -> None:
    days = athlete.days("All")
    expected, day = [], min(days)
    while day <= max(*days, athlete.today):
        week = day.isocalendar()
        monday = day - timedelta(days=day.weekday())
        expected.append((day, week.year, week.week, monday, day.replace(day=1), day.year, week.weekday, day in days))
        day += timedelta(days=1)
    assert sorted(athlete.rows["calendar"]) == expected


def test_goals_count_what_the_current_period_holds(athlete: History) -> None:
    expected = []
    for group, measure, period, target in map(dict.values, athlete.goals):
        number = number_of("month", athlete.today) // 12 * 12 if period == "year" else number_of(period, athlete.today)
        kind, periods = ("month", 12) if period == "year" else (period, 1)
        start, end = first_day(kind, number), first_day(kind, number + periods) - timedelta(days=1)
        among = [each for each in athlete.outings if group in each.groups and start <= each.day <= end]
        achieved = float(
            {
                "distance_m": metres(among),
                "moving_time_s": sum(each.moving_time_s for each in among),
                "total_elevation_gain_m": sum(each.elevation_m for each in among),
                "activities": len(among),
                "active_days": len({each.day for each in among}),
            }[measure]
        )
        gone = ((athlete.today - start).days + 1) / ((end - start).days + 1)
        expected.append((group, measure, period, start, end, target, achieved, achieved / target, gone))
    assert any(row[6] for row in expected)
    assert approximately(athlete.rows["goals"]) == approximately(expected)


def test_today_is_the_same_whatever_the_time_zone_of_who_asks(
    warehouse: Warehouse, athletes: dict[int, History]
) -> None:
    days = set()
    # 25 hours apart: in one of them it is always another day than in UTC
    for zone in ("Pacific/Kiritimati", "UTC", "Pacific/Pago_Pago"):
        with duckdb.connect(warehouse.path) as connection:
            connection.execute(f"set timezone = '{zone}'")
            today = "select today from staging.int_athletes__today order by athlete_id"
            days.add(tuple(connection.execute(today).fetchall()))
    assert len(days) == 1
    assert len(days.pop()) == len(athletes)
