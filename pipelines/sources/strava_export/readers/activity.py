"""The content of an activity file, whatever its format, and the reason why one cannot be read."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import pyarrow as pa

Format = Literal["fit", "gpx", "tcx"]
Reason = Literal["empty", "damaged", "too large", "unknown format", "forbidden", "no activity", "no times"]

POINTS: Final = pa.schema(
    [
        pa.field("time", pa.timestamp("s", tz="UTC"), nullable=False),
        ("lat", pa.float64()),
        ("lng", pa.float64()),
        ("distance_m", pa.float64()),
        ("altitude_m", pa.float64()),
        ("speed_m_s", pa.float64()),
        ("heart_rate", pa.int16()),
        ("cadence", pa.int16()),
        ("power_w", pa.int32()),
        ("temperature_c", pa.float64()),
    ]
)
_QUARTER_HOUR: Final = timedelta(minutes=15)
_WEST: Final = timedelta(hours=-12)
_EAST: Final = timedelta(hours=14)


class UnreadableFile(ValueError):
    """A file from which nothing can be read; its text is one sentence, `reason` is a word."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True)
class Session:
    """A part with one sport: a triathlon in one file has five. Metres, seconds, instants in UTC."""

    start: datetime | None
    elapsed_s: float | None
    distance_m: float | None
    sport: str | None
    sub_sport: str | None
    # without pauses
    timer_s: float | None = None
    ascent_m: float | None = None
    calories_kcal: float | None = None


@dataclass(frozen=True)
class Lap:
    """A lap; `timer_s` is without pauses."""

    start: datetime | None
    elapsed_s: float | None
    timer_s: float | None
    distance_m: float | None


@dataclass(frozen=True)
class ActivityFile:
    """An activity as in its file, before any edit at Strava.

    `points` has the columns of `POINTS`, at most one row a second, ordered by time; cadence is per leg. `sport` and
    `sub_sport` are the file's own words. `utc_offset_s` is the local time's offset, if the file has a credible one.
    `faults` lists what was wrong with a file that could be read nevertheless, completely or in part. `device_id`
    distinguishes devices of one model: a hash of maker, product and serial number, which only FIT has.
    """

    format: Format
    points: pa.Table
    start: datetime | None
    sport: str | None
    sub_sport: str | None
    device: str | None
    utc_offset_s: int | None
    sessions: tuple[Session, ...]
    laps: tuple[Lap, ...]
    faults: tuple[str, ...]
    device_id: str | None = None


def credible_offset_s(offset: timedelta | None) -> int | None:
    """Return an offset from UTC in seconds if a time zone can have it: whole quarters of an hour, -12 to +14 h."""
    if offset is None or offset % _QUARTER_HOUR or not _WEST <= offset <= _EAST:
        return None
    return int(offset.total_seconds())
