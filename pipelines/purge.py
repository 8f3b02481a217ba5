"""Purging: what was deleted at Strava is erased here too, from the shards, the JSON files and the DuckDB file.

A tombstone with `purged` is the intent and lands first. Whatever a kill leaves undone, the next purge or flow finds:
rows of that activity, not newer than the intent, in a shard or in staging.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from pipelines.bronze import ACTIVITIES, ACTIVITY_DETAILS, TABLES, Bronze
from pipelines.durable import remove, remove_half_written, written_whole
from pipelines.payloads import EPOCH, Payload, read_json
from pipelines.progress import Report
from pipelines.sweep import purge_tombstone, read_tombstone
from pipelines.warehouse import CATALOG, DATASET, holds_table, open_warehouse

ERASED_FROM = (ACTIVITIES, ACTIVITY_DETAILS)


@dataclass(frozen=True)
class Buried:
    """The newest tombstone of an activity."""

    athlete_id: int
    start_date: datetime | None
    buried_at: datetime
    payload: str


class Purge:
    """One purge; nobody else may write in `bronze` or `output` meanwhile.

    pages: files that show what is in `warehouse`.
    land: lands payloads of an athlete as tombstones, each later than an instant.
    """

    def __init__(
        self,
        bronze: Bronze,
        output: Path,
        warehouse: Path,
        pages: Sequence[Path],
        report: Report,
        land: Callable[[int, list[Payload], datetime | None], None],
    ) -> None:
        self._bronze = bronze
        self._output = output
        self._warehouse = warehouse
        self._pages = pages
        self._report = report
        self._land = land

    def intend(self) -> set[int]:
        """Land a tombstone that says `purged` for each activity that is gone and not purged yet; their ids."""
        buried = {
            id_: Buried(athlete_id, start_date, buried_at, payload)
            for athlete_id, id_, start_date, buried_at, payload in self._bronze.tombstones()
        }
        unpurged = {id_ for id_, tombstone in buried.items() if not read_tombstone(tombstone.payload).get("purged")}
        fetched_at = defaultdict(set)
        for id_, instant, *_ in self._bronze.versions(ACTIVITIES, unpurged):
            fetched_at[id_].add(instant)
        payloads = defaultdict(list)
        for id_ in sorted(unpurged):
            tombstone = buried[id_]
            # one that came back lives
            if max(fetched_at[id_], default=EPOCH) <= tombstone.buried_at:
                payloads[tombstone.athlete_id].append(
                    purge_tombstone(
                        id_, tombstone.athlete_id, tombstone.start_date, tombstone.payload, sorted(fetched_at[id_])
                    )
                )
        # later than the details too: they go as well
        newest = self._bronze.newest_fetched_at() if payloads else None
        for athlete_id, intents in payloads.items():
            self._land(athlete_id, intents, newest)
        return {payload.id for intents in payloads.values() for payload in intents if payload.id is not None}

    def erase(self) -> bool:
        """Erase the rows that an intent, of this run or an earlier one, speaks of; whether there was anything.

        Raises:
            WarehouseBusy: another process holds the DuckDB file, which still holds what is erased from all else.
            StorageFailed: a file could not be written; the next purge goes on.
        """
        purged_at = self._purged()
        if not purged_at:
            return False

        def is_purged(id_: int | None, fetched_at: datetime) -> bool:
            return id_ is not None and id_ in purged_at and fetched_at <= purged_at[id_]

        rows, shards, outputs = 0, 0, 0
        versions = {table: self._bronze.versions(table, purged_at) for table in ERASED_FROM}
        # the shards last: as long as one of them holds such a row, the JSON files are looked through again
        hashes: dict[bool, set[str]] = {True: set(), False: set()}
        for id_, fetched_at, payload_hash, _ in versions[ACTIVITIES]:
            hashes[is_purged(id_, fetched_at)].add(payload_hash)
        holding = {Path(file) for held in versions.values() for id_, at, _, file in held if is_purged(id_, at)}
        if holding:
            self._remove_pages()
            # half a file that a kill left may hold anything
            for folder in (self._output, *(self._bronze.folder / table for table in TABLES)):
                remove_half_written(folder)
            # an activity that came back unchanged bears the same bytes
            outputs = self._erase_from_outputs({bytes.fromhex(text) for text in hashes[True] - hashes[False]})
            for path in sorted(holding):
                rows += self._bronze.erase(path, is_purged)
                shards += 1
        removed = self._remove_warehouse(purged_at, outputs_are_clean=bool(holding))
        if not rows and not removed:
            return False
        told = f"{_count(rows, 'row')} erased from {_count(shards, 'shard')} and {_count(outputs, 'JSON file')}"
        again = "; the DuckDB file held them too and is made anew" if removed else ""
        self._report.say(f"Purge: {told}{again}.")
        torn = sorted(path for table in ERASED_FROM for path in (self._bronze.folder / table).glob("*.torn"))
        if torn:
            self._report.warn(
                f"{', '.join(map(str, torn))}: damaged, so nobody can tell whether what was purged is in there. Delete "
                "what you do not mean to repair."
            )
        return True

    def _purged(self) -> dict[int, datetime]:
        """Ids of what was purged, each with the newest intent's instant."""
        return {
            id_: instant
            for _, id_, _, instant, payload in self._bronze.tombstones()
            if read_tombstone(payload).get("purged")
        }

    def _remove_pages(self) -> None:
        """Remove the pages, which may show what is purged: they are made of the warehouse in a second."""
        there = [path for path in self._pages if path.exists()]
        for path in there:
            remove(path)
        if there:
            self._report.say(f"Purge: {' and '.join(map(str, there))} removed; `make page` makes a page anew.")

    def _erase_from_outputs(self, hashes: set[bytes]) -> int:
        """Take the payloads with one of `hashes` out of the JSON arrays; how many files held one."""
        changed = 0
        for path in sorted(self._output.glob("*.json")):
            try:
                with path.open("rb") as file:
                    erase = [_is_one_of(element, hashes) for element in _elements(file)]
            except ValueError:
                self._report.warn(f"{path} is not as a pull writes it: look yourself whether what was purged is in it.")
                continue
            if not any(erase):
                continue
            changed += 1
            if all(erase):
                remove(path)
                continue
            with written_whole(path) as beside, path.open("rb") as file:
                separator = b"["
                for element in _elements(file):
                    if not _is_one_of(element, hashes):
                        beside.write(separator + element)
                        separator = b",\n"
                beside.write(b"]\n")
        return changed

    def _remove_warehouse(self, purged_at: dict[int, datetime], outputs_are_clean: bool) -> bool:
        """Remove the DuckDB file if it holds rows of `purged_at`; whether it did.

        Rows that are deleted in it stay readable in its free blocks. It is a cache, so it is made anew.
        """
        if not self._warehouse.exists():
            return False
        purged = pa.table(
            {
                "id": pa.array(purged_at.keys(), pa.int64()),
                "purged_at": pa.array(purged_at.values(), pa.timestamp("us")),
            }
        )
        with open_warehouse(self._warehouse) as connection:
            connection.register("purged", purged)
            held = any(
                connection.execute(
                    f"select 1 from {CATALOG}.{DATASET}.{table} as rows join purged using (id) "
                    "where rows.fetched_at <= purged.purged_at limit 1"
                ).fetchone()
                for table in ERASED_FROM
                if holds_table(connection, table)
            )
            if held:
                self._remove_pages()
                if not outputs_are_clean and holds_table(connection, ACTIVITIES):
                    # as after a restore, where the shards are in a bucket and rid of them
                    rows = connection.execute(
                        "select distinct payload_hash, coalesce(rows.fetched_at <= purged.purged_at, false) "
                        f"from {CATALOG}.{DATASET}.{ACTIVITIES} as rows left join purged using (id)"
                    ).fetchall()
                    kept = {payload_hash for payload_hash, is_purged in rows if not is_purged}
                    self._erase_from_outputs({bytes.fromhex(text) for text, _ in rows if text not in kept})
                # while nobody else can open it
                remove(self._warehouse)
        if held:
            remove(self._warehouse.with_name(f"{self._warehouse.name}.wal"))
        return held


def _elements(file: BinaryIO) -> Iterator[bytes]:
    """The elements of a JSON array as `Bronze.write_outputs` writes it: one after the other, each from a new line on.

    Raises:
        ValueError: it is not written so.
    """
    waiting = b""
    for line in file:
        waiting += line if waiting else line.removeprefix(b"[")
        # a payload may have line breaks of its own
        element = waiting.removesuffix(b",\n") if waiting.endswith(b",\n") else waiting.removesuffix(b"]\n")
        if element != waiting and _is_json(element):
            yield element
            waiting = b""
    if waiting not in (b"", b"]\n"):
        raise ValueError


def _is_json(text: bytes) -> bool:
    try:
        read_json(text)
    except ValueError:
        return False
    return True


def _is_one_of(element: bytes, hashes: set[bytes]) -> bool:
    return hashlib.sha256(element).digest() in hashes


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
