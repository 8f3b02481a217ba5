"""Activity files: what is new in a watch folder, or named on the command line, lands in bronze.

A cache knows files by path, size and time, so that nothing is read twice; without it, each is read and recognised by
its content, which is the same with and without gzip.
"""

import hashlib
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple

from pipelines.bronze.exports import athletes_known
from pipelines.bronze.store import Bronze
from pipelines.bronze.sweep import utc_now
from pipelines.bronze.tables import ACTIVITY_FILES, NOBODY, WATCHED_FILES
from pipelines.bronze.watched import WatchedFile, own_id
from pipelines.ground.errors import BadExport, Interrupted
from pipelines.ground.progress import Report, Task
from pipelines.ground.stop import StopFlag
from pipelines.mirror.dated_rows import DatedRows
from pipelines.mirror.same_activity import KnownActivities
from pipelines.mirror.takeover import file_row, note_row
from pipelines.mirror.watch_cache import LEFT, Looked, Outcome, WatchCache
from pipelines.sources.strava_api.payloads import EPOCH
from pipelines.sources.strava_api.terminal import one_line
from pipelines.sources.strava_export import upload_id_of
from pipelines.sources.strava_export.readers import UnreadableFile, unwrapped
from pipelines.warehouse.file_readings import file_reading
from pipelines.warehouse.readings import reader_version

SUFFIXES = (".fit", ".gpx", ".tcx")
# a program that is writing a file writes something within this time
WRITTEN_S = 5
# how long a file without an end may still get one
COMPLETED_S = 600
INCOMPLETE = ("empty", "damaged")
MOST_BYTES = 2**29
BYTES_AT_A_TIME, FILES_AT_A_TIME, SECONDS_AT_A_TIME = 2**25, 500, 30
FILES_PACKED_AT_A_TIME = 32
MOST_PROBLEMS = 20

# what a person sees, in this order
_SAID: dict[Outcome, str] = {
    "new": "new, each an activity of its own",
    "joined": "new, of known activities",
    "known": "known",
    "gone": "of activities that were deleted at Strava",
    "no activity": "without an activity",
    "waiting": "still being written, for the next run",
    "not read": "not read",
}


@dataclass(frozen=True)
class _Found:
    """A file to check; `origin` and `name` record where it was."""

    path: Path
    origin: str
    name: str
    # a file named on the command line counts as complete
    is_named: bool = False


class _Read(NamedTuple):
    """A file that is to land."""

    found: _Found
    looked: Looked
    file: WatchedFile
    content: bytes
    # the hash of the content without gzip
    unpacked_sha256: str


@dataclass
class TakenIn:
    """What was imported: files that landed, and how many of them are activities of their own."""

    files: int = 0
    activities: int = 0


@dataclass
class _Batch:
    """Files that land together."""

    files: list[_Read] = field(default_factory=list)
    began_at_s: float = field(default_factory=time.monotonic)
    size: int = 0

    @property
    def is_full(self) -> bool:
        return (
            self.size >= BYTES_AT_A_TIME
            or len(self.files) >= FILES_AT_A_TIME
            or time.monotonic() - self.began_at_s >= SECONDS_AT_A_TIME
        )


def is_activity_file(path: Path) -> bool:
    """Whether `path` has the name of an activity file."""
    name = path.name.lower().removesuffix(".gz")
    return not name.startswith(".") and name.endswith(SUFFIXES)


class Watch:
    """Imports activity files; `taken_in` says how far it got, also after an error.

    token_athlete_id: the athlete of the token, if there is one. began_at: when the run began (UTC).
    """

    def __init__(
        self,
        bronze: Bronze,
        cache_path: Path,
        token_athlete_id: int | None,
        report: Report,
        stop: StopFlag,
        began_at: datetime,
    ) -> None:
        self._bronze = bronze
        self._cache = WatchCache(cache_path)
        self._token_athlete_id = token_athlete_id
        self._report = report
        self._stop = stop
        self._began_at = began_at
        self._counts = Counter[Outcome]()
        self._problems: list[str] = []
        self.taken_in = TakenIn()

    def run_folder(self, folder: Path) -> None:
        """Import what is new in `folder` and below it; unreadable files are noted and stop nothing.

        Raises:
            BadExport: the folder cannot be listed, or the athlete of these files is unknown.
            Interrupted: a signal came; what was imported has landed.
            StorageFailed: bronze or the cache cannot be read or written.
        """
        found = list(_files_below(folder))
        self._cache.keep({str(each.path) for each in found})
        try:
            self._run(found, f"Watch folder {folder}")
        finally:
            self._cache.write()

    def run_files(self, paths: Iterable[Path]) -> None:
        """Import the files at `paths`, which are complete.

        Raises:
            BadExport: some cannot be read, or their athlete is unknown; the others have landed.
            Interrupted, StorageFailed: as `run_folder`.
        """
        found = [_Found(path, str(path.parent), path.name, is_named=True) for path in paths]
        if not found:
            return
        self._run(found, "Activity files")
        if self._problems:
            raise BadExport(" ".join(self._problems))

    def _run(self, found: list[_Found], title: str) -> None:
        self._counts.clear()
        self._problems.clear()
        new = list(self._unknown(found))
        if new:
            athlete_id = self._athlete_id()
            with self._report.task(title) as task:
                for batch in self._batches(new, task):
                    self._land(batch, athlete_id)
        self._say(title)

    def _athlete_id(self) -> int:
        """The athlete of these files.

        Raises:
            BadExport: bronze has several athletes, and there is no token that names one.
        """
        if self._token_athlete_id is not None:
            return self._token_athlete_id
        known = athletes_known(self._bronze)
        if len(known) > 1:
            whose = " and ".join(map(str, sorted(known)))
            raise BadExport(
                f"These files do not name their athlete, and this is the history of athletes {whose}: run `make auth` "
                "once, or give each a folder of its own (STRAVA_HOME)."
            )
        return known.pop() if known else NOBODY

    # --- what is new

    def _unknown(self, found: Iterable[_Found]) -> Iterator[_Found]:
        """Those that have to be read."""
        rows = self._bronze.query(f"select distinct payload_hash from {{{ACTIVITY_FILES}}} where id is not null")
        # the hash of a file, with or without gzip -> that of the file in bronze with this content
        self._landed = {sha256: sha256 for (sha256,) in rows}
        for each in found:
            try:
                stat = each.path.stat()
            except OSError as error:
                self._leave(each, Looked(0, 0, "not read", reason=f"{error.strerror or 'It cannot be read'}."))
                continue
            looked = None if each.is_named else self._cache.get(str(each.path))
            is_same = looked is not None and (looked.size, looked.changed_ns) == (stat.st_size, stat.st_mtime_ns)
            if looked is None or not is_same or not looked.is_final(reader_version()):
                yield each
            elif looked.outcome in LEFT:
                self._leave(each, looked)
            elif looked.outcome == "gone" or looked.sha256 in self._landed:
                self._note(each, looked)
            else:
                # bronze, which is the truth, has lost it
                yield each

    def _note(self, each: _Found, looked: Looked) -> None:
        """Count what was found, and note it for the next run."""
        self._counts[looked.outcome] += 1
        if not each.is_named:
            self._cache.put(str(each.path), looked)

    def _leave(self, each: _Found, looked: Looked) -> None:
        """Like `_note`, for a file that does not land."""
        self._note(each, looked)
        if looked.outcome == "not read" or each.is_named:
            name = str(each.path) if each.is_named else each.name
            self._problems.append(f"{one_line(name)}: {looked.reason}")

    def _batches(self, found: list[_Found], task: Task) -> Iterator[_Batch]:
        batch = _Batch()
        for number, each in enumerate(found):
            task.show(f"{number:,} of {len(found):,} files", number / len(found))
            try:
                self._stop.wait(0)
            except Interrupted:
                if batch.files:
                    yield batch
                raise
            read = self._read(each)
            if read is not None:
                batch.files.append(read)
                batch.size += len(read.content)
            if batch.is_full and batch.files:
                yield batch
                batch = _Batch()
        if batch.files:
            yield batch

    def _read(self, each: _Found) -> _Read | None:
        """The reading of the file; None if it is known, waits or cannot be read."""
        try:
            before = each.path.stat()
            if not S_ISREG(before.st_mode):
                # reading a pipe would wait until something is written into it
                self._leave(each, Looked(0, 0, "not read", reason="It is no file."))
                return None
            age_s = time.time() - before.st_mtime
            if each.is_named or age_s < -WRITTEN_S:
                # a time in the future comes from a wrong clock and means nothing
                age_s = COMPLETED_S
            is_whole = age_s >= WRITTEN_S
            content = each.path.read_bytes() if is_whole and before.st_size <= MOST_BYTES else b""
            after = each.path.stat()
        except OSError as error:
            # not a property of the bytes: each run tries again
            self._leave(each, Looked(0, 0, "not read", reason=f"{error.strerror or 'It cannot be read'}."))
            return None
        looked = Looked(before.st_size, before.st_mtime_ns, "known", reader=reader_version())
        if not is_whole or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            self._leave(each, replace(looked, outcome="waiting", reason="It is still being written.", reader=""))
        elif before.st_size > MOST_BYTES:
            self._leave(each, replace(looked, outcome="not read", reason=f"It has more than {MOST_BYTES >> 20} MB."))
        else:
            return self._parsed(each, replace(looked, sha256=hashlib.sha256(content).hexdigest()), content, age_s)
        return None

    def _parsed(self, each: _Found, looked: Looked, content: bytes, age_s: float) -> _Read | None:
        sha256 = looked.sha256 or ""
        unpacked_sha256 = _unpacked_sha256(content, sha256)
        landed = self._landed.get(sha256, self._landed.get(unpacked_sha256))
        if landed is not None:
            self._note(each, replace(looked, sha256=landed))
            return None
        reading = file_reading(content)
        is_cut = bool(reading.get("faults")) or reading.get("problem_reason") in INCOMPLETE
        file = _as_noted(each, sha256, own_id(unpacked_sha256), reading)
        if is_cut and age_s < COMPLETED_S:
            reason = str(reading.get("problem") or f"It is not whole: {', '.join(reading['faults'])}.")
            self._leave(each, replace(looked, outcome="waiting", reason=reason, reader=""))
        elif file is None:
            reason = str(reading.get("problem") or "It does not say when it began.")
            outcome: Outcome = "no activity" if reading.get("problem_reason") == "no activity" else "not read"
            self._leave(each, replace(looked, outcome=outcome, reason=reason))
        else:
            self._landed |= {sha256: sha256, unpacked_sha256: sha256}
            return _Read(each, looked, file, content, unpacked_sha256)
        return None

    # --- what lands

    def _land(self, batch: _Batch, athlete_id: int) -> None:
        """Land a batch: first the notes, which show that the files are not from an export."""
        known = KnownActivities(self._bronze, athlete_id, [read.file for read in batch.files])
        is_purged = self._bronze.is_purged(ACTIVITY_FILES)
        activity_ids = [known.activity_of(read.file) for read in batch.files]
        packed = _Packed(self._bronze, athlete_id, {id_ for id_ in activity_ids if id_ is not None})
        landing: list[tuple[WatchedFile, bytes]] = []
        for found, looked, file, content, unpacked_sha256 in batch.files:
            # those before it in this batch are known too
            activity_id = known.activity_of(file)
            twin = packed.twin_of(activity_id, unpacked_sha256)
            is_gone = activity_id is None and (known.is_gone(file) or is_purged(file.activity_id, EPOCH))
            outcome: Outcome = "known"
            if is_gone:
                self._counts["gone"] += 1
                outcome = "gone"
            elif twin is not None:
                self._counts["known"] += 1
            else:
                self._counts["new" if activity_id is None else "joined"] += 1
                taken = file if activity_id is None else known.joined(file, activity_id)
                known.add(taken)
                landing.append((taken, content))
            if not found.is_named:
                self._cache.put(str(found.path), replace(looked, outcome=outcome, sha256=twin or looked.sha256))
        if landing:
            rows = DatedRows(self._bronze, athlete_id, self._began_at)
            rows.land(WATCHED_FILES, (note_row(file, athlete_id) for file, _ in landing))
            rows.land(ACTIVITY_FILES, (file_row(file, content) for file, content in landing))
        self.taken_in.files += len(landing)
        self.taken_in.activities += sum(file.is_alone for file, _ in landing)
        self._cache.write()

    def _say(self, title: str) -> None:
        if not self._counts:
            return
        counts = "; ".join(f"{self._counts[kind]:,} {said}" for kind, said in _SAID.items() if self._counts[kind])
        self._report.say(f"{title}: {counts}.")
        for problem in self._problems[:MOST_PROBLEMS]:
            self._report.say(f"    {problem}")
        if len(self._problems) > MOST_PROBLEMS:
            self._report.say(f"    and {len(self._problems) - MOST_PROBLEMS:,} more: status --json names them")


def _files_below(folder: Path) -> Iterator[_Found]:
    """The activity files in `folder`, by name, without hidden files and links to folders.

    Raises:
        BadExport: it cannot be listed.
    """
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise BadExport(f"The watch folder {folder} cannot be listed: {error.strerror}.") from error
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            if is_activity_file(path):
                yield _Found(path, str(folder), str(path.relative_to(folder)))


class _Packed:
    """The files of activities in bronze that are gzip, by what is in them."""

    def __init__(self, bronze: Bronze, athlete_id: int, activity_ids: set[int]) -> None:
        self._packed: dict[tuple[int, str], str] = {}
        ids = sorted(activity_ids)
        for first in range(0, len(ids), FILES_PACKED_AT_A_TIME):
            for id_, sha256, content in bronze.query(
                f"select id, payload_hash, payload from {{{ACTIVITY_FILES}}} "
                "where athlete_id = $athlete_id and id in (select unnest($ids))",
                athlete_id=athlete_id,
                ids=ids[first : first + FILES_PACKED_AT_A_TIME],
            ):
                self._packed[id_, _unpacked_sha256(content or b"", sha256)] = sha256

    def twin_of(self, activity_id: int | None, unpacked_sha256: str) -> str | None:
        """The hash of the activity's file with this content, if there is one."""
        return None if activity_id is None else self._packed.get((activity_id, unpacked_sha256))


def _unpacked_sha256(content: bytes, sha256: str) -> str:
    """The hash of `content` without gzip; its own, `sha256`, if it is none or damaged."""
    try:
        unpacked, faults = unwrapped(content)
    except UnreadableFile:
        return sha256
    return sha256 if faults or unpacked is content else hashlib.sha256(unpacked).hexdigest()


def _as_noted(each: _Found, sha256: str, activity_id: int, reading: dict[str, Any]) -> WatchedFile | None:
    """The note on a file with this reading, as an activity of its own; None if it has no activity."""
    text = reading.get("start_date")
    if text is None:
        return None
    return WatchedFile(
        activity_id,
        utc_now(),
        each.origin,
        each.name,
        sha256,
        datetime.fromisoformat(text.removesuffix("Z")),
        float(reading.get("elapsed_time") or 0),
        float(reading.get("distance") or 0),
        upload_id_of(each.name),
        reading.get("device_id"),
        reading.get("start_latlng"),
    )
