"""Doors: what came into bronze through each of them, and what the others prove without it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from pipelines.bronze.exports import athletes_known, export_notes, first_lacking
from pipelines.bronze.liveness import is_live
from pipelines.bronze.shard import files_set_aside
from pipelines.bronze.store import BronzeReader
from pipelines.bronze.sweep import read_tombstone, tombstone
from pipelines.bronze.tables import (
    ACTIVITIES,
    ACTIVITY_DETAILS,
    ACTIVITY_FILES,
    ERASED_FROM,
    EXPORT_ACTIVITIES,
    EXPORT_RECORDS,
    EXPORTS,
    TABLES,
    TOMBSTONES,
    Door,
)
from pipelines.bronze.watched import superseded
from pipelines.bronze.withdrawals import Key, Withdrawal
from pipelines.sources.strava_api.payloads import Payload

_IN_LISTS = (ACTIVITIES, EXPORT_ACTIVITIES)


class _Row(NamedTuple):
    id: int | None
    fetched_at: datetime
    sha256: str
    shard: str

    @property
    def key(self) -> Key:
        return self.id, self.sha256


class _Tombstone(NamedTuple):
    row: _Row
    athlete_id: int
    start_date: datetime | None
    payload: str

    @property
    def door(self) -> Door:
        """The door through which it was noticed."""
        noticed_by = read_tombstone(self.payload).get("noticed_by")
        return noticed_by if noticed_by in ("export", "file") else "api"

    @property
    def is_purge(self) -> bool:
        return bool(read_tombstone(self.payload).get("purged"))


class Proof(NamedTuple):
    """A tombstone that another door would have landed, had the activity not been buried already; `noticed_at` UTC."""

    noticed_at: datetime
    payload: Payload


@dataclass(frozen=True)
class CameThrough:
    """What came through a door: the `withdrawal` that erases it, and how many `rows` of each table that concerns.

    leaving, staying, returning: activities that are live only because of it, live without it too, and gone only
    because of it. proofs: what has to land before the rows are erased.
    """

    withdrawal: Withdrawal
    rows: dict[str, int] = field(default_factory=dict)
    leaving: int = 0
    staying: int = 0
    returning: int = 0
    proofs: tuple[Proof, ...] = ()


def came_through(bronze: BronzeReader, door: Door) -> CameThrough:
    """Find what came through `door`.

    Raises:
        StorageFailed: bronze cannot be read.
    """
    versions = {table: _rows(bronze, table) for table in ERASED_FROM}
    tombstones = _tombstones(bronze)
    shards = {table: _shards(bronze, table) for table in TABLES if TABLES[table].door == door}
    kept: dict[str, frozenset[Key]] = {}
    rows = {table: sum(bronze.rows_by_shard(table).values()) for table in shards}
    if door != "api":
        _take(ACTIVITY_FILES, versions[ACTIVITY_FILES], _is_file_of(bronze, door), shards, kept, rows)
    takes = Withdrawal(door, shards, kept).takes
    left = {table: [row for row in of if not takes(table, row.shard, row.key)] for table, of in versions.items()}
    left_ids, all_ids = _ids(left), _ids(versions)
    listed = set() if door == "export" else _listed_in_exports(bronze)
    returning = _without_successor(superseded(bronze), left[ACTIVITY_FILES])
    is_taken = _is_taken(door, tombstones, (all_ids - left_ids) | returning, left_ids | listed)
    _take(TOMBSTONES, [each.row for each in tombstones], is_taken, shards, kept, rows)
    proofs = _proofs(bronze, door, tombstones, is_taken, versions, left, left_ids)
    before = _live(versions, [(each.row.id, each.row.fetched_at) for each in tombstones])
    stay = [(each.row.id, each.row.fetched_at) for each in tombstones if not is_taken(each.row)]
    after = _live(left, [*stay, *((proof.payload.id, proof.noticed_at) for proof in proofs)])
    return CameThrough(
        Withdrawal(door, shards, kept),
        {table: count for table, count in rows.items() if count},
        len(before - after),
        len(before & after),
        len(after - before),
        tuple(proofs),
    )


def _take(
    table: str,
    rows: Iterable[_Row],
    is_taken: Callable[[_Row], bool],
    shards: dict[str, frozenset[str]],
    kept: dict[str, frozenset[Key]],
    counts: dict[str, int],
) -> None:
    """Add the `rows` of a table for which `is_taken` is true, and the other rows of their shards as `kept`."""
    taken: list[_Row] = []
    others: list[_Row] = []
    for row in rows:
        (taken if is_taken(row) else others).append(row)
    shards[table] = frozenset(row.shard for row in taken)
    kept[table] = frozenset(row.key for row in others if row.shard in shards[table])
    counts[table] = len(taken)


def _is_file_of(bronze: BronzeReader, door: Door) -> Callable[[_Row], bool]:
    """Whether an activity file came through `door` and no other."""
    tables = (EXPORTS, EXPORT_ACTIVITIES, EXPORT_RECORDS)
    union = " union ".join(f"select fetched_at from {{{table}}}" for table in tables)
    # rows of an export have its instant, and no others do
    exported_at = {at for (at,) in bronze.query(union)}
    notes = [note for athlete_id in athletes_known(bronze) for note in export_notes(bronze, athlete_id)]
    noted = {(file.activity_id, file.sha256) for note in notes for file in note.files}
    earlier = [each for each in bronze.withdrawn().withdrawals if each.door == "file"]
    withdrawn = frozenset[str]().union(*(each.shards.get(ACTIVITY_FILES, frozenset()) for each in earlier))

    def is_of(row: _Row) -> bool:
        doors: set[Door] = set()
        if row.fetched_at in exported_at or row.key in noted:
            doors.add("export")
        if row.fetched_at not in exported_at and row.shard not in withdrawn:
            doors.add("file")
        return doors <= {door}

    return is_of


def in_exports_besides(bronze: BronzeReader) -> set[int]:
    """Ids of files' own activities that were taken over by a live one, which has their bytes from exports alone.

    Their rows are all that the door of files has of them: without the exports, they are live again.

    Raises:
        StorageFailed: bronze cannot be read.
    """
    own = superseded(bronze)
    if not own:
        return set()
    live, is_of_exports = bronze.live_of_all(), _is_file_of(bronze, "export")
    files = _rows(bronze, ACTIVITY_FILES)
    successors = [row for row in files if row.id in live and row.id not in own]
    by_exports = {row.sha256 for row in successors} - {row.sha256 for row in successors if not is_of_exports(row)}
    return {row.id for row in files if row.id is not None and row.id in own and row.sha256 in by_exports}


def _without_successor(own: set[int], files: Iterable[_Row]) -> set[int]:
    """Those of `own`, files' own activities that were taken over, whose bytes the other activity has no longer.

    files: the rows of activity files that stay. The own activity is live again: its file is still there.
    """
    elsewhere = {row.sha256 for row in files if row.id not in own}
    return {row.id for row in files if row.id is not None and row.id in own and row.sha256 not in elsewhere}


def _is_taken(
    door: Door, tombstones: Iterable[_Tombstone], unburied: set[int], known: set[int]
) -> Callable[[_Row], bool]:
    """Whether a tombstone is erased: only `door` noticed it, or nothing of its activity stays buried (`unburied`).

    What was purged stays purged as long as another door may bring it back (`known`).
    """
    taken = set()
    for each in tombstones:
        if each.is_purge:
            goes = door == "api" == each.door and each.row.id not in known
        else:
            goes = each.door == door or each.row.id in unburied
        if goes:
            taken.add(each.row)
    return taken.__contains__


def _proofs(
    bronze: BronzeReader,
    door: Door,
    tombstones: list[_Tombstone],
    is_taken: Callable[[_Row], bool],
    versions: dict[str, list[_Row]],
    left: dict[str, list[_Row]],
    left_ids: set[int],
) -> list[Proof]:
    """The tombstones that other doors prove for activities that only erased tombstones had buried.

    versions, left: the rows of each table now, and those that stay.
    """
    taken = [each for each in tombstones if is_taken(each.row)]
    buried = {each.row.id: each for each in taken if each.row.id in left_ids and not each.is_purge}
    # left by an attempt that was killed before its withdrawal landed
    known = {(each.row.id, each.row.fetched_at) for each in tombstones if not is_taken(each.row)}
    # a file by itself does not show what was at Strava
    newest: dict[int, _Row] = {}
    for row in (row for table, rows in left.items() if TABLES[table].door in ("api", "export") for row in rows):
        if row.id is not None and row.id in buried:
            newest[row.id] = max(row, newest.get(row.id, row))
    last_seen = {id_: row.fetched_at for id_, row in newest.items()}
    returned_at: dict[int, datetime] = {}
    for row in (row for table in _IN_LISTS for row in versions[table]):
        if row.id is not None and row.id in buried and row.fetched_at > buried[row.id].row.fetched_at:
            returned_at[row.id] = min(row.fetched_at, returned_at.get(row.id, row.fetched_at))
    proofs = []
    for athlete_id in sorted({each.athlete_id for each in buried.values()}):
        of_athlete = {id_ or 0: each for id_, each in buried.items() if each.athlete_id == athlete_id}
        if door == "api":
            gone_at = _gone_by_exports(bronze, athlete_id, of_athlete, last_seen)
        else:
            at_api = {row.id for row in left[ACTIVITIES]}
            of_api = {id_: each for id_, each in of_athlete.items() if door == "export" and id_ in at_api}
            gone_at = _gone_by_sweeps(bronze, athlete_id, of_api, last_seen, returned_at)
        noticed_by = "export" if door == "api" else "sweep"
        for id_, at in sorted(gone_at.items() - known):
            last_hash = newest[id_].sha256 if id_ in newest else None
            start_date = of_athlete[id_].start_date
            proofs.append(Proof(at, tombstone(id_, athlete_id, start_date, last_hash, "deleted", noticed_by)))
    return proofs


def _gone_by_exports(
    bronze: BronzeReader, athlete_id: int, buried: Mapping[int, _Tombstone], last_seen: Mapping[int, datetime]
) -> dict[int, datetime]:
    """Those of `buried` that an export lacks, each with the instant of the first such export."""
    notes = export_notes(bronze, athlete_id)
    seen = dict(last_seen)
    for note in notes:
        for id_ in buried.keys() & set(note.activity_ids):
            seen[id_] = max(seen.get(id_, note.exported_at), note.exported_at)
    return {id_: note.exported_at for id_, note in first_lacking(buried, seen, notes).items()}


def _gone_by_sweeps(
    bronze: BronzeReader,
    athlete_id: int,
    buried: Mapping[int, _Tombstone],
    last_seen: Mapping[int, datetime],
    returned_at: Mapping[int, datetime],
) -> dict[int, datetime]:
    """Those of `buried` that a complete walk did not see while they were buried.

    If it lists a buried activity, that becomes a version. A live one that it lists lands nothing, and one that it does
    not list gets a tombstone of its own. returned_at: when any door first had one of them again.
    """
    sweeps = bronze.sweeps_begun(athlete_id)
    gone_at = {}
    for id_, each in buried.items():
        buried_at = each.row.fetched_at
        begin, end = max(buried_at, last_seen.get(id_, buried_at)), returned_at.get(id_, datetime.max)
        if later := [at for at in sweeps if begin < at < end]:
            gone_at[id_] = later[0]
    return gone_at


def _live(versions: dict[str, list[_Row]], tombstones: Iterable[tuple[int | None, datetime]]) -> set[int]:
    """Ids of the live activities, by the rule in `with_live`."""
    newest: dict[int, datetime] = {}
    in_lists = _ids({table: versions[table] for table in _IN_LISTS})
    for table in (*_IN_LISTS, ACTIVITY_DETAILS, ACTIVITY_FILES):
        for row in versions[table]:
            if row.id is not None and (table in _IN_LISTS or row.id not in in_lists):
                newest[row.id] = max(row.fetched_at, newest.get(row.id, row.fetched_at))
    buried: dict[int, datetime] = {}
    for id_, at in tombstones:
        if id_ is not None:
            buried[id_] = max(at, buried.get(id_, at))
    return {id_ for id_, at in newest.items() if is_live(at, buried.get(id_))}


def _ids(versions: dict[str, list[_Row]]) -> set[int]:
    return {row.id for rows in versions.values() for row in rows if row.id is not None}


def _rows(bronze: BronzeReader, table: str) -> list[_Row]:
    rows = bronze.query(f"select id, fetched_at, payload_hash, shard from {{{table}}}")
    return [_Row(*row) for row in rows]


def _tombstones(bronze: BronzeReader) -> list[_Tombstone]:
    rows = bronze.query(
        "select id, fetched_at, payload_hash, shard, athlete_id, start_date, payload "
        f"from {{{TOMBSTONES}}} order by fetched_at, payload_hash"
    )
    return [_Tombstone(_Row(*row[:4]), *row[4:]) for row in rows]


def _shards(bronze: BronzeReader, table: str) -> frozenset[str]:
    """The names of all shards of `table`, those inside and those of the files, including shards that are set aside."""
    set_aside = files_set_aside(bronze.folder / table)
    paths = [*bronze.shards(table), *(place for _, place in set_aside)]
    # of what is set aside as far as they can be read
    inside = {name for aside, _ in set_aside for name in bronze.names_of(aside) if name is not None}
    return frozenset({*bronze.rows_by_shard(table), *(path.stem for path in paths), *inside})


def _listed_in_exports(bronze: BronzeReader) -> set[int]:
    """Ids in any imported export, including those of unreadable rows."""
    athletes = athletes_known(bronze)
    return {id_ for each in athletes for note in export_notes(bronze, each) for id_ in note.activity_ids}
