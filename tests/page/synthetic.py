"""The page's data for made-up athletes: deterministic, hostile where it may be, thin where asked for."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from random import Random
from typing import Any

from pipelines.ground.goals import Goal
from pipelines.page.data import HEALTH, TABLES
from pipelines.page.public_data import Facts, tables_of
from simulator.polyline import encode

TODAY = date(2026, 11, 26)
MILE_M = 1609.344
HOSTILE = (
    "<script>alert(1)</script>",
    "\"quoted\" & 'single' </script><b>bold</b>",
    "<img src=x onerror=alert(2)>",
    "ركوب الصباح \u202eevil\u202c",
    "Sunrise 🏔️🚴‍♀️ line\u2028separator",
    "{{ 7 * 7 }} {% raw %} ${1+1}",
    "",
    "L" + "o" * 120 + "ng",
)
PLAIN = ("Morning", "Lunch", "Afternoon", "Evening", "Easy", "Long", "Tempo", "Intervals", "Commute")
# sport type, its group, what it is called, km per hour, typical km, how often a day in summer and in winter
SPORTS = (
    ("Ride", "Ride", "ride", 26.0, 46.0, 0.17, 0.03),
    ("GravelRide", "Ride", "gravel ride", 21.0, 55.0, 0.04, 0.01),
    ("Run", "Run", "run", 11.2, 9.5, 0.16, 0.2),
    ("TrailRun", "Run", "trail run", 8.6, 14.0, 0.04, 0.02),
    ("Hike", "Walk", "hike", 4.2, 12.0, 0.04, 0.02),
    ("Swim", "Swim", "swim", 2.6, 1.8, 0.05, 0.06),
    ("BackcountrySki", "Snow", "ski tour", 5.5, 13.0, 0.0, 0.06),
    ("WeightTraining", "Gym", "strength", 0.0, 0.0, 0.03, 0.1),
    ("Kayaking", "Water", "paddle", 6.0, 9.0, 0.02, 0.0),
    ("Parkour", "Other", "parkour", 3.0, 2.0, 0.004, 0.004),
)
EFFORTS = (("400m", 400.0), ("1k", 1000.0), ("5k", 5000.0), ("10k", 10000.0), ("Half-Marathon", 21097.0))
COLUMNS = {table.name: table.columns.split(", ") for table in (*TABLES, *HEALTH)}
SETTINGS = {"rest_hr": 48.0, "max_hr": 187.0, "threshold_hr": 168.0, "ftp_w": 262.0, "sex": "f"}
Row = dict[str, Any]
Page = dict[str, Any]


def athlete(years: int = 15, *, seed: int = 1, hostile: bool = True, sports: int = len(SPORTS)) -> Page:
    """Return the page's data of somebody who has been at it for so many years, with everything set and known."""
    return page(made_up(years, seed=seed, hostile=hostile, sports=sports))


def made_up(years: int, *, seed: int, hostile: bool = True, sports: int = len(SPORTS)) -> list[Row]:
    """Return made-up activities of so many years, up to today."""
    rng = Random(seed)  # noqa: S311 - made-up activities, not a secret
    names = iter(HOSTILE if hostile else ())
    activities = []
    day = TODAY.replace(year=TODAY.year - years + 1, month=1, day=3)
    while day <= TODAY:
        for sport in SPORTS[:sports]:
            winter = day.month in (11, 12, 1, 2, 3)
            if rng.random() < sport[6 if winter else 5]:
                activities.append(_activity(rng, len(activities), day, sport, names))
        if day in (TODAY, TODAY - timedelta(days=1)):
            activities.append(_activity(rng, len(activities), day, SPORTS[0], names))
        day += timedelta(days=1)
    return activities


def _activity(rng: Random, number: int, day: date, sport: tuple[Any, ...], names: Iterable[str]) -> Row:
    sport_type, group, called, speed, typical_km, *_ = sport
    distance_m = round(1000 * typical_km * rng.lognormvariate(0, 0.45)) if speed else 0
    moving_s = round(3600 * distance_m / 1000 / speed * rng.uniform(0.9, 1.12)) if speed else rng.randint(1800, 4800)
    hour = rng.choice((6, 7, 7, 12, 17, 18, 18, 19)) if day.weekday() < 5 else rng.choice((8, 9, 9, 10, 11, 14))
    gear = {"Ride": "b1" if day.year < 2021 else "b2", "Run": f"g{(day.year - 2010) // 2}"}.get(group)
    plain = f"{rng.choice(PLAIN)} {called}"
    return {
        "id": str(9_007_199_254_740_993 + number * 37),  # past what a JavaScript number holds exactly
        "started_local": f"{day}T{hour:02}:{rng.randint(0, 59):02}",
        "sport_type": sport_type,
        "sport_group": group,
        "name": next(iter(names), plain) if number % 11 == 0 else plain,
        "distance_m": distance_m,
        "moving_time_s": moving_s,
        "total_elevation_gain_m": round(distance_m * rng.uniform(0.002, 0.03)) if group != "Swim" else 0,
        "average_heartrate": rng.randint(118, 168) if rng.random() < 0.8 else None,
        "kudos": rng.randint(0, 40),
        "gear_id": gear,
        "route": _route(rng, distance_m, day) if speed and group != "Swim" and rng.random() < 0.95 else "",
    }


def _route(rng: Random, distance_m: int, day: date) -> str:
    """A wobbly loop from one of a few homes, as a polyline at precision 4."""
    away = day.month == 8
    lat, lng = ((39.57, 2.65) if day.year % 2 else (46.02, 7.75)) if away else (47.37, 8.54)
    lat, lng = lat + rng.gauss(0, 0.004), lng + rng.gauss(0, 0.006)
    radius = distance_m / 2 / math.pi / 111_195
    waves = [(rng.uniform(0.05, 0.5) / k, k, rng.uniform(0, 6.283)) for k in (1, 2, 3, 5, 8)]
    heading, points = rng.uniform(0, 6.283), []
    for i in range(61):
        angle = heading + 6.28318 * i / 60
        r = radius * (1 + sum(a * math.sin(k * angle + phase) for a, k, phase in waves))
        points.append((r * (math.sin(angle) - math.sin(heading)), r * (math.cos(angle) - math.cos(heading))))
    shrink = math.cos(math.radians(lat))
    return encode((round((lat + y) * 1e4), round((lng + x / shrink) * 1e4)) for y, x in points)


def page(activities: list[Row]) -> Page:
    """Return the page's data of these activities: what the marts would say, computed simply."""
    activities = sorted(activities, key=lambda row: (row["started_local"], row["id"]), reverse=True)
    load = _training_load(activities)
    tables = {
        "activities": activities,
        "activities_daily": _daily(activities),
        "records": _records(activities),
        "eddington": [row | {"days": None} for row in _eddington(activities)],
        "eddington_days": _eddington_days(activities),
        "streaks": _streaks(activities),
        "year_in_review": _years(activities),
        "weekday_hours": _weekday_hours(activities),
        "goals": _goals(activities),
        "data_coverage": _coverage(activities),
        "data_coverage_yearly": _coverage_yearly(activities),
        **(_health(activities) if activities else {key: [] for key in (table.name for table in HEALTH)}),
        "best_efforts": _best_efforts(activities),
        "left_out": _left_out(activities),
        "race_predictions": _predictions(activities),
        "zones": _zones(activities),
        "zone_bounds": _zone_bounds(),
        "training_load_daily": load,
        "gear": _gear(activities),
    }
    return {
        "version": 1,
        "today": str(TODAY),
        "units": "km",
        "public": False,
        "athlete": {"id": "4711"},
        "settings": dict(SETTINGS),
        "missing": [],
        "source": {"built_at": "2026-11-26T05:00:12Z", "warehouse_version": 1},
        "tables": {
            name: {
                "columns": list(COLUMNS[name]),
                "rows": [[row[column] for column in COLUMNS[name]] for row in rows],
            }
            for name, rows in tables.items()
        },
    }


def _day(row: Row) -> date:
    return date.fromisoformat(row["started_local"][:10])


def _by_group(activities: list[Row]) -> dict[str, list[Row]]:
    """Activities by sport group, and all of them as `All`."""
    groups: dict[str, list[Row]] = {"All": activities} if activities else {}
    for row in activities:
        groups.setdefault(row["sport_group"], []).append(row)
    return dict(sorted(groups.items()))


def _sum(rows: Iterable[Row], column: str) -> int:
    return sum(row[column] for row in rows)


def _daily(activities: list[Row]) -> list[Row]:
    days: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in activities:
        days[str(_day(row)), row["sport_group"]].append(row)
    return [
        {
            "activity_date": day,
            "sport_group": group,
            "activities": len(rows),
            **{name: _sum(rows, name) for name in ("distance_m", "moving_time_s", "total_elevation_gain_m")},
        }
        for (day, group), rows in sorted(days.items())
    ]


def _records(activities: list[Row]) -> list[Row]:
    def speed(row: Row) -> float:
        return round(row["distance_m"] / row["moving_time_s"], 3) if row["distance_m"] >= 1000 else 0.0

    kinds: tuple[tuple[str, str, Callable[[Row], float]], ...] = (
        ("longest_distance", "m", lambda row: row["distance_m"]),
        ("longest_time", "s", lambda row: row["moving_time_s"]),
        ("most_elevation", "m", lambda row: row["total_elevation_gain_m"]),
        ("highest_point", "m", lambda row: 400 + row["total_elevation_gain_m"] // 2 if row["route"] else 0),
        ("fastest", "m/s", speed),
    )
    records = []
    for group, rows in _by_group(activities).items():
        years: list[int | None] = [None, *sorted({_day(row).year for row in rows})]
        for year in years:
            chosen = [row for row in rows if year in (None, _day(row).year)]
            for record, unit, value in kinds:
                best = max(chosen, key=value)
                if value(best):
                    records.append(
                        {
                            "sport_group": group,
                            "year": year,
                            "record": record,
                            "value": value(best),
                            "unit": unit,
                            "activity_id": best["id"],
                            "activity_name": best["name"],
                            "activity_date": str(_day(best)),
                        }
                    )
    return records


def _days_with(rows: list[Row], unit: str) -> dict[int, int]:
    """How many days have at least 1, 2, 3 … of the unit."""
    day_m: Counter[date] = Counter()
    for row in rows:
        day_m[_day(row)] += row["distance_m"]
    whole = [int(metres / (1000 if unit == "km" else MILE_M)) for metres in day_m.values()]
    return {distance: sum(value >= distance for value in whole) for distance in range(1, max(whole, default=0) + 1)}


def _eddington(activities: list[Row]) -> list[Row]:
    found = []
    for group, rows in _by_group(activities).items():
        for unit in ("km", "mi"):
            days = _days_with(rows, unit)
            number = max((distance for distance, count in days.items() if count >= distance), default=0)
            found.append(
                {
                    "sport_group": group,
                    "unit": unit,
                    "eddington": number,
                    "days_needed_for_next": number + 1 - days.get(number + 1, 0),
                }
            )
    return found


def _eddington_days(activities: list[Row]) -> list[Row]:
    numbers = {(row["sport_group"], row["unit"]): row["eddington"] for row in _eddington(activities)}
    return [
        {"sport_group": group, "unit": unit, "distance": distance, "days": count}
        for group, rows in _by_group(activities).items()
        for unit in ("km", "mi")
        for distance, count in _days_with(rows, unit).items()
        if distance <= 1.5 * numbers[group, unit] + 10
    ]


def _runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Runs of consecutive numbers, as first and last."""
    runs: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _streaks(activities: list[Row]) -> list[Row]:
    def month(day: date) -> int:
        return day.year * 12 + day.month - 1

    periods: dict[str, tuple[Callable[[date], int], Callable[[int], date]]] = {
        "day": (date.toordinal, date.fromordinal),
        "week": (lambda day: (day.toordinal() - 1) // 7, lambda week: date.fromordinal(week * 7 + 1)),
        "month": (month, lambda number: date(number // 12, number % 12 + 1, 1)),
    }
    found = []
    for group, rows in _by_group(activities).items():
        for period, (number, start) in periods.items():
            runs = _runs(number(_day(row)) for row in rows)
            first, last = max(runs, key=lambda run: run[1] - run[0])
            current = runs[-1] if runs[-1][1] >= number(TODAY) - 1 else None
            found.append(
                {
                    "sport_group": group,
                    "period": period,
                    "longest": last - first + 1,
                    "longest_start_date": str(start(first)),
                    "longest_end_date": str(start(last + 1) - timedelta(days=1)),
                    "current": current[1] - current[0] + 1 if current else 0,
                    "current_start_date": str(start(current[0])) if current else None,
                }
            )
    return found


def _years(activities: list[Row]) -> list[Row]:
    found = []
    for group, all_rows in _by_group(activities).items():
        years: dict[int, list[Row]] = defaultdict(list)
        for row in all_rows:
            years[_day(row).year].append(row)
        for year, rows in sorted(years.items()):
            day_m: Counter[date] = Counter()
            for row in rows:
                day_m[_day(row)] += row["distance_m"]
            longest = max(rows, key=lambda row: row["distance_m"])
            biggest = max(day_m, key=lambda day: day_m[day])
            gear = Counter(row.get("gear_id") for row in rows if row.get("gear_id")).most_common(1)
            found.append(
                {
                    "year": year,
                    "sport_group": group,
                    "activities": len(rows),
                    "distance_m": _sum(rows, "distance_m"),
                    "moving_time_s": _sum(rows, "moving_time_s"),
                    "total_elevation_gain_m": _sum(rows, "total_elevation_gain_m"),
                    "kudos": _sum(rows, "kudos"),
                    "active_days": len(day_m),
                    "longest_distance_m": longest["distance_m"],
                    "longest_activity_id": longest["id"],
                    "longest_activity_name": longest["name"],
                    "biggest_day_date": str(biggest),
                    "biggest_day_distance_m": day_m[biggest],
                    "longest_day_streak": max(b - a + 1 for a, b in _runs(day.toordinal() for day in day_m)),
                    "favourite_weekday": Counter(_day(row).isoweekday() for row in rows).most_common(1)[0][0],
                    "favourite_hour": Counter(int(row["started_local"][11:13]) for row in rows).most_common(1)[0][0],
                    "most_used_gear_id": gear[0][0] if gear else None,
                    **{
                        f"eddington_{unit}": max((d for d, n in _days_with(rows, unit).items() if n >= d), default=0)
                        for unit in ("km", "mi")
                    },
                    "first_activity_date": str(min(day_m)),
                    "last_activity_date": str(max(day_m)),
                }
            )
    return found


def _weekday_hours(activities: list[Row]) -> list[Row]:
    cells: dict[tuple[int, str, int, int], list[Row]] = defaultdict(list)
    for row in activities:
        day = _day(row)
        cells[day.year, row["sport_group"], day.isoweekday(), int(row["started_local"][11:13])].append(row)
    return [
        {
            "year": year,
            "sport_group": group,
            "weekday": weekday,
            "hour": hour,
            "activities": len(rows),
            "moving_time_s": _sum(rows, "moving_time_s"),
        }
        for (year, group, weekday, hour), rows in sorted(cells.items())
    ]


def _goals(activities: list[Row]) -> list[Row]:
    if not activities:
        return []
    year = [row for row in activities if _day(row).year == TODAY.year]
    monday = TODAY - timedelta(days=TODAY.weekday())
    week = [row for row in activities if _day(row) >= monday]
    runs_m = _sum((row for row in year if row["sport_group"] == "Run"), "distance_m")
    week_s = _sum(week, "moving_time_s")
    january, december = date(TODAY.year, 1, 1), date(TODAY.year, 12, 31)
    expected = round(((TODAY - january).days + 1) / ((december - january).days + 1), 4)
    return [
        {
            "sport_group": "Run",
            "measure": "distance_m",
            "period": "year",
            "period_start_date": str(january),
            "period_end_date": str(december),
            "target": 1_000_000,
            "achieved": runs_m,
            "share": round(runs_m / 1_000_000, 4),
            "expected_share": expected,
        },
        {
            "sport_group": "All",
            "measure": "moving_time_s",
            "period": "week",
            "period_start_date": str(monday),
            "period_end_date": str(monday + timedelta(days=6)),
            "target": 36_000,
            "achieved": week_s,
            "share": round(week_s / 36_000, 4),
            "expected_share": round((TODAY.weekday() + 1) / 7, 4),
        },
    ]


def _coverage(activities: list[Row]) -> list[Row]:
    days = [str(_day(row)) for row in activities]
    if not days:
        return []
    return [
        {
            "activities": len(activities),
            "with_route": sum(bool(row["route"]) for row in activities),
            "with_heartrate": sum(row["average_heartrate"] is not None for row in activities),
            "with_power": sum(row["sport_group"] == "Ride" for row in activities) // 2,
            "with_details": len(activities) - len(activities) // 7,
            "first_activity_date": min(days),
            "last_activity_date": max(days),
            "misfits": len(activities) // 500,
            "without_api": 0,
            "without_time_zone": 0,
        }
    ]


def _coverage_yearly(activities: list[Row]) -> list[Row]:
    years: dict[int, list[Row]] = defaultdict(list)
    for row in activities:
        years[_day(row).year].append(row)
    return [
        {
            "year": year,
            "activities": len(rows),
            "with_route": sum(bool(row["route"]) for row in rows),
            "with_heartrate": sum(row["average_heartrate"] is not None for row in rows),
            "with_power": sum(row["sport_group"] == "Ride" for row in rows) // 2,
            "with_details": len(rows) - len(rows) // 7,
            "by_api": len(rows),
            "by_export": len(rows) // 2,
            "by_file": len(rows) // 5,
        }
        for year, rows in sorted(years.items())
    ]


def _health(activities: list[Row]) -> dict[str, list[Row]]:
    def swept(day: str, *, complete: bool, reason: str | None = None) -> Row:
        return {
            "ended_at": f"{day}T05:00Z",
            "complete": complete,
            "activities_listed": len(activities),
            "versions_landed": 4,
            "activities_gone": 1,
            "reason": reason,
        }

    seen = {"summaries": len(activities), "details": len(activities) - len(activities) // 7, "deleted": 3}
    return {
        "sweeps": [
            swept("2026-11-25", complete=False, reason="more would be gone than is likely"),
            swept("2026-11-20", complete=True),
        ],
        "exports": [
            {
                "exported_at": f"{year}-03-01T10:00Z",
                "imported_at": f"{year}-03-02T10:00Z",
                "activities": 70,
                "files": 65,
            }
            for year in (2026, 2025)
        ],
        "seen": [
            {"what": what, "latest_at": "2026-11-26T04:58Z", "activities": count}
            for what, count in sorted(seen.items())
        ],
        "misfits": [{"field": "gear_id", "activities": 2}],
        "differences": [
            {"field": "elapsed_time", "winner": "api", "reason": "the API is more exact", "activities": 12},
            {"field": "name", "winner": "export", "reason": "it is newer", "activities": 1},
        ],
    }


def _best_efforts(activities: list[Row]) -> list[Row]:
    efforts = []
    for effort, distance in EFFORTS:
        found = []
        for row in activities:
            if row["sport_type"] == "Run" and row["distance_m"] >= distance:
                pace_s = row["moving_time_s"] / row["distance_m"] * (0.72 + 0.035 * math.log(distance / 400))
                found.append(
                    {
                        "activity_id": row["id"],
                        "activity_name": row["name"],
                        "activity_date": str(_day(row)),
                        "year": _day(row).year,
                        "sport_group": "Run",
                        "effort": effort,
                        "distance_m": distance,
                        "elapsed_time_s": round(pace_s * distance),
                        "moving_time_s": round(pace_s * distance),
                    }
                )
        found.sort(key=lambda row: (row["elapsed_time_s"], row["activity_date"]))
        in_year: Counter[int] = Counter()
        for rank, row in enumerate(found, 1):
            in_year[row["year"]] += 1
            if rank <= 3 or in_year[row["year"]] == 1:
                efforts.append(row | {"rank_all_time": rank, "rank_in_year": in_year[row["year"]]})
    return efforts


def _predictions(activities: list[Row]) -> list[Row]:
    newest: dict[str, Row] = {}
    for row in _best_efforts(activities):
        known = newest.get(row["effort"])
        if row["year"] == TODAY.year and (known is None or row["elapsed_time_s"] < known["elapsed_time_s"]):
            newest[row["effort"]] = row
    found = []
    for row in newest.values():
        for effort, distance in (*EFFORTS, ("Marathon", 42195.0)):
            predicted = round(row["elapsed_time_s"] * (distance / row["distance_m"]) ** 1.06)
            if effort != row["effort"] and all(210 <= s <= 13_800 for s in (row["elapsed_time_s"], predicted)):
                found.append(
                    {
                        "from_effort": row["effort"],
                        "from_activity_date": row["activity_date"],
                        "from_distance_m": row["distance_m"],
                        "from_time_s": row["elapsed_time_s"],
                        "to_effort": effort,
                        "to_distance_m": distance,
                        "predicted_time_s": predicted,
                    }
                )
    return found


def _left_out(activities: list[Row]) -> list[Row]:
    """Whatever is shorter than ten minutes, and a first run that was a car ride."""
    reasons = {
        ("short", "fastest", "shorter than ten minutes"): [row for row in activities if row["moving_time_s"] < 600],
        ("by_vehicle", "best_efforts, race_predictions", "by a vehicle"): [
            row for row in activities if row["sport_group"] == "Run"
        ][-1:],
    }
    return [
        {
            "reason": reason,
            "left_out_of": left_out_of,
            "explanation": explanation,
            "activities": len(rows),
            "latest_activity_id": rows[0]["id"],
            "latest_activity_name": rows[0]["name"],
            "latest_activity_date": str(_day(rows[0])),
        }
        for (reason, left_out_of, explanation), rows in sorted(reasons.items())
        if rows
    ]


BOUNDS = ((20, 130), (131, 144), (145, 158), (159, 172), (173, None))


def _zone_bounds() -> list[Row]:
    return [{"zone": zone, "lowest_bpm": low, "highest_bpm": high} for zone, (low, high) in enumerate(BOUNDS, 1)]


def _zones(activities: list[Row]) -> list[Row]:
    sums: Counter[tuple[str, str, int]] = Counter()
    for row in activities:
        if (bpm := row["average_heartrate"]) is not None:
            zone = next(i for i, (_, high) in enumerate(BOUNDS, 1) if high is None or bpm <= high)
            sums[f"{row['started_local'][:7]}-01", row["sport_group"], zone] += row["moving_time_s"]
    return [
        {
            "month_start_date": month,
            "sport_group": group,
            "zone": zone,
            "moving_time_s": seconds,
            "source": "average",
        }
        for (month, group, zone), seconds in sorted(sums.items())
    ]


def _training_load(activities: list[Row]) -> list[Row]:
    days: dict[date, list[Row]] = defaultdict(list)
    for row in activities:
        days[_day(row)].append(row)
    fitness = fatigue = 0.0
    found: list[Row] = []
    last_week = [0.0] * 7
    active = known_to = unknown = -math.inf
    loaded = [day for day, rows in days.items() if any(row["average_heartrate"] is not None for row in rows)]
    for ordinal in range(min(loaded, default=TODAY + timedelta(days=1)).toordinal(), TODAY.toordinal() + 1):
        rows = days.get(date.fromordinal(ordinal), [])
        known = [row for row in rows if row["average_heartrate"] is not None]
        active = ordinal if rows else active
        known_to = ordinal if known else known_to
        if known_to <= ordinal - 42 < active:
            unknown = ordinal
        load = sum(row["moving_time_s"] / 3600 * ((row["average_heartrate"] - 48) / 120) ** 2 * 70 for row in known)
        form = fitness - fatigue
        fitness += (load - fitness) * (1 - math.exp(-1 / 42))
        fatigue += (load - fatigue) * (1 - math.exp(-1 / 7))
        last_week = [*last_week[1:], load]
        mean = sum(last_week) / 7
        deviation = math.sqrt(sum((value - mean) ** 2 for value in last_week) / 7)
        monotony = round(mean / deviation, 3) if deviation else None
        found.append(
            {
                "date": str(date.fromordinal(ordinal)),
                "load": round(load, 1) if known else None,
                "moving_time_s": _sum(rows, "moving_time_s"),
                "moving_time_with_load_s": _sum(known, "moving_time_s"),
                "coverage": round(_sum(known, "moving_time_s") / _sum(rows, "moving_time_s"), 4) if rows else None,
                "fitness": round(fitness, 1),
                "fatigue": round(fatigue, 1),
                "form": round(form, 1),
                "monotony": monotony,
                "strain": round(sum(last_week) * monotony, 1) if monotony is not None else None,
                "is_warm_up": int(len(found) < 42 or ordinal <= unknown + 42),
            }
        )
    return found


def _gear(activities: list[Row]) -> list[Row]:
    used: dict[str, list[Row]] = defaultdict(list)
    for row in activities:
        if row.get("gear_id"):
            used[row.get("gear_id")].append(row)
    names = {"b1": "Old <b>Faithful</b>", "b2": "Gravel 🚲", "g8": None}
    return [
        {
            "gear_id": gear_id,
            "name": names.get(gear_id, f"Shoes {gear_id[1:]}"),
            "retired": None if gear_id == "g8" else gear_id not in ("b2", "g7"),
            "is_primary": gear_id in ("b2", "g8"),
            "kind": "bike" if gear_id.startswith("b") else "shoes",
            "activities": len(rows),
            "distance_m": _sum(rows, "distance_m"),
            "moving_time_s": _sum(rows, "moving_time_s"),
            "total_elevation_gain_m": _sum(rows, "total_elevation_gain_m"),
            "first_used_date": str(min(_day(row) for row in rows)),
            "last_used_date": str(max(_day(row) for row in rows)),
            "strava_distance_m": _sum(rows, "distance_m") + 12_000 if gear_id in names else None,
        }
        for gear_id, rows in sorted(used.items())
    ]


def empty() -> Page:
    """Nobody has recorded anything, and nothing is set."""
    return _unset(page([]))


def one_activity() -> Page:
    """A single run on one day, years after nothing."""
    rng = Random(3)  # noqa: S311
    return page([_activity(rng, 0, date(2026, 11, 21), SPORTS[2], iter(("First run",)))])


def without_gps() -> Page:
    """A year on rollers: no activity has a route."""
    return page([row | {"route": ""} for row in rows(athlete(1, seed=5), "activities")])


def without_heart_rate() -> Page:
    """No heart rate, no power: no load, no zones, and no settings for them."""
    thin = page([row | {"average_heartrate": None} for row in rows(athlete(2, seed=6), "activities")])
    thin["tables"]["training_load_daily"]["rows"] = []
    return _unset(thin)


def one_sport() -> Page:
    """Who only rides."""
    return athlete(3, seed=8, sports=1)


def imperial() -> Page:
    """Who thinks in miles and has climbed seven digits of feet, all in one sport and year, too."""
    high = [row | {"total_elevation_gain_m": 3 * row["total_elevation_gain_m"]} for row in made_up(15, seed=1)]
    return page(high) | {"units": "mi"}


def only_lifting() -> Page:
    """Who never goes anywhere: hours without a kilometre."""
    return page([row for row in made_up(8, seed=12) if row["sport_group"] == "Gym"])


def idle() -> Page:
    """Who has done nothing for 400 days."""
    past = [_moved(row, _day(row) - timedelta(days=400)) for row in made_up(3, seed=13)]
    return page(past)


def wrong_clocks() -> Page:
    """Three years, and two activities of recorders whose clock was wrong: after and before everything."""
    known = made_up(3, seed=2)
    return page([*known, *(_moved(known[i], day) for i, day in enumerate((date(2038, 1, 19), date(1974, 5, 4)), 10))])


def one_of_each() -> Page:
    """A single activity of each group of sports."""
    known = made_up(15, seed=14, hostile=False)
    return page([next(row for row in known if row["sport_group"] == group) for group in sorted({s[1] for s in SPORTS})])


def without_details() -> Page:
    """What the list says and nothing more: no efforts, no names of gear, no splits."""
    thin = athlete(3, seed=15)
    for name in ("best_efforts", "race_predictions"):
        thin["tables"][name]["rows"] = []
    change(thin, "gear", name=None, retired=None, is_primary=None, strava_distance_m=None)
    change(thin, "data_coverage", with_details=0)
    return thin


def export_only() -> Page:
    """What an export knows: no kudos, no details."""
    thin = without_details()
    change(thin, "activities", kudos=None)
    change(thin, "year_in_review", kudos=None)
    change(thin, "data_coverage", without_api=len(rows(thin, "activities")))
    return thin


def strapless_for_years() -> Page:
    """A heart-rate strap at first and again in the last weeks; in between nobody knows the load."""
    known = made_up(4, seed=16)
    return page(
        [row | {"average_heartrate": None} if "2023-06" < row["started_local"] < "2026-11" else row for row in known]
    )


def hostile_everywhere() -> Page:
    """A year in which every name is hostile, whatever has it."""
    made = athlete(2, seed=4, hostile=False)
    named = ("activities/name", "records/activity_name", "best_efforts/activity_name", "gear/name")
    for place in (*named, "left_out/latest_activity_name", "year_in_review/longest_activity_name"):
        table, column = place.split("/")
        whole = made["tables"][table]
        for number, row in enumerate(whole["rows"]):
            row[whole["columns"].index(column)] = HOSTILE[number % len(HOSTILE)]
    return made


def with_settings(shown: Page, *names: str) -> Page:
    """Return `shown` of somebody who has set these and nothing else: what cannot be computed then is not there."""
    settings = {name: SETTINGS[name] if name in names else None for name in SETTINGS}
    thin = shown | {"settings": settings, "missing": [name for name in SETTINGS if name not in names]}
    without = {
        "zones": "max_hr" not in names,
        "zone_bounds": "max_hr" not in names,
        "training_load_daily": not ({"max_hr", "rest_hr", "sex"} <= {*names} or "ftp_w" in names),
    }
    gone = {name: shown["tables"][name] | {"rows": []} for name, is_gone in without.items() if is_gone}
    return thin | {"tables": shown["tables"] | gone}


def change(shown: Page, table: str, **values: Any) -> None:
    """Set columns of all rows of a table to these values."""
    whole = shown["tables"][table]
    for row in whole["rows"]:
        for name, value in values.items():
            row[whole["columns"].index(name)] = value


def _moved(row: Row, day: date) -> Row:
    return row | {"started_local": f"{day}{row['started_local'][10:]}", "id": f"{row['id']}{day:%y}"}


def public() -> Page:
    """What may be shown around, put together as the program does it."""
    private = athlete(4, seed=9)
    facts = [
        Facts(
            _day(row),
            row["sport_group"],
            round(row["distance_m"], -2),
            round(row["moving_time_s"] / 60) * 60,
            round(row["total_elevation_gain_m"], -1),
        )
        for row in rows(private, "activities")
    ]
    goals = [Goal(row["sport_group"], row["measure"], row["period"], row["target"]) for row in rows(private, "goals")]
    tables = {
        name: {"columns": list(stored[0]) if stored else [], "rows": [list(row.values()) for row in stored]}
        for name, stored in tables_of(facts, goals, TODAY).items()
    }
    hidden = {"athlete": {"id": None}, "settings": dict.fromkeys(SETTINGS), "missing": []}
    return {**private, "public": True, **hidden, "tables": tables}


def _unset(shown: Page) -> Page:
    shown["settings"] = dict.fromkeys(SETTINGS)
    shown["missing"] = list(SETTINGS)
    return shown


def rows(data: Page, table: str) -> list[Row]:
    """Return a table's rows with the names of its columns."""
    stored = data["tables"].get(table, {"columns": [], "rows": []})
    return [dict(zip(stored["columns"], row, strict=True)) for row in stored["rows"]]


# the made-up athletes of the tests, by name
VARIANTS: dict[str, Callable[[], Page]] = {
    "fifteen years": athlete,
    "three years": lambda: athlete(3, seed=2),
    "empty": empty,
    "one activity": one_activity,
    "without GPS": without_gps,
    "without heart rate": without_heart_rate,
    "one sport": one_sport,
    "public": public,
    "imperial": imperial,
    "only lifting": only_lifting,
    "idle": idle,
    "wrong clocks": wrong_clocks,
    "one of each": one_of_each,
    "without details": without_details,
    "export only": export_only,
    "strapless for years": strapless_for_years,
    "hostile everywhere": hostile_everywhere,
}
