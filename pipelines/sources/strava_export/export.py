"""An export, opened: its rows and their values, its files, and what else is worth keeping."""

import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Final, Self

from . import texts
from .archive import ACTIVITIES_CSV, READ_ERRORS, Archive, Member, UnreadableMember, open_archive
from .errors import AnotherAthlete, DamagedExport, Problem, UnknownLayout
from .layout import Layout, layout_of
from .records import Record, records
from .rows import row_payload, row_values, upload_id_of

FILES_FOLDER: Final = "activities/"
# the other files that are read: none of them contains an address, a login or another person, except for the profile,
# of which `profile` reads three cells
_GEAR_FILES: Final = {"bikes.csv": "bike", "shoes.csv": "shoes", "components.csv": "component"}
_ROWS_TO_LOOK_AT: Final = 200
_KIND: Final = re.compile(r"\.(fit|gpx|tcx)(\.gz)?$", re.IGNORECASE)


@dataclass(frozen=True)
class ExportRow:
    """A row of activities.csv.

    `payload` is the whole row as a JSON array of [title, text] in order; `values` has what could be mapped, typed, with
    our names. `file_name` is the member with the activity's file, None if there is none.
    """

    number: int
    activity_id: int
    payload: bytes
    values: dict[str, Any]

    @property
    def sha256(self) -> str:
        """The payload's hash."""
        return hashlib.sha256(self.payload).hexdigest()

    @property
    def file_name(self) -> str | None:
        """The member with the activity's file."""
        name: str | None = self.values.get("file_name")
        return name


@dataclass(frozen=True)
class ExportFile:
    """An activity file as it came, compressed or not.

    `kind` is fit, gpx, tcx or other; `upload_id` is known for original uploads; `activity_id` for files that a row
    names.
    """

    name: str
    content: bytes = field(repr=False)
    activity_id: int | None
    upload_id: int | None
    kind: str

    @cached_property
    def sha256(self) -> str:
        """The content's hash."""
        return hashlib.sha256(self.content).hexdigest()


class Export:
    """An export from Strava, opened for reading: a ZIP, a ZIP with a folder on top, or an unpacked folder.

    `athlete_id` is the athlete to whom it has to belong, if that matters. Whatever cannot be read is in `problems` once
    the method that reads it has ended.

    Raises:
        NotAnExport, DamagedExport, EncryptedExport, AnotherAthlete: it cannot be read at all.
    """

    def __init__(self, path: str | Path, athlete_id: int | None = None) -> None:
        self.archive: Archive = open_archive(Path(path))
        self._path = Path(path)
        self._activity_of_file: dict[str, int] | None = None
        self._problems: dict[Problem, None] = dict.fromkeys(self.archive.problems)
        try:
            self.athlete_id = self._athlete_id()
            self._refuse_others_than(athlete_id)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the ZIP."""
        self.archive.close()

    @property
    def origin(self) -> str:
        """The name of the ZIP or folder."""
        return self.archive.origin

    @property
    def problems(self) -> list[Problem]:
        """What was not read, or only with a fault, so far; each once."""
        return list(self._problems)

    @cached_property
    def exported_at(self) -> datetime:
        """When Strava made the export: the time of activities.csv in the ZIP, in UTC."""
        written_at = self.archive.members[ACTIVITIES_CSV].modified_at
        if written_at is None:
            written_at = datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
            self._note("member", ACTIVITIES_CSV, "no_time", "The ZIP has no times; that of the ZIP itself counts.")
        return written_at

    @property
    def is_dated(self) -> bool:
        """Whether `exported_at` is what Strava wrote: the times in a folder may be those of its unpacking."""
        member = self.archive.members[ACTIVITIES_CSV]
        return member.crc32 is not None and member.modified_at is not None

    # --- activities.csv

    @cached_property
    def csv_sha256(self) -> str:
        """The hash of activities.csv, which identifies an export.

        Raises:
            DamagedExport: it cannot be read to its end.
        """
        try:
            with self.archive.open(ACTIVITIES_CSV) as stream:
                digest = hashlib.sha256()
                while block := stream.read(1 << 20):
                    digest.update(block)
        except READ_ERRORS as error:
            raise self._damaged(ACTIVITIES_CSV) from error
        return digest.hexdigest()

    @property
    def layout(self) -> Layout:
        """Which column of activities.csv is which.

        Raises:
            UnknownLayout: the columns cannot be identified safely.
            DamagedExport: activities.csv cannot be read to its end.
        """
        return self._looked[0]

    def rows(self) -> Iterator[ExportRow]:
        """The rows of activities.csv, in its order. Those that cannot be read are among the problems.

        Raises:
            UnknownLayout, DamagedExport: see `layout`; before the first row.
        """
        seen: dict[int, bytes] = {}
        activity_of_file: dict[str, int] = {}
        for record in self._records(ACTIVITIES_CSV, self.layout.width):
            if record.number == 0:
                continue
            row = self._row(record)
            if row is None:
                continue
            digest = hashlib.sha256(row.payload).digest()
            if twin := seen.get(row.activity_id):
                same = "the same" if twin == digest else "another"
                explanation = f"Activity {row.activity_id} has {same} row before."
                self._note("row", f"row {record.number}", "duplicate_id", explanation)
            seen[row.activity_id] = digest
            if row.file_name:
                activity_of_file[row.file_name] = row.activity_id
            yield row
        self._activity_of_file = activity_of_file

    @cached_property
    def _looked(self) -> tuple[Layout, bool]:
        """Which column is which, and whether dates like 3/4/2024 begin with the month.

        Reads activities.csv to its end, so that damage shows before the first row is used.
        """
        layout: Layout | None = None
        fits = looked_at = 0
        dates = texts.DateOrder()
        for record in self._records(ACTIVITIES_CSV, None):
            if record.number == 0:
                layout = layout_of(record.fields or [record.text])
                date = layout.position("start_date") or 1
                continue
            if layout is None or record.fields is None:
                continue
            if looked_at < _ROWS_TO_LOOK_AT:
                looked_at += 1
                fits += layout.fits(record.fields)
            dates.look_at(record.fields[date])
        if layout is None:
            raise UnknownLayout(f"The activities.csv of {self.origin} is empty: download the export from Strava again.")
        if looked_at and fits * 2 <= looked_at:
            header = ", ".join(layout.titles)[:2000]
            raise UnknownLayout(
                f"The activities.csv of {self.origin} has no ids and files where they should be. "
                f"Please report its header: {header}"
            )
        for title in layout.unknown_titles:
            self._note("column", title, "unknown_title", f"{title!r} is an unknown column; it is kept as text.")
        return layout, dates.month_first

    def _records(self, name: str, width: int | None) -> Iterator[Record]:
        try:
            with self.archive.open(name) as stream:
                yield from records(stream, width)
        except READ_ERRORS as error:
            raise self._damaged(name) from error

    def _damaged(self, name: str) -> DamagedExport:
        return DamagedExport(f"{name} of {self.origin} is damaged: download the export from Strava again.")

    def _row(self, record: Record) -> ExportRow | None:
        name, layout = f"row {record.number}", self.layout
        if record.fields is None:
            explanation = (
                f"Row {record.number} of activities.csv has other than the {layout.width} columns of its header."
            )
            self._lose("row", name, "width", explanation, record.text)
            return None
        id_text = record.fields[layout.position("activity_id") or 0].strip()
        if not id_text.isascii() or not id_text.isdecimal() or int(id_text) >= 2**63:
            explanation = f"Row {record.number} of activities.csv has no activity id."
            self._lose("row", name, "no_id", explanation, record.text)
            return None
        if not record.valid_utf8:
            self._note(
                "row", name, "not_utf8", f"Row {record.number} has characters that are not UTF-8; see the payload."
            )
        payload = row_payload(layout, record.fields)
        values = row_values(layout, record.fields, month_first=self._looked[1], row=name, report=self._take_in)
        return ExportRow(record.number, int(id_text), payload, values)

    # --- the activities' files

    def file_members(self) -> list[Member]:
        """The activity files, unread: name, size, checksum, so that known ones need no reading."""
        return [member for name, member in self.archive.members.items() if name.startswith(FILES_FOLDER)]

    def file(self, name: str) -> ExportFile | None:
        """One activity file; None and a problem if it cannot be read."""
        try:
            content = self.archive.read(name)
        except UnreadableMember as error:
            self._lose("file", name, error.reason, str(error))
            return None
        activity_id = self.activity_of_file.get(name)
        return ExportFile(name, content, activity_id, upload_id_of(name), _kind_of(name, content))

    def files(self) -> Iterator[ExportFile]:
        """The activity files, one after the other, including those that no row names. Missing ones are problems."""
        for member in self.file_members():
            if file := self.file(member.name):
                yield file
        self.note_missing_files()

    def note_missing_files(self) -> None:
        """Add the files that a row names and the export lacks to the problems."""
        for name, activity_id in self.activity_of_file.items():
            if name not in self.archive.members:
                explanation = f"{name}, the file of activity {activity_id}, is not in the export."
                self._lose("file", name, "missing", explanation)

    @property
    def activity_of_file(self) -> dict[str, int]:
        """Which activity a file belongs to, by its name; reads activities.csv if it was not read yet."""
        if self._activity_of_file is None:
            for _ in self.rows():
                pass
        return self._activity_of_file or {}

    # --- everything else that is read

    def gear(self) -> Iterator[dict[str, Any]]:
        """Bikes, shoes and components: Strava gives them no ids here, only names."""
        for file, kind in _GEAR_FILES.items():
            for row in self._table(file):
                names = ("bike", "component_type", "brand", "model") if kind == "component" else _GEAR_COLUMNS
                yield {"kind": kind, **_by_position(names, row)}

    def goals(self) -> Iterator[dict[str, Any]]:
        """Goals, unchanged."""
        for row in self._table("goals.csv"):
            yield _by_position((), row)

    def media(self) -> Iterator[dict[str, Any]]:
        """Names and captions of photos and videos; never their contents."""
        for row in self._table("media.csv"):
            yield _by_position(("file_name", "caption"), row)

    def preferences(self) -> Iterator[dict[str, Any]]:
        """Preferences, unchanged: weight, FTP, maximum heart rate, units, language."""
        for row in self._table("general_preferences.csv"):
            yield _by_position((), row)

    def profile(self) -> Iterator[dict[str, Any]]:
        """The athlete: id, sex, weight. Names, e-mail and address are not read."""
        for row in self._table("profile.csv"):
            cells = [text for _, text in row[1]]
            if cells and cells[0].isdecimal():
                sex, weight = (cells[i].strip() if len(cells) > i else "" for i in (4, 6))
                yield {
                    "row_number": row[0],
                    "athlete_id": int(cells[0]),
                    "sex": sex if len(sex) <= 12 and "@" not in sex else None,
                    "weight_kg": _number_or_none(weight),
                }

    def _refuse_others_than(self, athlete_id: int | None) -> None:
        if athlete_id is not None and self.athlete_id not in (None, athlete_id):
            raise AnotherAthlete(f"{self.origin} is the export of athlete {self.athlete_id}, not of {athlete_id}.")

    def _athlete_id(self) -> int | None:
        for person in self.profile():
            athlete_id: int = person["athlete_id"]
            return athlete_id
        named = re.match(r"export_(\d+)", self.origin)
        return int(named[1]) if named else None

    def _table(self, name: str) -> Iterator[tuple[int, list[tuple[str, str]]]]:
        """The rows of one of the small files, as number and pairs of title and text; none if it is missing."""
        if name not in self.archive.members:
            return
        titles: list[str] = []
        try:
            for record in self._records(name, None):
                if record.fields is None:
                    explanation = f"Row {record.number} of {name} does not have the columns of its header."
                    self._lose("row", f"{name}, row {record.number}", "width", explanation)
                elif record.number == 0:
                    titles = record.fields
                else:
                    yield record.number, list(zip(titles, record.fields, strict=True))
        except DamagedExport as error:
            self._lose("member", name, "damaged", str(error))

    def check(self) -> list[Problem]:
        """Read everything and return what could not be read, or only with a fault."""
        for part in (self.rows(), self.files(), self.gear(), self.goals(), self.media(), self.preferences()):
            for _ in part:
                pass
        return self.problems

    def _lose(self, kind: str, name: str, reason: str, explanation: str, text: str | None = None) -> None:
        self._take_in(Problem(kind, name, reason, explanation, text=text))

    def _note(self, kind: str, name: str, reason: str, explanation: str) -> None:
        self._take_in(Problem(kind, name, reason, explanation, lost=False))

    def _take_in(self, problem: Problem) -> None:
        self._problems[problem] = None


_GEAR_COLUMNS: Final = ("name", "brand", "model", "sport_types")


def _number_or_none(text: str) -> float | None:
    try:
        return texts.raw_number(text)
    except ValueError:
        return None


def _by_position(names: tuple[str, ...], row: tuple[int, list[tuple[str, str]]]) -> dict[str, Any]:
    number, pairs = row
    cells = [text or None for _, text in pairs]
    named = {name: cells[i] if i < len(cells) else None for i, name in enumerate(names)}
    return {"row_number": number, **named, "payload": json.dumps(pairs, ensure_ascii=False)}


def _kind_of(name: str, content: bytes) -> str:
    """The kind of a file, by its name, otherwise by its first bytes: Strava has named some `.bin`."""
    if named := _KIND.search(PurePosixPath(name).name):
        return named[1].lower()
    head = content[:512]
    if head[:2] == b"\x1f\x8b":
        try:
            head = zlib.decompressobj(31).decompress(content, 512)
        except zlib.error:
            return "other"
    if head[8:12] == b".FIT":
        return "fit"
    for mark, kind in ((b"<gpx", "gpx"), (b"<TrainingCenterDatabase", "tcx")):
        if mark in head:
            return kind
    return "other"
