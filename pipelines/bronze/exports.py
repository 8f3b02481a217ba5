"""Exports: what bronze notes about each import of the athlete's export, and which activities an export lacks."""

import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from pipelines.bronze.store import BronzeReader
from pipelines.bronze.tables import (
    ACTIVITIES,
    ACTIVITY_DETAILS,
    ACTIVITY_FILES,
    EXPORT_ACTIVITIES,
    EXPORT_RECORDS,
    EXPORTS,
    NOBODY,
    WATCHED_FILES,
)
from pipelines.sources.strava_api.payloads import EPOCH, Payload
from pipelines.sources.strava_export import Problem


@dataclass(frozen=True)
class NotedFile:
    """An activity file of an export: name, kind, activity, and what identifies it without reading it.

    `crc32` is the ZIP's checksum, None for a file in a folder.
    """

    name: str
    sha256: str
    kind: str
    activity_id: int | None
    upload_id: int | None
    size: int
    crc32: int | None

    @property
    def looks(self) -> tuple[str, int, int | None]:
        """What a ZIP says about it."""
        return self.name, self.size, self.crc32


@dataclass(frozen=True)
class ExportNote:
    """A complete import. Instants are UTC.

    is_dated: `exported_at` is what Strava wrote. is_complete: all rows could be read, so an activity that is not
    there was gone by then. activity_ids: ids in activities.csv, those of unreadable rows included as far as they are
    known. problems: what was not read, or only with a fault; without the text of rows.
    """

    athlete_id: int
    origin: str
    exported_at: datetime
    is_dated: bool
    imported_at: datetime
    width: int
    language: str | None
    csv_sha256: str
    is_complete: bool
    activity_ids: tuple[int, ...]
    files: tuple[NotedFile, ...]
    problems: tuple[Problem, ...]

    @classmethod
    def read(cls, athlete_id: int, text: str) -> "ExportNote | None":
        """The note in a payload of bronze; None if its version is unknown."""
        try:
            noted = json.loads(text)
            return cls(
                athlete_id,
                str(noted["origin"]),
                _instant(noted["exported_at"]),
                bool(noted["is_dated"]),
                _instant(noted["imported_at"]),
                int(noted["width"]),
                noted["language"],
                str(noted["csv_sha256"]),
                bool(noted["is_complete"]),
                tuple(map(int, noted["activity_ids"])),
                tuple(NotedFile(**file) for file in noted["files"]),
                tuple(Problem(**problem) for problem in noted["problems"]),
            )
        except (ValueError, KeyError, TypeError):
            return None

    @property
    def key(self) -> tuple[datetime, str]:
        """Which export it is."""
        return self.exported_at, self.csv_sha256

    def is_of(self, csv_sha256: str, exported_at: datetime | None) -> bool:
        """Whether it is about the export with this activities.csv; `exported_at` is None if unknown."""
        is_then = exported_at is None or not self.is_dated or exported_at == self.exported_at
        return csv_sha256 == self.csv_sha256 and is_then

    def payload(self) -> Payload:
        """The payload in bronze."""
        problems = [asdict(problem) for problem in self.problems]
        for problem in problems:
            # the text of a row is in a row of its own, where a purge finds it
            del problem["text"]
        noted = {
            "origin": self.origin,
            "exported_at": _text(self.exported_at),
            "is_dated": self.is_dated,
            "imported_at": _text(self.imported_at),
            "width": self.width,
            "language": self.language,
            "csv_sha256": self.csv_sha256,
            "is_complete": self.is_complete,
            "activity_ids": self.activity_ids,
            "files": [asdict(file) for file in self.files],
            "problems": problems,
        }
        text = json.dumps(noted, ensure_ascii=False).encode("utf-8", "replace")
        return Payload(None, self.athlete_id, None, text, hashlib.sha256(text).digest())

    def adds_to(self, known: "ExportNote | None") -> bool:
        """Whether it says more than an earlier note of the same export."""
        if known is None:
            return True
        named = {(problem.kind, problem.name, problem.reason) for problem in self.problems}
        known_by_name = {(problem.kind, problem.name, problem.reason) for problem in known.problems}
        if named != known_by_name:
            return True
        contents = {(file.name, file.sha256) for file in known.files}
        # with checksums a ZIP is recognised without reading its files
        looks = {file.looks for file in known.files}
        return any(
            (file.name, file.sha256) not in contents or (file.crc32 is not None and file.looks not in looks)
            for file in self.files
        )


def export_notes(bronze: BronzeReader, athlete_id: int) -> list[ExportNote]:
    """The newest note of each export of an athlete, in the order in which the exports were made.

    Raises:
        StorageFailed: bronze cannot be read.
    """
    rows = bronze.query(
        f"select payload from {{{EXPORTS}}} where athlete_id = $athlete_id order by fetched_at", athlete_id=athlete_id
    )
    newest: dict[tuple[datetime, str], ExportNote] = {}
    for (text,) in rows:
        note = ExportNote.read(athlete_id, text)
        if note is not None:
            known = newest.get(note.key)
            if known is None or known.imported_at <= note.imported_at:
                newest[note.key] = note
    return sorted(newest.values(), key=lambda note: note.exported_at)


def athletes_known(bronze: BronzeReader) -> set[int]:
    """Whose activities bronze has; NOBODY is none of them.

    Files that a token or an export assigned to its athlete stay that athlete's when the export is withdrawn.

    Raises:
        StorageFailed: bronze cannot be read.
    """
    tables = (ACTIVITIES, ACTIVITY_DETAILS, EXPORT_ACTIVITIES, EXPORTS, ACTIVITY_FILES)
    union = " union ".join(f"select athlete_id from {{{table}}}" for table in tables)
    return {athlete_id for (athlete_id,) in bronze.query(union) if athlete_id is not None} - {NOBODY}


def unfinished_imports(bronze: BronzeReader, athlete_id: int) -> list[datetime]:
    """Instants of exports whose import landed something but is not complete.

    Raises:
        StorageFailed: bronze cannot be read.
    """
    tables = (EXPORT_ACTIVITIES, EXPORT_RECORDS, ACTIVITY_FILES)
    union = " union ".join(f"select fetched_at from {{{table}}} where athlete_id = $athlete_id" for table in tables)
    rows = bronze.query(
        f"select fetched_at from ({union}) where fetched_at not in "
        f"(select fetched_at from {{{EXPORTS}}} where athlete_id = $athlete_id) and fetched_at not in "
        f"(select fetched_at from {{{WATCHED_FILES}}} where athlete_id = $athlete_id) order by fetched_at",
        athlete_id=athlete_id,
    )
    return [fetched_at for (fetched_at,) in rows]


def absent(bronze: BronzeReader, athlete_id: int, notes: Iterable[ExportNote]) -> dict[int, ExportNote]:
    """Ids of the live activities that were known before an export that lacks them, each with the first such export.

    What any door has seen since that export stays live: a version, a row of a later export, changed or not, or a walk
    over the whole list, which lands nothing for unchanged activities.

    Raises:
        StorageFailed: bronze cannot be read.
    """
    exports = sorted(notes, key=lambda note: note.exported_at)
    if not any(note.is_complete for note in exports):
        return {}
    last_seen = _last_seen(bronze, athlete_id)
    for note in exports:
        for id_ in note.activity_ids:
            last_seen[id_] = max(last_seen.get(id_, EPOCH), note.exported_at)
    return first_lacking(bronze.live_at_strava(athlete_id), last_seen, exports)


def origins(notes: Iterable[ExportNote]) -> list[str]:
    """The names of the ZIPs or folders of `notes`, each once."""
    return list(dict.fromkeys(note.origin for note in notes))


def confirm_deletions(names: Iterable[str]) -> str:
    """The command with which a person confirms that what these exports lack was deleted."""
    return shlex.join(["python", "pipelines/strava.py", "import", "--confirm-deletions", *names])


def first_lacking(
    ids: Iterable[int], last_seen: Mapping[int, datetime], exports: Iterable[ExportNote]
) -> dict[int, ExportNote]:
    """Those of `ids` that a complete export newer than their last sighting lacks, each with the first such export.

    `exports` are in the order in which they were made; instants are UTC.
    """
    complete = [(note, set(note.activity_ids)) for note in exports if note.is_complete]
    found: dict[int, ExportNote] = {}
    for id_ in ids:
        seen_at = last_seen.get(id_)
        for note, known in complete:
            if seen_at is not None and note.exported_at > seen_at and id_ not in known:
                found[id_] = note
                break
    return found


def _last_seen(bronze: BronzeReader, athlete_id: int) -> dict[int, datetime]:
    tables = (ACTIVITIES, ACTIVITY_DETAILS, EXPORT_ACTIVITIES, ACTIVITY_FILES)
    union = " union all ".join(
        f"select id, fetched_at from {{{table}}} where athlete_id = $athlete_id" for table in tables
    )
    # a file from a watch does not show what is at Strava
    union += f" and fetched_at not in (select fetched_at from {{{WATCHED_FILES}}})"
    rows = bronze.query(
        f"select id, max(fetched_at) from ({union}) where id is not null group by id", athlete_id=athlete_id
    )
    last_seen: dict[int, datetime] = dict(rows)
    swept_at = max(bronze.sweeps_begun(athlete_id), default=EPOCH)
    for id_ in bronze.seen(athlete_id, datetime.max):
        last_seen[id_] = max(last_seen[id_], swept_at)
    return last_seen


def _text(instant: datetime) -> str:
    return instant.isoformat() + "Z"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z"))
