"""TCX activities (Garmin's TrainingCenterDatabase v2, ActivityExtension v2)."""

from datetime import datetime
from typing import Final

from .activity import ActivityFile, Lap, Session, UnreadableFile
from .points import PointList, check_count
from .xml_values import instant, local_offset_s, number

_VALUES: Final = {
    "latitudedegrees": "lat",
    "longitudedegrees": "lng",
    "altitudemeters": "altitude_m",
    "distancemeters": "distance_m",
    "value": "heart_rate",  # the Value of HeartRateBpm: no other element of a trackpoint has one
    "cadence": "cadence",
    "runcadence": "cadence",
    "speed": "speed_m_s",
    "watts": "power_w",
}


class TcxReader:
    """Reads the elements of a TCX file in their order, like `GpxReader`."""

    OPENED: Final = frozenset({"activity", "creator", "lap", "trackpoint"})
    CLOSED: Final = frozenset({*OPENED, "id", "name", "time", "totaltimeseconds", *_VALUES})

    def __init__(self) -> None:
        self._points = PointList()
        self._values: dict[str, float] | None = None  # values of the open point
        self._time: datetime | None = None
        self._in_activity = False
        self._in_creator = False
        self._lap: dict[str, float] | None = None
        self._lap_start: datetime | None = None
        self._laps: list[Lap] = []
        self._laps_before = 0
        self._sport: str | None = None
        self._begun: datetime | None = None
        self._sessions: list[Session] = []
        self._device: str | None = None
        self._offset_s: int | None = None

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        """Handle the start of an element."""
        if name == "trackpoint":
            self._values, self._time = {}, None
        elif name == "lap" and self._in_activity:
            self._lap, self._lap_start = {}, instant(attributes.get("StartTime", ""))
        elif name == "activity":
            self._in_activity, self._begun, self._laps_before = True, None, len(self._laps)
            self._sport = attributes.get("Sport", "").strip() or None
        elif name == "creator":
            self._in_creator = True

    def closed(self, name: str, text: str) -> None:
        """Handle the end of an element, with its text."""
        if self._values is not None:
            self._closed_in_point(name, text)
        elif self._lap is not None:
            self._closed_in_lap(name, text)
        elif name == "id" and self._in_activity:
            self._begun = self._begun or instant(text)
            if self._begun and self._offset_s is None:
                self._offset_s = local_offset_s(self._begun)
        elif name == "name" and self._in_creator and self._device is None:
            self._device = text.strip() or None
        elif name == "creator":
            self._in_creator = False
        elif name == "activity":
            self._close_activity()

    def _closed_in_point(self, name: str, text: str) -> None:
        if name == "trackpoint":
            if self._in_activity and self._values is not None:
                self._points.add(self._time.timestamp() if self._time else None, self._values)
                check_count(len(self._points))
            self._values = None
        elif name == "time":
            self._time = self._time or instant(text)
            if self._offset_s is None and self._time:
                self._offset_s = local_offset_s(self._time)
        elif name in _VALUES and self._values is not None:
            value = number(text)
            if value is not None:
                self._values.setdefault(_VALUES[name], value)

    def _closed_in_lap(self, name: str, text: str) -> None:
        if self._lap is None:
            return
        if name == "lap":
            check_count(len(self._laps))
            elapsed_s = self._lap.get("totaltimeseconds")
            self._laps.append(Lap(self._lap_start, elapsed_s, None, self._lap.get("distancemeters")))
            self._lap = None
        elif name in {"totaltimeseconds", "distancemeters"}:
            value = number(text)
            if value is not None:
                self._lap.setdefault(name, value)

    def _close_activity(self) -> None:
        laps = self._laps[self._laps_before :]
        elapsed = [lap.elapsed_s for lap in laps if lap.elapsed_s is not None]
        metres = [lap.distance_m for lap in laps if lap.distance_m is not None]
        start = self._begun or (laps[0].start if laps else None)
        check_count(len(self._sessions))
        self._sessions.append(
            Session(start, sum(elapsed) if elapsed else None, sum(metres) if metres else None, self._sport, None)
        )
        self._in_activity = False

    def activity(self, faults: tuple[str, ...]) -> ActivityFile:
        """Return the activity; raises `UnreadableFile` if there is none, or none with a time."""
        if self._in_activity:  # the file ends within it
            self._close_activity()
        points = self._points.table()
        if not len(points) and not self._laps:
            if len(self._points):
                raise UnreadableFile("no times", "Its points have no times.")
            raise UnreadableFile("no activity", "It is a TCX file without an activity.")
        first = self._sessions[0] if self._sessions else None
        return ActivityFile(
            format="tcx",
            points=points,
            start=(first.start if first else None) or (points["time"][0].as_py() if len(points) else None),
            sport=first.sport if first else None,
            sub_sport=None,
            device=self._device,
            utc_offset_s=self._offset_s,
            sessions=tuple(self._sessions),
            laps=tuple(self._laps),
            faults=faults,
        )
