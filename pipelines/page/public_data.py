"""What a public page shows: a few coarse facts of each activity, and nothing that does not follow from them.

The facts are all that is read of the activities. Every other figure of the page is computed from them here, without
the warehouse at hand, so no join of its tables and no difference of two pages says more than the facts themselves.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import duckdb
import orjson

from pipelines.ground.goals import ALL, Goal
from pipelines.page.data import SETTINGS, VERSION, goals_in_force, units_of

# exact figures would tell one route, one device or one race from another
FACTS = """
    select
        activity_date,
        sport_group,
        try_cast(round(distance_m / 100) * 100 as bigint) as distance_m,
        try_cast(round(moving_time_s / 60) * 60 as bigint) as moving_time_s,
        try_cast(round(total_elevation_gain_m / 10) * 10 as bigint) as total_elevation_gain_m
    from strava.activities_local
    where athlete_id = ? and activity_date <= ?
    -- by what is shown: the order in which a day's activities were recorded would tell the earlier ones
    order by
        activity_date desc, sport_group asc, distance_m desc nulls last, moving_time_s desc nulls last,
        total_elevation_gain_m desc nulls last
"""
# the clock that is furthest behind on Earth is at UTC-12
LAST_OFFSET = timedelta(hours=12)
DAY = timedelta(days=1)
PERIODS = ("day", "week", "month")
RECORDS = (
    ("longest_distance", "distance_m", "m"),
    ("longest_time", "moving_time_s", "s"),
    ("most_elevation", "total_elevation_gain_m", "m"),
)
UNITS_MM = (("km", 1_000_000), ("mi", 1_609_344))
# a distance beyond is a slip
FURTHEST = 2000
NO_LONGER = ("weekday_hours", "best_efforts", "race_predictions", "gear")
Row = dict[str, Any]


class Facts(NamedTuple):
    """What anybody may know of an activity: the local date, the group of sports, and coarse figures."""

    day: date
    sport_group: str
    distance_m: float | None
    moving_time_s: float | None
    total_elevation_gain_m: float | None


class Sums(NamedTuple):
    """What some activities add up to."""

    activities: int
    distance_m: float
    moving_time_s: float
    total_elevation_gain_m: float


def last_day(now: datetime) -> date:
    """The last day that is over everywhere on Earth.

    A page that showed a day before its end would tell, by the time at which it was made, when an activity was over.
    """
    return (now - LAST_OFFSET).date() - DAY


def public_json(connection: duckdb.DuckDBPyConnection, athlete_id: int | None, today: date) -> bytes:
    """The data of the public page as JSON, as of the end of the day `today`.

    Raises:
        duckdb.CatalogException: the warehouse lacks a table that this reads.
    """
    facts = [Facts(*row) for row in connection.execute(FACTS, [athlete_id, today]).fetchall()]
    tables = tables_of(facts, goals_in_force(connection, athlete_id), today)
    data: dict[str, Any] = {
        "version": VERSION,
        "today": str(today),
        "units": units_of(connection, athlete_id),
        "public": True,
        "athlete": {"id": None},
        "settings": dict.fromkeys(SETTINGS),
        "missing": [],
        "tables": {
            name: {"columns": list(rows[0]) if rows else [], "rows": [list(row.values()) for row in rows]}
            for name, rows in tables.items()
        },
    }
    return orjson.dumps(data)


def tables_of(facts: list[Facts], goals: list[Goal], today: date) -> dict[str, list[Row]]:
    """The tables of the page by name: rows as the marts of the same name have them, computed from `facts` alone."""
    groups = {ALL: facts} if facts else {}
    for group in sorted({one.sport_group for one in facts}):
        groups[group] = [one for one in facts if one.sport_group == group]
    days = {group: _by_day(ones) for group, ones in groups.items()}
    return {
        "activities": [
            {"started_local": str(one.day), **{name: value for name, value in one._asdict().items() if name != "day"}}
            for one in facts
        ],
        "activities_daily": [
            {"activity_date": str(day), "sport_group": group, **_sum(ones)._asdict()}
            for group in groups
            if group != ALL
            for day, ones in days[group].items()
        ],
        "data_coverage": [
            {
                "activities": len(facts),
                "first_activity_date": str(min(days[ALL])),
                "last_activity_date": str(max(days[ALL])),
            }
        ]
        if facts
        else [],
        "records": [row for group, ones in groups.items() for row in _records(group, ones)],
        "eddington": [row for group in groups for unit in UNITS_MM for row in _eddington(group, days[group], *unit)],
        "eddington_days": [
            row for group in groups for unit in UNITS_MM for row in _eddington_days(group, days[group], *unit)
        ],
        "streaks": [_streak(group, days[group], period, today) for group in groups for period in PERIODS],
        "year_in_review": [row for group in groups for row in _years(group, days[group])],
        "goals": [_goal(goal, days.get(goal.sport_group, {}), today) for goal in goals],
        # for whoever reads the data of public pages: they used to have these
        **{name: [] for name in NO_LONGER},
    }


Days = dict[date, list[Facts]]


def _by_day(facts: list[Facts]) -> Days:
    """Activities by day, the earliest day first."""
    days: Days = {}
    for one in sorted(facts, key=lambda one: one.day):
        days.setdefault(one.day, []).append(one)
    return days


def _sum(facts: list[Facts]) -> Sums:
    return Sums(
        len(facts),
        sum(one.distance_m or 0 for one in facts),
        sum(one.moving_time_s or 0 for one in facts),
        sum(one.total_elevation_gain_m or 0 for one in facts),
    )


def _records(group: str, facts: list[Facts]) -> Iterator[Row]:
    """The best of all years and of each; of equal ones the earliest."""
    for year in (None, *sorted({one.day.year for one in facts})):
        ones = [one for one in facts if year in (None, one.day.year)]
        for record, measure, unit in RECORDS:
            value, ago = max((getattr(one, measure) or 0, -one.day.toordinal()) for one in ones)
            if value > 0:
                yield {
                    "sport_group": group,
                    "year": year,
                    "record": record,
                    "value": value,
                    "unit": unit,
                    "activity_date": str(date.fromordinal(-ago)),
                }


def _days_reaching(days: Days, unit_mm: int) -> list[int]:
    """How many days have at least 1, 2, 3 … of a unit."""
    whole = sorted(min(max(round(_sum(ones).distance_m * 1000) // unit_mm, 0), FURTHEST) for ones in days.values())
    return [len(whole) - bisect_left(whole, distance) for distance in range(1, whole[-1] + 1)]


def _number(reaching: list[int]) -> int:
    """Eddington's: the largest E for which at least E days have at least E."""
    return max((distance for distance, count in enumerate(reaching, 1) if count >= distance), default=0)


def _eddington(group: str, days: Days, unit: str, unit_mm: int) -> Iterator[Row]:
    reaching = _days_reaching(days, unit_mm)
    number = _number(reaching)
    of_next = reaching[number] if number < len(reaching) else 0
    yield {
        "sport_group": group,
        "unit": unit,
        "eddington": number,
        "days_needed_for_next": number + 1 - of_next,
    }


def _eddington_days(group: str, days: Days, unit: str, unit_mm: int) -> Iterator[Row]:
    reaching = _days_reaching(days, unit_mm)
    most = 1.5 * _number(reaching) + 10
    for distance, count in enumerate(reaching, 1):
        if distance <= most:
            yield {"sport_group": group, "unit": unit, "distance": distance, "days": count}


def _start(period: str, day: date) -> date:
    """The first day of the period that `day` lies in; weeks begin on Monday."""
    if period == "week":
        return day - day.weekday() * DAY
    if period == "month":
        return day.replace(day=1)
    return day.replace(month=1, day=1) if period == "year" else day


def _next(period: str, start: date) -> date:
    """The first day of the period after the one that begins on `start`."""
    return _start(period, start + {"day": 1, "week": 7, "month": 31, "year": 366}[period] * DAY)


def _runs(period: str, days: Days) -> list[list[date]]:
    """Periods in a row with an activity, by their first days; the earliest run first."""
    runs: list[list[date]] = []
    for start in sorted({_start(period, day) for day in days}):
        if runs and _next(period, runs[-1][-1]) == start:
            runs[-1].append(start)
        else:
            runs.append([start])
    return runs


def _streak(group: str, days: Days, period: str, today: date) -> Row:
    runs = _runs(period, days)
    longest = max(runs, key=len)
    # what becomes active from now on carries on what was so until then
    current = runs[-1] if _next(period, runs[-1][-1]) >= _start(period, today) else []
    return {
        "sport_group": group,
        "period": period,
        "longest": len(longest),
        "longest_start_date": str(longest[0]),
        "longest_end_date": str(_next(period, longest[-1]) - DAY),
        "current": len(current),
        "current_start_date": str(current[0]) if current else None,
    }


def _years(group: str, days: Days) -> Iterator[Row]:
    for year in sorted({day.year for day in days}):
        of_year = {day: ones for day, ones in days.items() if day.year == year}
        ones = [one for day_ones in of_year.values() for one in day_ones]
        biggest_m, ago = max((_sum(day_ones).distance_m, -day.toordinal()) for day, day_ones in of_year.items())
        weekdays = [_sum([one for one in ones if one.day.isoweekday() == weekday]) for weekday in range(1, 8)]
        yield {
            "year": year,
            "sport_group": group,
            **_sum(ones)._asdict(),
            "active_days": len(of_year),
            "longest_distance_m": max(one.distance_m or 0 for one in ones) or None,
            "biggest_day_date": str(date.fromordinal(-ago)) if biggest_m > 0 else None,
            "biggest_day_distance_m": biggest_m or None,
            "longest_day_streak": max(map(len, _runs("day", of_year))),
            # met most often, of such that with more time in motion
            "favourite_weekday": 1 + max(range(7), key=lambda i: (weekdays[i].activities, weekdays[i].moving_time_s)),
            **{f"eddington_{unit}": _number(_days_reaching(of_year, unit_mm)) for unit, unit_mm in UNITS_MM},
            "first_activity_date": str(min(of_year)),
            "last_activity_date": str(max(of_year)),
        }


def _goal(goal: Goal, days: Days, today: date) -> Row:
    start = _start(goal.period, today)
    end = _next(goal.period, start) - DAY
    within = {day: ones for day, ones in days.items() if start <= day <= end}
    sums = {**_sum([one for ones in within.values() for one in ones])._asdict(), "active_days": len(within)}
    return {
        "sport_group": goal.sport_group,
        "measure": goal.measure,
        "period": goal.period,
        "period_start_date": str(start),
        "period_end_date": str(end),
        "target": goal.target,
        "achieved": sums[goal.measure],
        "share": round(sums[goal.measure] / goal.target, 4),
        "expected_share": round(((today - start).days + 1) / ((end - start).days + 1), 4),
    }
