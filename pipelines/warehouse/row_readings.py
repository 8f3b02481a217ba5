"""The reading of a row of an export's activities.csv: a JSON object with the names of Strava's API."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from pipelines.sources.strava_export import DateOrder, ExportError, date_text, read_row, upload_id_of
from pipelines.sources.strava_export.layout import FILE_ERROR
from pipelines.sources.strava_export.sports import is_several, type_of

# fields with another name in the API; all others keep the name in seeds/columns.csv
API_NAMES = {
    "activity_id": "id",
    "elapsed_time_s": "elapsed_time",
    "moving_time_s": "moving_time",
    "distance_m": "distance",
    "max_speed_m_s": "max_speed",
    "average_speed_m_s": "average_speed",
    "elevation_gain_m": "total_elevation_gain",
    "elevation_low_m": "elev_low",
    "elevation_high_m": "elev_high",
    "average_temperature_c": "average_temp",
    "relative_effort": "suffer_score",
}
# whole numbers in the API
WHOLE = ("elapsed_time", "moving_time")
# beyond this, a number is a mistake and not an integer of 64 bits
TOO_MUCH = 1e15
NOT_KEPT = ("bike_id", "gear_id", "type", "total_work_j")
RACE_OF_A_RUN, RACE_OF_A_RIDE, LONG_RUN = 1, 11, 2


class RowReadings:
    """Makes readings of rows; `all_payloads` are those of bronze, which show how a date like 3/4/2024 is meant."""

    def __init__(self, all_payloads: Callable[[], Iterable[str]]) -> None:
        self._all_payloads = all_payloads
        self._orders: dict[str, DateOrder] | None = None

    def __call__(self, payload: str) -> dict[str, Any]:
        """The reading of the row with this payload; `problem` is the reason if it cannot be read."""
        try:
            return _reading(payload, read_row(payload, month_first=self._month_first(payload)))
        except (ExportError, ValueError, LookupError) as error:
            return {"problem": f"{error or type(error).__name__}"}

    def _month_first(self, payload: str) -> bool:
        title, text = date_text(payload)
        if "/" not in text:
            return False
        if self._orders is None:
            self._orders = {}
            for other in self._all_payloads():
                self._look_at(other)
        return title in self._orders and self._orders[title].month_first

    def _look_at(self, payload: str) -> None:
        try:
            title, text = date_text(payload)
        except (ExportError, ValueError, LookupError):
            return
        if self._orders is not None:
            # the titles are in one language, which writes all dates alike
            self._orders.setdefault(title, DateOrder()).look_at(text)


def _reading(payload: str, values: dict[str, Any]) -> dict[str, Any]:
    reading = {API_NAMES.get(name, name): _plain(value) for name, value in values.items() if name not in NOT_KEPT}
    for name in WHOLE:
        if reading.get(name) is not None and abs(reading[name]) < TOO_MUCH:
            reading[name] = round(reading[name])
    reading |= _sports(values) | _gear(values)
    file_name = values["file_name"]
    reading["upload_id"] = upload_id_of(file_name) if file_name else None
    reading["manual"] = _is_manual(payload, values)
    reading["has_heartrate"] = any(values.get(name) is not None for name in ("average_heartrate", "max_heartrate"))
    if values.get("total_work_j") is not None:
        reading["kilojoules"] = values["total_work_j"] / 1000
    # empty is not zero
    return {name: value for name, value in reading.items() if value is not None}


def _sports(values: dict[str, Any]) -> dict[str, Any]:
    """`type`, and `sport_type` if the row shows it: a Run may be a TrailRun, which only file and API know."""
    named = values["type"]
    if named is None:
        return {}
    type_ = type_of(named)
    sport_type = None if named == type_ and is_several(type_) else named
    is_long, is_race = values.get("long_run"), values.get("competition")
    workout_type = None
    if type_ == "Ride":
        workout_type = RACE_OF_A_RIDE if is_race else None
    elif type_ == "Run":
        workout_type = RACE_OF_A_RUN if is_race else LONG_RUN if is_long else None
    return {"type": type_, "sport_type": sport_type, "workout_type": workout_type}


def _gear(values: dict[str, Any]) -> dict[str, Any]:
    """The gear's id as in the API; before 2025 it may be off by one or two, and only `gear_name` is certain."""
    for column, letter in (("bike_id", "b"), ("gear_id", "g")):
        if number := values.get(column):
            return {"gear_id": f"{letter}{number}"}
    return {}


def _is_manual(payload: str, values: dict[str, Any]) -> bool:
    is_upload = values.get("from_upload")
    if is_upload is not None:
        return not is_upload
    # old rows do not show it; an activity whose file Strava failed to make had a file
    return values["file_name"] is None and f'"{FILE_ERROR}"' not in payload


def _plain(value: Any) -> Any:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value
