"""GPX tracks (topografix.com/GPX/1/1), with Garmin's, Cluetrust's and Strava's extensions for heart rate and such."""

from datetime import datetime
from typing import Final

from .activity import ActivityFile, UnreadableFile
from .points import PointList, check_count
from .xml_values import instant, local_offset_s, number

_VALUES: Final = {
    "ele": "altitude_m",
    "hr": "heart_rate",
    "heartrate": "heart_rate",
    "cad": "cadence",
    "cadence": "cadence",
    "atemp": "temperature_c",
    "temp": "temperature_c",
    "temperature": "temperature_c",
    "power": "power_w",
    "watts": "power_w",
    "powerinwatts": "power_w",
    "speed": "speed_m_s",
    "distance": "distance_m",
}


class GpxReader:
    """Reads the elements of a GPX file in their order.

    It needs the start of those in `OPENED` and the end of those in `CLOSED`; names come in lower case, without prefix.
    """

    OPENED: Final = frozenset({"gpx", "trk", "trkpt"})
    CLOSED: Final = frozenset({"trk", "trkpt", "type", "time", *_VALUES})

    def __init__(self) -> None:
        self._points = PointList()
        self._values: dict[str, float] | None = None  # values of the open point
        self._time: datetime | None = None
        self._in_track = False
        self._creator: str | None = None
        self._sport: str | None = None
        self._offset_s: int | None = None

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        """Handle the start of an element."""
        if name == "trkpt":
            self._values, self._time = {}, None
            for attribute, column in (("lat", "lat"), ("lon", "lng")):
                value = number(attributes.get(attribute, ""))
                if value is not None:
                    self._values[column] = value
        elif name == "trk":
            self._in_track = True
        elif name == "gpx":
            self._creator = attributes.get("creator", "").strip() or None

    def closed(self, name: str, text: str) -> None:
        """Handle the end of an element, with its text."""
        if self._values is None:
            if name == "type" and self._in_track and self._sport is None:
                self._sport = text.strip() or None
            elif name == "trk":
                self._in_track = False
        elif name == "trkpt":
            self._points.add(self._time.timestamp() if self._time else None, self._values)
            check_count(len(self._points))
            self._values = None
        elif name == "time":
            self._time = self._time or instant(text)
            if self._offset_s is None and self._time:
                self._offset_s = local_offset_s(self._time)
        elif name in _VALUES:
            value = number(text)
            if value is not None:
                self._values.setdefault(_VALUES[name], value)

    def activity(self, faults: tuple[str, ...]) -> ActivityFile:
        """Return the activity; raises `UnreadableFile` if there are no points with a time."""
        points = self._points.table()
        if not len(points):
            if len(self._points):
                raise UnreadableFile("no times", "Its points have no times: it is a route, not an activity.")
            raise UnreadableFile("no activity", "It is a GPX file without a track.")
        return ActivityFile(
            format="gpx",
            points=points,
            start=points["time"][0].as_py(),
            sport=self._sport,
            sub_sport=None,
            device=self._creator,
            utc_offset_s=self._offset_s,
            sessions=(),
            laps=(),
            faults=faults,
        )
