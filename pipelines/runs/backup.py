"""The state bundle: everything that must survive a machine in one gzipped tar with checksums, encrypted by GnuPG."""

import errno
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

import pyarrow as pa

from pipelines.bronze.shard import ShardDamaged, by_shard, files_set_aside, opened, shard_files, write_shard_anew
from pipelines.bronze.sweep import read_tombstone
from pipelines.bronze.tables import SCHEMA, TABLES, TOMBSTONES, WITHDRAWALS
from pipelines.ground.durable import (
    PRIVATE,
    entries,
    is_there,
    locked,
    read_error,
    read_whole,
    real,
    remove,
    storage_error,
    written_whole,
)
from pipelines.ground.engine import refused_write
from pipelines.ground.errors import BadSetting, Interrupted, StorageFailed
from pipelines.ground.progress import TOKENS_IN_USE, Report
from pipelines.ground.settings import StravaSettings
from pipelines.ground.stop import StopFlag
from pipelines.ground.written_places import NOTE, NOTE_AMONG_SHARDS, Places, merged, read_note, write_note
from pipelines.runs.last_run import another_run
from pipelines.sources.strava_api.auth import TokenFile
from pipelines.warehouse.database import open_warehouse

FORMAT = 1
MANIFEST = "manifest.json"
# a bundle may be for years where strangers can guess at it
LEAST_PASSPHRASE = 16
# GnuPG keeps it in 32 KiB of memory that is never swapped, together with other things
MOST_PASSPHRASE = 16_384
BLOCK = 1 << 20
# the first bytes of the two kinds of bundle: gzip's magic; the first packet of a symmetric OpenPGP message (tag 3)
GZIP, OPENPGP = b"\x1f\x8b", (b"\x8c", b"\xc3")
HEAD = 32
# that packet as GPG_ENCRYPT makes it: AES256, SHA512, salted, the most iterations
OUR_PACKET = re.compile(rb"[\x8c\xc3].\x04\x09\x03\x0a.{8}\xff", re.DOTALL)
# AES256 throughout, with a slow derivation of the key; nothing of the user's own GnuPG is read, started or left behind
GPG = ("gpg", "--batch", "--no-options", "--quiet", "--no-symkey-cache", "--pinentry-mode", "loopback")
GPG_ENCRYPT = ("--symmetric", "--cipher-algo", "AES256", "--s2k-digest-algo", "SHA512", "--s2k-count", "65011712")
WORK = ".restoring"
DATA = PurePosixPath("data")
NOT_STATE = {WORK, f"{WORK}.json", "run.lock", NOTE_AMONG_SHARDS}
OUTPUT, SECRETS, STATE = PurePosixPath("output"), PurePosixPath("secrets"), PurePosixPath("warehouse/.state")
# below these folders: what this program writes there, and folders that belong to it with everything in them
_TABLES = "|".join(TABLES)
_DLTS = "loads|version|pipeline_state"
OURS = {
    DATA: re.compile(
        rf"_dlt_({_DLTS})|init|({_TABLES})/(({_TABLES})_.+\.parquet((\.\d+)?\.torn)?|\..+\.parquet\.\d+\.tmp)"
    ),
    OUTPUT: re.compile(r"strava_activities_\d+_\d{14}\.json|\.strava_activities_\d+_\d{14}\.json\.\d+\.tmp"),
    STATE: re.compile(r"dlt|dbt|[^/]+\.(json|parquet|lock|tmp)"),
}
WHOLLY_OURS = re.compile(rf"dlt|dbt|_dlt_({_DLTS})")


@dataclass(frozen=True)
class Place:
    """A folder with state: its name in the bundle, and which of its entries are state.

    `entries` are their names in the bundle and on disk (None: all except those that begin with one of `caches`).
    """

    name: PurePosixPath
    folder: Path
    entries: Mapping[str, str] | None = None
    caches: tuple[str, ...] = ()

    @property
    def work(self) -> Path:
        """The folder in which a restore unpacks: inside, because the folder may be a mount."""
        return self.folder / WORK

    def entry_names(self) -> list[str]:
        """The names on disk of the entries that exist."""
        there = {entry.name for entry in entries(self.folder)} - NOT_STATE
        if self.entries is not None:
            there &= set(self.entries.values())
        return sorted(name for name in there if not name.startswith(self.caches))

    def ours(self) -> list[str]:
        """What this program wrote there, as paths below the folder: files, and folders that belong to it completely."""
        names = self.entry_names() if self.entries is not None else list(_units(self.folder))
        return [name for name in names if self._is_ours(name)]

    def _is_ours(self, name: str) -> bool:
        if self.entries is not None:
            return True
        if name.partition("/")[0] in NOT_STATE or name.startswith(self.caches):
            return False
        if OURS[self.name].fullmatch(name):
            return True
        # a shard is recognised by its content, whatever its name
        return self.name == DATA and name.partition("/")[0] in TABLES and _is_shard(self.folder / name)

    def bundled(self, entry: str) -> PurePosixPath:
        """The name in the bundle of `entry` on disk."""
        names = {} if self.entries is None else {on_disk: name for name, on_disk in self.entries.items()}
        return self.name / names.get(entry, entry)


def _units(folder: Path) -> Iterator[str]:
    """Paths below `folder` of everything in it: files, and folders that are completely ours."""
    for path in [folder / entry.name for entry in entries(folder)]:
        if path.is_dir() and not path.is_symlink() and not WHOLLY_OURS.fullmatch(path.name):
            yield from (f"{path.name}/{name}" for name in _units(path))
        else:
            yield path.name


def _is_shard(path: Path) -> bool:
    if path.suffix != ".parquet":
        return False
    try:
        with opened(path) as file:
            return set(SCHEMA.names) <= set(file.schema_arrow.names)
    except (ShardDamaged, FileNotFoundError):
        return False


def _places(settings: StravaSettings) -> list[Place]:
    """The places of state according to the settings; the token last, so that if it is there, so is the rest."""
    warehouse, token = settings.warehouse_path, settings.token_path
    own = {name: name for name in (warehouse.name, f"{warehouse.name}.wal")}
    places = [
        Place(OUTPUT, settings.output_path),
        Place(PurePosixPath("warehouse"), warehouse.parent, own),
        # a copy of a bucket's shards can be fetched again; the page and the note on it are not state; the lock of a
        # running scheduler would be lost if another file replaced it
        Place(STATE, settings.state_path, caches=("bronze-", "page.json", "routes.json", "schedule.lock")),
        Place(SECRETS, token.parent, {"strava_token.json": token.name}),
    ]
    if "://" not in settings.bronze_url:
        places.insert(0, Place(DATA, settings.bronze_path))
    return places


def backup(
    settings: StravaSettings, file: Path, unencrypted: bool, report: Report, stop: StopFlag, force: bool = False
) -> None:
    """Write the state to `file`, which is replaced when everything is written.

    force: replace whatever is there; otherwise only a bundle or an empty file.

    Raises:
        BadSetting: there is no passphrase, or it is too short; there is no state; the folder of `file` does not exist;
            `file` lies in the midst of the state, or is something else than a bundle.
        WarehouseBusy: another program writes the warehouse.
        StorageFailed: something cannot be read, or `file` not written.
        Interrupted: a signal came; what was at `file` is untouched.
    """
    passphrase = None if unencrypted else _passphrase(settings)
    if passphrase is not None and len(settings.state_passphrase or "") < LEAST_PASSPHRASE:
        raise BadSetting(
            f"STRAVA_STATE_PASSPHRASE has fewer than {LEAST_PASSPHRASE} characters; make one with: "
            "openssl rand -base64 30"
        )
    if not is_there(file.parent):
        raise BadSetting(f"There is no folder {file.parent} for {file.name}: create it, or choose another one.")
    with _stops_as(f"Stopped; {file} is unchanged."), _still(settings, report, stop):
        places = _places(settings)
        for place in places:
            if place.entries is None and file.resolve().is_relative_to(place.folder.resolve()):
                raise BadSetting(f"{file} is in {place.folder}, which the bundle contains: choose another folder.")
            if file.resolve() in {(place.folder / entry).resolve() for entry in (place.entries or {}).values()}:
                raise BadSetting(f"{file} is part of what the bundle contains: choose another file.")
        if not any(place.entry_names() for place in places):
            raise BadSetting(f"There is nothing to back up in {settings.home_path} yet. Run `make flow` first.")
        target_file, noted = real(file.absolute()), Places(settings)
        if not force and not _may_be_replaced(target_file, is_known=target_file in noted.paths("bundle")):
            raise BadSetting(
                f"{file} is not a bundle of this program: choose another file, or replace it with --force."
            )
        with (
            noted.noting("bundle", file.absolute()),
            _checkpointed(settings.warehouse_path),
            written_whole(file, PRIVATE) as target,
        ):
            sink = nullcontext(target) if passphrase is None else _encrypting(file, target, passphrase)
            with sink as stream:
                count = _pack(places, stream, stop)
    size_mb = file.stat().st_size / 1e6
    mode = ", not encrypted" if unencrypted else ""
    report.say(f"Backup: {count:,} files in {file} ({size_mb:,.1f} MB{mode}).")


def _may_be_replaced(file: Path, is_known: bool) -> bool:
    """Whether `file` is a bundle (with `is_known`, even a damaged one), empty or missing."""
    try:
        with file.open("rb") as opened:
            head = opened.read(HEAD)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        # if it cannot be written, the error follows in a moment
        return True
    except OSError as error:
        raise storage_error(file, error) from error
    if not head or OUR_PACKET.match(head):
        return True
    return head.startswith(GZIP) and (is_known or _holds_manifest(file))


def _holds_manifest(file: Path) -> bool:
    """Whether `file`, which is not encrypted, is a complete bundle."""
    last = ""
    try:
        with tarfile.open(file, mode="r|gz") as tar:
            for info in tar:
                last = info.name
    except (tarfile.TarError, EOFError, OSError, zlib.error):
        return False
    return last == MANIFEST


def restore(
    settings: StravaSettings, file: Path, force: bool, unencrypted: bool, report: Report, stop: StopFlag
) -> None:
    """Replace the state here by that in `file`, once all of it has been read and verified.

    Raises:
        BadSetting: the passphrase is missing or wrong; there is state here and no `force`; the settings have no place
            for what the bundle contains; it is not encrypted, and `unencrypted` is not set.
        WarehouseBusy: another program has the warehouse open.
        StorageFailed: the bundle is cut, damaged or not one of ours, or something cannot be written.
        Interrupted: a signal came. Whatever is raised, what is here is untouched.
    """
    if not is_there(file):
        raise BadSetting(f"There is no file {file} to restore from.")
    with _stops_as("Stopped; what was here is untouched."), _still(settings, report, stop):
        places = _places(settings)
        # the notes on where this program wrote are kept in any case
        there = [place.folder / name for place in places for name in place.ours()]
        found = [str(path) for path in there if path.name not in (NOTE, NOTE_AMONG_SHARDS)]
        if found and not force:
            more = f" and {len(found) - 1:,} more" if len(found) > 1 else ""
            raise BadSetting(
                f"There is state here already ({found[0]}{more}), and it may be newer than the bundle. "
                "To replace all of it: --force (make restore FILE=… FORCE=1); to keep it, back it up "
                "to another file first: make backup FILE=before.bundle."
            )
        _require_closed(settings.warehouse_path)
        unpacking = _Unpacking(file, places)
        try:
            with _opened(settings, file, unencrypted) as stream:
                unpacking.run(stream, stop)
            erased = _keep_erasures(places)
            _keep_noted_places(settings, places)
            _require_room(places)
            unpacking.commit(settings)
        except OSError as error:
            raise storage_error(Path(error.filename or settings.home_path), error) from error
        finally:
            if not is_there(settings.restoring_path):
                _clear(places)
        finish_restore(settings)
        Places(settings).note("bundle", file.absolute())
    report.say(f"Restored: {len(unpacking.hashes):,} files of {unpacking.made_at[:16].replace('T', ' ')} UTC.")
    if erased:
        report.say("What was purged or withdrawn here since the backup is erased again by the next flow.")


def finish_restore(settings: StravaSettings) -> None:
    """Complete a restore that was killed after its bundle was verified; call under the run's lock.

    Raises:
        StorageFailed: something cannot be moved; the next call continues from there.
    """
    marker, places = settings.restoring_path, _places(settings)
    # an error must not count as absence: what is cleared may be the last copy
    if not is_there(marker):
        # from a restore that was killed before its bundle was verified
        _clear(places)
        return
    listed = json.loads(read_whole(marker))
    try:
        # a folder that the settings have named only since then is not part of it
        moving = [place for place in places if is_there(place.work) and str(place.name) in listed]
        # an earlier version listed whole folders, which do not show how far it got
        names = {str(place.name): {*listed[str(place.name)], *_units(place.work / "new")} for place in moving}
        if any(names[name] != set(listed[name]) for name in names):
            with written_whole(marker) as file:
                file.write(json.dumps(listed | {name: sorted(names[name]) for name in names}).encode())
        for place in moving:
            _move_in(place, names[str(place.name)])
        os.sync()
        _clear(places)
        marker.unlink()
    except OSError as error:
        raise storage_error(Path(error.filename or marker), error) from error


def _move_in(place: Place, listed: set[str]) -> None:
    """Replace what this program wrote in `place` by the bundle's content; files of others stay.

    listed: the bundle's files and folders, some of which may already be in their places.
    """
    new, old = place.work / "new", place.work / "old"
    arriving = dict.fromkeys(_units(new))
    for name in dict.fromkeys([*place.ours(), *arriving]):
        path = place.folder / name
        # the bundle of an earlier version lists the folder, which moves as a whole
        has_arrived = any(each in listed and not is_there(new / each) for each in (name, name.partition("/")[0]))
        if name not in arriving and has_arrived:
            continue
        if path.is_symlink():
            if name not in arriving:
                remove(path)
        elif is_there(path):
            (old / name).parent.mkdir(parents=True, exist_ok=True)
            path.rename(old / name)
            for folder in path.parents[: name.count("/")]:
                with suppress(OSError):
                    folder.rmdir()
    for name in arriving:
        path = place.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            # the link stays, and its target may be on another disk; the log beside it would belong to another warehouse
            target = real(path)
            target.with_name(f"{target.name}.wal").unlink(missing_ok=True)
            with written_whole(path, (new / name).stat().st_mode & 0o777) as file, (new / name).open("rb") as source:
                shutil.copyfileobj(source, file, BLOCK)
            (new / name).unlink()
        else:
            (new / name).rename(path)


def _require_room(places: list[Place]) -> None:
    """Check that each unpacked file can go to its place.

    Raises:
        BadSetting: a folder of another program is where a file belongs, or the other way round.
        StorageFailed: a link there leads nowhere.
    """
    for place in places:
        for name in _units(place.work / "new"):
            path = real(place.folder / name)
            above = [folder for folder in path.parents if folder.exists()]
            in_the_way = path if path.is_dir() and not WHOLLY_OURS.fullmatch(name) else above[0]
            if in_the_way == path or not above[0].is_dir():
                raise BadSetting(f"{in_the_way} is in the way of what the bundle contains: move it away.")


def _keep_noted_places(settings: StravaSettings, places: list[Place]) -> None:
    """Add the places that are noted here to the note in the bundle."""
    for place in places:
        if place.name == STATE:
            new = place.work / "new" / NOTE
            write_note(new, merged(read_note(new), read_note(settings.state_path / NOTE)))


def _keep_erasures(places: list[Place]) -> bool:
    """Keep the purges and withdrawals of this state that the bundle lacks; returns whether there were any.

    They name what the bundle may still contain: the next run completes them.
    """
    kept = False
    for place in [place for place in places if place.name == DATA]:
        for table in (TOMBSTONES, WITHDRAWALS):
            new = place.work / "new" / table
            here = place.folder / table
            known = {name for file in shard_files(new) for name in _shards_in(file)}
            # what an earlier version set aside may be whole: the next run checks
            for file in [*shard_files(here), *(aside for aside, _ in files_set_aside(here))]:
                for name, rows in _shards_in(file).items():
                    if name not in known and (table == WITHDRAWALS or _holds_purge(rows)):
                        new.mkdir(parents=True, exist_ok=True)
                        write_shard_anew(rows, new / f"{name}.parquet")
                        kept = True
    return kept


def _shards_in(file: Path) -> dict[str, pa.Table]:
    """The rows of each shard in a shard file, by name; none if it is damaged, which may be why somebody restores."""
    try:
        with opened(file) as shard:
            return by_shard(shard.read())
    except ShardDamaged:
        return {}


def _holds_purge(rows: pa.Table) -> bool:
    return any(read_tombstone(payload or "").get("purged") for payload in rows["payload"].to_pylist())


def _clear(places: list[Place]) -> None:
    for place in places:
        shutil.rmtree(place.work, ignore_errors=True)


def _passphrase(settings: StravaSettings) -> bytes:
    passphrase = settings.state_passphrase
    if not passphrase:
        raise BadSetting(
            "STRAVA_STATE_PASSPHRASE is not set: the bundle contains tokens and is encrypted with it. "
            "To leave it open to everybody who gets the file: --unencrypted."
        )
    if set(passphrase) & set("\r\n\0"):
        raise BadSetting("STRAVA_STATE_PASSPHRASE must be a single line.")
    # bytes that are not UTF-8 in the environment are passed on unchanged
    text = passphrase.encode(errors="surrogateescape")
    if len(text) > MOST_PASSPHRASE:
        raise BadSetting(
            f"STRAVA_STATE_PASSPHRASE has {len(text):,} bytes, and GnuPG takes {MOST_PASSPHRASE:,} at most; make one "
            "with: openssl rand -base64 30"
        )
    return text


@contextmanager
def _still(settings: StravaSettings, report: Report, stop: StopFlag) -> Iterator[None]:
    """In this block no run is active and no process refreshes the tokens; a killed restore is completed first."""
    with locked(settings.lock_path, stop.wait, lambda: report.say(another_run(settings))):
        finish_restore(settings)
        with TokenFile(settings.token_path).locked(stop, lambda: report.say(TOKENS_IN_USE)):
            yield


@contextmanager
def _stops_as(text: str) -> Iterator[None]:
    try:
        yield
    except Interrupted:
        raise Interrupted(text) from None


@contextmanager
def _checkpointed(warehouse: Path) -> Iterator[None]:
    """In this block the DuckDB file contains everything that was committed, and no process writes to it."""
    warehouse = real(warehouse)
    if not is_there(warehouse):
        yield
        return
    if is_there(warehouse.with_name(f"{warehouse.name}.wal")):
        with open_warehouse(warehouse) as connection:
            connection.execute("checkpoint")
    with open_warehouse(warehouse, read_only=True):
        yield


def _require_closed(warehouse: Path) -> None:
    if not is_there(warehouse):
        return
    # a damaged warehouse is a reason to restore, not an obstacle
    with suppress(StorageFailed), open_warehouse(warehouse):
        pass


def _pack(places: list[Place], sink: IO[bytes], stop: StopFlag) -> int:
    """Write the tar; returns how many files are in it."""
    hashes: dict[str, str] = {}
    with (
        gzip.GzipFile(fileobj=sink, mode="wb", compresslevel=6, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w|") as tar,
    ):
        for name, path in _contents(places):
            stop.wait(0)
            info = tarfile.TarInfo(str(name))
            info.mode, info.mtime = path.stat().st_mode & 0o777, int(path.stat().st_mtime)
            if path.is_dir():
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
                continue
            with _opened_to_pack(path) as file:
                info.size = os.fstat(file.fileno()).st_size
                read = _Hashing(file, stop, path, info.size)
                tar.addfile(info, read)
            hashes[str(name)] = read.sha256.hexdigest()
        manifest = {"format": FORMAT, "made_at": datetime.now(UTC).isoformat(), "sha256": hashes}
        text = json.dumps(manifest).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    return len(hashes)


def _contents(places: list[Place]) -> Iterator[tuple[PurePosixPath, Path]]:
    """(name in the bundle, path on disk) of all folders and files, each folder before its content."""
    for place in places:
        for entry in place.entry_names():
            path = place.folder / entry
            # our own files may be links; in a folder of ours, nothing may be one
            yield from _tree(place.bundled(entry), path if place.entries is None else real(path))


def _tree(name: PurePosixPath, path: Path) -> Iterator[tuple[PurePosixPath, Path]]:
    if path.is_symlink() or not (path.is_dir() or path.is_file()):
        raise StorageFailed(f"{path} is a link or a device, which a bundle cannot contain: put the file itself there.")
    yield name, path
    if path.is_dir():
        for child in entries(path):
            yield from _tree(name / child.name, path / child.name)


def _opened_to_pack(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise read_error(path, error) from error


class _Hashing:
    """A file that is read until a signal comes, and the SHA-256 of what was read.

    `path`, `left`: the file on disk, and how many of its bytes are left.
    """

    def __init__(self, file: IO[bytes], stop: StopFlag, path: Path | None = None, left: int = 0) -> None:
        self._file = file
        self._stop = stop
        self._path = path
        self._left = left
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes.

        Raises:
            Interrupted: a signal came.
            StorageFailed: a file on disk cannot be read to its end.
        """
        self._stop.wait(0)
        try:
            block = self._file.read(size)
        except OSError as error:
            if self._path is None:
                raise
            raise read_error(self._path, error) from error
        self._left -= len(block)
        if self._path is not None and len(block) < size and self._left > 0:
            raise read_error(self._path, OSError(errno.EIO, f"its last {self._left:,} bytes did not come"))
        self.sha256.update(block)
        return block


@dataclass
class _Unpacking:
    """A bundle unpacked beside the state, and what it says about itself."""

    file: Path
    places: list[Place]
    hashes: dict[str, str] = field(default_factory=dict)
    made_at: str = ""

    def run(self, stream: IO[bytes], stop: StopFlag) -> None:
        """Unpack and compare with the manifest.

        Raises:
            StorageFailed: it is cut, damaged, or contains what no backup of ours does.
        """
        _clear(self.places)
        promised: dict[str, str] | None = None
        try:
            with gzip.GzipFile(fileobj=stream, mode="rb") as unzipped, tarfile.open(fileobj=unzipped, mode="r|") as tar:
                refused: StorageFailed | BadSetting | None = None
                try:
                    for info in tar:
                        stop.wait(0)
                        content = tar.extractfile(info) if info.isreg() else None
                        if info.name == MANIFEST and content is not None:
                            promised = self._manifest(content)
                        else:
                            self._unpack(info, content, stop)
                except (StorageFailed, BadSetting) as error:
                    refused = error
                # read to the end, where gzip's checksum is: an odd name may be only a wrong bit
                while unzipped.read(BLOCK):
                    pass
                if refused is not None:
                    raise refused
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile):
            raise _damaged(self.file) from None
        if promised != self.hashes:
            raise _damaged(self.file)

    def _manifest(self, content: IO[bytes]) -> dict[str, str]:
        try:
            manifest = json.loads(content.read())
            format_, self.made_at, promised = manifest["format"], manifest["made_at"], dict(manifest["sha256"])
        except (ValueError, KeyError, TypeError):
            raise _damaged(self.file) from None
        if format_ != FORMAT:
            raise StorageFailed(f"{self.file} was written by another version of this program: restore it with that.")
        return promised

    def _unpack(self, info: tarfile.TarInfo, content: IO[bytes] | None, stop: StopFlag) -> None:
        place, name = self._target(info)
        target = place.work / "new" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            target.mkdir(exist_ok=True)
            return
        read = _Hashing(content, stop)
        with _opened_new(target, PRIVATE if place.name == SECRETS else info.mode & 0o777, place.folder / name) as file:
            shutil.copyfileobj(read, file, BLOCK)
        os.utime(target, (info.mtime, info.mtime))
        self.hashes[info.name] = read.sha256.hexdigest()

    def _target(self, info: tarfile.TarInfo) -> tuple[Place, PurePosixPath]:
        """The place of the member `info` and its path below that; a name that leads elsewhere is refused."""
        name = PurePosixPath(info.name)
        if name.is_absolute() or ".." in name.parts or not (info.isreg() or info.isdir()) or info.name in self.hashes:
            raise StorageFailed(
                f"{self.file} contains {info.name!r}, which no backup of this program does: not restored."
            )
        for place in sorted(self.places, key=lambda place: -len(place.name.parts)):
            if name.is_relative_to(place.name) and name != place.name:
                entry, *rest = name.relative_to(place.name).parts
                if place.entries is None and entry not in NOT_STATE:
                    return place, PurePosixPath(entry, *rest)
                if place.entries is not None and entry in place.entries:
                    return place, PurePosixPath(place.entries[entry], *rest)
        raise BadSetting(
            f"{self.file} contains {info.name!r}, for which the settings here have no place: restore with the "
            "STRAVA_WAREHOUSE and STRAVA_BRONZE_URL with which the backup was made."
        )

    def commit(self, settings: StravaSettings) -> None:
        """From here on, the restore only goes forward."""
        os.sync()
        names = {
            str(place.name): [name for name in _units(place.work / "new") if not name.startswith(place.caches)]
            for place in self.places
        }
        with written_whole(settings.restoring_path) as file:
            file.write(json.dumps(names).encode())


def _opened_new(path: Path, mode: int, replaced: Path) -> IO[bytes]:
    """A new file to write at `path`, as private as `mode`, the umask and the file that it will replace."""
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")
    with suppress(FileNotFoundError, NotADirectoryError):
        if mode != PRIVATE:
            os.fchmod(file.fileno(), mode & replaced.stat().st_mode)
    return file


def _damaged(file: Path) -> StorageFailed:
    return StorageFailed(f"{file} is cut or damaged: nothing was restored. Fetch it again, or take an older one.")


@contextmanager
def _opened(settings: StravaSettings, file: Path, unencrypted: bool) -> Iterator[IO[bytes]]:
    """The tar in `file`, whether encrypted or not."""
    try:
        # without a buffer, so that GnuPG continues where we are
        source = file.open("rb", buffering=0)
    except OSError as error:
        raise StorageFailed(f"{file} cannot be read: {error.strerror}.") from None
    with source:
        begin = source.read(len(GZIP))
        source.seek(0)
        if begin == GZIP:
            if not unencrypted:
                raise BadSetting(f"{file} is not encrypted, so anybody may have made it. If you did: --unencrypted.")
            yield source
        elif begin[:1] in OPENPGP:
            with _decrypting(file, source, _passphrase(settings)) as stream:
                yield stream
        else:
            raise _damaged(file)


@contextmanager
def _gpg(
    passphrase: bytes, *options: str, stdin: IO[bytes] | int, stdout: IO[bytes] | int
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], str]]]:
    """A running GnuPG, and a function for its messages; the passphrase travels through a pipe."""
    with tempfile.TemporaryDirectory(prefix="strava-gpg-") as home, tempfile.TemporaryFile() as said:
        reader, writer = os.pipe()

        def printed() -> str:
            said.seek(0)
            return said.read().decode(errors="replace")

        try:
            process = subprocess.Popen(  # noqa: S603 - found on PATH like every tool; nothing comes from a user
                [*GPG, "--passphrase-fd", str(reader), "--status-fd", "2", *options],
                stdin=stdin,
                stdout=stdout,
                stderr=said,
                pass_fds=(reader,),
                env={"PATH": os.environ.get("PATH", os.defpath), "GNUPGHOME": home, "LC_ALL": "C"},
                # we report a Ctrl-C or a full disk ourselves
                start_new_session=True,
                restore_signals=False,
            )
        except FileNotFoundError:
            os.close(writer)
            raise StorageFailed("GnuPG is not installed: install the package gnupg, with its command gpg.") from None
        finally:
            os.close(reader)
        try:
            # only now that gpg reads it: a pipe is only sure to take one page. If gpg ends early, its message says why
            with suppress(BrokenPipeError), os.fdopen(writer, "wb") as pipe:
                pipe.write(passphrase + b"\n")
            yield process, printed
        finally:
            process.kill()
            process.communicate()


@contextmanager
def _encrypting(file: Path, target: IO[bytes], passphrase: bytes) -> Iterator[IO[bytes]]:
    """A stream that writes its bytes to `target`, encrypted."""
    options = (*GPG_ENCRYPT, "--compress-algo", "none")
    with _gpg(passphrase, *options, stdin=subprocess.PIPE, stdout=target) as (process, printed):
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        # if gpg ends early, its message says why
        with suppress(BrokenPipeError):
            yield process.stdin
            process.stdin.close()
        if process.wait() != 0:
            lines = [line for line in printed().splitlines() if line.startswith("gpg:")]
            raise refused_write(file, printed()) or StorageFailed(
                f"{file} could not be encrypted: {lines[-1] if lines else 'gpg gave no reason'}."
            )


@contextmanager
def _decrypting(file: Path, source: IO[bytes], passphrase: bytes) -> Iterator[IO[bytes]]:
    """A stream of the decrypted bytes; only at the end of this block is it known whether they are intact."""
    with _gpg(passphrase, "--decrypt", stdin=source, stdout=subprocess.PIPE) as (process, printed):
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        error: StorageFailed | None = None
        try:
            yield process.stdout
        except StorageFailed as raised:
            error = raised
        # the reason for a wrong tar may be the passphrase, which GnuPG knows better
        while process.stdout.read(BLOCK):
            pass
        if process.wait() != 0:
            if "BAD_PASSPHRASE" in printed():
                raise BadSetting(
                    f"STRAVA_STATE_PASSPHRASE is not the one {file} was encrypted with: nothing was restored."
                )
            raise _damaged(file)
        if error is not None:
            raise error
