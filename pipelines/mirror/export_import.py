"""Importing exports: what is new or changed in them lands in bronze, and activities that they lack are buried.

An export lands in this order: rows, other records, files, tombstones, and the note that it is complete. Whatever
a kill leaves undone, the next import of the same export completes, because it compares each row and file with bronze.
"""

import hashlib
import json
import re
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, Literal
from zipfile import is_zipfile

from pipelines.bronze.exports import (
    ExportNote,
    NotedFile,
    absent,
    athletes_known,
    confirm_deletions,
    export_notes,
    origins,
)
from pipelines.bronze.shard import IsPurged
from pipelines.bronze.store import Bronze
from pipelines.bronze.sweep import tombstone, utc_now, why_not_remove
from pipelines.bronze.tables import (
    ACTIVITIES,
    ACTIVITY_FILES,
    EXPORT_ACTIVITIES,
    EXPORT_RECORDS,
    EXPORTS,
    TOMBSTONES,
)
from pipelines.ground.errors import BadExport, Interrupted, StravaError
from pipelines.ground.progress import Report, Task, counted
from pipelines.ground.stop import StopFlag
from pipelines.mirror.dated_rows import DatedRow, DatedRows
from pipelines.sources.strava_api.payloads import Payload
from pipelines.sources.strava_export import Export, ExportError, ExportFile, ExportRow, Member, NotAnExport, Problem

COMMIT_BYTES = 2**30
COMMIT_S = 30
# bytes that are read before they are written
BYTES_AHEAD, FILES_AHEAD = 2**23, 64
# `status --json` has the rest
MOST_PROBLEMS = 20
_GEAR_FILES = {"bike": "bikes.csv", "shoes": "shoes.csv", "component": "components.csv"}
_BEGINS_WITH_ID = re.compile(r'"?(\d{1,18})"?[,;\t]')

Change = Literal["new", "changed", "unchanged", "purged"]
_CHANGES: tuple[Change, ...] = ("new", "changed", "unchanged", "purged")


@dataclass(frozen=True)
class ImportChoice:
    """What to import, and whether any number of deletions is `confirmed`."""

    paths: tuple[Path, ...] = ()
    confirmed: bool = False


@dataclass
class Imported:
    """What an import did, over all its exports: rows and files that landed, activities that were buried."""

    activities: int = 0
    files: int = 0
    records: int = 0
    buried: int = 0
    notes: int = 0

    @property
    def has_landed(self) -> bool:
        """Whether anything new is in bronze."""
        return any((self.activities, self.files, self.records, self.buried, self.notes))


@dataclass
class _Findings:
    """What one export has contained so far."""

    rows: Counter[Change] = field(default_factory=Counter)
    files: Counter[Change] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    ids: dict[int, datetime | None] = field(default_factory=dict)
    noted_files: list[NotedFile] = field(default_factory=list)
    # which activity a photo belongs to, so that purging the activity erases the caption too
    activity_of_media: dict[str, int] = field(default_factory=dict)


class Import:
    """One import of any number of exports; `imported` says how far it got, also after an error.

    token_athlete_id: the athlete of the token, if there is one. began_at: when the run began (UTC).
    """

    def __init__(
        self, bronze: Bronze, token_athlete_id: int | None, report: Report, stop: StopFlag, began_at: datetime
    ) -> None:
        self._bronze = bronze
        self._token_athlete_id = token_athlete_id
        self._report = report
        self._stop = stop
        self._began_at = began_at
        self.imported = Imported()

    def run(self, choice: ImportChoice) -> None:
        """Land the exports of `choice`, the oldest first; one that cannot be read does not stop the others.

        Raises:
            BadExport: one could not be read at all, or belongs to another athlete; the others have landed.
            StravaError: what stopped the landing; all commits before it have landed.
        """
        refused: list[str] = []
        with ExitStack() as stack:
            opened: list[tuple[Export, int]] = []
            athletes = athletes_known(self._bronze)
            if self._token_athlete_id is not None:
                athletes.add(self._token_athlete_id)
            for path in choice.paths:
                try:
                    export = stack.enter_context(_opened(path))
                    athlete_id = _athlete_of(export, athletes)
                except BadExport as error:
                    refused.append(str(error))
                    continue
                athletes.add(athlete_id)
                opened.append((export, athlete_id))
            opened.sort(key=lambda pair: pair[0].exported_at)
            for export, athlete_id in opened:
                landing = _Landing(
                    export, athlete_id, self._bronze, self._report, self._stop, self._began_at, self.imported
                )
                landing.run(choice.confirmed)
        if refused:
            raise BadExport(" ".join(refused))


def _opened(path: Path) -> Export:
    """The export at `path`, with its columns identified.

    Raises:
        BadExport: it is not an export, or cannot be read.
    """
    try:
        export = Export(path)
    except ExportError as error:
        hint = _hint(path) if isinstance(error, NotAnExport) else ""
        raise BadExport(f"{error}{hint}") from error
    except (OSError, RuntimeError) as error:
        # a folder above it may not be entered, or it is a link to itself
        reason = error.strerror if isinstance(error, OSError) else "it is a link to itself"
        raise BadExport(f"{path} cannot be read: {reason}.") from error
    try:
        _ = export.layout
    except ExportError as error:
        export.close()
        raise BadExport(str(error)) from error
    return export


def _hint(path: Path) -> str:
    """What else the person may have meant by `path`, which is not an export."""
    if not path.exists():
        return " A path with blanks needs quotes."
    if path.is_file() and not is_zipfile(path):
        return " Or give a FIT, GPX or TCX file, whose name ends in .fit, .gpx or .tcx."
    if path.is_dir() and not any(path.rglob("activities.csv")):
        return " If it is the folder of your watch: STRAVA_WATCH=… in .env, or --watch."
    return ""


def _athlete_of(export: Export, known: set[int]) -> int:
    """The athlete of the export.

    Raises:
        BadExport: that cannot be determined, or it is none of the `known` athletes.
    """
    if export.athlete_id is None:
        if len(known) == 1:
            return next(iter(known))
        raise BadExport(
            f"{export.origin} does not say to whom it belongs: its profile.csv is missing. Call it "
            "export_<athlete id>.zip, as Strava does, and import it again."
        )
    if known and export.athlete_id not in known:
        whose = " and ".join(map(str, sorted(known)))
        raise BadExport(
            f"{export.origin} is the export of athlete {export.athlete_id}, and this is the history of athlete "
            f"{whose}. Nothing of it was imported; to keep both, give each a folder of its own (STRAVA_HOME)."
        )
    return export.athlete_id


class _Landing:
    """The landing of one export."""

    def __init__(
        self,
        export: Export,
        athlete_id: int,
        bronze: Bronze,
        report: Report,
        stop: StopFlag,
        began_at: datetime,
        imported: Imported,
    ) -> None:
        self._export = export
        self._athlete_id = athlete_id
        self._bronze = bronze
        self._report = report
        self._stop = stop
        self._imported = imported
        self._rows = DatedRows(bronze, athlete_id, began_at)
        self._notes = export_notes(bronze, athlete_id)
        exported_at = export.exported_at.astimezone(UTC).replace(tzinfo=None)
        # an export is never from the future, whatever a clock or a time zone says
        is_dated = export.is_dated and exported_at <= utc_now()
        instant = exported_at if is_dated else None
        # the newest if there are several
        known = [note for note in self._notes if note.is_of(export.csv_sha256, instant)]
        self._known = known[-1] if known else None
        self._is_dated = self._known.is_dated if self._known else is_dated
        self._at = self._known.exported_at if self._known else min(exported_at, utc_now())
        self._found = _Findings()
        # the error that ended the reading within a commit; the commit lands before it is raised
        self._stopped: StravaError | None = None

    def run(self, confirmed: bool) -> None:
        """Land what is new, bury what is absent, and report what was done."""
        with self._report.task(self._export.origin) as task:
            self._imported.activities += self._land(EXPORT_ACTIVITIES, self._activities(task))
            self._imported.records += self._land(EXPORT_RECORDS, self._records())
            self._imported.files += self._land(ACTIVITY_FILES, self._files(task))
        self._export.note_missing_files()
        note = self._note()
        kept = self._bury(note, confirmed)
        if note.adds_to(self._known):
            payload = note.payload()
            self._land(EXPORTS, [self._dated(payload)])
            self._imported.notes += 1
        self._say(note)
        if kept is not None:
            self._report.warn(kept)

    # --- commits

    def _land(self, table: str, rows: Iterable[DatedRow]) -> int:
        """Land `rows` in commits; returns how many there were.

        Raises:
            StravaError: what ended the reading; what came before it has landed.
        """
        count = 0
        waiting = iter(rows)
        while (first := next(waiting, None)) is not None:
            commit = _Commit(chain([first], waiting))
            self._rows.land(table, commit)
            count += commit.count
        if self._stopped is not None:
            raise self._stopped
        return count

    def _goes_on(self) -> bool:
        """Whether no signal has asked for an end."""
        try:
            self._stop.wait(0)
        except Interrupted as stopped:
            self._stopped = stopped
        return self._stopped is None

    def _dated(self, payload: Payload) -> DatedRow:
        return DatedRow(payload.id, payload.start_date, self._at, payload.text, payload.digest.hex())

    # --- activities.csv

    def _activities(self, task: Task) -> Iterator[DatedRow]:
        versions = _KnownVersions(self._bronze, self._athlete_id)
        is_purged = self._bronze.is_purged(EXPORT_ACTIVITIES)
        try:
            for row in self._export.rows():
                if not self._goes_on():
                    return
                start: datetime | None = row.values["start_date"]
                start = start and start.replace(tzinfo=None)
                self._meet(row, start)
                task.show(f"{len(self._found.ids):,} activities", None)
                change = self._change_of(row, versions, is_purged)
                self._found.rows[change] += 1
                if change in ("new", "changed"):
                    yield DatedRow(row.activity_id, start, self._at, row.payload, row.sha256)
        except ExportError as error:
            self._stopped = BadExport(str(error))

    def _meet(self, row: ExportRow, start: datetime | None) -> None:
        self._found.ids[row.activity_id] = start
        for name in (row.values.get("media") or "").split("|"):
            if name:
                self._found.activity_of_media[name] = row.activity_id

    def _change_of(self, row: ExportRow, versions: "_KnownVersions", is_purged: IsPurged) -> Change:
        if is_purged(row.activity_id, self._at):
            return "purged"
        return versions.change(row.activity_id, self._at, row.sha256)

    # --- the other files of the export

    def _records(self) -> Iterator[DatedRow]:
        """Each other row that is kept, unreadable rows of activities.csv included, unless bronze has it."""
        known = {
            sha256
            for (sha256,) in self._bronze.query(
                f"select payload_hash from {{{EXPORT_RECORDS}}} where athlete_id = $athlete_id and fetched_at = $at",
                athlete_id=self._athlete_id,
                at=self._at,
            )
        }
        is_purged = self._bronze.is_purged(EXPORT_RECORDS)
        for id_, file, row in chain(self._unread_rows(), self._other_rows()):
            payload = json.dumps({"file": file, "row": row}, ensure_ascii=False).encode("utf-8", "replace")
            sha256 = hashlib.sha256(payload).hexdigest()
            if sha256 not in known and not is_purged(id_, self._at):
                yield DatedRow(id_, None, self._at, payload, sha256)

    def _other_rows(self) -> Iterator[tuple[int | None, str, dict[str, Any]]]:
        export = self._export
        for row in export.gear():
            yield None, _GEAR_FILES[row["kind"]], row
        for row in export.media():
            yield self._found.activity_of_media.get(row["file_name"] or ""), "media.csv", row
        others = {
            "profile.csv": export.profile(),
            "general_preferences.csv": export.preferences(),
            "goals.csv": export.goals(),
        }
        for file, rows in others.items():
            for row in rows:
                yield None, file, row

    def _unread_rows(self) -> Iterator[tuple[int | None, str, dict[str, Any]]]:
        for problem in self._export.problems:
            if problem.kind == "row" and problem.text is not None:
                row = {"name": problem.name, "reason": problem.reason, "text": problem.text}
                yield _id_in(problem), "activities.csv", row

    # --- the files of activities

    def _files(self, task: Task) -> Iterator[DatedRow]:
        """The files whose bytes bronze does not have yet."""
        landed = self._landed_files()
        for member, file in _read_ahead(self._export, self._unknown_files(task, landed)):
            if file is None:
                continue
            noted = NotedFile(
                file.name, file.sha256, file.kind, file.activity_id, file.upload_id, len(file.content), member.crc32
            )
            if (file.activity_id, file.sha256) in landed:
                self._note_file(noted, "unchanged")
                continue
            landed.add((file.activity_id, file.sha256))
            self._note_file(noted, "new")
            start = self._found.ids.get(file.activity_id) if file.activity_id is not None else None
            yield DatedRow(file.activity_id, start, self._at, file.content, file.sha256)

    def _unknown_files(self, task: Task, landed: set[tuple[int | None, str]]) -> Iterator[Member]:
        """The files that have to be read: the others are known by name, size and checksum."""
        by_looks = {file.looks: file for note in self._notes for file in note.files if file.crc32 is not None}
        is_purged = self._bronze.is_purged(ACTIVITY_FILES)
        members = self._export.file_members()
        size = sum(member.size for member in members) or 1
        done = 0
        for number, member in enumerate(members, 1):
            if not self._goes_on():
                return
            task.show(f"{number:,} of {len(members):,} files", done / size)
            done += member.size
            activity_id = self._export.activity_of_file.get(member.name)
            noted = by_looks.get((member.name, member.size, member.crc32))
            if is_purged(activity_id, self._at):
                self._found.files["purged"] += 1
            elif noted is not None and (activity_id, noted.sha256) in landed:
                self._note_file(replace(noted, activity_id=activity_id), "unchanged")
            else:
                yield member

    def _note_file(self, file: NotedFile, change: Change) -> None:
        self._found.noted_files.append(file)
        self._found.files[change] += 1
        self._found.kinds[file.kind] += 1

    def _landed_files(self) -> set[tuple[int | None, str]]:
        rows = self._bronze.query(
            f"select id, payload_hash from {{{ACTIVITY_FILES}}} where athlete_id = $athlete_id",
            athlete_id=self._athlete_id,
        )
        return set(rows)

    # --- the result

    def _note(self) -> ExportNote:
        problems = self._export.problems
        unread = [problem for problem in problems if problem.kind == "row" and problem.text is not None]
        named = {id_ for problem in unread if (id_ := _id_in(problem)) is not None}
        return ExportNote(
            self._athlete_id,
            self._export.origin,
            self._at,
            self._is_dated,
            utc_now(),
            self._export.layout.width,
            self._export.layout.language,
            self._export.csv_sha256,
            not unread,
            tuple(sorted({*self._found.ids, *named})),
            tuple(self._found.noted_files),
            tuple(replace(problem, text=None) for problem in problems),
        )

    def _bury(self, note: ExportNote, confirmed: bool) -> str | None:
        """Land a tombstone for each activity that an export lacks; otherwise return the reason in words."""
        notes = [other for other in self._notes if other.key != note.key]
        gone = absent(self._bronze, self._athlete_id, [*notes, note])
        if not gone:
            return None
        live = self._bronze.live_at_strava(self._athlete_id)
        names = origins(gone.values())
        where = f"in {' and '.join(names)}"
        refused = None if confirmed else why_not_remove(len(gone), len(live), where)
        if refused is not None:
            return (
                f"{refused}, more than anybody deletes: is it really a whole export of this athlete? Nothing was "
                f"removed. If you did delete them, confirm it with: {confirm_deletions(names)}"
            )
        hashes = self._newest_hashes(gone)
        rows = []
        for id_, lacking in sorted(gone.items()):
            buried = tombstone(id_, self._athlete_id, live[id_], hashes.get(id_), "deleted", "export")
            rows.append(self._dated(buried)._replace(fetched_at=lacking.exported_at))
        self._imported.buried += self._land(TOMBSTONES, rows)
        self._report.say(f"Gone: {counted(len(rows), 'activity')} not {where}, see strava.deleted_activities.")
        return None

    def _newest_hashes(self, ids: Iterable[int]) -> dict[int, str]:
        rows = [
            (at, sha256, id_)
            for table in (EXPORT_ACTIVITIES, ACTIVITIES)
            for id_, at, sha256, _ in self._bronze.versions(table, ids)
        ]
        return {id_: sha256 for _, sha256, id_ in sorted(rows)}

    def _say(self, note: ExportNote) -> None:
        found, language = self._found, f", language {note.language}" if note.language else ""
        self._report.say(
            f"{note.origin}: athlete {self._athlete_id}, exported {note.exported_at:%Y-%m-%d %H:%M} UTC, "
            f"{note.width} columns{language}."
        )
        self._report.say(f"  Activities: {_by_change(found.rows)}.")
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.kinds.items()))
        self._report.say(f"  Files: {_by_change(found.files)}{f' ({kinds})' if kinds else ''}.")
        lost = [problem for problem in note.problems if problem.lost]
        odd = [problem for problem in note.problems if not problem.lost]
        for title, problems in (("Not read", lost), ("Odd, but read", odd)):
            self._say_problems(title, problems)

    def _say_problems(self, title: str, problems: Sequence[Problem]) -> None:
        if not problems:
            return
        self._report.say(f"  {title}: {len(problems):,}")
        for problem in problems[:MOST_PROBLEMS]:
            self._report.say(f"    {problem.explanation}")
        if len(problems) > MOST_PROBLEMS:
            self._report.say(f"    and {len(problems) - MOST_PROBLEMS:,} more: status --json names them")


def _read_ahead(export: Export, members: Iterable[Member]) -> Iterator[tuple[Member, ExportFile | None]]:
    """Each of `members` with its file, read by a second thread while the first one writes; None if unreadable."""

    def read(name: str) -> ExportFile | None:
        file = export.file(name)
        if file is not None:
            # computed once, in this thread
            _ = file.sha256
        return file

    with ThreadPoolExecutor(1) as reader:
        ahead: deque[tuple[Member, Future[ExportFile | None]]] = deque()
        size = 0
        for member in members:
            ahead.append((member, reader.submit(read, member.name)))
            size += member.size
            while size > BYTES_AHEAD or len(ahead) > FILES_AHEAD:
                first, file = ahead.popleft()
                size -= first.size
                yield first, file.result()
        for first, file in ahead:
            yield first, file.result()


class _Commit:
    """The rows of one commit, which ends after so many bytes or so much time; `count` is how many there were."""

    def __init__(self, rows: Iterator[DatedRow]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[DatedRow]:
        began_at_s, size = time.monotonic(), 0
        for row in self._rows:
            self.count += 1
            size += len(row.payload)
            yield row
            if size >= COMMIT_BYTES or time.monotonic() - began_at_s >= COMMIT_S:
                return


class _KnownVersions:
    """The rows of exports in bronze, so that only new or changed ones land."""

    def __init__(self, bronze: Bronze, athlete_id: int) -> None:
        rows = bronze.query(
            f"select id, fetched_at, payload_hash from {{{EXPORT_ACTIVITIES}}} where athlete_id = $athlete_id",
            athlete_id=athlete_id,
        )
        self._versions: dict[int, dict[datetime, set[str]]] = defaultdict(lambda: defaultdict(set))
        for id_, at, sha256 in rows:
            self._versions[id_][at].add(sha256)
        self._buried: dict[int, list[datetime]] = defaultdict(list)
        for _, id_, _, at, _ in bronze.tombstones():
            self._buried[id_].append(at)

    def change(self, id_: int, at: datetime, sha256: str) -> Change:
        """The kind of a row seen at `at` (UTC).

        A row that equals that of the export before is unchanged, unless the activity was buried in between: then it has
        come back.
        """
        versions: Mapping[datetime, set[str]] | None = self._versions.get(id_)
        if versions is None:
            return "new"
        before = max((seen_at for seen_at in versions if seen_at <= at), default=None)
        if before is None or sha256 not in versions[before]:
            return "changed"
        came_back = any(before < buried_at < at for buried_at in self._buried.get(id_, ()))
        return "changed" if came_back else "unchanged"


def _id_in(problem: Problem) -> int | None:
    """The activity id at the start of an unread row, if there is one."""
    begins = _BEGINS_WITH_ID.match(problem.text or "")
    return int(begins[1]) if begins else None


def _by_change(changes: Counter[Change]) -> str:
    counts = [f"{changes[change]:,} {change}" for change in _CHANGES if changes[change]]
    return ", ".join(counts) or "none"
