"""What is wrong with real exports, one thing at a time: `apply(draft, ["missing-member"])`, or `mixed`."""

import os
import struct
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from simulator.activity_files import Sample
from simulator.export import (
    PRIVATE_MARK,
    Draft,
    ExportedRow,
    NoRoom,
    float32,
    keys_of,
    line,
    shown_distance,
)
from simulator.export_words import header

MIXED: Final = "mixed"
Defect = Callable[[Draft], None]
DEFECTS: Final[dict[str, Defect]] = {}
"""Defects by name; the docstring of each says what it does."""
REFUSED: Final = frozenset(("not-a-zip", "not-an-export", "cut", "encrypted", "csv-crc", "empty-csv", "two-exports"))
"""Those that leave nothing to read."""
# those that turn others into something else: never part of `mixed`
_ALONE: Final = REFUSED | {"unknown-width", "cut-csv", "other-athlete"}


def apply(draft: Draft, names: Iterable[str]) -> tuple[str, ...]:
    """Put defects into a draft and return their names; `mixed` is all that leave something to read and have room.

    Raises ValueError for a name that is invalid, NoRoom if there are too few activities for it.
    """
    done: list[str] = []
    for name in names:
        if name == MIXED:
            done += [one for one in DEFECTS if one not in _ALONE and _fits(DEFECTS[one], draft)]
        elif name in DEFECTS:
            DEFECTS[name](draft)
            done.append(name)
        else:
            raise ValueError(f"no defect {name}; there are {MIXED}, {', '.join(DEFECTS)}")
    return tuple(done)


def _fits(put: Defect, draft: Draft) -> bool:
    try:
        put(draft)
    except NoRoom:
        return False
    return True


def _defect(put: Defect) -> Defect:
    DEFECTS[put.__name__.removeprefix("_").replace("_", "-")] = put
    return put


# --- rows


@_defect
def error_file(draft: Draft) -> None:
    """A file that Strava failed to export: its row says `#error#`."""
    row = draft.pick_with_file()
    row.cells["Filename"], row.file = "#error#", None


@_defect
def missing_member(draft: Draft) -> None:
    """A file that a row names and the ZIP has not."""
    name = draft.pick_with_file().file_name
    draft.no_file.add(name)
    draft.lost_files[name] = "missing"


@_defect
def empty_file(draft: Draft) -> None:
    """A file without a byte in it."""
    row = draft.pick_with_file()
    row.file = bytes
    draft.lost_files[row.file_name] = "empty"


@_defect
def bin_file(draft: Draft) -> None:
    """A FIT file by the name of `.bin.gz`."""
    row = draft.pick_with_file(".fit.gz")
    row.cells["Filename"] = row.file_name.replace(".fit.gz", ".bin.gz")


@_defect
def odd_texts(draft: Draft) -> None:
    """Names and descriptions with quotes, commas, line ends of all kinds, emoji and nothing at all."""
    description = 'He said "go",\r\nwe went.\rOld Mac.\n\n"Quoted"\t🏃‍♀️ 1,2;3\n123456,looks like a row\n'
    draft.pick().cells["Activity Description"] = description
    draft.pick().cells["Activity Name"] = ""
    draft.pick().cells["Activity Name"] = '"'
    draft.pick().cells["Activity Private Note"] = 'back\\slash, \\"not an escape\\"\n'


@_defect
def empty_elapsed(draft: Draft) -> None:
    """Rows whose second block has no elapsed time, maximum heart rate or relative effort."""
    row = draft.pick()
    for key in ("Elapsed Time#2", "Max Heart Rate#2", "Relative Effort#2"):
        row.cells[key] = ""


@_defect
def moving_over_elapsed(draft: Draft) -> None:
    """A moving time above the elapsed time."""
    row = draft.pick()
    row.cells["Moving Time"] = draft.raw(int(row.cells["Elapsed Time"]) + 17)


@_defect
def gear_off_by_one(draft: Draft) -> None:
    """A bike's id that 32 bits have rounded."""
    row = draft.pick()
    row.cells["Bike"] = str(float32(16_777_217))


@_defect
def swim(draft: Draft) -> None:
    """A swim, in metres and with a separator of thousands."""
    _become(draft, "Swim", 1500.0)


@_defect
def sail(draft: Draft) -> None:
    """An outing under sail, in nautical miles."""
    _become(draft, "Sail", 18520.0)


def _become(draft: Draft, type_: str, metres: float) -> None:
    row = draft.pick()
    row.cells["Activity Type"] = draft.words.sports.get(type_, type_)
    shown = str(metres) if len(draft.keys) == 10 else shown_distance(draft.words, type_, metres)
    row.cells |= {"Distance": shown, "Distance#2": draft.raw(metres)}


@_defect
def unknown_sport(draft: Draft) -> None:
    """A sport that nobody has heard of."""
    draft.pick().cells["Activity Type"] = "Ålesund Øverswim" if draft.language != "en" else "Quantum Hopping"


@_defect
def bad_date(draft: Draft) -> None:
    """A date that is invalid."""
    draft.pick().cells["Activity Date"] = "31.02.2024, 25:61:00"


@_defect
def bad_number(draft: Draft) -> None:
    """Numbers that are none, or not finite."""
    row = draft.pick()
    row.cells |= {"Calories": "NaN", "Max Watts": "many", "Weather Observation Time": "1e300", "Bike": "12.5"}


@_defect
def bad_id(draft: Draft) -> None:
    """A row without an id."""
    row = draft.pick()
    row.cells["Activity ID"], row.lost = "", "no_id"


@_defect
def short_row(draft: Draft) -> None:
    """A row with too few columns."""
    row = draft.pick()
    row.raw, row.lost = lambda: line(draft.texts(row)[:-3], draft.line_end, draft.delimiter), "width"


@_defect
def open_quote(draft: Draft) -> None:
    """A quote that is never closed, in the middle of the file."""
    row = draft.pick(lambda row: row is not draft.rows[-1])
    broken = f'{row.cells["Activity ID"]},"a broken quote,,\n'.encode()
    row.raw, row.lost = lambda: broken, "width"


@_defect
def not_utf8(draft: Draft) -> None:
    """A row in Latin-1."""
    row = draft.pick()
    row.cells["Activity Name"] = "Zürich"
    latin = "Zürich".encode("latin-1")
    row.raw = lambda: line(draft.texts(row), draft.line_end, draft.delimiter).replace("Zürich".encode(), latin)


@_defect
def duplicate_row(draft: Draft) -> None:
    """An activity that is there twice."""
    row = draft.pick()
    draft.rows.append(ExportedRow(row.activity, dict(row.cells), spoiled=True))


@_defect
def cropped(draft: Draft) -> None:
    """A row that was cropped at Strava, whose file is whole."""
    row = draft.pick_with_file()
    seconds = int(row.cells["Elapsed Time"]) * 9 // 10
    row.cells |= {"Elapsed Time": str(seconds), "Elapsed Time#2": draft.raw(seconds)}


# --- activities.csv as a whole


@_defect
def spreadsheet(draft: Draft) -> None:
    """A file that a spreadsheet has saved again: a BOM, CRLF and capital letters."""
    draft.bom, draft.line_end = True, "\r\n"
    for row in draft.rows:
        row.cells["Commute"] = row.cells["Commute"].upper()


@_defect
def semicolons(draft: Draft) -> None:
    """A file that a spreadsheet has saved with semicolons."""
    draft.delimiter = ";"


@_defect
def cut_csv(draft: Draft) -> None:
    """An activities.csv that ends in the middle of its last row."""
    row = draft.rows[-1]
    broken = f'{row.cells["Activity ID"]},"Sep 12, 20'.encode()
    row.raw, row.lost = lambda: broken, "width"


@_defect
def empty_csv(draft: Draft) -> None:
    """An activities.csv without a byte in it."""
    draft.refused = "empty-csv"
    draft.after.append(lambda path, folder: _replace(path, f"{folder}activities.csv", b""))


@_defect
def unknown_width(draft: Draft) -> None:
    """Three columns that nobody has seen yet."""
    draft.titles = header(106, draft.language, untranslated=False)
    draft.keys = keys_of(106)
    for row in draft.rows:
        row.cells["Hidden Talent"] = "juggling"


# --- the ZIP


@_defect
def folder_on_top(draft: Draft) -> None:
    """A ZIP with a folder on top of all."""
    draft.folder = f"export_{draft.athlete_id}/"


@_defect
def macosx(draft: Draft) -> None:
    """What macOS adds to a ZIP."""
    for name in ("__MACOSX/._activities.csv", "__MACOSX/activities/._1.gpx", ".DS_Store"):
        draft.odd_members.append((zipfile.ZipInfo(name), b"\0\5\x16\7"))


@_defect
def dot_dot(draft: Draft) -> None:
    """Names that lead out of the export."""
    for name in ("../outside.gpx", "activities/../../outside.gpx", "..\\outside.gpx"):
        draft.odd_members.append((zipfile.ZipInfo(name), PRIVATE_MARK.encode()))


@_defect
def absolute_name(draft: Draft) -> None:
    """Names that begin at the root of a disk."""
    for name in ("/etc/outside.gpx", "C:/outside.gpx"):
        draft.odd_members.append((zipfile.ZipInfo(name), PRIVATE_MARK.encode()))


@_defect
def duplicate_name(draft: Draft) -> None:
    """A name that is there twice, with other bytes."""
    draft.odd_members.append((zipfile.ZipInfo(f"{draft.folder}goals.csv"), b"Goal Type\nagain\n"))


@_defect
def link(draft: Draft) -> None:
    """A link instead of a file."""
    info = zipfile.ZipInfo(f"{draft.folder}activities/link.gpx")
    info.external_attr = 0o120777 << 16
    draft.odd_members.append((info, b"/etc/passwd"))


@_defect
def bomb(draft: Draft) -> None:
    """A file that would grow a thousandfold."""
    info = zipfile.ZipInfo(f"{draft.folder}activities/bomb.gpx")
    draft.odd_members.append((info, bytes(30_000_000)))


@_defect
def file_crc(draft: Draft) -> None:
    """A file whose checksum in the ZIP is wrong."""
    name = draft.pick_with_file().file_name
    draft.lost_files[name] = "damaged"
    draft.after.append(lambda path, folder: _patch(path, f"{folder}{name}", crc=True))


@_defect
def encrypted_file(draft: Draft) -> None:
    """A file that asks for a password."""
    name = draft.pick_with_file().file_name
    draft.lost_files[name] = "encrypted"
    draft.after.append(lambda path, folder: _patch(path, f"{folder}{name}", encrypted=True))


@_defect
def csv_crc(draft: Draft) -> None:
    """An activities.csv whose checksum is wrong."""
    draft.refused = "csv-crc"
    draft.after.append(lambda path, folder: _patch(path, f"{folder}activities.csv", crc=True))


@_defect
def encrypted(draft: Draft) -> None:
    """An activities.csv that asks for a password."""
    draft.refused = "encrypted"
    draft.after.append(lambda path, folder: _patch(path, f"{folder}activities.csv", encrypted=True))


@_defect
def cut(draft: Draft) -> None:
    """A ZIP that was not downloaded to its end."""
    draft.refused = "cut"
    draft.after.append(lambda path, _: os.truncate(path, path.stat().st_size * 6 // 10))


@_defect
def not_a_zip(draft: Draft) -> None:
    """A page by the name of a ZIP."""

    def put_a_page_there(path: Path, _: str) -> None:
        path.write_text("<!DOCTYPE html><title>Log in</title>")

    draft.refused = "not-a-zip"
    draft.after.append(put_a_page_there)


@_defect
def not_an_export(draft: Draft) -> None:
    """A ZIP without an activities.csv."""
    draft.refused = "not-an-export"


@_defect
def two_exports(draft: Draft) -> None:
    """A ZIP with two exports in it."""
    draft.refused, draft.folder = "two-exports", "one/"
    draft.odd_members.append((zipfile.ZipInfo("two/activities.csv"), b"id\n"))


@_defect
def other_athlete(draft: Draft) -> None:
    """Somebody else's export."""
    draft.members["profile.csv"] = draft.members["profile.csv"].replace(str(draft.athlete_id).encode(), b"31415926")


def _offset(path: Path, name: str) -> tuple[int, int]:
    """Where a member's local header and its entry in the central directory begin."""
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        at = archive.start_dir
        for info in archive.infolist():
            if info.filename == name:
                return info.header_offset, at
            lengths = struct.unpack("<HHH", content[at + 28 : at + 34])
            at += 46 + sum(lengths)
    raise ValueError(f"{name} is not in the ZIP")


def _patch(path: Path, name: str, *, crc: bool = False, encrypted: bool = False) -> None:
    local, central = _offset(path, name)
    content = bytearray(path.read_bytes())
    for flags_at, crc_at in ((local + 6, local + 14), (central + 8, central + 16)):
        if encrypted:
            content[flags_at] |= 1
        if crc:
            content[crc_at] ^= 0xFF
    path.write_bytes(bytes(content))


def _replace(path: Path, name: str, new: bytes) -> None:
    with zipfile.ZipFile(path) as archive:
        members = [(info, new if info.filename == name else archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, content in members:
            archive.writestr(info, content)


# --- the files of activities


def _of_fit(name: str, does: str, change: Callable[[list[Sample]], list[Sample]] | None = None, **options: Any) -> None:
    def put(draft: Draft) -> None:
        row = draft.pick_with_file(".fit.gz")
        if change:
            row.samples = change(draft.samples(row))
        row.file = lambda: draft.content(row, **options)

    put.__doc__ = does
    DEFECTS[name] = put


def _with_pause(samples: list[Sample]) -> list[Sample]:
    middle = len(samples) // 2
    return [*samples[:middle], *(sample._replace(t_s=sample.t_s + 600) for sample in samples[middle:])]


_of_fit("fit-compressed-time", "A FIT file with compressed timestamps.", compressed_timestamps=True)
_of_fit("fit-big-endian", "A FIT file in the other byte order.", big_endian=True)
_of_fit("fit-cut", "A FIT file that was cut off.", cut_to=900)
_of_fit("fit-crc", "A FIT file whose own checksum is wrong.", crc=0xBAD)
_of_fit("fit-size-zero", "A FIT file whose header says that it is empty.", data_size=0)
_of_fit("fit-developer-speed", "A FIT file with an app's own fields named speed and distance.", developer_fields=True)
_of_fit("fit-heart-rate-messages", "A FIT file with heart rates of a strap.", heart_rate_messages=True)
_of_fit("fit-smart-recording", "A FIT file with a sample now and then.", lambda samples: samples[::7])
_of_fit("fit-pause-event", "A FIT file with a pause, and events that say so.", _with_pause)
_of_fit("fit-pause-gap", "A FIT file with a pause, and nothing that says so.", _with_pause, events=False)
_of_fit("fit-bad-local-time", "A FIT file with garbage for its local time.", local_timestamp=12345)
_of_fit("fit-no-local-time", "A FIT file without a local time.", utc_offset_s=None)
_of_fit("fit-no-gps", "A FIT file without a position.", lambda s: [one._replace(lat=None, lng=None) for one in s])
_of_fit(
    "fit-zero-position",
    "A FIT file that begins in the Gulf of Guinea.",
    lambda s: [*(one._replace(lat=0.0, lng=0.0) for one in s[:3]), *s[3:]],
)
_of_fit("fit-same-second", "A FIT file with a second twice.", lambda s: [*s[:5], *s[4:]])
_of_fit("fit-backwards", "A FIT file whose clock goes back.", lambda s: [*s[:9], *s[5:]])


@_defect
def fit_chained(draft: Draft) -> None:
    """Two FIT files after each other in one."""
    row = draft.pick_with_file(".fit.gz")
    once = draft.content
    row.file = lambda: once(row) + once(row)  # two members of gzip are one file, too


@_defect
def consent_strip(draft: Draft) -> None:
    """A GPX file from which Strava has taken the heart rates."""
    row = draft.pick_with_file(".gpx.gz")
    row.samples = [sample._replace(heart_rate=None) for sample in draft.samples(row)]
    row.file = lambda: draft.content(row, creator="StravaGPX Consent Strip")


@_defect
def no_gzip(draft: Draft) -> None:
    """A `.gz` that is invalid."""
    row = draft.pick_with_file(".gz")
    row.file = lambda: b"this is no gzip"
