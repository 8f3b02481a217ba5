"""Erasing rows for good from every place where this program ever wrote them, for purges and withdrawals.

The shards come last, except for the DuckDB file: while one of them has such a row, everything else is searched again.
So the next run finds whatever a kill leaves undone.
"""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import duckdb
import pyarrow.parquet as pq

from pipelines.bronze.shard import Erases, rewrite_shard
from pipelines.bronze.store import Bronze
from pipelines.ground.durable import entries, is_there, read_whole, remove, written_whole
from pipelines.ground.progress import Report, counted
from pipelines.ground.settings import StravaSettings
from pipelines.ground.written_places import NOTE, Places
from pipelines.page.files import is_page, note_path, pages, routes_path
from pipelines.sources.strava_api.payloads import read_json
from pipelines.warehouse.database import open_warehouse
from pipelines.warehouse.points import PointLayer

PARQUET = b"PAR1"
# they contain nothing about activities, and are not caches
NOT_LOOKED_INTO = {NOTE, "budget.json", "run.lock", "schedule.lock"}


@dataclass(frozen=True)
class Doomed:
    """Rows that are to be erased.

    title, called: the name of the erasure, and of what it erases, in messages. erases: which rows of a shard, by table
    of `tables`. is_staged: whether staging of an opened warehouse has any. intended_at: since when none are written
    (UTC). may_hold: whether a file beside the warehouse may be made from them, whatever is found in it. removes_copy:
    the published copy is removed, instead of replaced after the next build. points_of: the activities whose points are
    erased; None: all points, which are made again.
    """

    title: str
    called: str
    tables: Collection[str]
    erases: Callable[[str], Erases]
    is_staged: Callable[[duckdb.DuckDBPyConnection], bool]
    intended_at: datetime
    may_hold: Callable[[Path], bool] = lambda _path: False
    removes_copy: bool = False
    points_of: set[int] | None = None


class Erasure:
    """One erasure of `doomed`; no other process may write in `bronze` or in any place of `settings` meanwhile."""

    def __init__(self, bronze: Bronze, settings: StravaSettings, report: Report, doomed: Doomed) -> None:
        self._bronze = bronze
        self._settings = settings
        self._report = report
        self._doomed = doomed
        self._places = Places(settings)

    def erase(
        self,
        holding: Iterable[Path],
        hashes: set[bytes],
        needles: "Needles",
        staged_hashes: Callable[[duckdb.DuckDBPyConnection], set[bytes]] = lambda _connection: set(),
    ) -> bool:
        """Erase the rows, which the shards `holding` have; returns whether there were any, there or elsewhere.

        hashes: of payloads to erase from the JSON files; `staged_hashes` gives those of rows that only staging has.
        At its end it searches all files of ours for `needles`, and names what is out of its reach.

        Raises:
            WarehouseBusy: another process has the DuckDB file open, which still has what is erased everywhere else.
            StorageFailed: a file could not be written; the next run continues.
        """
        erases = self._doomed.erases
        shards_holding = sorted(holding)
        rows, shards, outputs = 0, 0, 0
        removed = self._remove_earlier_copies()
        if shards_holding:
            # they may have such rows too
            self._bronze.remove_covered()
            removed += self._remove_pages()
            self._forget_caches(needles)
            self._forget_points(self._doomed.points_of)
            outputs = self._erase_from_outputs(hashes)
            for path in shards_holding:
                rows += self._bronze.erase(path, erases(path.parent.name))
                shards += 1
        for path in self._earlier_shards():
            rows += rewrite_shard(path, erases(path.parent.name))
            shards += 1
        rows += self._bronze.erase_set_aside(self._doomed.tables, erases)[0]
        again = self._remove_warehouse(staged_hashes if not shards_holding else lambda _connection: set())
        if not rows and not removed and not again:
            return False
        done = f"{counted(rows, 'row')} erased from {counted(shards, 'shard')} and {counted(outputs, 'JSON file')}"
        made_anew = "; the DuckDB file had them too and is made anew" if again else ""
        self._report.say(f"{self._doomed.title}: {done}{made_anew}.")
        self.look_through(needles)
        return True

    def look_through(self, needles: "Needles") -> None:
        """Search for `needles`; remove the caches that have one, and name other files that have or may have one.

        Raises:
            StorageFailed: a file cannot be read or removed.
        """
        self._forget_caches(needles)
        left = [path for path in self._outputs() if needles.are_in(path)]
        if left:
            self._report.warn(f"{', '.join(map(str, left))}: {self._doomed.called} is still in it. Delete it yourself.")
        self._name_what_is_out_of_reach()

    def _remove_pages(self) -> int:
        """Remove the pages, which may show the rows, wherever they are; returns how many there were.

        They can be made again from the warehouse in a second.
        """
        removed = []
        for path in pages(self._settings):
            # checked one by one: the target of a link is empty by now, and stays so that the link leads somewhere
            if self._has_content(path) and is_page(path):
                remove(path)
                removed.append(path)
        for path in (routes_path(self._settings), note_path(self._settings)):
            remove(path)
        if removed:
            self._report.say(
                f"{self._doomed.title}: {' and '.join(map(str, removed))} removed; `make page` makes a page again."
            )
        return len(removed)

    def _has_content(self, path: Path) -> bool:
        """Whether there is a readable file at `path` that is not empty."""
        try:
            with path.open("rb") as file:
                return bool(file.read(1))
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return False
        except OSError as error:
            self._report.warn(
                f"{path} cannot be read ({error.strerror}): delete it yourself, it may contain {self._doomed.called}."
            )
            return False

    def _remove_earlier_copies(self) -> int:
        """Remove files with the rows that nothing updates any more; returns how many there were.

        These are copies under an earlier STRAVA_PUBLISH, and the DuckDB files of an earlier STRAVA_WAREHOUSE. The copy
        in use is replaced after the next build, unless it has to be removed at once.
        """
        in_use = {self._settings.warehouse_path.resolve()}
        copy = self._settings.publish_path
        if copy is not None and not self._doomed.removes_copy:
            in_use.add(copy.resolve())
        noted = [*self._places.paths("copy"), *self._places.paths("warehouse")]
        removed = 0
        # a link before its target
        for path in sorted(noted, key=lambda path: not path.is_symlink()):
            if path.resolve() in in_use or not self._has_content(path):
                continue
            try:
                with duckdb.connect(str(path), read_only=True) as connection:
                    found = self._doomed.is_staged(connection)
            except duckdb.Error as error:
                self._report.warn(
                    f"{path}, which this program wrote, cannot be looked into ({str(error).splitlines()[0]}): it "
                    f"may hold {self._doomed.called}; look into it yourself."
                )
                continue
            if found:
                for file in (path, path.with_name(f"{path.name}.wal")):
                    remove(file)
                self._report.say(
                    f"{self._doomed.title}: {path}, which is no longer in use, had them too and is removed."
                )
                removed += 1
        return removed

    def _earlier_shards(self) -> list[Path]:
        """The shards with such rows in the folders of an earlier STRAVA_BRONZE_URL."""
        found = []
        folders = {folder.resolve() for folder in self._places.paths("shards")} - {self._bronze.folder.resolve()}
        for folder in sorted(folders):
            for path in (each for table in self._doomed.tables for each in sorted((folder / table).glob("*.parquet"))):
                try:
                    keys = pq.read_table(path, columns=["id", "fetched_at", "payload_hash", "shard"])
                except (OSError, ValueError, KeyError):
                    self._report.warn(
                        f"{path} cannot be read: it may hold {self._doomed.called}; look into it yourself."
                    )
                    continue
                if any(self._doomed.erases(path.parent.name)(keys)):
                    found.append(path)
        return found

    def _erase_from_outputs(self, hashes: set[bytes]) -> int:
        """Erase the payloads with one of `hashes` from the JSON arrays; returns how many files had one."""
        changed = 0
        for path in self._outputs():
            try:
                with path.open("rb") as file:
                    erase = [_is_one_of(element, hashes) for element in _elements(file)]
            except ValueError:
                self._report.warn(
                    f"{path} is not as a pull writes it: look yourself whether {self._doomed.called} is in it."
                )
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

    def _remove_warehouse(self, hashes: Callable[[duckdb.DuckDBPyConnection], set[bytes]]) -> bool:
        """Remove the DuckDB file if it has such rows; returns whether it had. Their `hashes` are erased from JSON too.

        Rows that are deleted in it stay readable in its free blocks. It is a cache, so it is built again.
        """
        warehouse = self._settings.warehouse_path
        if not is_there(warehouse):
            # a kill came in the middle of this
            self._remove_beside(warehouse)
            return False
        with open_warehouse(warehouse) as connection:
            found = self._doomed.is_staged(connection)
            if found:
                self._remove_pages()
                # as after a restore if the shards are in a bucket that no longer has them
                if staged := hashes(connection):
                    self._erase_from_outputs(staged)
                # while no other process can open it
                remove(warehouse)
        if found:
            self._remove_beside(warehouse)
        return found

    def _remove_beside(self, warehouse: Path) -> None:
        """Remove what DuckDB wrote beside the DuckDB file: its log, and what did not fit into memory."""
        for path in {warehouse, warehouse.resolve()}:
            remove(path.with_name(f"{path.name}.wal"))
            for spilled in path.with_name(f"{path.name}.tmp").glob("duckdb_temp_*"):
                remove(spilled)

    def _forget_caches(self, needles: "Needles") -> None:
        """Remove the caches beside the warehouse that may be made from the rows or have `needles`."""
        found = []
        for path in self._caches():
            if self._doomed.may_hold(path):
                remove(path)
            elif needles.are_in(path):
                remove(path)
                found.append(path)
        found += self._forget_points(needles.ids)
        if found:
            self._report.say(f"{self._doomed.title}: removed {', '.join(map(str, found))} too.")

    def _forget_points(self, ids: set[int] | None) -> list[Path]:
        """Remove the files of points that have one of `ids` (None: all), beside any warehouse; returns which.

        Staging makes missing ones again.
        """
        warehouses = {self._settings.warehouse_path, *self._places.paths("warehouse")}
        layers = {PointLayer(path).folder: PointLayer(path) for path in warehouses}
        return [path for folder in sorted(layers) for path in layers[folder].forget(ids)]

    def _caches(self) -> list[Path]:
        """Caches beside the warehouse, wherever a warehouse was."""
        settings = self._settings
        folders = {settings.state_path} | {
            path.parent / settings.state_path.name for path in self._places.paths("warehouse")
        }
        shards = {self._bronze.folder, *self._places.paths("shards")}
        files = [path for folder in sorted(folders) for path in sorted(folder.rglob("*"))]
        return [
            path
            for path in files
            if path.is_file()
            and path.name not in NOT_LOOKED_INTO
            and not any(path.is_relative_to(folder) for folder in shards)
        ]

    def _name_what_is_out_of_reach(self) -> None:
        """Name places of ours where the rows may still be."""
        called = self._doomed.called
        _, damaged = self._bronze.erase_set_aside(self._doomed.tables, self._doomed.erases)
        for aside, shard in damaged:
            odd = f"{aside}: damaged, so it is unknown whether {called} is in it."
            if is_there(shard):
                self._report.warn(f"{odd} {shard.name} has its rows: delete {aside.name}.")
            else:
                self._report.warn(
                    f"{odd} It may be the last trace of its other rows: put {shard.name} back from a backup before "
                    "you delete it."
                )
        folders = set(self._places.paths("shards")) - {self._bronze.folder}
        torn = sorted(
            path for folder in folders for table in self._doomed.tables for path in (folder / table).glob("*.torn")
        )
        if torn:
            self._report.warn(f"{', '.join(map(str, torn))}: damaged, and may contain {called}.")
        bundles = [path for path in self._places.paths("bundle") if _written_before(path, self._doomed.intended_at)]
        if bundles:
            self._report.warn(
                f"{', '.join(map(str, bundles))}: made before this {self._doomed.title.lower()}, so {called} is in "
                "there. Replace it by a new backup, or delete it."
            )
        buckets = [url for url in self._places.of("bucket") if url != self._settings.bronze_store]
        if buckets:
            called = called[0].upper() + called[1:]
            self._report.warn(f"{', '.join(buckets)}: an earlier STRAVA_BRONZE_URL. {called} may be in there.")
        elsewhere = [*self._places.paths("page"), *self._places.paths("copy"), *self._places.paths("bundle")]
        away = [path for path in elsewhere if not _is_there(path.parent)]
        if away:
            self._report.warn(
                f"{', '.join(map(str, away))}: written once, in a folder that does not exist now. It may contain "
                f"{self._doomed.called}."
            )


class Needles:
    """Ids and names to look for in files, which may be Parquet."""

    def __init__(self, ids: set[int], names: set[str]) -> None:
        self.ids = ids
        self._ids = {str(id_).encode() for id_ in ids}
        # unchanged, and as in JSON that is all ASCII
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


def _is_there(path: Path) -> bool:
    """Whether there is anything at `path`, as far as we have permission to know."""
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
    """The elements of a JSON array as `Bronze.write_outputs` writes it: each begins on a new line.

    Raises:
        ValueError: it has another form.
    """
    waiting = b""
    for line in file:
        waiting += line if waiting else line.removeprefix(b"[")
        # a payload may contain line breaks
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
