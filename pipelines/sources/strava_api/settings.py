"""Strava's addresses and limits, the types of its numbers, and the names of settings in error messages."""

from typing import Final

from dlt.common.schema.typing import TTableSchemaColumns

API_URL: Final = "https://www.strava.com/api/v3"
OAUTH_URL: Final = "https://www.strava.com/oauth"
MAX_PER_PAGE: Final = 200

# parameters of requests to endpoints
PARAMS: Final[dict[str, dict[str, str]]] = {
    "activity_details": {"include_all_efforts": "true"},
    "activity_streams": {
        "keys": "time,distance,latlng,altitude,velocity_smooth,heartrate,cadence,watts,temp,moving,grade_smooth",
        "key_by_type": "true",
    },
    "activity_photos": {"size": "2048", "photo_sources": "true"},
}
# what goes back and forth in the list although nobody does anything, and what no athlete can edit: in real snapshots
# of a list the number of companions of 99 activities went from 1 to 3 and back, 339 times in 12 of them
FLAPPING: Final = ("athlete_count",)
# what others change, or what is unstable: no sign that the details have changed
OTHERS_DOING: Final = frozenset({"kudos_count", "comment_count", "has_kudoed", *FLAPPING})
# what a crop changes, and with it everything that was measured
SHAPE: Final = ("start_date", "elapsed_time", "moving_time", "distance")

# Strava sends these as 5 in one row and 5.1 in the next
_FLOATS: Final[dict[str, tuple[str, ...]]] = {
    "activities": (
        *("distance", "total_elevation_gain", "average_speed", "max_speed", "average_cadence", "average_temp"),
        *("average_watts", "weighted_average_watts", "max_watts", "kilojoules", "average_heartrate", "max_heartrate"),
        *("elev_high", "elev_low", "suffer_score", "utc_offset"),
    ),
    "athlete": ("weight",),
    "gear": ("distance", "converted_distance", "weight", "notification_distance"),
    "routes": ("distance", "elevation_gain"),
    "activity_zones": ("score", "points"),
}
_FLOATS["activity_details"] = (*_FLOATS["activities"], "calories", "perceived_exertion")
_FLOATS["activity_laps"] = _FLOATS["activities"][:13]
_LOCAL: Final = ("activities", "activity_details", "activity_laps")


def columns_of(resource: str) -> TTableSchemaColumns:
    """The types that dlt cannot infer, by column."""
    columns: TTableSchemaColumns = {name: {"name": name, "data_type": "double"} for name in _FLOATS.get(resource, ())}
    if resource in _LOCAL:
        columns["start_date"] = {"name": "start_date", "data_type": "timestamp"}
        # it ends in a Z although it is not UTC
        columns["start_date_local"] = {"name": "start_date_local", "data_type": "timestamp", "timezone": False}
    return columns


# The names that a dlt user knows. A program around the source replaces them by its own names, once, at its start.
CALLED: Final[dict[str, str]] = {
    "auth": "the authorisation (README.md of the source)",
    "client_id": "sources.strava_api.client_id",
    "client_secret": "sources.strava_api.client_secret",
    "api_url": "sources.strava_api.api_url",
    "oauth_url": "sources.strava_api.oauth_url",
    "token_file": "sources.strava_api.token_file",
    "reserve": "reserve",
    "later": "Run again later.",
}
