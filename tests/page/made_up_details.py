"""The details of made-up athletes' activities, as the page packs them: hostile where names are."""

import json
from bisect import bisect_left
from random import Random
from typing import Any

from synthetic import BOUNDS, EFFORTS, HOSTILE, MILE_M, Page, Row, rows

from pipelines.page.details import TABLES, VERSION, packed

SEGMENTS = ["Up the hill", "Down again", HOSTILE[0], "", HOSTILE[7]]


def packed_details(page: Page) -> str:
    """Return what the page of this data has packed; nothing if it is a public one."""
    return "" if page["public"] else packed(json.dumps(details_of(page)))


def details_of(page: Page) -> dict[str, Any]:
    """Return the details of the activities of `page`; each seventh has none, nor have those of who fetched none."""
    coverage = (rows(page, "data_coverage") or [{}])[0]
    fetched = coverage.get("with_details", 0) > 0
    doors = "export" if coverage.get("without_api") else "api"
    metres = {"km": 1000.0, "mi": MILE_M}[page["units"]]
    activities = rows(page, "activities")
    gear = [row["gear_id"] for row in rows(page, "gear")]
    ranked: dict[str, list[int]] = {effort: [] for effort, _ in EFFORTS}
    for effort, seconds in _efforts(activities):
        ranked[effort].append(seconds)
    for times in ranked.values():
        times.sort()
    tables: dict[str, dict[str, list[Any]]] = {
        table.name: {"position": [], **{column: [] for column in table.columns}} for table in TABLES
    }
    for position, activity in enumerate(activities):
        rng = Random(activity["id"])  # noqa: S311 - made-up activities, not a secret
        has_details = fetched and position % 7 != 3
        of_it = {
            "activity": [_about(activity, rng, gear, doors if position % 5 else f"{doors},file", has_details)],
            "zone_times": _zone_times(activity) if page["settings"]["max_hr"] else [],
            "left_out": _left_out(activity),
        }
        if has_details:
            of_it |= {
                "splits": _stretches(activity, metres, rng),
                "laps": _laps(activity, rng),
                "best_efforts": _best_efforts(activity, ranked),
                "segment_efforts": _segment_efforts(activity, rng),
            }
        for name, made in of_it.items():
            if made:
                tables[name]["position"].append(position)
                for column in made[0]:
                    tables[name][column].append([row[column] for row in made])
    segments = {
        "id": [str(100 + number) if number else None for number in range(len(SEGMENTS))],
        "name": SEGMENTS,
        "efforts": [40] * len(SEGMENTS),
    }
    return {"version": VERSION, "segments": segments, "tables": tables}


def _about(activity: Row, rng: Random, gear: list[str], doors: str, has_details: bool) -> Row:
    power = activity["sport_group"] == "Ride" and rng.random() < 0.5
    return {
        "elapsed_time_s": round(activity["moving_time_s"] * 1.08),
        "max_heartrate": activity["average_heartrate"] and activity["average_heartrate"] + 21,
        "average_watts": 187 if power else None,
        "weighted_average_watts": 203 if power else None,
        "device_watts": int(rng.random() < 0.7) if power else None,
        "load": round(activity["moving_time_s"] / 90, 1) if activity["average_heartrate"] else None,
        "load_source": "heart_rate" if activity["average_heartrate"] else None,
        "gear_id": rng.choice(gear) if gear and rng.random() < 0.6 else None,
        "device_name": rng.choice([None, "Watch 2", HOSTILE[2]]),
        "doors": doors,
        "has_details": int(has_details),
    }


def _parts(activity: Row, metres: float, rng: Random) -> list[Row]:
    """Return stretches of so many metres, which add up to the distance and the time of the activity."""
    parts: list[Row] = []
    left_m, left_s = activity["distance_m"], activity["moving_time_s"]
    while left_m > 0:
        part_m = min(metres, left_m)
        part_s = left_s if part_m == left_m else min(left_s, round(left_s * part_m / left_m * rng.uniform(0.9, 1.1)))
        beats = activity["average_heartrate"]
        parts.append(
            {
                "distance_m": round(part_m),
                "moving_time_s": part_s,
                "average_heartrate": beats and round(beats + rng.uniform(-9, 9)),
            }
        )
        left_m, left_s = left_m - part_m, left_s - part_s
    return parts


def _stretches(activity: Row, metres: float, rng: Random) -> list[Row]:
    count = 5 if activity["distance_m"] > 20 * metres else 1
    parts = _parts(activity, count * metres, rng)
    last = -(-parts[-1]["distance_m"] // metres) if parts else 0
    return [
        {"splits": int(last) if part is parts[-1] else count, **part, "elevation_difference_m": rng.randint(-120, 120)}
        for part in parts
    ]


def _laps(activity: Row, rng: Random) -> list[Row]:
    parts = _parts(activity, 5000.0, rng)
    if len(parts) < 2:
        return []
    names = [None, "Warm-up", HOSTILE[0]]
    return [
        {"name": names[i % 3], **part, "total_elevation_gain_m": rng.randint(0, 90)} for i, part in enumerate(parts)
    ]


def _efforts(activities: list[Row]) -> list[tuple[str, int]]:
    """Return efforts over each distance that runs are long enough for: its name and the seconds."""
    return [
        (effort, round(distance * activity["moving_time_s"] / activity["distance_m"] * 0.8))
        for activity in activities
        if activity["sport_type"] == "Run"
        for effort, distance in EFFORTS
        if activity["distance_m"] >= distance
    ]


def _best_efforts(activity: Row, ranked: dict[str, list[int]]) -> list[Row]:
    return [
        {
            "effort": effort,
            "elapsed_time_s": seconds,
            "rank_all_time": bisect_left(ranked[effort], seconds) + 1,
            "rank_in_year": None if effort == "400m" else 1,
        }
        for effort, seconds in _efforts([activity])
    ]


def _segment_efforts(activity: Row, rng: Random) -> list[Row]:
    if not activity["route"]:
        return []
    return [
        {
            "segment": segment,
            "elapsed_time_s": rng.randint(60, 3000),
            "rank_own": rng.choice([1, 2, 17, None]),
            "pr_rank": None,
            "kom_rank": rng.choice([None, None, 9]),
        }
        for segment in rng.sample(range(len(SEGMENTS)), 3)
    ]


def _zone_times(activity: Row) -> list[Row]:
    if activity["average_heartrate"] is None:
        return []
    zone = next(i for i, (_, high) in enumerate(BOUNDS, 1) if high is None or activity["average_heartrate"] <= high)
    return [{"zone": zone, "moving_time_s": activity["moving_time_s"], "source": "average"}]


def _left_out(activity: Row) -> list[Row]:
    if activity["moving_time_s"] >= 600:
        return []
    return [
        {
            "reason": "short",
            "explanation": "shorter than ten minutes",
            "left_out_of": "fastest",
            "effort": None,
            "value": activity["moving_time_s"],
            "limit_value": 600,
            "unit": "s",
        }
    ]
