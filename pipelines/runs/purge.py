"""Purging: what was deleted at Strava is erased here too, from every place where this program ever wrote it.

A tombstone with `purged` is the intent and lands first. Whatever a kill leaves undone, the next purge or flow finds:
rows of that activity, not newer than the intent, in a shard, in staging or in a copy of it.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.bronze.shard import IsPurged, rewrite_shard
from pipelines.bronze.store import READABLE, Bronze
from pipelines.bronze.sweep import purge_tombstone, read_tombstone
from pipelines.bronze.tables import ACTIVITIES, ERASED_FROM, EXPORT_ACTIVITIES, TOMBSTONES
from pipelines.ground.durable import entries, is_there, read_whole, remove, written_whole
from pipelines.ground.progress import Report
from pipelines.ground.settings import StravaSettings
from pipelines.ground.written_places import NOTE, Places
from pipelines.mirror.landing import Notes
from pipelines.page.html import drawn_and_noted, is_page, pages
from pipelines.sources.strava_api.payloads import read_json
from pipelines.warehouse.database import CATALOG, DATASET, holds_table, open_warehouse
from pipelines.warehouse.points import POINT_FILES, PointLayer

PARQUET = b"PAR1"
# they know of no activity, and are no caches
NOT_LOOKED_INTO = {NOTE, "budget.json", "run.lock", "schedule.lock"}
# a shorter name is in any text
LEAST_NAME = 6


@dataclass(frozen=True)
class Buried:
    """The newest tombstone of an activity."""

    athlete_id: int
    start_date: datetime | None
    payload: str


class Purge:
    """One purge; nobody else may write in `bronze` or in any place of `settings` meanwhile."""

    def __init__(self, bronze: Bronze, notes: Notes, settings: StravaSettings, report: Report) -> None:
        self._bronze = bronze
        self._settings = settings
        self._places = Places(settings)
        self._report = report
        self._notes = notes

    def intend(self) -> set[int]:
        """Land a tombstone that says `purged` for each activity that is gone and not purged yet; their ids."""
        buried = {
            id_: Buried(athlete_id, start_date, payload)
            for athlete_id, id_, start_date, _, payload in self._bronze.tombstones()
        }
        unpurged = {id_ for id_, tombstone in buried.items() if not read_tombstone(tombstone.payload).get("purged")}
        fetched_at = defaultdict(set)
        for id_, instant, *_ in self._bronze.versions(ACTIVITIES, unpurged):
            fetched_at[id_].add(instant)
        payloads = defaultdict(list)
        # one that came back lives
        for id_ in sorted(unpurged - self._bronze.live_of_all() if unpurged else ()):
            tombstone = buried[id_]
            payloads[tombstone.athlete_id].append(
                purge_tombstone(
                    id_, tombstone.athlete_id, tombstone.start_date, tombstone.payload, sorted(fetched_at[id_])
                )
            )
        # later than the details too: they go as well
        newest = self._bronze.newest_fetched_at() if payloads else None
        for athlete_id, intents in payloads.items():
            self._notes.land(TOMBSTONES, intents, newest, athlete_id)
        return {payload.id for intents in payloads.values() for payload in intents if payload.id is not None}

    def erase(self) -> bool:
        """Erase the rows that an intent, of this run or an earlier one, speaks of; whether there was anything.

        It ends with a look for what it erased at all that is ours, and names what is out of its reach.

        Raises:
            WarehouseBusy: another process holds the DuckDB file, which still holds what is erased from all else.
            StorageFailed: a file could not be written; the next purge goes on.
        """
        purged_at = self._bronze.purged()
        if not purged_at:
            return False
        is_purged = self._bronze.is_purged(ACTIVITIES)
        rows, shards, outputs = 0, 0, 0
        versions = {table: self._bronze.versions(table, purged_at) for table in ERASED_FROM}
        # the shards last: as long as one of them holds such a row, all else is looked through again
        hashes: dict[bool, set[str]] = {True: set(), False: set()}
        for id_, fetched_at, payload_hash, _ in versions[ACTIVITIES]:
            hashes[is_purged(id_, fetched_at)].add(payload_hash)
        holding = {Path(file) for found in versions.values() for id_, at, _, file in found if is_purged(id_, at)}
        needles = Needles(self._gone(), self._names(is_purged) if holding else set())
        removed = self._remove_earlier_copies(purged_at)
        if holding:
            removed += self._remove_pages()
            self._forget_caches(needles)
            # of one that came back the earlier file may be another
            self._forget_points(set(purged_at))
            # an activity that came back unchanged bears the same bytes
            outputs = self._erase_from_outputs({bytes.fromhex(text) for text in hashes[True] - hashes[False]})
            for path in sorted(holding):
                rows += self._bronze.erase(path, is_purged)
                shards += 1
        for path in self._earlier_shards():
            rows += rewrite_shard(path, is_purged)
            shards += 1
        rows += self._bronze.erase_set_aside(is_purged)[0]
        again = self._remove_warehouse(purged_at, outputs_are_clean=bool(holding))
        if not rows and not removed and not again:
            return False
        done = f"{_count(rows, 'row')} erased from {_count(shards, 'shard')} and {_count(outputs, 'JSON file')}"
        made_anew = "; the DuckDB file held them too and is made anew" if again else ""
        self._report.say(f"Purge: {done}{made_anew}.")
        self._look_through(needles)
        return True

    def look_again(self) -> None:
        """Look for what was ever purged, by its id alone, at all that is ours; name what is out of reach.

        Raises:
            StorageFailed: a file cannot be read or removed.
        """
        if gone := self._gone():
            self._look_through(Needles(gone, set()))

    def _gone(self) -> set[int]:
        """Ids of what was purged and of which nothing has landed since."""
        purged_at = self._bronze.purged()
        versions = [row for table in ERASED_FROM if purged_at for row in self._bronze.versions(table, purged_at)]
        is_purged = self._bronze.is_purged(ACTIVITIES)
        return set(purged_at) - {id_ for id_, at, *_ in versions if not is_purged(id_, at)}

    def _names(self, is_purged: IsPurged) -> set[str]:
        """The names that purged rows bear and that are in no other activity's."""
        # a row of an export is an array of [title, text], and the name is the third in any of its layouts
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

    def _remove_pages(self) -> int:
        """Remove the pages, which may show what is purged, wherever they are; how many there were.

        They are made of the warehouse in a second.
        """
        removed = []
        for path in pages(self._settings):
            # looked at one by one: what a link led to is empty by now, and stays so that the link leads somewhere
            if self._has_content(path) and is_page(path):
                remove(path)
                removed.append(path)
        for path in drawn_and_noted(self._settings):
            remove(path)
        if removed:
            self._report.say(f"Purge: {' and '.join(map(str, removed))} removed; `make page` makes a page anew.")
        return len(removed)

    def _has_content(self, path: Path) -> bool:
        """Whether there is a file at `path` that has anything in it, and may be read."""
        try:
            with path.open("rb") as file:
                return bool(file.read(1))
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return False
        except OSError as error:
            self._report.warn(
                f"{path} cannot be read ({error.strerror}): delete it yourself, it may hold what was purged."
            )
            return False

    def _remove_earlier_copies(self, purged_at: dict[int, datetime]) -> int:
        """Remove what nobody keeps up to date any more and holds rows of `purged_at`; how many files that were.

        Such are copies under an earlier STRAVA_PUBLISH, and the DuckDB files of an earlier STRAVA_WAREHOUSE. The copy
        in use is replaced after the next build.
        """
        in_use = {path.resolve() for path in (self._settings.warehouse_path, self._settings.publish_path) if path}
        noted = [*self._places.paths("copy"), *self._places.paths("warehouse")]
        removed = 0
        # a link before what it leads to
        for path in sorted(noted, key=lambda path: not path.is_symlink()):
            if path.resolve() in in_use or not self._has_content(path):
                continue
            try:
                with duckdb.connect(str(path), read_only=True) as connection:
                    found = _holds_any(connection, _table(purged_at))
            except duckdb.Error as error:
                self._report.warn(
                    f"{path}, which this program wrote, cannot be looked into ({str(error).splitlines()[0]}): it "
                    "may hold what was purged; look into it yourself."
                )
                continue
            if found:
                for file in (path, path.with_name(f"{path.name}.wal")):
                    remove(file)
                self._report.say(f"Purge: {path}, which is in use no more, held them too and is removed.")
                removed += 1
        return removed

    def _earlier_shards(self) -> list[Path]:
        """The shards with purged rows in the folders of an earlier STRAVA_BRONZE_URL."""
        found = []
        is_purged = self._bronze.is_purged(ACTIVITIES)
        folders = {folder.resolve() for folder in self._places.paths("shards")} - {self._bronze.folder.resolve()}
        for folder in sorted(folders):
            for path in (each for table in ERASED_FROM for each in sorted((folder / table).glob("*.parquet"))):
                try:
                    keys = pq.read_table(path, columns=["id", "fetched_at"]).to_pylist()
                except (OSError, ValueError, KeyError):
                    self._report.warn(f"{path} cannot be read: it may hold what was purged; look into it yourself.")
                    continue
                if any(is_purged(key["id"], key["fetched_at"]) for key in keys):
                    found.append(path)
        return found

    def _erase_from_outputs(self, hashes: set[bytes]) -> int:
        """Take the payloads with one of `hashes` out of the JSON arrays; how many files held one."""
        changed = 0
        for path in self._outputs():
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

    def _outputs(self) -> list[Path]:
        folders = sorted({self._settings.output_path, *self._places.paths("output")})
        return [folder / entry.name for folder in folders for entry in entries(folder) if entry.name.endswith(".json")]

    def _remove_warehouse(self, purged_at: dict[int, datetime], outputs_are_clean: bool) -> bool:
        """Remove the DuckDB file if it holds rows of `purged_at`; whether it did.

        Rows that are deleted in it stay readable in its free blocks. It is a cache, so it is made anew.
        """
        warehouse = self._settings.warehouse_path
        if not is_there(warehouse):
            # killed in the middle of this
            self._remove_beside(warehouse)
            return False
        purged = _table(purged_at)
        with open_warehouse(warehouse) as connection:
            found = _holds_any(connection, purged)
            if found:
                self._remove_pages()
                if not outputs_are_clean and holds_table(connection, ACTIVITIES):
                    # as after a restore, where the shards are in a bucket and rid of them
                    connection.register("purged", purged)
                    rows = connection.execute(
                        "select distinct payload_hash, coalesce(rows.fetched_at <= purged.purged_at, false) "
                        f"from {CATALOG}.{DATASET}.{ACTIVITIES} as rows left join purged using (id)"
                    ).fetchall()
                    kept = {payload_hash for payload_hash, is_purged in rows if not is_purged}
                    self._erase_from_outputs({bytes.fromhex(text) for text, _ in rows if text not in kept})
                # while nobody else can open it
                remove(warehouse)
        if found:
            self._remove_beside(warehouse)
        return found

    def _remove_beside(self, warehouse: Path) -> None:
        """Remove what DuckDB has written beside the DuckDB file: its log, and what did not go into memory."""
        for path in {warehouse, warehouse.resolve()}:
            remove(path.with_name(f"{path.name}.wal"))
            for spilled in path.with_name(f"{path.name}.tmp").glob("duckdb_temp_*"):
                remove(spilled)

    def _forget_caches(self, needles: "Needles") -> None:
        """Remove what is kept beside the warehouse, and may be lost, with one of `needles` in it."""
        found = [path for path in self._caches() if needles.are_in(path)]
        for path in found:
            remove(path)
        found += self._forget_points(needles.ids)
        if found:
            self._report.say(f"Purge: removed {', '.join(map(str, found))} too.")

    def _forget_points(self, ids: set[int]) -> list[Path]:
        """Remove the files of points with those of one of `ids`, beside any warehouse; which those were.

        Staging makes anew what is missing.
        """
        warehouses = {self._settings.warehouse_path, *self._places.paths("warehouse")}
        layers = {PointLayer(path).folder: PointLayer(path) for path in warehouses}
        return [path for folder in sorted(layers) for path in layers[folder].forget(ids)]

    def _look_through(self, needles: "Needles") -> None:
        """Look whether one of `needles` is anywhere yet; remove the caches that have it, name what else has or may."""
        self._forget_caches(needles)
        left = [path for path in self._outputs() if needles.are_in(path)]
        if left:
            self._report.warn(f"{', '.join(map(str, left))}: what was purged is still in there. Delete it yourself.")
        self._name_what_is_out_of_reach()

    def _caches(self) -> list[Path]:
        """Files beside the warehouse that may be lost, wherever a warehouse was."""
        settings = self._settings
        folders = {settings.state_path} | {
            path.parent / settings.state_path.name for path in self._places.paths("warehouse")
        }
        files = [path for folder in sorted(folders) for path in sorted(folder.rglob("*"))]
        return [
            path
            for path in files
            if path.is_file() and path.name not in NOT_LOOKED_INTO and not path.is_relative_to(self._bronze.folder)
        ]

    def _name_what_is_out_of_reach(self) -> None:
        """Say where what was purged may be yet, though we wrote there."""
        _, damaged = self._bronze.erase_set_aside(self._bronze.is_purged(ACTIVITIES))
        for aside, shard in damaged:
            odd = f"{aside}: damaged, so nobody can tell whether what was purged is in there."
            if is_there(shard):
                self._report.warn(f"{odd} {shard.name} has its rows: delete {aside.name}.")
            else:
                self._report.warn(
                    f"{odd} It may be the last trace of its other rows: put {shard.name} back from a backup before "
                    "you delete it."
                )
        folders = set(self._places.paths("shards")) - {self._bronze.folder}
        torn = sorted(path for folder in folders for table in ERASED_FROM for path in (folder / table).glob("*.torn"))
        if torn:
            self._report.warn(f"{', '.join(map(str, torn))}: damaged, and may hold what was purged.")
        purged_at = max(self._bronze.purged().values())
        bundles = [path for path in self._places.paths("bundle") if _written_before(path, purged_at)]
        if bundles:
            self._report.warn(
                f"{', '.join(map(str, bundles))}: made before this purge, so what was purged is in there. Make a new "
                "backup in its place, or delete it."
            )
        buckets = [url for url in self._places.of("bucket") if url != self._settings.bronze_store]
        if buckets:
            self._report.warn(f"{', '.join(buckets)}: an earlier STRAVA_BRONZE_URL. What was purged may be in there.")
        elsewhere = [*self._places.paths("page"), *self._places.paths("copy"), *self._places.paths("bundle")]
        away = [path for path in elsewhere if not _is_there(path.parent)]
        if away:
            self._report.warn(
                f"{', '.join(map(str, away))}: written once, in a folder that is not there now. It may hold what was "
                "purged."
            )


class Needles:
    """Ids and names to look for in files, which may be Parquet."""

    def __init__(self, ids: set[int], names: set[str]) -> None:
        self.ids = ids
        self._ids = {str(id_).encode() for id_ in ids}
        # as it is, and as it is in JSON that is ASCII alone
        self._names = {form.encode() for name in names for form in (name, json.dumps(name)[1:-1])}

    def are_in(self, path: Path) -> bool:
        """Whether one of them is in the file at `path`.

        Raises:
            StorageFailed: it cannot be read.
        """
        try:
            content = read_whole(path)
        except FileNotFoundError:
            return False
        if self._are_in(content):
            return True
        if not content.startswith(PARQUET):
            return False
        try:
            table = pq.read_table(path)
        except (OSError, ValueError):
            return False
        return any(self._are_in(repr(column.to_pylist()).encode(errors="ignore")) for column in table.columns)

    def _are_in(self, content: bytes) -> bool:
        return any(name in content for name in self._names) or not self._ids.isdisjoint(re.findall(rb"\d+", content))


def _table(purged_at: dict[int, datetime]) -> pa.Table:
    return pa.table(
        {
            "id": pa.array(purged_at.keys(), pa.int64()),
            "purged_at": pa.array(purged_at.values(), pa.timestamp("us")),
        }
    )


def _holds_any(connection: duckdb.DuckDBPyConnection, purged: pa.Table) -> bool:
    """Whether staging of the opened warehouse has rows of `purged`."""
    connection.register("purged", purged)
    return any(
        connection.execute(
            f"select 1 from {DATASET}.{table} as rows join purged using (id) "
            "where rows.fetched_at <= purged.purged_at limit 1"
        ).fetchone()
        for table in (*ERASED_FROM, POINT_FILES)
        if holds_table(connection, table)
    )


def _is_there(path: Path) -> bool:
    """Whether there is anything at `path`, as far as we may see."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def _written_before(path: Path, instant: datetime) -> bool:
    if not _is_there(path):
        return False
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None) < instant


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
