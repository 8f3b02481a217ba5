"""The reading of an activity file: a JSON object with the names of Strava's API.

Files are the originals: they do not have what was edited or corrected at Strava. What was cropped there is left out.
"""

import struct
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa
import pyarrow.compute as pc
from tzfpy import get_tz

from pipelines.ground.polyline import METRES_PER_UNIT, UNITS_PER_DEGREE, encode, simplify
from pipelines.sources.strava_export.readers import ActivityFile, Lap, UnreadableFile, read_activity_file
from pipelines.sources.strava_export.sports import sport_type_of, type_of
from pipelines.warehouse.points import Samples, samples_of
from pipelines.warehouse.windows import Window

# a longer gap between two points is a pause, unless the device's own distance continues in it; in a file with few
# points a gap has to be several times as long as the others
LONGEST_STEP_S = 10
STEPS_OF_A_PAUSE = 3
# anything slower is standing; GPS drifts as fast
SLOWEST_M_S = 0.3
# a smaller rise before the next descent is noise of the sensor
LEAST_RISE_M = 3.0
# how far a point may lie from the summary polyline, and how many points that has at most
TOLERANCE_M = 5.0
MOST_POINTS = 300
# so many are considered: points closer together than a thousandth of the route cannot be seen
POINTS_LOOKED_AT = 1000
MOST_LAPS = 1000
# no activity has so many seconds or metres, whatever a file says
TOO_MUCH = 1e9
# a start that is further before the first point comes from a wrong clock
LONGEST_LEAD_S = 86400
# Strava rounds elapsed times, and for some files counts a second or two less
CLIP_TOLERANCE_S = 2
# what a bug in a reader may raise
_MISTAKES = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError),
    *(EOFError, pa.ArrowException, struct.error, zlib.error),
)


def file_reading(content: bytes, window: Window | None = None) -> dict[str, Any]:
    """The reading of the activity file with the bytes `content`; `problem` is the reason if it cannot be read.

    If a file goes beyond the activity's `window`, only what is within counts.
    """
    return reading_and_samples(content, window)[0]


def reading_and_samples(content: bytes, window: Window | None) -> tuple[dict[str, Any], Samples | None]:
    """The reading, and the file's samples if it has any."""
    try:
        activity, is_clipped = _clipped(read_activity_file(content, ""), window)
        return _reading(activity, is_clipped), samples_of(activity)
    except UnreadableFile as error:
        return {"problem": str(error), "problem_reason": error.reason}, None
    except _MISTAKES as error:
        problem = f"The reader failed: {type(error).__name__}: {error}"
        return {"problem": problem, "problem_reason": "reader failed"}, None


def _clipped(activity: ActivityFile, window: Window | None) -> tuple[ActivityFile, bool]:
    """The part of the activity within the window, and whether that is less than all of it.

    A crop is inside the recording: for any other window, all of the activity counts.
    """
    if window is None or not len(activity.points):
        return activity, False
    time_s = _array(activity.points["time"].cast(pa.int64()))
    first_s, last_s = time_s[0].as_py(), max([time_s[-1].as_py(), *(end.timestamp() for end in _ends(activity))])
    start_s, end_s = window.start_s, window.start_s + window.elapsed_s
    is_inside = start_s >= first_s - CLIP_TOLERANCE_S and end_s <= last_s + CLIP_TOLERANCE_S
    is_less = start_s > first_s + CLIP_TOLERANCE_S or end_s < last_s - CLIP_TOLERANCE_S
    points = activity.points.filter(pc.and_(pc.greater_equal(time_s, start_s), pc.less_equal(time_s, end_s)))
    if not (is_inside and is_less and len(points)):
        return activity, False
    # totals and laps are those of the whole file
    return replace(activity, points=points, start=points["time"][0].as_py(), sessions=(), laps=()), True


def _ends(activity: ActivityFile) -> list[datetime]:
    """When its sessions ended."""
    return [
        session.start + timedelta(seconds=session.elapsed_s)
        for session in activity.sessions
        if session.start is not None and session.elapsed_s is not None and session.elapsed_s < TOO_MUCH
    ]


def _reading(activity: ActivityFile, is_clipped: bool) -> dict[str, Any]:
    points = _Points(activity.points)
    sport_type = sport_type_of(activity.sport, activity.sub_sport)
    distance_m = _distance_m(activity, points)
    elapsed_s, moving_s = _elapsed_s(activity, points), _moving_s(activity, points)
    if elapsed_s is not None and moving_s is not None:
        moving_s = min(moving_s, elapsed_s)
    reading = {
        "format": activity.format,
        "faults": list(activity.faults) or None,
        "clipped": is_clipped or None,
        "type": type_of(sport_type) if sport_type else None,
        "sport_type": sport_type,
        "sport": activity.sport,
        "sub_sport": activity.sub_sport,
        "device_name": activity.device,
        "device_id": activity.device_id,
        **_places_and_clock(activity, points, is_virtual=bool(sport_type and sport_type.startswith("Virtual"))),
        "elapsed_time": _whole(elapsed_s),
        "moving_time": _whole(moving_s),
        "distance": _rounded(distance_m),
        "average_speed": _rounded(distance_m / moving_s, 3) if distance_m is not None and moving_s else None,
        "max_speed": _rounded(points.most("speed_m_s"), 3),
        "total_elevation_gain": _rounded(_gain_m(activity, points)),
        "elev_high": _rounded(points.most("altitude_m")),
        "elev_low": _rounded(points.least("altitude_m")),
        "has_heartrate": points.has("heart_rate"),
        "average_heartrate": _rounded(points.mean("heart_rate")),
        "max_heartrate": points.most("heart_rate"),
        "average_watts": _rounded(points.mean("power_w")),
        "max_watts": points.most("power_w"),
        "kilojoules": _rounded(points.work_kj()),
        "device_watts": points.has("power_w") or None,
        "average_cadence": _rounded(points.mean("cadence", above=0)),
        "average_temp": _rounded(points.mean("temperature_c")),
        "calories_kcal": _sum_of([session.calories_kcal for session in activity.sessions]),
        "map": {"summary_polyline": polyline} if (polyline := points.polyline()) else None,
        "laps": [_lap(number, lap) for number, lap in enumerate(activity.laps[:MOST_LAPS], 1)] or None,
        "lap_count": len(activity.laps),
        "point_count": len(activity.points),
    }
    return {name: value for name, value in reading.items() if value is not None}


class _Points:
    """The points of an activity as arrays: times, steps from one to the next, and measurements."""

    def __init__(self, points: pa.Table) -> None:
        self._points = points.combine_chunks()
        self.time_s = _array(points["time"].cast(pa.int64()))
        steps = max(len(points) - 1, 0)
        self.step_s = pc.subtract(self.time_s.slice(1), self.time_s.slice(0, steps))
        usual_s = pc.quantile(self.step_s, 0.5, interpolation="lower")[0].as_py() or 1
        self.is_recorded = pc.less_equal(self.step_s, max(LONGEST_STEP_S, STEPS_OF_A_PAUSE * usual_s))
        # how much time each point represents; before a pause that is unknown, and the usual time is assumed
        weights = pc.if_else(self.is_recorded, self.step_s, usual_s)
        self._weight_s = pa.concat_arrays(
            [weights.cast(pa.int64()), pa.array([usual_s] * (len(points) - steps), pa.int64())]
        )

    def of(self, name: str) -> pa.Array:
        """A column."""
        return _array(self._points[name])

    def has(self, name: str) -> bool:
        """Whether a column has a value."""
        column = self.of(name)
        return bool(column.null_count < len(column))

    def most(self, name: str) -> float | None:
        """The highest value."""
        return pc.max(self.of(name)).as_py()  # type: ignore[no-any-return]

    def least(self, name: str) -> float | None:
        """The lowest value."""
        return pc.min(self.of(name)).as_py()  # type: ignore[no-any-return]

    def mean(self, name: str, above: float | None = None) -> float | None:
        """The mean of the values, weighted by time; only of those `above` a limit, if there is one."""
        values = self.of(name).cast(pa.float64())
        if above is not None:
            values = pc.if_else(pc.greater(values, above), values, None)
        weights = pc.if_else(pc.is_valid(values), self._weight_s, 0)
        total = pc.sum(weights).as_py()
        return pc.sum(pc.multiply(values, weights)).as_py() / total if total else None

    def work_kj(self) -> float | None:
        """The work, from the power."""
        total = pc.sum(pc.multiply(self.of("power_w").cast(pa.float64()), self._weight_s)).as_py()
        return None if total is None else total / 1000

    def positions(self) -> tuple[pa.Array, pa.Array]:
        """Latitudes and longitudes of the points that have both."""
        lat, lng = self.of("lat"), self.of("lng")
        both = pc.and_(pc.is_valid(lat), pc.is_valid(lng))
        return lat.filter(both), lng.filter(both)

    def step_m(self) -> pa.Array:
        """The length of each step: from the device's distance, otherwise from positions; null without either."""
        if self.has("distance_m"):
            distance = self.of("distance_m")
            return pc.subtract(distance.slice(1), distance.slice(0, len(self.step_s)))
        return _steps_m(self.of("lat"), self.of("lng"))

    def polyline(self) -> str | None:
        """The route, simplified; None without one."""
        lat, lng = self.positions()
        if len(lat) < 2:
            return None
        along_m = pc.cumulative_sum(_steps_m(lat, lng))
        spacing_m = max(TOLERANCE_M / 2, along_m[-1].as_py() / POINTS_LOOKED_AT)
        number = pc.floor(pc.divide(along_m, spacing_m))
        # the first point, the last one, and the first of each stretch
        is_new = pc.not_equal(number.slice(1), number.slice(0, len(number) - 1))
        kept = pa.concat_arrays([pa.array([True, True]), is_new])
        units = [pc.round(pc.multiply(each, UNITS_PER_DEGREE)).cast(pa.int64()) for each in (lat, lng)]
        looked_at = list(zip(*(each.filter(kept).to_pylist() for each in units), strict=True))
        looked_at.append((units[0][-1].as_py(), units[1][-1].as_py()))
        return encode(simplify(looked_at, TOLERANCE_M, MOST_POINTS))


def _array(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole


def _steps_m(lat: pa.Array, lng: pa.Array) -> pa.Array:
    """Metres from each position to the next, on a plane that touches the Earth there, accurate to a thousandth."""
    steps = max(len(lat) - 1, 0)
    first_lat, first_lng = lat.slice(0, steps), lng.slice(0, steps)
    north = pc.subtract(lat.slice(1), first_lat)
    east = pc.subtract(lng.slice(1), first_lng)
    # across the 180th meridian
    east = pc.subtract(east, pc.multiply(pc.round(pc.divide(east, 360.0)), 360.0))
    east = pc.multiply(east, pc.cos(pc.multiply(first_lat, 3.141592653589793 / 180)))
    squares = pc.add(pc.multiply(north, north), pc.multiply(east, east))
    return pc.multiply(pc.sqrt(squares), METRES_PER_UNIT * UNITS_PER_DEGREE)


def _elapsed_s(activity: ActivityFile, points: _Points) -> float | None:
    ends = _ends(activity)
    # the laps of a TCX leave out pauses
    if activity.format == "fit" and ends and activity.start is not None:
        return (max(ends) - activity.start).total_seconds()
    known = [session.elapsed_s for session in activity.sessions if session.elapsed_s is not None]
    spans = [elapsed_s for elapsed_s in known if elapsed_s < TOO_MUCH]
    if len(points.time_s):
        begin_s = first_s = points.time_s[0].as_py()
        if activity.start is not None and 0 <= first_s - activity.start.timestamp() < LONGEST_LEAD_S:
            begin_s = activity.start.timestamp()
        spans.append(points.time_s[-1].as_py() - begin_s)
    return max(spans, default=None)


def _moving_s(activity: ActivityFile, points: _Points) -> float | None:
    """The time in which the points move; without a distance, the recorded time."""
    timer_s = _sum_of([session.timer_s for session in activity.sessions])
    if timer_s is None:
        timer_s = _sum_of([lap.timer_s if lap.timer_s is not None else lap.elapsed_s for lap in activity.laps])
    if not len(points.step_s):
        return timer_s
    step_m = points.step_m()
    if step_m.null_count == len(step_m):
        return timer_s if timer_s is not None else _total(points.step_s.filter(points.is_recorded))
    moves = pc.greater_equal(pc.divide(step_m, points.step_s.cast(pa.float64())), SLOWEST_M_S)
    if points.has("distance_m"):
        counts = pc.fill_null(moves, points.is_recorded)
    else:
        counts = pc.and_(points.is_recorded, pc.fill_null(moves, True))
    moving_s = _total(points.step_s.filter(counts))
    # a stopped recording does not move, however a position jumps
    return moving_s if timer_s is None else min(moving_s, timer_s)


def _total(values: pa.Array) -> float:
    return pc.sum(values).as_py() or 0


def _distance_m(activity: ActivityFile, points: _Points) -> float | None:
    distance_m = _sum_of([session.distance_m for session in activity.sessions])
    if distance_m is None:
        first_m, last_m = points.least("distance_m"), points.most("distance_m")
        distance_m = None if first_m is None or last_m is None else last_m - first_m
    if distance_m is None:
        lat, lng = points.positions()
        distance_m = _total(_steps_m(lat, lng)) if len(lat) > 1 else None
    return distance_m


def _gain_m(activity: ActivityFile, points: _Points) -> float | None:
    gain_m = _sum_of([session.ascent_m for session in activity.sessions])
    if gain_m is not None or not points.has("altitude_m"):
        return gain_m
    altitudes = points.of("altitude_m").drop_null().to_pylist()
    gain, low, high = 0.0, altitudes[0], altitudes[0]
    for altitude in altitudes:
        if altitude > high:
            high = altitude
        elif high - altitude >= LEAST_RISE_M or altitude < low:
            # the climb is over, or has not begun
            gain += high - low if high - low >= LEAST_RISE_M else 0
            low = high = altitude
    return gain + (high - low if high - low >= LEAST_RISE_M else 0)


def _places_and_clock(activity: ActivityFile, points: _Points, *, is_virtual: bool) -> dict[str, Any]:
    """Where it began and ended, when, and in which zone: that of the first position, otherwise the file's own.

    A virtual ride is ridden at home, on roads in another zone.
    """
    lat, lng = points.positions()
    start = activity.start
    found: dict[str, Any] = {"start_date": _iso(start)}
    offset, source = None, None
    if len(lat):
        found["start_latlng"] = [round(lat[0].as_py(), 6), round(lng[0].as_py(), 6)]
        found["end_latlng"] = [round(lat[-1].as_py(), 6), round(lng[-1].as_py(), 6)]
        zone = None if is_virtual else _zone(get_tz(*reversed(found["start_latlng"])))
        if zone is not None and start is not None:
            local = start.astimezone(zone)
            offset, source = local.utcoffset(), "position"
            found["timezone"] = _named_as_strava_does(zone, local)
    if offset is None and activity.utc_offset_s is not None:
        offset, source = timedelta(seconds=activity.utc_offset_s), "file"
    if offset is not None:
        found["utc_offset"] = offset.total_seconds()
        found["start_date_local"] = _iso(start + offset) if start is not None else None
        found["time_zone_source"] = source
    # the file's own offset, whatever the position says
    found["file_utc_offset_s"] = activity.utc_offset_s
    return found


@cache
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _named_as_strava_does(zone: ZoneInfo, local: datetime) -> str:
    """The zone's name as Strava writes it: `(GMT+01:00) Europe/Berlin`, with the offset of standard time."""
    standard = (local.utcoffset() or timedelta()) - (local.dst() or timedelta())
    minutes = round(standard.total_seconds() / 60)
    hours, minutes_left = divmod(abs(minutes), 60)
    return f"(GMT{'-' if minutes < 0 else '+'}{hours:02}:{minutes_left:02}) {zone.key}"


def _lap(number: int, lap: Lap) -> dict[str, Any]:
    values = {
        "lap_index": number,
        "start_date": _iso(lap.start),
        "elapsed_time": _whole(lap.elapsed_s),
        "moving_time": _whole(lap.timer_s),
        "distance": _rounded(lap.distance_m),
    }
    return {name: value for name, value in values.items() if value is not None}


def _sum_of(values: list[float | None]) -> float | None:
    """The sum of the known values, None if there are none."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None or not abs(seconds) < TOO_MUCH else round(seconds)


def _rounded(value: float | None, digits: int = 1) -> float | None:
    return None if value is None or not abs(value) < TOO_MUCH else round(value, digits)
