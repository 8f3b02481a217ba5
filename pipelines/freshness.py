"""Which details are worth a request again: their summary has changed in something that only they tell more of."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pipelines.bronze import Enriched

# what an athlete edits, what a crop moves, and what Strava reckons anew
TELLING = (
    "name",
    "type",
    "sport_type",
    "gear_id",
    "visibility",
    "private",
    "start_date",
    "distance",
    "moving_time",
    "elapsed_time",
    "total_elevation_gain",
    "achievement_count",
    "pr_count",
    "comment_count",
    "photo_count",
    "total_photo_count",
    "athlete_count",
    "summary_polyline",
)
KUDOS = ("kudos_count",)


def to_fetch_again(enriched: Iterable[Enriched], kudos_since: datetime) -> list[int]:
    """Ids of those whose details are out of date: changed ones first, then those that only got other kudos.

    Kudos count for activities that start at `kudos_since` (UTC) or later: the older ones hardly get any.
    """
    changed: list[int] = []
    kudos: list[int] = []
    for activity in enriched:
        now, then, detail = (_object(text) for text in (activity.summary, activity.summary_then, activity.detail))
        if _differ(now, then, detail, TELLING):
            changed.append(activity.id)
        elif _differ(now, then, detail, KUDOS) and str(now.get("start_date", "")) >= kudos_since.isoformat():
            kudos.append(activity.id)
    return changed + kudos


def _differ(now: dict[str, Any], then: dict[str, Any], detail: dict[str, Any], fields: tuple[str, ...]) -> bool:
    """Whether `fields` of the summary are others than when the details were fetched, and news to the details."""
    told = _told(now, fields)
    return told != _told(detail, fields) and (not then or told != _told(then, fields))


def _told(held: dict[str, Any], fields: tuple[str, ...]) -> list[Any]:
    route = held.get("map")
    flat = held | {"summary_polyline": route.get("summary_polyline") if isinstance(route, dict) else None}
    return [flat.get(field) for field in fields]


def _object(text: str | None) -> dict[str, Any]:
    try:
        held = json.loads(text or "{}")
    except ValueError:
        return {}
    return held if isinstance(held, dict) else {}
