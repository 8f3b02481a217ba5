"""FIT files that our own reader refuses, read by fitdecode: fifty times slower, and independent of ours."""

import io
import struct
import warnings
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import fitdecode

from .activity import ActivityFile
from .points import MAX_POINTS, PointList

_MAX_BYTES: Final = 16 << 20
_DEGREES: Final = 180 / 2**31
_COLUMNS: Final = {
    "position_lat": "lat",
    "position_long": "lng",
    "distance": "distance_m",
    "enhanced_altitude": "altitude_m",
    "altitude": "altitude_m",
    "enhanced_speed": "speed_m_s",
    "speed": "speed_m_s",
    "heart_rate": "heart_rate",
    "cadence": "cadence",
    "power": "power_w",
    "temperature": "temperature_c",
}


def read_by_fitdecode(data: bytes) -> ActivityFile | None:
    """Read points and sport; None if fitdecode finds no points either."""
    if len(data) > _MAX_BYTES:
        return None
    found = PointList()
    sport = sub_sport = None
    for message in _messages(data):
        if message.name == "record" and len(found) < MAX_POINTS:
            fields = [field for field in message.fields if not isinstance(field.field, fitdecode.types.DevField)]
            time = next((field.value for field in fields if field.name == "timestamp"), None)
            values = {
                _COLUMNS[field.name]: field.value * (_DEGREES if field.name.startswith("position") else 1)
                for field in reversed(fields)
                if field.name in _COLUMNS and isinstance(field.value, int | float)
            }
            found.add(time.timestamp() if isinstance(time, datetime) else None, values)
        elif message.name in {"sport", "session"} and sport is None:
            sport, sub_sport = (message.get_value(name, fallback=None) for name in ("sport", "sub_sport"))
    points = found.table()
    if not len(points):
        return None
    return ActivityFile(
        format="fit",
        points=points,
        start=points["time"][0].as_py(),
        sport=None if sport is None else str(sport),
        sub_sport=None if sub_sport is None else str(sub_sport),
        device=None,
        utc_offset_s=None,
        sessions=(),
        laps=(),
        faults=("our own reader cannot read it, fitdecode can",),
    )


def _messages(data: bytes) -> Iterator[Any]:
    """Yield data messages until the end, or until fitdecode fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with fitdecode.FitReader(io.BytesIO(data), check_crc=fitdecode.CrcCheck.DISABLED) as fit:
                for frame in fit:
                    if isinstance(frame, fitdecode.FitDataMessage):
                        yield frame
        except (
            fitdecode.FitError,
            ArithmeticError,
            AssertionError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
            struct.error,
        ):
            return
