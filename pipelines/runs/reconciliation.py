"""Reconciliation: what Strava listed, what bronze and the warehouse have, and a reason for each difference."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb

from pipelines.bronze.compaction import span
from pipelines.bronze.exports import ExportNote, absent, confirm_deletions, origins, unfinished_imports
from pipelines.bronze.liveness import live_at
from pipelines.bronze.store import BronzeReader
from pipelines.bronze.sweep import Sweep, read_tombstone
from pipelines.bronze.tables import ACTIVITIES, ACTIVITY_DETAILS, ACTIVITY_FILES, EXPORT_ACTIVITIES, READ, TABLES
from pipelines.bronze.watched import superseded
from pipelines.bronze.withdrawals import Withdrawn
from pipelines.ground.durable import is_there, locked_if_there, require_readable
from pipelines.ground.errors import StravaError, WarehouseBusy
from pipelines.ground.settings import StravaSettings
from pipelines.mirror.quarantine import Quarantine
from pipelines.warehouse.build import built_at
from pipelines.warehouse.database import DATASET, open_warehouse, staged_tables, tables_of_shards

LOST = "a shard that is damaged, set aside, moved or removed?"
# the doors by whose version a row of `strava.activities` is merged, in their order
DOORS = (ACTIVITIES, EXPORT_ACTIVITIES, ACTIVITY_FILES)
# never deleted: it may have what no shard has any more
MAKE_ANEW = "move the DuckDB file away and keep it, then make compact"


@dataclass(frozen=True)
class Difference:
    """Two numbers that differ: by how many, why, and whether the reason is a good one (`adds_up`)."""

    count: int
    reason: str
    adds_up: bool = True


@dataclass
class Reconciliation:
    """The numbers of one athlete. Instants are UTC; what cannot be known is None.

    stored: live activities in bronze, through any door. at_api: those that came through the API: those
    `listed` by the last complete sweep, `swept_at`, those `kept` although they were not, plus `landed_since`, minus
    `deleted_since`. in_export: activities in the newest export. enriched: those with details.
    quarantined: reason → how many have no details because Strava refuses them. deleted: activities that are gone;
    purged: those of them that are erased. staged: shards in staging. in_activities, in_details: rows in `strava.*`.
    """

    stored: int
    at_api: int
    enriched: int
    quarantined: dict[str, int]
    deleted: int
    purged: int
    in_export: int | None = None
    listed: int | None = None
    swept_at: datetime | None = None
    kept: int = 0
    landed_since: int = 0
    deleted_since: int = 0
    shards: int = 0
    staged: int | None = None
    in_activities: int | None = None
    in_details: int | None = None
    differences: list[Difference] = field(default_factory=list)

    @property
    def details_missing(self) -> int:
        """Activities that came through the API without details."""
        return self.at_api - self.enriched


def reconcile(
    settings: StravaSettings,
    bronze: BronzeReader,
    quarantine: Quarantine,
    athlete_id: int,
    exports: Sequence[ExportNote] = (),
) -> Reconciliation:
    """Compare the last sweep, the exports, bronze and the warehouse.

    The DuckDB file is not read if another process has it open. `exports` are the athlete's, oldest first.
    """
    alive = set(bronze.live(athlete_id))
    at_api = bronze.seen(athlete_id, datetime.max).keys()
    live = alive & at_api
    known = alive & (at_api | bronze.exported(athlete_id))
    missing = set(bronze.without_details(athlete_id))
    tombstones = [tombstone for tombstone in bronze.tombstones() if tombstone[0] == athlete_id]
    # a file whose activity has come from Strava is not a deleted activity
    not_gone = alive | superseded(bronze)
    newest_tombstone = {id_: payload for _, id_, _, _, payload in tombstones if id_ not in not_gone}
    reconciliation = Reconciliation(
        stored=len(known),
        at_api=len(live),
        enriched=len(live - missing),
        quarantined=quarantine.reasons(missing),
        deleted=len(newest_tombstone),
        purged=sum(bool(read_tombstone(payload).get("purged")) for payload in newest_tombstone.values()),
    )
    _compare_with_strava(reconciliation, bronze, athlete_id, live, tombstones)
    _compare_with_exports(reconciliation, bronze, athlete_id, exports, alive, set(newest_tombstone))
    if bare := len(alive - known):
        reason = f"known by their details alone ({LOST}): make run-all"
        reconciliation.differences.append(Difference(bare, reason, adds_up=False))
    _look_for_details(reconciliation)
    staged = _compare_with_warehouse(
        reconciliation, settings, bronze, athlete_id, known, bronze.with_details(athlete_id)
    )
    _look_for_damage(reconciliation, bronze, staged)
    return reconciliation


def _compare_with_strava(
    reconciliation: Reconciliation,
    bronze: BronzeReader,
    athlete_id: int,
    live: set[int],
    tombstones: Collection[tuple[int, int, datetime | None, datetime, str]],
) -> None:
    known = bronze.last_sweep(athlete_id, complete=True)
    sweep = Sweep.read(known[1]) if known else None
    if known is None or sweep is None:
        if live:
            reconciliation.differences.append(
                Difference(len(live), "stored, but the list was never walked to its end: make run")
            )
        return
    swept_at = known[0]
    live_then = live_at(swept_at, bronze.seen(athlete_id, swept_at), tombstones).keys()
    reconciliation.listed, reconciliation.kept, reconciliation.swept_at = sweep.listed, sweep.kept, sweep.ended_at
    reconciliation.landed_since, reconciliation.deleted_since = len(live - live_then), len(live_then - live)
    if reconciliation.landed_since:
        reconciliation.differences.append(Difference(reconciliation.landed_since, "landed since the sweep"))
    if reconciliation.deleted_since:
        reconciliation.differences.append(Difference(reconciliation.deleted_since, "deleted since the sweep"))
    if sweep.kept:
        why = (
            f"kept: {sweep.reason}; if you did delete them: python pipelines/strava.py pull --confirm-deletions"
            if sweep.reason
            else "not in the list, but Strava knows them by id; the next sweep looks again"
        )
        reconciliation.differences.append(Difference(sweep.kept, why))
    unexplained = sweep.listed + sweep.kept - len(live_then)
    if unexplained > 0:
        reason = f"listed at Strava, but no longer in bronze ({LOST}): make run-all"
        reconciliation.differences.append(Difference(unexplained, reason, adds_up=False))
    elif unexplained < 0:
        reason = "in bronze, but not listed at Strava (shards of another machine?): make run-all"
        reconciliation.differences.append(Difference(-unexplained, reason, adds_up=False))


def _compare_with_exports(
    reconciliation: Reconciliation,
    bronze: BronzeReader,
    athlete_id: int,
    exports: Sequence[ExportNote],
    alive: set[int],
    buried: set[int],
) -> None:
    for exported_at in unfinished_imports(bronze, athlete_id):
        why = f"import of the export of {exported_at:%Y-%m-%d %H:%M} UTC did not come to its end: import it again"
        reconciliation.differences.append(Difference(1, why, adds_up=False))
    if not exports:
        return
    newest = exports[-1]
    listed = set(newest.activity_ids)
    reconciliation.in_export = len(listed)
    kept = absent(bronze, athlete_id, exports)
    at_strava = {id_ for id_ in alive if id_ > 0}
    names = origins(kept.values())
    why_kept = f"not in {' and '.join(names)}, but kept; if you did delete them: {confirm_deletions(names)}"
    counts = {
        why_kept: len(kept),
        "not in the newest export, but seen since": len(at_strava - listed - kept.keys()),
        "known by their files alone": len(alive - at_strava),
        "in the newest export, but gone since": len(listed & buried),
        "in the newest export, but their rows could not be read": len(listed - buried - alive),
    }
    reconciliation.differences += [Difference(count, why) for why, count in counts.items() if count]


def _look_for_details(reconciliation: Reconciliation) -> None:
    for reason, count in reconciliation.quarantined.items():
        reconciliation.differences.append(Difference(count, f"without details: {reason} Tried again later"))
    if left := reconciliation.details_missing - sum(reconciliation.quarantined.values()):
        requests = f"{left:,} request{'s' if left > 1 else ''}"
        reconciliation.differences.append(Difference(left, f"without details: {requests} (make enrich)"))


def _compare_with_warehouse(
    reconciliation: Reconciliation,
    settings: StravaSettings,
    bronze: BronzeReader,
    athlete_id: int,
    live: set[int],
    with_details: set[int],
) -> dict[str, set[str]] | None:
    """By table, the shards whose payloads staging alone has; None if staging could not be read."""
    withdrawn = bronze.withdrawn()
    landed = {table: _but_withdrawn(bronze.rows_by_shard(table), table, withdrawn) for table in TABLES}
    left = sum(len(bronze.rows_by_shard(table).keys() - landed[table].keys()) for table in withdrawn.tables)
    if left:
        reason = f"{_shards(left)} of what was withdrawn not erased yet (was it killed?): make compact"
        reconciliation.differences.append(Difference(left, reason, adds_up=False))
    reconciliation.shards = sum(map(len, landed.values()))
    if not is_there(settings.warehouse_path):
        if reconciliation.shards:
            reason = f"{_shards(reconciliation.shards)} not in the warehouse, which does not exist: make compact"
            reconciliation.differences.append(Difference(reconciliation.shards, reason))
        return {}
    try:
        # a run in progress writes the warehouse; one that begins now waits until this is done
        with (
            locked_if_there(settings.lock_path, _give_up),
            open_warehouse(settings.warehouse_path, read_only=True) as connection,
        ):
            staged = {
                table: _but_withdrawn(rows, table, withdrawn) for table, rows in _rows_by_shard(connection).items()
            }
            _compare_tables(reconciliation, connection, bronze, landed, staged, athlete_id, live, with_details)
    except StravaError as error:
        require_readable(settings.warehouse_path)
        reconciliation.differences.append(Difference(0, f"warehouse not checked: {error}"))
        return None
    return {table: names.keys() - landed[table].keys() for table, names in staged.items() if table not in READ}


def _shards(count: int) -> str:
    """The noun after `count`."""
    return "shard" if count == 1 else "shards"


def _compare_tables(
    reconciliation: Reconciliation,
    connection: duckdb.DuckDBPyConnection,
    bronze: BronzeReader,
    landed: dict[str, dict[str, int]],
    staged: dict[str, dict[str, int]],
    athlete_id: int,
    live: set[int],
    with_details: set[int],
) -> None:
    reconciliation.staged = sum(map(len, staged.values()))
    missing = sum(len(landed[table].keys() - staged[table].keys()) for table in TABLES)
    lost = {(table, name) for table in TABLES for name in staged[table].keys() - landed[table].keys()}
    # each of those has a line of its own
    files = [(path.parent.name, span(path)) for path in (*bronze.damaged, *bronze.shards_set_aside())]
    damaged = {(table, name) for table, name in lost if any(table == of and name in names for of, names in files)}
    gone = len(lost - damaged)
    both = [(table, name) for table in TABLES for name in landed[table].keys() & staged[table].keys()]
    rows = sum(landed[table][name] != staged[table][name] for table, name in both)
    if missing:
        reason = f"{_shards(missing)} not in staging yet: make compact"
        reconciliation.differences.append(Difference(missing, reason))
    if gone:
        reason = (
            "shards in staging that are no longer in bronze, so the DuckDB file may be their last copy: put them back "
            f"from a backup; to go on without them, {MAKE_ANEW}"
        )
        reconciliation.differences.append(Difference(gone, reason))
    if rows:
        reason = f"{_shards(rows)} with other rows than in staging (a purge that was stopped?): make purge"
        reconciliation.differences.append(Difference(rows, reason, adds_up=False))
    if missing or rows:
        return
    expected = {ACTIVITIES: live, ACTIVITY_DETAILS: with_details}
    shown = {table: _merged(connection, table, athlete_id) for table in expected}
    if built_at(connection) is None:
        if to_merge := _to_merge(connection, expected, shown, athlete_id):
            reconciliation.differences.append(Difference(to_merge, "activities to be merged: make compact"))
        elif live:
            reconciliation.differences.append(Difference(0, "the tables are not all from one build: make compact"))
        return
    reconciliation.in_activities, reconciliation.in_details = len(shown[ACTIVITIES]), len(shown[ACTIVITY_DETAILS])
    for table, ids in expected.items() if not damaged else ():
        if differing := len(ids ^ shown[table].keys()):
            reason = f"ids in only one of bronze and strava.{table}: {MAKE_ANEW}"
            reconciliation.differences.append(Difference(differing, reason, adds_up=False))


def _look_for_damage(reconciliation: Reconciliation, bronze: BronzeReader, staged: dict[str, set[str]] | None) -> None:
    """Report damaged shards and those set aside, with the next step: the warehouse may have their rows."""
    for path, reason in sorted(bronze.damaged.items()):
        why = f"damaged shard, left out here ({path}: {reason}); {_what_next(path, staged)}"
        reconciliation.differences.append(Difference(1, why, adds_up=False))
    for path in bronze.shards_set_aside():
        why = f"shard set aside ({path}): the next run puts it back if it is whole; {_what_next(path, staged)}"
        reconciliation.differences.append(Difference(1, why))


def _what_next(shard: Path, staged: dict[str, set[str]] | None) -> str:
    if staged is None:
        return "keep the DuckDB file, which may have its rows: the next run checks (make run)"
    names = span(shard)
    if any(name in names for name in staged.get(shard.parent.name, ())):
        return "the DuckDB file has its rows, so keep it: the next run restores the shard (make run)"
    return "nothing else here has its rows: put it back from a backup"


def _but_withdrawn(shards: dict[str, int], table: str, withdrawn: Withdrawn) -> dict[str, int]:
    """Those of `shards` that no withdrawal erases completely."""
    return {name: rows for name, rows in shards.items() if not withdrawn.takes_all_of(table, name)}


def _rows_by_shard(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, int]]:
    """By table, the shards in staging, and how many rows each has there."""
    there = tables_of_shards(connection)
    queries = {table: f"select shard, count(*) from {DATASET}.{table} group by shard" for table in TABLES}
    return {
        table: dict(connection.execute(query).fetchall()) if table in there else {} for table, query in queries.items()
    }


def _merged(connection: duckdb.DuckDBPyConnection, table: str, athlete_id: int) -> dict[int, datetime]:
    """Id → when its version in `strava.<table>` was fetched; empty if that was never built."""
    try:
        # resolves whatever the name of the DuckDB file
        rows = connection.execute(f"select id, fetched_at from strava.{table} where athlete_id = ?", [athlete_id])
    except (duckdb.CatalogException, duckdb.BinderException):
        return {}
    return dict(rows.fetchall())


def _to_merge(
    connection: duckdb.DuckDBPyConnection,
    expected: dict[str, set[int]],
    shown: dict[str, dict[int, datetime]],
    athlete_id: int,
) -> int:
    """How many activities the tables lack, show in another version than staging, or show although they are gone."""
    waiting: set[int] = set()
    there = staged_tables(connection)
    for table, ids in expected.items():
        newest: dict[int, datetime] = {}
        # a table uses the version of another door only if its own has none
        for door in reversed(DOORS if table == ACTIVITIES else (table,)):
            if door in there:
                rows = connection.execute(
                    f"select id, max(fetched_at) from {DATASET}.{door} where athlete_id = ? group by id", [athlete_id]
                )
                newest |= dict(rows.fetchall())
        waiting |= {id_ for id_ in ids if shown[table].get(id_) != newest.get(id_)} | (shown[table].keys() - ids)
    return len(waiting)


def _give_up() -> None:
    raise WarehouseBusy("another run is going on and uses the warehouse.")
