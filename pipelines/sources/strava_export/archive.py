"""The members of an export, whether it is a ZIP, a ZIP with a folder on top, or an unpacked folder.

Nothing is ever unpacked to disk, so a name cannot lead anywhere; names that try are still listed as problems.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from stat import S_ISLNK
from typing import IO, Final, Self

from .errors import DamagedExport, EncryptedExport, NotAnExport, Problem

ACTIVITIES_CSV: Final = "activities.csv"
# the maximum unpacked size of a member: the GPX of the longest day has 60 MB, a year of CSV 1 MB
MAX_MEMBER_BYTES: Final = 200_000_000
# text shrinks to a tenth, a zip bomb to a thousandth
_BOMB_RATIO: Final = 200
_BOMB_BYTES: Final = 10_000_000
_MAX_MEMBERS: Final = 500_000
_ZIP_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_EXTENDED_TIME: Final = 0x5455
# what reading a damaged member raises: by zipfile, by zlib, for an unknown method, or by the disk
_READ_ERRORS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    OSError,
)


class UnreadableMember(Exception):
    """A member that cannot be read; `reason` is a word for programs, the text a sentence."""

    def __init__(self, reason: str, explanation: str) -> None:
        super().__init__(explanation)
        self.reason = reason


@dataclass(frozen=True)
class Member:
    """A file of an export: its name below the root, its size, and its checksum in the ZIP (None in a folder)."""

    name: str
    size: int
    crc32: int | None
    modified_at: datetime | None
    encrypted: bool = False


class Archive:
    """What a ZIP and a folder have in common: `members` by name, `problems` with the others, and reading.

    `origin` is the name of the ZIP or folder, without the path to it.
    """

    def __init__(self, path: Path) -> None:
        self.origin = path.resolve().name
        self.members: dict[str, Member] = {}
        self.problems: list[Problem] = []

    def open(self, name: str) -> IO[bytes]:
        """A member as a stream of bytes; reading it raises one of `READ_ERRORS`."""
        raise NotImplementedError

    def close(self) -> None:
        """Close what is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, name: str) -> bytes:
        """The bytes of a member.

        Raises:
            UnreadableMember: it is missing, empty, too large, encrypted or damaged.
        """
        member = self.members.get(name)
        if member is None:
            raise UnreadableMember("missing", f"{name} is not in the export.")
        if member.size > MAX_MEMBER_BYTES:
            raise UnreadableMember("too_large", f"{name} has {member.size} bytes, which no activity has.")
        if member.encrypted:
            raise UnreadableMember("encrypted", f"{name} asks for a password; Strava's exports have none.")
        try:
            with self.open(name) as stream:
                content = stream.read(MAX_MEMBER_BYTES)
        except _READ_ERRORS as error:
            raise UnreadableMember("damaged", f"{name} is damaged: {_words(error)}.") from error
        if not content:
            raise UnreadableMember("empty", f"{name} is empty.")
        return content

    def _problem(self, name: str, reason: str, explanation: str, *, lost: bool = True) -> None:
        self.problems.append(Problem("member", name, reason, explanation, lost=lost))


READ_ERRORS: Final = _READ_ERRORS


def _words(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__


class ZipArchive(Archive):
    """An export as Strava sends it: a ZIP."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError) as error:
            raise _no_zip(path) from error
        self._infos: dict[str, zipfile.ZipInfo] = {}
        try:
            self._look_at(self._zip.infolist())
        except BaseException:
            self._zip.close()
            raise

    def _look_at(self, infos: list[zipfile.ZipInfo]) -> None:
        if len(infos) > _MAX_MEMBERS:
            raise NotAnExport(f"{self.origin} has {len(infos)} members, which no export has.")
        safe: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            name = info.filename
            if info.is_dir() or _is_litter(name):
                continue
            if _leads_out(name):
                self._problem(name, "unsafe_name", f"{name} is a name that leads out of the export; it was not read.")
            elif S_ISLNK(info.external_attr >> 16):
                self._problem(name, "link", f"{name} is a link; it was not followed.")
            elif info.file_size > _BOMB_BYTES and info.file_size > _BOMB_RATIO * max(1, info.compress_size):
                explanation = f"{name} would grow from {info.compress_size} to {info.file_size} bytes; it was not read."
                self._problem(name, "bomb", explanation)
            else:
                twin = safe.get(name)
                if twin and (twin.CRC, twin.file_size) != (info.CRC, info.file_size):
                    explanation = f"{name} is in the ZIP twice; the last one counts, as it does when unpacking."
                    self._problem(name, "duplicate_name", explanation)
                safe[name] = info
        root = _root_of(safe, self.origin)
        for name, info in safe.items():
            if name.startswith(root):
                inner = name.removeprefix(root)
                self._infos[inner] = info
                encrypted = bool(info.flag_bits & 0x1)
                self.members[inner] = Member(inner, info.file_size, info.CRC, _time_of(info), encrypted)

    def open(self, name: str) -> IO[bytes]:
        """A member as a stream."""
        return self._zip.open(self._infos[name])

    def close(self) -> None:
        """Close the ZIP."""
        self._zip.close()


class FolderArchive(Archive):
    """An export that was unpacked."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        found = dict(self._walk(path, path))
        root = _root_of(found, self.origin)
        self._paths = {name.removeprefix(root): file for name, file in found.items() if name.startswith(root)}
        for name, file in self._paths.items():
            status = file.stat()
            self.members[name] = Member(name, status.st_size, None, datetime.fromtimestamp(status.st_mtime, UTC))

    def _walk(self, top: Path, folder: Path) -> Iterator[tuple[str, Path]]:
        for path in sorted(folder.iterdir()):
            name = path.relative_to(top).as_posix()
            if _is_litter(name):
                continue
            if path.is_symlink():
                self._problem(name, "link", f"{name} is a link; it was not followed.")
            elif path.is_dir():
                yield from self._walk(top, path)
            elif path.is_file():
                yield name, path

    def open(self, name: str) -> IO[bytes]:
        """A member as a stream."""
        return self._paths[name].open("rb")


def open_archive(path: Path) -> Archive:
    """The archive at a path.

    Raises:
        NotAnExport: there is nothing, or something other than an export.
        DamagedExport: a ZIP that is cut.
        EncryptedExport: its activities.csv asks for a password.
    """
    name = path.resolve().name
    if not path.exists():
        raise NotAnExport(f"{path} does not exist. Give the ZIP from Strava, or the folder into which it unpacks.")
    if not path.is_dir() and not path.is_file():
        raise NotAnExport(f"{path} is not a file. Give the ZIP from Strava, or the folder into which it unpacks.")
    try:
        archive = FolderArchive(path) if path.is_dir() else ZipArchive(path)
    except OSError as error:
        raise DamagedExport(f"{name} cannot be read: {error.strerror or error}.") from error
    if archive.members[ACTIVITIES_CSV].encrypted:
        archive.close()
        raise EncryptedExport(f"{name} asks for a password; Strava's exports have none. Give the original ZIP.")
    return archive


def _no_zip(path: Path) -> NotAnExport | DamagedExport:
    name = path.resolve().name
    with path.open("rb") as stream:
        begins = stream.read(4)
    if begins[:2] == b"PK":
        return DamagedExport(f"{name} is cut or damaged: download it from Strava again.")
    return NotAnExport(f"{name} is not a ZIP. Give the ZIP from Strava, or the folder into which it unpacks.")


def _is_litter(name: str) -> bool:
    """Whether it is litter of an operating system."""
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or any(part.startswith("._") or part == ".DS_Store" for part in parts)


def _leads_out(name: str) -> bool:
    return name.startswith("/") or "\\" in name or ":" in name or ".." in PurePosixPath(name).parts


def _root_of(names: dict[str, zipfile.ZipInfo] | dict[str, Path], origin: str) -> str:
    """The common beginning of the names in an export: nothing, or the folder on top.

    Raises:
        NotAnExport: there is no activities.csv, or several.
    """
    roots = [name.removesuffix(ACTIVITIES_CSV) for name in names if PurePosixPath(name).name == ACTIVITIES_CSV]
    if not roots:
        raise NotAnExport(f"{origin} has no activities.csv in it, so it is not an export from Strava.")
    depth = min(root.count("/") for root in roots)
    roots = [root for root in roots if root.count("/") == depth]
    if len(roots) > 1:
        raise NotAnExport(f"{origin} has {len(roots)} exports in it. Give them one by one.")
    return roots[0]


def _time_of(info: zipfile.ZipInfo) -> datetime | None:
    """When a member was written: in UTC if the ZIP has that, otherwise its local time read as UTC; None without any."""
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _EXTENDED_TIME and len(field) >= 5 and field[0] & 1:
            return datetime.fromtimestamp(struct.unpack("<I", field[1:5])[0], UTC)
    if info.date_time == _ZIP_EPOCH:
        return None
    try:
        return datetime(*info.date_time, tzinfo=UTC)
    except ValueError:
        return None
