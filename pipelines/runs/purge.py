"""Purging: what was deleted at Strava is erased here, from every place where this program ever wrote it.

A tombstone with `purged` is the intent and lands first. The next purge or flow finds whatever a kill leaves undone:
rows of that activity, not newer than the intent, in a shard, in staging or in a copy of it.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.bronze.doors import in_exports_besides
from pipelines.bronze.shard import IsPurged, erases_purged
from pipelines.bronze.store import READABLE, Bronze
from pipelines.bronze.sweep import purge_tombstone, read_tombstone
from pipelines.bronze.tables import ACTIVITIES, ERASED_FROM, EXPORT_ACTIVITIES, TOMBSTONES
from pipelines.ground.progress import Report
from pipelines.ground.settings import StravaSettings
from pipelines.mirror.landing import Notes
from pipelines.runs.erasure import Doomed, Erasure, Needles
from pipelines.warehouse.database import CATALOG, DATASET, staged_tables
from pipelines.warehouse.points import POINT_FILES

# a shorter name occurs in any text
LEAST_NAME = 6


@dataclass(frozen=True)
class Buried:
    """The newest tombstone of an activity."""

    athlete_id: int
    start_date: datetime | None
    payload: str


class Purge:
    """One purge; no other process may write in `bronze` or in any place of `settings` meanwhile."""

    def __init__(self, bronze: Bronze, notes: Notes, settings: StravaSettings, report: Report) -> None:
        self._bronze = bronze
        self._settings = settings
        self._report = report
        self._notes = notes

    def intend(self) -> set[int]:
        """Land a tombstone with `purged` for each activity that is gone and not purged yet; returns their ids."""
        buried = {
            id_: Buried(athlete_id, start_date, payload)
            for athlete_id, id_, start_date, _, payload in self._bronze.tombstones()
        }
        unpurged = {id_ for id_, tombstone in buried.items() if not read_tombstone(tombstone.payload).get("purged")}
        fetched_at = defaultdict(set)
        for id_, instant, *_ in self._bronze.versions(ACTIVITIES, unpurged):
            fetched_at[id_].add(instant)
        payloads = defaultdict(list)
        # one that came back is live
        gone = unpurged - self._bronze.live_of_all() if unpurged else set()
        # nothing was deleted of a file that an export has too, and a withdrawal of exports must leave it
        for id_ in sorted(gone - in_exports_besides(self._bronze) if gone else ()):
            tombstone = buried[id_]
            payloads[tombstone.athlete_id].append(
                purge_tombstone(
                    id_, tombstone.athlete_id, tombstone.start_date, tombstone.payload, sorted(fetched_at[id_])
                )
            )
        # later than the details too, which are erased as well
        newest = self._bronze.newest_fetched_at() if payloads else None
        for athlete_id, intents in payloads.items():
            self._notes.land(TOMBSTONES, intents, newest, athlete_id)
        return {payload.id for intents in payloads.values() for payload in intents if payload.id is not None}

    def erase(self) -> bool:
        """Erase the rows that an intent of this run or an earlier one covers; returns whether there were any.

        At its end it searches all files of ours for what it erased, and names what is out of its reach.

        Raises:
            WarehouseBusy: another process holds the DuckDB file, which still holds what is erased from all else.
            StorageFailed: a file could not be written; the next purge continues.
        """
        purged_at = self._bronze.purged()
        if not purged_at:
            return False
        is_purged = self._bronze.is_purged(ACTIVITIES)
        versions = {table: self._bronze.versions(table, purged_at) for table in ERASED_FROM}
        hashes: dict[bool, set[str]] = {True: set(), False: set()}
        for id_, fetched_at, payload_hash, _ in versions[ACTIVITIES]:
            hashes[is_purged(id_, fetched_at)].add(payload_hash)
        holding = {Path(file) for found in versions.values() for id_, at, _, file in found if is_purged(id_, at)}
        needles = Needles(self._gone(), self._names(is_purged) if holding else set())
        # an activity that came back unchanged has the same bytes
        erased = {bytes.fromhex(text) for text in hashes[True] - hashes[False]}
        return self._erasure(purged_at).erase(holding, erased, needles, lambda each: _staged_hashes(each, purged_at))

    def look_again(self) -> None:
        """Search all files of ours for the ids of everything that was ever purged; name what is out of reach.

        Raises:
            StorageFailed: a file cannot be read or removed.
        """
        if gone := self._gone():
            self._erasure(self._bronze.purged()).look_through(Needles(gone, set()))

    def _erasure(self, purged_at: dict[int, datetime]) -> Erasure:
        erases = erases_purged(self._bronze.is_purged(ACTIVITIES))
        doomed = Doomed(
            "Purge",
            "what was purged",
            ERASED_FROM,
            lambda _table: erases,
            lambda connection: _holds_any(connection, purged_at),
            max(purged_at.values()),
            # also if it came back: the earlier file may be another one
            points_of=set(purged_at),
        )
        return Erasure(self._bronze, self._settings, self._report, doomed)

    def _gone(self) -> set[int]:
        """Ids of what was purged and has not landed again since."""
        purged_at = self._bronze.purged()
        versions = [row for table in ERASED_FROM if purged_at for row in self._bronze.versions(table, purged_at)]
        is_purged = self._bronze.is_purged(ACTIVITIES)
        return set(purged_at) - {id_ for id_, at, *_ in versions if not is_purged(id_, at)}

    def _names(self, is_purged: IsPurged) -> set[str]:
        """The names of purged rows that no other activity's name contains."""
        # a row of an export is an array of [title, text], and the name is the third in every layout
        rows = self._bronze.query(
            f"""
            select id, fetched_at, try(json_extract_string({READABLE}, '$.name')) as name from {{{ACTIVITIES}}}
            union all
            select id, fetched_at, try(json_extract_string(payload, '$[2][1]')) as name from {{{EXPORT_ACTIVITIES}}}
            """
        )
        kept = "\n".join({name for id_, at, name in rows if name and not is_purged(id_, at)})
        purged = {name for id_, at, name in rows if name and is_purged(id_, at)}
        return {name for name in purged if len(name) >= LEAST_NAME and name not in kept}


def _table(purged_at: dict[int, datetime]) -> pa.Table:
    return pa.table(
        {
            "id": pa.array(purged_at.keys(), pa.int64()),
            "purged_at": pa.array(purged_at.values(), pa.timestamp("us")),
        }
    )


def _holds_any(connection: duckdb.DuckDBPyConnection, purged_at: dict[int, datetime]) -> bool:
    """Whether staging of the opened warehouse has rows that were purged."""
    connection.register("purged", _table(purged_at))
    there = staged_tables(connection)
    return any(
        connection.execute(
            f"select 1 from {DATASET}.{table} as rows join purged using (id) "
            "where rows.fetched_at <= purged.purged_at limit 1"
        ).fetchone()
        for table in (*ERASED_FROM, POINT_FILES)
        if table in there
    )


def _staged_hashes(connection: duckdb.DuckDBPyConnection, purged_at: dict[int, datetime]) -> set[bytes]:
    """The hashes of purged summaries in staging whose bytes no other one has."""
    if ACTIVITIES not in staged_tables(connection):
        return set()
    connection.register("purged", _table(purged_at))
    rows = connection.execute(
        "select distinct payload_hash, coalesce(rows.fetched_at <= purged.purged_at, false) "
        f"from {CATALOG}.{DATASET}.{ACTIVITIES} as rows left join purged using (id)"
    ).fetchall()
    kept = {payload_hash for payload_hash, is_purged in rows if not is_purged}
    return {bytes.fromhex(text) for text, _ in rows if text not in kept}
