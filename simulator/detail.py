"""What Strava knows about one activity beyond its summary: the DetailedActivity, streams, zones, kudos, comments.

All of it follows from the summary, always in the same way, so nothing has to be kept: splits and laps add up to the
distance and the times, streams end where they do, efforts happened within the activity.
"""
# ruff: noqa: S311 - made-up activities need no cryptography

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from random import Random
from typing import Any, Final

from simulator.athlete import SPORTS, Activity, Gear, epoch_of, text_of
from simulator.census import DETAIL
from simulator.polyline import decode, length_m

_MILE_M: Final = 1609.34
_EFFORTS_M: Final = {
    "400m": 400,
    "1/2 mile": 805,
    "1K": 1000,
    "1 mile": 1609,
    "2 mile": 3219,
    "5K": 5000,
    "10K": 10000,
    "15K": 15000,
    "10 mile": 16090,
    "20K": 20000,
    "Half-Marathon": 21097,
    "30K": 30000,
    "Marathon": 42195,
}
_STREAM_POINTS: Final = 3600
_ZONES_BPM: Final = ((0, 123), (123, 153), (153, 169), (169, 184), (184, -1))
STREAM_KEYS: Final = (
    "time",
    "distance",
    "latlng",
    "altitude",
    "velocity_smooth",
    "heartrate",
    "cadence",
    "watts",
    "temp",
    "moving",
    "grade_smooth",
)


# What somebody's own account need not have: these where it says nothing, the others are then absent.
_USUAL: Final[dict[str, float]] = {
    "distance": 0.0,
    "moving_time": 0,
    "total_elevation_gain": 0.0,
    "max_speed": 0.0,
    "utc_offset": 0.0,
    "kudos_count": 0,
    "comment_count": 0,
    "total_photo_count": 0,
}
_WHOLE: Final = ("moving_time", "elapsed_time", "kudos_count", "comment_count", "total_photo_count")
_BELOW_ZERO_TOO: Final = ("utc_offset", "elev_high", "elev_low", "average_temp")
_NUMBERS: Final = (
    *_USUAL,
    *_BELOW_ZERO_TOO,
    "elapsed_time",
    "average_speed",
    "average_heartrate",
    "max_heartrate",
    "average_cadence",
    "average_watts",
    "max_watts",
    "kilojoules",
)
_LARGEST: Final = 10**7


def complete(summary: Activity) -> Activity:
    """Return a summary with all that the functions here count with; it needs but `id`, `athlete` and `start_date`."""
    known = {name: value for name, value in summary.items() if value is not None}
    for name in _NUMBERS:
        if name in known and not _is_number(known[name], below_zero_too=name in _BELOW_ZERO_TOO):
            del known[name]
    known = _USUAL | known
    known |= {name: int(known[name]) for name in _WHOLE if name in known}
    if not isinstance(known.get("map"), dict):
        known["map"] = {}
    sport = str(known.get("sport_type") or known.get("type") or "Workout")
    return {
        "type": SPORTS[sport].type if sport in SPORTS else sport,
        "sport_type": sport,
        "elapsed_time": known["moving_time"],
        "average_speed": known["distance"] / known["moving_time"] if known["moving_time"] else 0.0,
        "start_date_local": text_of(epoch_of(known["start_date"]) + known["utc_offset"]),
        **known,
    }


def _is_number(value: object, *, below_zero_too: bool) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return (-_LARGEST if below_zero_too else 0) <= value <= _LARGEST


def detail(summary: Activity, gear: Gear | None, *, include_all_efforts: bool) -> Activity:
    """Return the DetailedActivity of a summary; its hidden segment efforts only with `include_all_efforts`."""
    given, summary = summary, complete(summary)
    rng = Random(f"{summary['id']} detail")
    polyline = _polyline(summary)
    full = given | {
        "resource_state": 3,
        "map": {**summary["map"], "polyline": polyline, "resource_state": 3},
        "calories": _calories(summary, rng),
        "embed_token": f"{rng.getrandbits(160):040x}",
        "segment_efforts": [e for e in _segment_efforts(summary, rng) if include_all_efforts or not e["hidden"]],
    }
    full |= _as_often_as_counted(summary, rng)
    if gear and summary.get("gear_id"):
        full["gear"] = gear.summary(primary=not gear.retired)
    if summary["type"] == "Run" and polyline:
        full["best_efforts"] = _best_efforts(summary, rng)
        full["similar_activities"] = _similar(summary)
    return full


def _polyline(summary: Activity) -> str | None:
    polyline = summary["map"].get("summary_polyline")
    return polyline if isinstance(polyline, str) else None


def _as_often_as_counted(summary: Activity, rng: Random) -> Activity:
    """Return the detail's own fields, each in as many details as the census says."""
    photos = summary.get("total_photo_count", 0)
    sensor = [name for name, key in (("heartrate", "average_heartrate"), ("power", "max_watts")) if key in summary]
    values: dict[str, dict[str, Any]] = {
        "available_zones": {"array": sensor or ["pace"], "empty": []},
        "description": {"null": None, "empty": "", "string": "Legs were fine.\nWind was not. 🌬️"},
        "device_name": {"string": summary.get("device_name", "Garmin Forerunner 235")},
        "hide_from_home": {"bool": False},
        "laps": {"array": laps(summary)},
        "leaderboard_opt_out": {"bool": False},
        "perceived_exertion": {"null": None},
        "photos": {"object": {"primary": _photo(summary) if photos else None, "count": photos}},
        "prefer_perceived_exertion": {"null": None, "bool": False},
        "private_note": {"empty": ""},
        "segment_leaderboard_opt_out": {"bool": False},
        "splits_metric": {"array": _splits(summary, 1000.0)},
        "splits_standard": {"array": _splits(summary, _MILE_M)},
        "sport_image_visibility": {"string": "everyone"},
        "stats_visibility": {"array": [{"type": "heart_rate", "visibility": "everyone"}]},
    }
    fields = {}
    for name, by_kind in values.items():
        dice = rng.random() * 100
        for kind, share in DETAIL[name].items():
            if dice < share:
                fields[name] = by_kind[kind]
                break
            dice -= share
    return fields


def _calories(summary: Activity, rng: Random) -> float:
    calories: float = summary.get("kilojoules") or summary["moving_time"] / 60 * 9.3
    return round(calories, 1) if rng.random() < DETAIL["calories"]["float"] / 100 else round(calories)


def _photo(summary: Activity) -> dict[str, Any]:
    name = f"{Random(summary['id']).getrandbits(128):032x}"
    return {"unique_id": name, "urls": {"600": f"photos/{name}-600.jpg", "100": f"photos/{name}-100.jpg"}, "source": 1}


def _parts(total: int, weights: list[float]) -> list[int]:
    """Return whole numbers in proportion to the weights that add up to the total."""
    whole = sum(weights)
    return [b - a for a, b in pairwise([0, *(round(total * bound / whole) for bound in accumulate(weights))])]


def _stretches(summary: Activity, each_m: float, label: str) -> Iterable[tuple[float, int, int, float]]:
    """Cut an activity: yields metres, moving and elapsed seconds, metres climbed; they add up to the summary's."""
    rng = Random(f"{summary['id']} {label}")
    count = max(1, math.ceil(summary["distance"] / each_m - 0.05))
    metres = [each_m] * (count - 1)
    metres.append(round(summary["distance"] - each_m * (count - 1), 2))
    effort = [max(1.0, m) * rng.uniform(0.93, 1.07) for m in metres]
    climbs = _parts(round(summary["total_elevation_gain"] * 10), [rng.random() + 0.01 for _ in metres])
    moving = _parts(summary["moving_time"], effort)
    elapsed = _parts(summary["elapsed_time"], effort)
    return zip(metres, moving, elapsed, (tenths / 10 for tenths in climbs), strict=True)


def _splits(summary: Activity, each_m: float) -> list[Activity]:
    splits = []
    for i, (metres, moving_s, elapsed_s, climb) in enumerate(_stretches(summary, each_m, "split"), 1):
        split: Activity = {
            "distance": metres,
            "elapsed_time": elapsed_s,
            "elevation_difference": round(climb - summary["total_elevation_gain"] / (i + 1), 1),
            "moving_time": moving_s,
            "split": i,
            "average_speed": round(metres / moving_s, 2) if moving_s else 0,
            "average_grade_adjusted_speed": None,
            "pace_zone": 0,
        }
        if "average_heartrate" in summary:
            split["average_heartrate"] = summary["average_heartrate"] + (i % 7 - 3)
        splits.append(split)
    return splits


def _identity(summary: Activity, number: int) -> Activity:
    return {
        "id": summary["id"] * 100 + number,
        "resource_state": 2,
        "activity": {"id": summary["id"], "visibility": summary.get("visibility"), "resource_state": 1},
        "athlete": summary["athlete"],
    }


def laps(summary: Activity) -> list[Activity]:
    """Return an activity's laps, one every 5 km (20 km on a bike), which add up to its distance and times."""
    summary = complete(summary)
    each_m = 20_000.0 if summary["type"].endswith("Ride") else 5_000.0
    made, start_s, index = [], 0, 0
    for number, (metres, moving_s, elapsed_s, climb) in enumerate(_stretches(summary, each_m, "lap"), 1):
        lap = _identity(summary, number) | {
            "name": f"Lap {number}",
            "elapsed_time": elapsed_s,
            "moving_time": moving_s,
            "start_date": text_of(epoch_of(summary["start_date"]) + start_s),
            "start_date_local": text_of(epoch_of(summary["start_date_local"]) + start_s),
            "distance": metres,
            "start_index": index,
            "end_index": index + moving_s,
            "total_elevation_gain": climb,
            "average_speed": round(metres / moving_s, 2) if moving_s else 0,
            "max_speed": summary["max_speed"],
            "lap_index": number,
            "split": number,
            "pace_zone": 0,
            "device_watts": summary.get("device_watts", False),
        }
        for key in ("average_cadence", "average_watts", "average_heartrate", "max_heartrate"):
            if key in summary:
                lap[key] = summary[key]
        made.append(lap)
        start_s, index = start_s + elapsed_s, index + moving_s + 1
    return made


def _effort(summary: Activity, number: int, name: str, metres: float, moving_s: int, start_s: int) -> Activity:
    return _identity(summary, number) | {
        "name": name,
        "elapsed_time": moving_s,
        "moving_time": moving_s,
        "start_date": text_of(epoch_of(summary["start_date"]) + start_s),
        "start_date_local": text_of(epoch_of(summary["start_date_local"]) + start_s),
        "distance": metres,
        "start_index": start_s,
        "end_index": start_s + moving_s,
        "pr_rank": None,
        "achievements": [],
    }


def _best_efforts(summary: Activity, rng: Random) -> list[Activity]:
    if not summary["average_speed"]:
        return []
    best = []
    for number, (name, metres) in enumerate(_EFFORTS_M.items(), 31):
        if metres > summary["distance"]:
            break
        # The shorter the stretch, the faster the best of it: Riegel's exponent (R. E. Riegel, 1981) makes it so.
        usual_s = metres / summary["average_speed"] * (metres / summary["distance"]) ** 0.06
        moving_s = min(summary["moving_time"], max(1, round(usual_s)))
        start_s = int(rng.random() * max(0, summary["moving_time"] - moving_s))
        best.append(_effort(summary, number, name, metres, moving_s, start_s))
    return best


def _segment_efforts(summary: Activity, rng: Random) -> list[Activity]:
    line = decode(_polyline(summary) or "")
    count = rng.choices((0, 1, 3, 6), (3, 37, 40, 20))[0]
    efforts: list[Activity] = []
    if len(line) < 10 or not summary["average_speed"]:
        return efforts
    for number in range(count):
        # A segment is a place: it is the same one whenever the athlete passes here.
        first = rng.randrange(len(line) - 8)
        lat, lng = line[first]
        segment_id = 1_000_000 + (lat // 50 * 7919 + lng // 50) % 30_000_000
        metres = round(length_m(line[first : first + 8]), 1)
        moving_s = max(1, round(metres / summary["average_speed"] * rng.uniform(0.85, 1.1)))
        start_s = int(summary["moving_time"] * first / len(line))
        effort = _effort(summary, 51 + number, f"Segment {segment_id}", metres, moving_s, start_s)
        effort["segment"] = {
            "id": segment_id,
            "resource_state": 2,
            "name": f"Segment {segment_id}",
            "activity_type": summary["type"],
            "distance": metres,
            "average_grade": 1.2,
            "maximum_grade": 6.5,
            "elevation_high": summary.get("elev_high", 0),
            "elevation_low": summary.get("elev_low", 0),
            "start_latlng": [lat / 1e5, lng / 1e5],
            "end_latlng": [line[first + 7][0] / 1e5, line[first + 7][1] / 1e5],
            "climb_category": 0,
            "city": None,
            "state": None,
            "country": None,
            "private": False,
            "hazardous": False,
            "starred": False,
        }
        efforts.append(effort | {"kom_rank": None, "hidden": number >= 3})
    return efforts


def _similar(summary: Activity) -> Activity:
    speed = summary["average_speed"]
    return {
        "effort_count": 1,
        "average_speed": speed,
        "min_average_speed": speed,
        "mid_average_speed": speed,
        "max_average_speed": speed,
        "pr_rank": None,
        "frequency_milestone": None,
        "trend": {"speeds": [speed], "current_activity_index": 0, "direction": 0},
        "resource_state": 2,
    }


def streams(summary: Activity, keys: Iterable[str], points: int = _STREAM_POINTS) -> dict[str, Activity]:
    """Return the streams of these keys by type; keys of which the activity has none are absent.

    One value a second, or fewer where that were more than `points`. An activity typed in by hand has none at all.
    """
    summary = complete(summary)
    if summary.get("manual"):
        return {}
    elapsed_s = max(1, summary["elapsed_time"], summary["moving_time"])
    step_s = math.ceil(elapsed_s / points)
    times = [*range(0, elapsed_s, step_s), elapsed_s]
    made = {"time": times, **_motion(summary, times), **_readings(summary, times)}
    return {
        key: {"data": made[key], "series_type": "distance", "original_size": len(times), "resolution": "high"}
        for key in keys
        if key in made
    }


def _motion(summary: Activity, times: list[int]) -> dict[str, list[Any]]:
    if not summary["distance"]:
        return {}
    rng = Random(f"{summary['id']} motion")
    stopped_s = times[-1] - min(times[-1], summary["moving_time"])
    stop_from_s = int((times[-1] - stopped_s) * rng.uniform(0.2, 0.8))
    moving = [not stop_from_s < t <= stop_from_s + stopped_s for t in times]
    paces = [
        0.0,
        *((1 + 0.1 * math.sin(t / 90)) * (b - t) * m for (t, b), m in zip(pairwise(times), moving[1:], strict=True)),
    ]
    whole = sum(paces) or 1.0
    shares = [bound / whole for bound in accumulate(paces)]
    distance = [round(summary["distance"] * share, 1) for share in shares]
    motion: dict[str, list[Any]] = {
        "distance": distance,
        "moving": moving,
        "velocity_smooth": [
            0.0,
            *(round((b - a) / (t - s), 2) for (a, b), (s, t) in zip(pairwise(distance), pairwise(times), strict=True)),
        ],
    }
    line = decode(_polyline(summary) or "")
    if line:
        motion["latlng"] = [_along(line, share) for share in shares]
    if "elev_high" in summary and "elev_low" in summary:
        low, range_m = summary["elev_low"], summary["elev_high"] - summary["elev_low"]
        motion["altitude"] = [round(low + range_m * (1 - math.cos(6.283 * share)) / 2, 1) for share in shares]
        slope = 100 * range_m * 3.1416 / summary["distance"]
        motion["grade_smooth"] = [round(slope * math.sin(6.283 * share), 1) for share in shares]
    return motion


def _along(line: list[tuple[int, int]], share: float) -> list[float]:
    index, rest = divmod(min(share, 1.0) * (len(line) - 1), 1)
    (lat, lng), (lat2, lng2) = line[int(index)], line[min(int(index) + 1, len(line) - 1)]
    return [round((lat + (lat2 - lat) * rest) / 1e5, 6), round((lng + (lng2 - lng) * rest) / 1e5, 6)]


def _readings(summary: Activity, times: list[int]) -> dict[str, list[Any]]:
    """Return what sensors recorded: waves around the averages."""
    sources = {"heartrate": "average_heartrate", "cadence": "average_cadence", "temp": "average_temp"}
    if summary.get("device_watts"):
        sources["watts"] = "average_watts"
    return {
        key: [round(summary[field] * (1 + 0.06 * math.sin(t / 61))) for t in times]
        for key, field in sources.items()
        if summary.get(field) is not None
    }


def zones(summary: Activity) -> list[Activity]:
    """Return the time in heart-rate zones, which adds up to the moving time; none without heart rate."""
    summary = complete(summary)
    if "average_heartrate" not in summary:
        return []
    rng = Random(f"{summary['id']} zones")
    times = _parts(summary["moving_time"], [rng.random() + 0.05 for _ in _ZONES_BPM])
    return [
        {
            "score": summary.get("suffer_score"),
            "distribution_buckets": [
                {"min": low, "max": high, "time": t} for (low, high), t in zip(_ZONES_BPM, times, strict=True)
            ],
            "type": "heartrate",
            "resource_state": 3,
            "sensor_based": True,
            "points": 0,
            "custom_zones": False,
        }
    ]


def athlete_zones() -> Activity:
    """Return the athlete's own zones."""
    return {"heart_rate": {"custom_zones": False, "zones": [{"min": low, "max": high} for low, high in _ZONES_BPM]}}


def kudos(summary: Activity) -> list[Activity]:
    """Return those who gave kudos, by first name and initial."""
    summary = complete(summary)
    names = ("Ana", "Björn", "Chidi", "Dana", "Émile", "Fumiko", "Goran")
    return [
        {"resource_state": 2, "firstname": names[i % 7], "lastname": f"{chr(65 + i % 26)}."}
        for i in range(summary["kudos_count"])
    ]


def comments(summary: Activity) -> list[Activity]:
    """Return the comments."""
    summary = complete(summary)
    return [
        {
            "id": summary["id"] * 10 + i,
            "activity_id": summary["id"],
            "post_id": None,
            "resource_state": 2,
            "text": "Strong! 💪",
            "mentions_metadata": None,
            "created_at": text_of(epoch_of(summary["start_date"]) + 7200 + i),
            "athlete": {"firstname": "Ana", "lastname": "B.", "resource_state": 2},
            "cursor": f"{summary['id']}{i}",
        }
        for i in range(summary["comment_count"])
    ]


def photos(summary: Activity, size: int) -> list[Activity]:
    """Return the photos, each with the address of the asked `size`; the first of them is the detail's own."""
    summary = complete(summary)
    start_s = epoch_of(summary["start_date"])
    names = [f"{Random(summary['id'] + i).getrandbits(128):032x}" for i in range(summary["total_photo_count"])]
    return [
        {
            "unique_id": name,
            "athlete_id": summary["athlete"]["id"],
            "activity_id": summary["id"],
            "activity_name": summary.get("name"),
            "post_id": None,
            "resource_state": 2,
            "caption": "",
            "type": 1,
            "source": 1,
            "status": 3,
            "uploaded_at": text_of(start_s + summary["elapsed_time"] + 600),
            "created_at": text_of(start_s + 60 * i),
            "created_at_local": text_of(start_s + 60 * i + summary["utc_offset"]),
            "urls": {str(size): f"photos/{name}-{size}.jpg"},
            "sizes": {str(size): [size, size * 3 // 4]},
            "default_photo": i == 0,
            "cursor": None,
        }
        for i, name in enumerate(names)
    ]


def routes(athlete: Activity, summaries: Iterable[Activity]) -> list[Activity]:
    """Return an athlete's routes: along the way of those activities that were run or ridden; newest first."""
    made = []
    for number, summary in enumerate(map(complete, summaries)):
        polyline = _polyline(summary)
        kind = {"Ride": 1, "Run": 2}.get(summary["type"])
        if not polyline or kind is None:
            continue
        id_ = 3_000_000_000_000_000_000 + summary["id"]
        created_at_s = int(epoch_of(summary["start_date"])) + 86_400
        made.append(
            {
                "athlete": athlete,
                "description": "" if number % 3 else "Quiet in the morning.\nBring water. 💧",
                "distance": summary["distance"],
                "elevation_gain": summary["total_elevation_gain"],
                "id": id_,
                "id_str": str(id_),
                "map": {"id": f"r{id_}", "summary_polyline": polyline, "resource_state": 2},
                "name": f"Route {number + 1}",
                "private": number % 4 == 3,
                "resource_state": 2,
                "starred": number % 2 == 0,
                "sub_type": 1 if number % 3 else 4,
                "timestamp": created_at_s,
                "type": kind,
                "created_at": text_of(created_at_s),
                "updated_at": text_of(created_at_s + 3600),
                "estimated_moving_time": summary["moving_time"],
                "waypoints": [],
            }
        )
    return made


def stats(summaries: Iterable[Activity], now: datetime) -> Activity:
    """Return Strava's ActivityStats over summaries: runs, rides and swims of four weeks, this year, and all time."""
    four_weeks_ago, this_year = text_of((now - timedelta(weeks=4)).timestamp()), str(now.year)
    totals: dict[str, dict[str, float]] = {
        f"{span}_{sport}_totals": dict.fromkeys(
            ("count", "distance", "moving_time", "elapsed_time", "elevation_gain"), 0
        )
        for span in ("recent", "ytd", "all")
        for sport in ("run", "ride", "swim")
    }
    longest = highest = 0.0
    for summary in map(complete, summaries):
        sport = {"Run": "run", "Ride": "ride", "VirtualRide": "ride", "Swim": "swim"}.get(summary["type"])
        if sport is None:
            continue
        if sport == "ride":
            longest = max(longest, summary["distance"])
            highest = max(highest, summary["total_elevation_gain"])
        spans = ["all"]
        if summary["start_date"] >= four_weeks_ago:
            spans.append("recent")
        if summary["start_date_local"].startswith(this_year):
            spans.append("ytd")
        for span in spans:
            total = totals[f"{span}_{sport}_totals"]
            total["count"] += 1
            total["elevation_gain"] += summary["total_elevation_gain"]
            for key in ("distance", "moving_time", "elapsed_time"):
                total[key] += summary[key]
    return {"biggest_ride_distance": longest, "biggest_climb_elevation_gain": highest, **totals}
