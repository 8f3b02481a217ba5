"""A dlt source for Strava: activities and what belongs to them, athlete, gear, routes. README.md says how to use it."""

from collections.abc import Iterator
from typing import Literal

import dlt
from dlt.common.typing import TSecretStrValue
from dlt.extract import DltResource

from .endpoint import ACTIVITIES, Endpoint
from .settings import API_URL, MAX_PER_PAGE, OAUTH_URL, SHAPE, STREAMS

DETAILS = Endpoint(
    "activity_details",
    "activities/{id}",
    cost="1 for each that is new or changed",
    parent=ACTIVITIES,
    changes_with=(),
    params={"include_all_efforts": "true"},
)
# what Strava has besides the list of activities: a resource is a declaration
ENDPOINTS = (
    Endpoint("athlete", "athlete", cost="1"),
    Endpoint("athlete_zones", "athlete/zones", cost="1", key="type", answers="by type"),
    Endpoint(
        "routes",
        "athletes/{id}/routes",
        cost="1 for each 200, and 1 for the athlete",
        parent="athlete",
        answers="list",
        paged=True,
    ),
    Endpoint(
        "gear", "gear/{id}", cost="1 for each piece of gear, once a week", parent=ACTIVITIES, by="gear_id", days=7
    ),
    DETAILS,
    Endpoint(
        "activity_streams",
        "activities/{id}/streams",
        cost="1 for each that is new or cropped",
        key=("activity_id", "type"),
        parent=ACTIVITIES,
        changes_with=SHAPE,
        answers="by type",
        params={"keys": STREAMS, "key_by_type": "true"},
    ),
    Endpoint(
        "activity_laps",
        "activities/{id}/laps",
        cost="1 for each that is new or cropped",
        parent=ACTIVITIES,
        changes_with=SHAPE,
        answers="list",
    ),
    Endpoint(
        "activity_zones",
        "activities/{id}/zones",
        cost="1 for each that is new or cropped",
        key=("activity_id", "position"),
        parent=ACTIVITIES,
        changes_with=SHAPE,
        answers="list",
    ),
    Endpoint(
        "activity_kudos",
        "activities/{id}/kudos",
        cost="1 for each that has kudos, again when their number changes",
        key=("activity_id", "position"),
        parent=ACTIVITIES,
        changes_with=("kudos_count",),
        count="kudos_count",
        answers="list",
        paged=True,
    ),
    Endpoint(
        "activity_comments",
        "activities/{id}/comments",
        cost="1 for each that has comments, again when their number changes",
        parent=ACTIVITIES,
        changes_with=("comment_count",),
        count="comment_count",
        answers="list",
        paged=True,
    ),
    Endpoint(
        "activity_photos",
        "activities/{id}/photos",
        cost="1 for each that has photos, again when their number changes",
        key="unique_id",
        parent=ACTIVITIES,
        changes_with=("total_photo_count",),
        count="total_photo_count",
        answers="list",
        params={"size": "2048", "photo_sources": "true"},
    ),
)


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
        refresh_token: what the authorisation gave you; needed until there is a token file.
        token_file: where tokens are kept, because Strava replaces them; by default in dlt's own folder.
        since: only activities that start at this instant or later, like `2026-01-31T00:00:00Z`.
        lookback_days: how far before the newest activity each run looks again, for edits and late uploads.
        per_page: activities per request of the list, 200 at most.
        when_spent: a rate limit is used up: `raise` an error that names the instant at which it opens again, `wait` for
            it, or load what came and fetch the rest `later`, in the next run.
        min_interval_s: least time between two requests, seconds.
        retry_wait_s: wait before the second try of a failed request, seconds; each further one is twice as long.
        budget_file: where used requests are counted, for several pipelines of one app on one machine.
        api_url: Strava's API (from 2027-01-04: https://api-v3.strava.com).
        oauth_url: Strava's OAuth pages.

    Raises:
        StravaError: inside dlt's own errors, in a run: what Strava refuses, or a setting that cannot be right.
    """
    # here, because requests takes its time, and who only looks at the declarations has no need of it
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
