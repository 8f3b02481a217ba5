"""Strava's addresses and limits, the types of its numbers, and what the sentences of errors call things."""

from typing import Final

API_URL: Final = "https://www.strava.com/api/v3"
OAUTH_URL: Final = "https://www.strava.com/oauth"
MAX_PER_PAGE: Final = 200

# How a dlt user knows them. A program around the source that has names of its own puts them here, once, at its start.
CALLED: Final[dict[str, str]] = {
    "auth": "the authorisation (README.md of the source)",
    "client_id": "sources.strava_api.client_id",
    "client_secret": "sources.strava_api.client_secret",
    "api_url": "sources.strava_api.api_url",
    "oauth_url": "sources.strava_api.oauth_url",
    "token_file": "sources.strava_api.token_file",
    "reserve": "reserve",
}
