"""Which details are worth another request: those that contradict their summary and may be older than it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pipelines.mirror.fingerprints import Enriched, Version
from pipelines.sources.strava_api.payloads import read_json

# what versions say, each with the instant at which it was fetched, oldest first
_Versions = list[tuple[datetime, dict[str, Any]]]

# what an athlete edits, what a crop moves, and what Strava computes again; nothing of FLAPPING
COMPARED = (
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
    "map.summary_polyline",
)
KUDOS = ("kudos_count",)
# their places in a payload
PATHS = [f"$.{field}" for field in COMPARED + KUDOS]


def to_fetch_again(enriched: Iterable[Enriched], sweeps: list[datetime], kudos_since: datetime) -> list[int]:
    """Ids of activities whose details are out of date: changed ones first, then those with only other kudos.

    enriched: what versions say at PATHS. sweeps: when complete walks over the list began. Kudos count for activities
    that start at `kudos_since` (UTC) or later: older ones hardly get any.
    """
    changed: list[int] = []
    kudos: list[int] = []
    for activity in enriched:
        summaries, details = _read(activity.summaries), _read(activity.details)
        if _are_outdated(summaries, details, sweeps, COMPARED):
            changed.append(activity.id)
        elif (
            _are_outdated(summaries, details, sweeps, KUDOS)
            and str(summaries[-1][1].get("start_date") or "") >= kudos_since.isoformat()
        ):
            kudos.append(activity.id)
    return changed + kudos


def _are_outdated(summaries: _Versions, details: _Versions, sweeps: list[datetime], fields: tuple[str, ...]) -> bool:
    """Whether the last of `details` differ in `fields` from the last of `summaries`, which came later.

    Strava may present a value differently in the two for ever. That counts as settled if both were seen twice: details
    came back the same although the list was read in between, and the summary had not changed.
    """

    def said(version: dict[str, Any]) -> list[Any]:
        return [version.get(field) for field in fields]

    fetched_at, detail = details[-1]
    now = said(summaries[-1][1])
    read_at = [*sweeps, *(at for at, _ in summaries)]
    if now == said(detail) or not any(at > fetched_at for at in read_at):
        return False
    for at, earlier in details[-2::-1]:
        if said(earlier) != said(detail):
            break
        then = max((landed_at for landed_at, _ in summaries if landed_at <= at), default=at)
        unchanged = all(said(summary) == now for landed_at, summary in summaries if landed_at >= then)
        if unchanged and any(at < between < fetched_at for between in read_at):
            return False
    return True


def _read(versions: Iterable[Version]) -> _Versions:
    return [(version.fetched_at, _parsed(version.fields or [])) for version in versions]


def _parsed(fields: Iterable[str | None]) -> dict[str, Any]:
    return {path[2:]: _comparable(text or "null") for path, text in zip(PATHS, fields, strict=False)}


def _comparable(text: str) -> Any:
    """The JSON value of `text`; for an object or an array, which no field should be, its text."""
    return text if text[0] in "{[" else read_json(text.encode())
