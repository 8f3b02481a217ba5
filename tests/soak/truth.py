"""A warehouse against Strava's truth, field by field: what differs, in words. Empty lists are what a mirror owes."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

Rows = list[dict[str, Any]]
TABLES = ("activities", "activity_details", "sweeps", "tombstones")
# a detail's gear tells how far it has gone in other activities by now: as old as the detail is
OF_OTHER_ACTIVITIES = {"gear"}
# Strava changes this to and fro by itself; see `kept_though_flapped`
FLAPS = "athlete_count"
FLAPS_FOR = timedelta(days=30)
# in what a detail has to agree with a summary that changed after it was fetched
FOLLOWED = {
    *("name", "type", "sport_type", "gear_id", "visibility", "distance", "moving_time", "elapsed_time"),
    *("total_elevation_gain", "achievement_count", "comment_count", "photo_count", "pr_count"),
}


def bronze_rows(data: Path, table: str, but: Collection[Path] = ()) -> Rows:
    """The rows of all shards of `table` that are none of `but`, oldest first."""
    paths = [path for path in (data / table).glob("*.parquet") if path not in but]
    rows = [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]
    return sorted(rows, key=lambda row: row["fetched_at"])


def live_in_bronze(data: Path, tombstones: Rows | None = None) -> dict[int, str]:
    """Id → payload of the activities that bronze takes for live: whose newest version is newer than any tombstone.

    tombstones: those that count, if not all.
    """
    if tombstones is None:
        tombstones = bronze_rows(data, "tombstones")
    newest = {row["id"]: row for row in bronze_rows(data, "activities")}
    buried = {row["id"]: row["fetched_at"] for row in tombstones}
    alive = (row for id_, row in newest.items() if id_ not in buried or row["fetched_at"] > buried[id_])
    return {row["id"]: row["payload"] for row in alive}


def kept_though_flapped(data: Path, truth: Mapping[int, bytes]) -> dict[int, bytes]:
    """What bronze has of the activities whose count returned to one that it had before, and of which no more changed.

    Such a count may wait until the newest version is 30 days old. By id; all others have to be as Strava lists them.
    """
    chains: dict[int, Rows] = defaultdict(list)
    for row in bronze_rows(data, "activities"):
        chains[row["id"]].append(row)
    young = datetime.now(UTC).replace(tzinfo=None) - FLAPS_FOR
    kept = {}
    for id_, payload in live_in_bronze(data).items():
        # nothing that cannot differ is parsed
        if id_ not in truth or payload.encode() == truth[id_] or chains[id_][-1]["fetched_at"] <= young:
            continue
        before, now = json.loads(payload), json.loads(truth[id_])
        had = [json.loads(row["payload"])[FLAPS] for row in chains[id_]]
        if before | {FLAPS: now[FLAPS]} == now and now[FLAPS] in had:
            kept[id_] = payload.encode()
    return kept


def list_differences(data: Path, truth: Mapping[int, bytes]) -> list[str]:
    """What bronze takes for live against what Strava lists, byte for byte, but for counts that may wait."""
    live = live_in_bronze(data)
    truth = {**truth, **kept_though_flapped(data, truth)}
    return [
        *(f"{id_} is at Strava and not in bronze" for id_ in sorted(truth.keys() - live.keys())),
        *(f"{id_} is live in bronze and not at Strava" for id_ in sorted(live.keys() - truth.keys())),
        *(f"{id_} has other bytes in bronze" for id_ in truth.keys() & live.keys() if live[id_].encode() != truth[id_]),
    ]


def staging_differences(warehouse: Path, data: Path) -> list[str]:
    """Staging against the shards: every row once."""
    found = []
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        for table in TABLES:
            staged = connection.execute(f"select id, fetched_at, payload_hash, payload from staging.{table}").fetchall()
            landed = Counter(
                (row["id"], row["fetched_at"], row["payload_hash"], row["payload"]) for row in bronze_rows(data, table)
            )
            if Counter(staged) != landed:
                found.append(f"staging.{table} has {len(staged)} rows, the shards {landed.total()}")
            if table == "activities" and max(landed.values(), default=1) > 1:
                found.append("a version landed twice")
    return found


class Warehouse:
    """The tables that users query, read once."""

    def __init__(self, path: Path) -> None:
        with duckdb.connect(str(path), read_only=True) as connection:

            def rows(query: str) -> Rows:
                result = connection.execute(query)
                names = [column[0] for column in result.description]
                return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

            self.activities = rows("from strava.activities order by id")
            self.details = rows("from strava.activity_details order by id")
            self.history = rows("from strava.activities_history order by id, version")
            self.deleted = rows("from strava.deleted_activities order by id")
            self.rollups = {
                period: rows(f"from strava.activities_{name} order by all")
                for period, name in (("day", "daily"), ("week", "weekly"), ("month", "monthly"), ("year", "yearly"))
            }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Warehouse) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def differences(
        self,
        truth: Mapping[int, bytes],
        details: Mapping[int, dict[str, Any]],
        versions: set[tuple[int, str]],
        seen: set[tuple[int, str]],
        purged: set[int],
        torn: bool,
    ) -> list[str]:
        """What differs from Strava.

        truth: summaries by id, as listed, or as kept though a count returned. details: what the detail endpoint
        answers, by id. versions: (id, hash) of all summaries there ever were, of which those `seen` were there at a
        quiet pull, and not erased since. purged: ids of what is gone and erased. torn: whether shards, and with them
        versions, got lost.
        """
        return [
            *self._of_activities(truth),
            *self._of_details(details),
            *self._of_rollups([json.loads(text) for text in truth.values()]),
            *self._of_history(set(truth), versions, seen, torn),
            *self._of_deleted(set(truth), purged, torn),
        ]

    def _of_activities(self, truth: Mapping[int, bytes]) -> Iterable[str]:
        ids = Counter(row["id"] for row in self.activities)
        yield from (f"strava.activities has {id_} {count} times" for id_, count in ids.items() if count > 1)
        yield from (f"strava.activities lacks {id_}" for id_ in truth.keys() - ids.keys())
        yield from (f"strava.activities still has {id_}" for id_ in ids.keys() - truth.keys())
        for row in self.activities:
            for name, value in json.loads(truth.get(row["id"], b"{}")).items():
                if name not in row:
                    yield f"strava.activities has no column {name}"
                elif not _same(row[name], value):
                    yield f"strava.activities.{name} of {row['id']} is {row[name]!r}, at Strava {value!r}"

    def _of_details(self, details: Mapping[int, dict[str, Any]]) -> Iterable[str]:
        kept = {row["id"]: row for row in self.details}
        if len(kept) < len(self.details):
            yield "strava.activity_details has an id twice"
        yield from (f"strava.activity_details lacks {id_}" for id_ in details.keys() - kept.keys())
        yield from (f"strava.activity_details still has {id_}" for id_ in kept.keys() - details.keys())
        newest = {row["id"]: row["fetched_at"] for row in self.activities}
        for id_ in kept.keys() & details.keys():
            stored = json.loads(kept[id_]["json"])
            # a count that returned lands neither as a summary nor with details
            names = (stored.keys() | details[id_].keys()) - OF_OTHER_ACTIVITIES - {FLAPS}
            if kept[id_]["fetched_at"] < newest.get(id_, datetime.max):
                names &= FOLLOWED
            for name in names:
                if stored.get(name) != details[id_].get(name):
                    yield f"the detail's {name} of {id_} is {stored.get(name)!r}, at Strava {details[id_].get(name)!r}"

    def _of_rollups(self, summaries: Rows) -> Iterable[str]:
        for period, rows in self.rollups.items():
            name = "activity_date" if period == "day" else f"{period}_start_date"
            stored = {(row["athlete_id"], row[name], row["sport_type"]): row for row in rows}
            computed = _rolled_up(summaries, period)
            if len(stored) < len(rows):
                yield f"the rollup by {period} has a key twice"
            for key in stored.keys() ^ computed.keys():
                yield f"the rollup by {period} {'has' if key in stored else 'lacks'} {key}"
            for key in stored.keys() & computed.keys():
                for measure, value in computed[key].items():
                    if abs(stored[key][measure] - value) > 0.01:
                        yield f"{measure} of {key} by {period} is {stored[key][measure]}, computed {value}"

    def _of_history(
        self, live: set[int], versions: set[tuple[int, str]], seen: set[tuple[int, str]], torn: bool
    ) -> Iterable[str]:
        chains: dict[int, Rows] = defaultdict(list)
        for row in self.history:
            chains[row["id"]].append(row)
        reported = {(row["id"], row["payload_hash"]) for row in self.history}
        yield from (f"the history lacks a version of {id_} that was seen" for id_, _ in seen - reported)
        yield from (f"the history has a version of {id_} that never was" for id_, _ in reported - versions)
        gone_at = {row["id"]: row["noticed_at"] for row in self.deleted}
        for id_, chain in chains.items():
            if [row["version"] for row in chain] != list(range(1, len(chain) + 1)):
                yield f"the versions of {id_} are numbered {[row['version'] for row in chain]}"
            for row, following in pairwise(chain):
                unchanged = row["payload_hash"] == following["payload_hash"]
                if row["valid_to"] is None or not row["valid_from"] < row["valid_to"] <= following["valid_from"]:
                    yield f"version {row['version']} of {id_} overlaps the next"
                elif row["valid_to"] == following["valid_from"] and unchanged and not torn:
                    yield f"version {following['version']} of {id_} is no other than the one before"
            last = chain[-1]["valid_to"]
            if (last is None) != (id_ in live) or last != gone_at.get(id_):
                yield f"the last version of {id_} ends {last}, and it is {'there' if id_ in live else 'gone'}"

    def gaps(self) -> Iterable[tuple[int, datetime]]:
        """(id, instant) where a version ends and the next begins later: only a deletion in between explains that."""
        for row, following in pairwise(self.history):
            if row["id"] == following["id"] and row["valid_to"] != following["valid_from"]:
                yield row["id"], row["valid_to"]

    def _of_deleted(self, live: set[int], purged: set[int], torn: bool) -> Iterable[str]:
        kept = {row["id"]: row for row in self.deleted}
        expected = {row["id"] for row in self.history} - live | purged
        last = {row["id"]: row["payload_hash"] for row in self.history}
        # a tombstone whose versions were in a torn shard, and in no warehouse
        bare = {id_ for id_, row in kept.items() if torn and row["payload"] is None} - live - purged - last.keys()
        if len(kept) < len(self.deleted):
            yield "strava.deleted_activities has an id twice"
        yield from (
            f"strava.deleted_activities {'has' if id_ in kept else 'lacks'} {id_}"
            for id_ in kept.keys() - bare ^ expected
        )
        for id_ in kept.keys() & expected:
            row = kept[id_]
            if id_ in purged or row["purged"]:
                if id_ not in purged or id_ in last or (row["payload"], row["name"]) != (None, None):
                    yield f"strava.deleted_activities tells {row['name']!r} of {id_}, purged: {row['purged']}"
                continue
            if hashlib.sha256(row["payload"].encode()).hexdigest() != last[id_]:
                yield f"strava.deleted_activities.payload of {id_} is not its last version"
            summary = json.loads(row["payload"])
            for name in summary.keys() & row.keys():
                if not _same(row[name], summary[name]):
                    yield f"strava.deleted_activities.{name} of {id_} is {row[name]!r}, it was {summary[name]!r}"
            if row["reason"] not in ("deleted", "out_of_reach"):
                yield f"strava.deleted_activities.reason of {id_} is {row['reason']!r}"


def _same(stored: Any, sent: Any) -> bool:
    """Whether a column holds what Strava sent, as its type can."""
    if isinstance(stored, datetime):
        return isinstance(sent, str) and stored == datetime.fromisoformat(sent.removesuffix("Z"))
    if isinstance(stored, dict):
        return isinstance(sent, dict) and all(stored.get(name) == value for name, value in sent.items())
    return bool(stored == sent)


def _rolled_up(summaries: Rows, period: str) -> dict[tuple[int, date, str], dict[str, float]]:
    """The rollup of `summaries` by day, week, month or year, computed in Python."""
    rolled: dict[tuple[int, date, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    days: dict[tuple[int, date, str], set[date]] = defaultdict(set)
    for summary in summaries:
        day = date.fromisoformat(summary["start_date_local"][:10])
        start = {
            "day": day,
            "week": day - timedelta(days=day.weekday()),
            "month": day.replace(day=1),
            "year": day.replace(month=1, day=1),
        }[period]
        key = (summary["athlete"]["id"], start, summary.get("sport_type") or summary["type"])
        measures = rolled[key]
        measures["activities"] += 1
        measures["distance_m"] += summary["distance"]
        measures["moving_time_s"] += summary["moving_time"]
        measures["total_elevation_gain_m"] += summary["total_elevation_gain"]
        measures["kudos"] += summary["kudos_count"]
        days[key].add(day)
    for key, active in days.items():
        rolled[key]["active_days"] = len(active)
    return rolled
