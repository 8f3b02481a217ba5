"""How often Strava's real answers contain which field, and as which JSON type.

Counted over 9,776 summaries and 149 details of 13 accounts. A field's shares are percentages of all objects;
what is missing to 100 is the share of objects in which the field is absent. Fields that are in every object with one
type, and fields that follow from another one (a map has a polyline where there is GPS), are left out.
"""

from collections.abc import Mapping
from typing import Final

Shares = Mapping[str, float]

SUMMARY: Final[Mapping[str, Shares]] = {
    "average_cadence": {"float": 47.9, "int": 1.9},
    "average_heartrate": {"float": 66.7, "int": 2.2},
    "average_speed": {"float": 99.2, "int": 0.8},
    "average_temp": {"int": 40.6},
    "average_watts": {"float": 45.3, "int": 0.8},
    "device_name": {"string": 26.9},
    "device_watts": {"bool": 46.1},
    "distance": {"float": 93.4, "int": 6.6},
    "elev_high": {"float": 87.0, "int": 8.3},
    "elev_low": {"float": 89.9, "int": 5.5},
    "end_latlng": {"array": 89.5, "empty": 10.2, "null": 0.3},
    "external_id": {"string": 98.7, "null": 1.3},
    "from_accepted_tag": {"bool": 99.7, "null": 0.3},
    "gear_id": {"string": 65.8, "null": 34.2},
    "id": {"long": 71.6, "int": 28.4},
    "kilojoules": {"float": 45.4, "int": 0.7},
    "location_city": {"null": 91.9, "string": 8.1},
    "location_country": {"null": 58.4, "string": 33.7, "empty": 7.9},
    "location_state": {"null": 91.9, "string": 8.1},
    "max_heartrate": {"float": 48.7, "int": 20.2},
    "max_speed": {"float": 95.8, "int": 4.2},
    "max_watts": {"int": 14.1},
    "sport_type": {"string": 85.0},
    "start_latitude": {"float": 14.6, "null": 0.3},
    "start_latlng": {"array": 89.5, "empty": 10.2, "null": 0.3},
    "start_longitude": {"float": 14.6, "null": 0.3},
    "suffer_score": {"float": 15.1, "null": 5.3, "int": 2.6},
    "total_elevation_gain": {"float": 73.9, "int": 26.1},
    "upload_id": {"long": 72.4, "int": 26.4, "null": 1.2},
    "upload_id_str": {"string": 90.7},
    "utc_offset": {"float": 64.3, "int": 35.7},
    "weighted_average_watts": {"int": 14.1},
    "workout_type": {"int": 49.0, "null": 36.7},
}

ALWAYS: Final = frozenset(
    "achievement_count athlete athlete_count comment_count commute display_hide_heartrate_option "  # noqa: SIM905
    "elapsed_time flagged has_heartrate has_kudoed heartrate_opt_out id id_str kudos_count manual map moving_time name "
    "photo_count pr_count private resource_state start_date start_date_local timezone total_photo_count trainer type "
    "visibility".split()
)
"""Fields of every real summary, in one type each."""

DETAIL: Final[Mapping[str, Shares]] = {
    "available_zones": {"array": 53.0, "empty": 46.3},
    "calories": {"int": 98.0, "float": 2.0},
    "description": {"null": 85.9, "empty": 7.4, "string": 6.7},
    "device_name": {"string": 97.3},
    "hide_from_home": {"bool": 99.3},
    "laps": {"array": 99.3},
    "leaderboard_opt_out": {"bool": 0.7},
    "perceived_exertion": {"null": 99.3},
    "photos": {"object": 99.3},
    "prefer_perceived_exertion": {"null": 94.0, "bool": 5.4},
    "private_note": {"empty": 0.7},
    "segment_leaderboard_opt_out": {"bool": 0.7},
    "splits_metric": {"array": 98.0},
    "splits_standard": {"array": 97.3},
    "sport_image_visibility": {"string": 43.6},
    "stats_visibility": {"array": 98.7},
}


def present(shares: Shares) -> float:
    """Return the share (0 to 1) of objects that hold the field at all."""
    return sum(shares.values()) / 100


INT_SHARE: Final[Mapping[str, float]] = {
    name: shares.get("int", 0.0) / (shares.get("int", 0.0) + shares["float"])
    for name, shares in SUMMARY.items()
    if "float" in shares
}
"""The share (0 to 1) of ints among the numbers of a summary's field."""


def kind_of(value: object) -> str:
    """Return the census's name for a JSON value's type: what `SUMMARY` and `DETAIL` count."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "long" if value > 2**31 else "int"
    if isinstance(value, (str, list)) and not value:
        return "empty"
    return {float: "float", str: "string", list: "array"}.get(type(value), "object")
