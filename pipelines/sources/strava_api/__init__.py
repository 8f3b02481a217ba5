"""A dlt source for Strava: activities and what belongs to them, athlete, gear, routes. README.md says how to use it."""

from collections.abc import Iterator
from typing import Literal

import dlt
from dlt.common.typing import TSecretStrValue
from dlt.extract import DltResource

from .endpoint import ACTIVITIES, Endpoint
from .settings import API_URL, MAX_PER_PAGE, OAUTH_URL, SHAPE

ONCE, ANY = "1 for each that is new or cropped", "1 for each that has any, again when their number changes"
PLACE, TYPE = ("activity_id", "position"), ("activity_id", "type")
# what Strava has besides the list of activities: name, path, cost in requests, key, parent, when to fetch again, answer
DETAILS = Endpoint("activity_details", "activities/{id}", "1 for each that is new or changed", "id", ACTIVITIES)
ENDPOINTS = (
    Endpoint("athlete", "athlete", "1", selected=True),
    Endpoint("athlete_zones", "athlete/zones", "1", "type", answers="by type"),
    Endpoint("routes", "athletes/{id}/routes", "1, and 1 for each 200", "id", "athlete", answers="pages"),
    Endpoint("gear", "gear/{id}", "1 for each, once a week", "id", ACTIVITIES, by="gear_id", days=7, selected=True),
    DETAILS,
    Endpoint("activity_streams", "activities/{id}/streams", ONCE, TYPE, ACTIVITIES, SHAPE, "by type"),
    Endpoint("activity_laps", "activities/{id}/laps", ONCE, "id", ACTIVITIES, SHAPE, "list"),
    Endpoint("activity_zones", "activities/{id}/zones", ONCE, PLACE, ACTIVITIES, SHAPE, "list"),
    Endpoint("activity_kudos", "activities/{id}/kudos", ANY, PLACE, ACTIVITIES, "kudos_count", "pages"),
    Endpoint("activity_comments", "activities/{id}/comments", ANY, "id", ACTIVITIES, "comment_count", "pages"),
    Endpoint("activity_photos", "activities/{id}/photos", ANY, "unique_id", ACTIVITIES, "total_photo_count", "list"),
)


# not on the resources: after a run without new activities, dlt 1.31 would not find their Parquet files any more.
# objects and lists stay JSON in their column; `source.max_table_nesting = …` makes tables of them
@dlt.source(section="strava_api", max_table_nesting=0)
def strava_api(
    client_id: str = dlt.config.value,
    client_secret: TSecretStrValue = dlt.secrets.value,
    refresh_token: TSecretStrValue | None = None,
    token_file: str | None = None,
    since: str | None = None,
    lookback_days: float = 30,
    per_page: int = MAX_PER_PAGE,
    when_spent: Literal["raise", "later", "wait"] = "raise",
    min_interval_s: float = 0.1,
    retry_wait_s: float = 1.0,
    budget_file: str | None = None,
    api_url: str = API_URL,
    oauth_url: str = OAUTH_URL,
) -> Iterator[DltResource]:
    """The athlete's own Strava, as `activities` and one resource for each of `ENDPOINTS`.

    Args:
        client_id: of your app, see https://www.strava.com/settings/api.
        client_secret: of the same app.
        refresh_token: from the authorisation; needed until there is a token file.
        token_file: the file of the tokens, because Strava replaces them; by default in dlt's own folder.
        since: only activities that start at this instant or later, like `2026-01-31T00:00:00Z`.
        lookback_days: how far before the newest activity each run looks again, for edits and late uploads.
        per_page: activities per request of the list, at most 200.
        when_spent: what to do when a rate limit is used up: `raise` an error that names the instant at which it opens
            again, `wait` for it, or load what came and fetch the rest `later`, in the next run.
        min_interval_s: minimum time between two requests, in seconds.
        retry_wait_s: wait before the second try of a failed request, in seconds; each further wait is twice as long.
        budget_file: the file that counts requests, for several pipelines of one app on one machine.
        api_url: Strava's API (from 2027-01-04: https://api-v3.strava.com).
        oauth_url: Strava's OAuth pages.

    Raises:
        StravaError: inside dlt's own errors, in a run: what Strava refuses, or a setting that cannot be right.
    """
    # here, because importing requests takes time that those who only read the declarations do not need
    from .resources import Strava, activities, resource_of  # noqa: PLC0415

    strava = Strava(
        credentials=(client_id, client_secret),
        tokens=(refresh_token, token_file),
        urls=(api_url, oauth_url),
        times_s=(min_interval_s, retry_wait_s),
        when_spent=when_spent,
        budget_file=budget_file,
    )
    made = {ACTIVITIES: activities(strava, per_page, lookback_days, since)}
    for endpoint in ENDPOINTS:
        made[endpoint.name] = resource_of(endpoint, strava, made.get(endpoint.parent or ""))
    yield from made.values()
