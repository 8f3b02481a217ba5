"""Withdrawing: what came through one door is erased everywhere; what the other doors prove stays.

The withdrawal lands first, as a row of bronze that names what it erases. Every run completes what a kill left undone
before it does anything else. What lands later is in shards that no withdrawal names.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb

from pipelines.bronze.doors import CameThrough, came_through
from pipelines.bronze.exports import athletes_known
from pipelines.bronze.shard import files_set_aside
from pipelines.bronze.store import Bronze
from pipelines.bronze.tables import ACTIVITIES, ERASED_FROM, TABLES, TOMBSTONES, WITHDRAWALS, Door
from pipelines.bronze.withdrawals import Withdrawal, Withdrawn
from pipelines.ground.durable import is_there, remove
from pipelines.ground.errors import Interrupted
from pipelines.ground.progress import Report, counted
from pipelines.ground.settings import StravaSettings
from pipelines.mirror.dated_rows import DatedRow, DatedRows
from pipelines.mirror.landing import Notes
from pipelines.runs.erasure import Doomed, Erasure, Needles
from pipelines.warehouse.database import CATALOG, DATASET, open_warehouse, staged_tables

CALLED: dict[Door, str] = {"api": "Strava's API", "export": "exports", "file": "activity files"}
# caches beside the warehouse that are made from it, and the one of the watch folder, whose files' rows may be erased
_MADE_OF_THE_WAREHOUSE = {"dbt", "page.json", "routes.json", "watch.json"}
# files beside the warehouse that are not made from the API's answers; dlt's own are searched
_NOT_OF_THE_API = {"dlt", "last_run.json", "schedule.json"}


@dataclass(frozen=True)
class WithdrawChoice:
    """The door to withdraw, and a function that asks, once the consequences are shown, whether to go ahead."""

    door: Door = "api"
    is_confirmed: Callable[[], bool] = lambda: True


class Withdraw:
    """Withdraws doors; no other process may write in `bronze` or in any place of `settings` meanwhile."""

    def __init__(self, bronze: Bronze, notes: Notes, settings: StravaSettings, report: Report) -> None:
        self._bronze = bronze
        self._notes = notes
        self._settings = settings
        self._report = report

    def run(self, choice: WithdrawChoice) -> None:
        """Report what came through a door, and erase it if that is confirmed.

        Raises:
            Interrupted: it is not confirmed; nothing has changed.
            WarehouseBusy, StorageFailed: as `complete`.
        """
        found = came_through(self._bronze, choice.door)
        if not found.rows:
            self._report.say(f"Withdrawal: nothing here came through {CALLED[choice.door]}.")
            return
        self._report_what_came(choice.door, found)
        if not choice.is_confirmed():
            raise Interrupted("Nothing was erased.")
        self._intend(found)
        self.complete()

    def complete(self) -> bool:
        """Erase what any withdrawal covers and is still there; returns whether there was anything.

        Raises:
            WarehouseBusy: another process has the DuckDB file open, which still has the rows.
            StorageFailed: a file could not be written; the next run continues.
        """
        withdrawn = self._bronze.withdrawn()
        if not withdrawn.tables:
            return False
        return _Completion(self._bronze, withdrawn, self._settings, self._report).run()

    def _report_what_came(self, door: Door, found: CameThrough) -> None:
        rows = ", ".join(f"{number:,} of {table}" for table, number in sorted(found.rows.items()))
        self._report.say(f"Through {CALLED[door]} came {counted(sum(found.rows.values()), 'row')} of bronze: {rows}.")
        self._report.say(
            "They are erased from bronze, the JSON files, the warehouse, its copy, pages and caches, for good."
        )
        leaves = "leaves" if found.leaving == 1 else "leave"
        back = f"; {found.returning:,}, gone only because of it, come back" if found.returning else ""
        self._report.say(
            f"{counted(found.leaving, 'activity')} {leaves} the history, known through no other door; "
            f"{found.staying:,} stay{back}."
        )

    def _intend(self, found: CameThrough) -> None:
        """Land what the other doors prove, then the withdrawal, which from then on will be completed."""
        rows = defaultdict(list)
        for noticed_at, payload in found.proofs:
            row = DatedRow(payload.id, payload.start_date, noticed_at, payload.text, payload.digest.hex())
            rows[payload.athlete_id or 0].append(row)
        for athlete_id, tombstones in rows.items():
            DatedRows(self._bronze, athlete_id, self._notes.began_at).land(TOMBSTONES, tombstones)
        athlete_id = min(athletes_known(self._bronze), default=0)
        withdrawal = self._with_staged(found.withdrawal)
        newest = self._bronze.newest_fetched_at()
        self._notes.land(WITHDRAWALS, [withdrawal.payload(athlete_id)], newest, athlete_id)

    def _with_staged(self, withdrawal: Withdrawal) -> Withdrawal:
        """`withdrawal` with the shards of its door that only staging has."""
        warehouse = self._settings.warehouse_path
        if not is_there(warehouse):
            return withdrawal
        shards = dict(withdrawal.shards)
        with open_warehouse(warehouse) as connection:
            for table in TABLES.keys() & staged_tables(connection):
                if TABLES[table].door == withdrawal.door:
                    query = f"select distinct shard from {CATALOG}.{DATASET}.{table}"
                    staged = frozenset(name for (name,) in connection.execute(query).fetchall())
                    shards[table] = shards.get(table, frozenset()) | staged
        return Withdrawal(withdrawal.door, shards, withdrawal.kept)


class _Completion:
    """What is left to do of all withdrawals."""

    def __init__(self, bronze: Bronze, withdrawn: Withdrawn, settings: StravaSettings, report: Report) -> None:
        self._bronze = bronze
        self._withdrawn = withdrawn
        self._settings = settings
        self._report = report

    def run(self) -> bool:
        """Erase what is still there; returns whether there was anything."""
        self._remove_torn()
        holding: set[Path] = set()
        hashes: dict[bool, set[bytes]] = {True: set(), False: set()}
        for table in self._withdrawn.tables:
            for id_, sha256, shard, file in self._rows(table):
                is_taken = self._withdrawn.takes(table, shard, (id_, sha256))
                if is_taken:
                    holding.add(Path(file))
                if table == ACTIVITIES:
                    hashes[is_taken].add(bytes.fromhex(sha256))
        needles = Needles(self._ids() if holding else set(), set())
        doomed = Doomed(
            "Withdrawal",
            "what was withdrawn",
            self._withdrawn.tables,
            self._withdrawn.erases,
            self._is_staged,
            self._withdrawn.newest_at,
            self._may_hold,
            removes_copy=True,
        )
        erasure = Erasure(self._bronze, self._settings, self._report, doomed)
        return erasure.erase(holding, hashes[True] - hashes[False], needles)

    def _rows(self, table: str) -> list[tuple[int | None, str, str, str]]:
        """Id, hash, shard and file of the rows of `table`; none if there is nothing to do."""
        named = self._withdrawn.shards(table)
        query = f"select id, payload_hash, shard, filename from {{{table}}} where shard in (select unnest($shards))"
        rows = self._bronze.query(query, shards=sorted(named))
        if rows and table == ACTIVITIES:
            # what landed since may have the same bytes
            return self._bronze.query(f"select id, payload_hash, shard, filename from {{{table}}}")
        return rows

    def _ids(self) -> set[int]:
        """Ids of the activities of which nothing is left."""
        ids: dict[bool, set[int]] = {True: set(), False: set()}
        for table in ERASED_FROM:
            for id_, sha256, shard in self._bronze.query(f"select id, payload_hash, shard from {{{table}}}"):
                if id_ is not None:
                    ids[self._withdrawn.takes(table, shard, (id_, sha256))].add(id_)
        return ids[True] - ids[False]

    @cached_property
    def _left(self) -> dict[str, Counter[str]]:
        """By table, how many rows stay of each shard that a withdrawal names."""
        return {
            table: Counter(
                shard
                for id_, sha256, shard, _ in self._rows(table)
                if not self._withdrawn.takes(table, shard, (id_, sha256))
            )
            for table in self._withdrawn.tables
        }

    def _is_staged(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """Whether staging has more rows of a shard than those that stay; hashes do not show it, because of readings."""
        there = staged_tables(connection)
        for table, left in self._left.items():
            if table in there:
                query = (
                    f"select shard, count(*) from {DATASET}.{table} "
                    "where shard in (select unnest(cast($shards as varchar[]))) group by shard"
                )
                shards = {"shards": sorted(self._withdrawn.shards(table))}
                if any(number > left[shard] for shard, number in connection.execute(query, shards).fetchall()):
                    return True
        return False

    def _may_hold(self, path: Path) -> bool:
        """Whether a file beside a warehouse is made from what was withdrawn."""
        parts = path.parts
        state = len(parts) - 1 - parts[::-1].index(self._settings.state_path.name)
        first = parts[state + 1]
        is_of_api = any(each.door == "api" for each in self._withdrawn.withdrawals)
        return first in _MADE_OF_THE_WAREHOUSE or (is_of_api and first not in _NOT_OF_THE_API)

    def _remove_torn(self) -> None:
        """Remove what was set aside of shards that are erased completely: it need not be readable."""
        for table in self._withdrawn.tables:
            for aside, shard in files_set_aside(self._bronze.folder / table):
                if self._withdrawn.takes_all_of(table, shard.stem):
                    remove(aside)
