"""Fields that Strava has begun to send and that are unknown here: which, and since when.

They are in every payload as Strava sent them. This only lets people notice them.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson

from pipelines.bronze.store import READABLE, BronzeReader
from pipelines.bronze.tables import ACTIVITIES, ACTIVITY_DETAILS
from pipelines.ground.durable import read_whole, size_of, written_whole

# a column of strava.activities, or part of one
_SUMMARY = (
    "achievement_count athlete athlete.id athlete.resource_state athlete_count average_cadence average_heartrate "
    "average_speed average_temp average_watts comment_count commute device_name device_watts "
    "display_hide_heartrate_option distance elapsed_time elev_high elev_low end_latlng external_id flagged "
    "from_accepted_tag gear_id has_heartrate has_kudoed heartrate_opt_out hide_from_home id id_str kilojoules "
    "kudos_count location_city location_country location_state manual map map.id map.resource_state "
    "map.summary_polyline max_heartrate max_speed max_watts moving_time name photo_count pr_count private "
    "resource_state sport_type start_date start_date_local start_latitude start_latlng start_longitude suffer_score "
    "timezone total_elevation_gain total_photo_count trainer type upload_id upload_id_str utc_offset visibility "
    "weighted_average_watts workout_type"
)
SUMMARY_FIELDS = frozenset(_SUMMARY.split())
# what details have besides; the insides of these are not checked
_DETAILS_TOO = (
    "available_zones best_efforts calories description embed_token gear laps leaderboard_opt_out map.polyline "
    "perceived_exertion photos prefer_perceived_exertion private_note segment_efforts segment_leaderboard_opt_out "
    "similar_activities splits_metric splits_standard stats_visibility"
)
DETAIL_FIELDS = SUMMARY_FIELDS | frozenset(_DETAILS_TOO.split())
KNOWN = {ACTIVITIES: SUMMARY_FIELDS, ACTIVITY_DETAILS: DETAIL_FIELDS}
LOOKED_INTO = ("athlete", "map")
# the note, beside the warehouse
FILE = "fields.json"
# a nonsensical payload may have any number
MOST_PER_SHARD = 100
_PATHS = ", ".join(f"'{path}'" for path in ("$", *(f"$.{name}" for name in LOOKED_INTO)))
_INSIDE = ", ".join(
    f"list_transform(keys[{number}], lambda key: '{name}.' || key)" for number, name in enumerate(LOOKED_INTO, 2)
)
# almost all payloads of a shard have the same fields: those are looked at once
_QUERY = f"""
    select field, min(fetched_at)
    from (
        select fetched_at, unnest(list_concat(keys[1], {_INSIDE})) as field
        from (
            select keys, min(fetched_at) as fetched_at
            from (select fetched_at, try(json_keys({READABLE}, [{_PATHS}])) as keys from {{table}})
            group by keys
        )
    )
    where not list_contains($known, field)
    group by field order by 2, 1 limit {MOST_PER_SHARD}
"""


@dataclass(frozen=True)
class UnknownField:
    """A field of a table's payloads (`athlete.id_str`), and when the first payload with it was fetched (UTC)."""

    table: str
    field: str
    first_seen_at: datetime


class FieldsSeen:
    """Which unknown fields the shards of `bronze` have; kept in `folder`, a cache.

    Shards do not change, so each is read once, by the run that stages it; a purge changes its size.
    """

    def __init__(self, bronze: BronzeReader, folder: Path) -> None:
        self._bronze = bronze
        self._folder = folder

    def look(self) -> None:
        """Read new shards, and note their unknown fields.

        Raises:
            StorageFailed: it cannot be noted.
        """
        noted = _read(self._folder) or {}
        shards = {
            f"{table}/{shard.name} {size_of(shard)}": (table, shard)
            for table in KNOWN
            for shard in self._bronze.shards(table)
        }
        path = self._folder / FILE
        if shards.keys() == noted.keys() and path.exists():
            return
        seen = {key: noted[key] if key in noted else self._fields_of(*shards[key]) for key in shards}
        with written_whole(path, durable=False) as file:
            file.write(orjson.dumps({"made_by": _made_by(), "shards": seen}))

    def _fields_of(self, table: str, shard: Path) -> dict[str, str]:
        query = _QUERY.replace("{table}", f"{{{table}}}")
        rows = self._bronze.query_shard(table, shard, query, known=sorted(KNOWN[table]))
        return {field: seen_at.isoformat() for field, seen_at in rows}


def unknown_fields(folder: Path) -> list[UnknownField] | None:
    """The unknown fields that `FieldsSeen` noted in `folder`, the latest first; None if no run has looked yet.

    Raises:
        StorageFailed: the system could not read the note.
    """
    noted = _read(folder)
    if noted is None:
        return None
    first: dict[tuple[str, str], str] = {}
    for key, fields in noted.items():
        for field, seen_at in fields.items():
            place = (key.partition("/")[0], field)
            first[place] = min(seen_at, first.get(place, seen_at))
    found = [UnknownField(*place, datetime.fromisoformat(seen_at)) for place, seen_at in first.items()]
    return sorted(found, key=lambda each: (-each.first_seen_at.timestamp(), each.table, each.field))


def _read(folder: Path) -> dict[str, dict[str, str]] | None:
    try:
        noted: dict[str, Any] = orjson.loads(read_whole(folder / FILE))
        return noted["shards"] if noted["made_by"] == _made_by() else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _made_by() -> str:
    return f"{duckdb.__version__} {_QUERY} {sorted(SUMMARY_FIELDS)} {sorted(DETAIL_FIELDS)}"
