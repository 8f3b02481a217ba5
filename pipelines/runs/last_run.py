"""The record of the last run: written at its start and at its end, so that a run without an end is noticed."""

import json
import os
import socket
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from pipelines.ground.durable import is_locked, read_whole, written_whole
from pipelines.ground.errors import Interrupted, StorageFailed, StravaError
from pipelines.ground.settings import REPO, StravaSettings
from pipelines.sources.strava_api.budget import Budget


class Outcome(StrEnum):
    """How a run ended. `WAITING`: between two rounds, for Strava. `UNFINISHED` is never written, only concluded."""

    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    CRASHED = "crashed"
    UNFINISHED = "unfinished"


@dataclass
class Done:
    """What a run did, for `status`. Instants are UTC; without an `exit_code` it has not ended."""

    command: str
    started_at: str
    listed: int = 0
    # the day, by Strava's clock, of the last complete walk over the list
    listed_on: str = ""
    activities_landed: int = 0
    activities_buried: int = 0
    details_landed: int = 0
    details_refused: int = 0
    files_landed: int = 0
    requests: int = 0
    seconds: float = 0.0
    exit_code: int | None = None
    message: str = ""
    outcome: str = Outcome.RUNNING
    ended_at: str | None = None
    # the process and its host: the number of a container's process is only valid there
    pid: int = 0
    host: str = ""

    @property
    def landed(self) -> int:
        """How many rows that a build is for have landed."""
        return self.activities_landed + self.activities_buried + self.details_landed + self.files_landed


REQUIRED = {"command", "started_at"}
LOOSER: dict[str, Any] = {"seconds": int | float, "exit_code": int | None, "ended_at": str | None, "outcome": str}


class RunRecord:
    """The record of one run, and its file, which `status` reads."""

    def __init__(self, settings: StravaSettings, command: str) -> None:
        self._path = _path(settings)
        self.done = Done(command, datetime.now(UTC).isoformat(), pid=os.getpid(), host=socket.gethostname())

    @contextmanager
    def round(self) -> Iterator[None]:
        """Write that the run is running, and then how it ended; call under the run's lock.

        Raises:
            StorageFailed: it cannot be written.
        """
        self.done.outcome, self.done.exit_code, self.done.ended_at = Outcome.RUNNING, None, None
        self._write()
        try:
            yield
        except BaseException as error:
            self._end(*_ending_of(error))
            # a full disk must not hide the first error; the record then says that the run did not end
            with suppress(StorageFailed):
                self._write()
            raise
        if self.done.outcome == Outcome.RUNNING:
            self._end(Outcome.DONE, 0, self.done.message)
        self._write()

    @contextmanager
    def wait(self) -> Iterator[None]:
        """Write how a wait between two rounds ended, unless another run has written since."""
        try:
            yield
        except BaseException as error:
            known = _read(self._path) or {}
            if (known.get("pid"), known.get("started_at")) == (self.done.pid, self.done.started_at):
                self._end(*_ending_of(error))
                with suppress(StorageFailed):
                    self._write()
            raise

    def waits(self, why: str) -> None:
        """This round ends, and the run continues after a wait."""
        self.done.outcome, self.done.message = Outcome.WAITING, why

    def _end(self, outcome: Outcome, exit_code: int, message: str) -> None:
        self.done.outcome, self.done.exit_code, self.done.message = outcome, exit_code, message
        self.done.ended_at = datetime.now(UTC).isoformat()

    def _write(self) -> None:
        with written_whole(self._path) as file:
            file.write(json.dumps(asdict(self.done), indent=1).encode())


def _ending_of(error: BaseException) -> tuple[Outcome, int, str]:
    if isinstance(error, StravaError):
        return Outcome.STOPPED if isinstance(error, Interrupted) else Outcome.FAILED, error.exit_code, str(error)
    if isinstance(error, KeyboardInterrupt):
        return Outcome.STOPPED, Interrupted.exit_code, Interrupted.at_once
    # its text may quote anything, even a secret
    places = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(REPO))]
    where = f" in {Path(places[-1].filename).relative_to(REPO)}, line {places[-1].lineno}" if places else ""
    return Outcome.CRASHED, StravaError.exit_code, f"{type(error).__name__}{where}: please report that."


def read_last_run(settings: StravaSettings) -> dict[str, Any] | None:
    """The record of the last run with its present outcome; None if there is no readable one."""
    known = _read(_path(settings))
    if known is None:
        return None
    done = asdict(Done("", "")) | known
    if "outcome" not in known:
        # from a version that wrote only at the end
        done["outcome"] = {0: Outcome.DONE, Interrupted.exit_code: Outcome.STOPPED}.get(
            done["exit_code"], Outcome.FAILED
        )
    elif not _goes_on(done, settings):
        done["outcome"] = Outcome.UNFINISHED
    return done


def another_run(settings: StravaSettings) -> str:
    """The message before a wait for the run's lock: which run is running, and whether Strava's limits may delay it."""
    done = read_last_run(settings)
    if done is None or done["outcome"] != Outcome.RUNNING:
        # a command that makes a page or a bundle holds the lock too
        return "Another run is going on; waiting for it to end."
    said = f"Another run is going on ({done['command']}, process {done['pid']}); waiting for it to end."
    spent = Budget(settings.state_path / "budget.json").spent()
    return f"{said} {spent}" if spent else said


def _goes_on(done: dict[str, Any], settings: StravaSettings) -> bool:
    """Whether the run of a record may still be running."""
    if done["outcome"] not in (Outcome.RUNNING, Outcome.WAITING):
        return True
    if done["outcome"] == Outcome.RUNNING and not is_locked(settings.lock_path):
        # the system releases the lock of a process that dies
        return False
    return done["host"] != socket.gethostname() or _lives(done["pid"])


def _lives(pid: Any) -> bool:
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _path(settings: StravaSettings) -> Path:
    return settings.state_path / "last_run.json"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        known = json.loads(read_whole(path))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return known if isinstance(known, dict) and _is_record(known) else None


def _is_record(known: dict[str, Any]) -> bool:
    """Whether it can be read as a `Done`, unlike what another program wrote there."""
    kinds = {name: type(value) for name, value in asdict(Done("", "")).items()} | LOOSER
    return known.keys() >= REQUIRED and all(isinstance(known[name], kinds[name]) for name in kinds.keys() & known)
