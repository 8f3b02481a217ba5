"""Commands as processes: forked, watched, killed; and dbt, forked as well."""

import atexit
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any, NoReturn

REPO = Path(__file__).resolve().parent.parent
OUR_SETTINGS = ("STRAVA_", "PER_PAGE", "ENRICH_", "DBT_")
# a machine that is shared by many may take minutes for a build
HANGS_AFTER_S = 600


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


def inherited() -> dict[str, str]:
    """This process's environment without anybody's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OUR_SETTINGS)}


def doing_only(wanted: str, run_steps: Callable[..., None]) -> Callable[..., None]:
    """`run_steps` of those steps of a command alone that are `wanted`, with commas between."""

    def some(*arguments: Any) -> None:
        settings, report, stop, command, steps, *rest = arguments
        run_steps(settings, report, stop, command, [step for step in steps if step in wanted.split(",")], *rest)

    return some


class _Waiting:
    """As the `subprocess.Popen` of dbt that waits for what to do (`dbt_run.py`); it is `run` when that is known."""

    def __init__(self, run: Callable[..., "subprocess.CompletedProcess[str]"], command: Sequence[str], **how: Any):
        self._run = run
        self._options = command[command.index("--no-use-colors") :]
        self._how = how
        self.returncode = 0

    def communicate(self, said: str | None = None) -> tuple[str, None]:
        if said is None:
            return "", None
        wish = json.loads(said)
        paths = [wish["results"], wish["recording"]]
        ran = self._run([*paths, self._options[0], *wish["arguments"], *self._options[1:]], **self._how)
        self.returncode = ran.returncode
        return ran.stdout + ran.stderr, None

    def kill(self) -> None:
        """It has not begun."""


def dbt_by(run: Callable[..., "subprocess.CompletedProcess[str]"]) -> SimpleNamespace:
    """What to have instead of `subprocess` in what starts dbt: `run` runs it, as `subprocess.run` would."""
    return SimpleNamespace(Popen=partial(_Waiting, run), PIPE=subprocess.PIPE, STDOUT=subprocess.STDOUT)


def dbt_arguments(command: Sequence[str]) -> Sequence[str]:
    """What a command that starts dbt passes on: dbt's options, and before them the paths for what it writes."""
    at = command.index("--no-use-colors")
    return command if at == len(("results", "recording")) else command[at:]


class Launcher:
    """A process that forks commands (see `launcher.py`); one serves many tests. It ends when this process does.

    `environment` is what it adds to this process's own.
    """

    def __init__(self, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("launcher.py"))],
            env=inherited() | {"PYTHONPATH": str(REPO)} | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPO,
            # a Ctrl-C is for who asked for the commands
            start_new_session=True,
        )
        self._lock = Lock()
        self._wishes = 0
        # of itself and of what it has forked and waited for
        self.processor_s = 0.0
        RUNNING.append(self)

    def ask(self, **wish: object) -> int:
        """What the launcher answers."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        with self._lock:
            self._wishes += 1
            stdin.write(json.dumps(wish | {"number": self._wishes}) + "\n")
            stdin.flush()
            # before it may be the answer to one who was interrupted
            while (answer := stdout.readline().split() or self._ended())[0] != str(self._wishes):
                pass
            self.processor_s = float(answer[2])
            return int(answer[1])

    def _ended(self) -> NoReturn:
        raise AssertionError(f"the launcher has ended with {self._process.wait()}")

    def start(self, *arguments: str, environment: Mapping[str, str], typed: str | Path = "") -> "Command":
        """Start the command; `typed` is its standard input, or where that is: a terminal."""
        return self._start("command", arguments, environment, Path(environment["STRAVA_HOME"]), typed)

    def dbt(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path = REPO, **_how: Any
    ) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run` of what starts dbt, without the seconds that its imports take."""
        ran = self._start("dbt", dbt_arguments(command), env, cwd).wait()
        return subprocess.CompletedProcess(command, ran.code, ran.out, ran.err)

    def _start(
        self, what: str, arguments: Sequence[str], environment: Mapping[str, str], cwd: Path, typed: str | Path = ""
    ) -> "Command":
        folder = Path(tempfile.mkdtemp(prefix="command-"))
        if isinstance(typed, Path):
            (folder / "stdin").symlink_to(typed)
        else:
            (folder / "stdin").write_text(typed)
        for output in ("stdout", "stderr"):
            # who is killed at its start has said nothing
            (folder / output).touch()
        wish = {"start": what, "arguments": arguments, "environment": dict(environment)}
        return Command(self, folder, self.ask(**wish, folder=str(folder), cwd=str(cwd)))

    def close(self) -> None:
        """End the launcher."""
        RUNNING.remove(self)
        self._process.kill()
        self._process.communicate()


RUNNING: list[Launcher] = []


def forked_s() -> float:
    """The processor time of all launchers that run, and of what they have forked."""
    return sum(launcher.processor_s for launcher in RUNNING)


@cache
def launcher() -> Launcher:
    """The launcher of this process, started when it is first needed."""
    started = Launcher()
    atexit.register(started.close)
    return started


class Command:
    """A command that runs."""

    def __init__(self, launcher: Launcher, folder: Path, id_: int) -> None:
        self._launcher = launcher
        self._folder = folder
        self._ran: Ran | None = None
        self.id = id_
        # its id may be another's once the launcher has waited for it; this never is
        self._handle = os.pidfd_open(id_)
        weakref.finalize(self, os.close, self._handle)

    def has_ended(self, within_s: float = 0) -> bool:
        """Whether it has ended, or does so within that time."""
        ended = select.poll()
        ended.register(self._handle, select.POLLIN)
        return bool(ended.poll(within_s * 1000))

    def lines(self) -> Iterator[str]:
        """What it says on standard error, line by line, until it ends; it must not be silent for long."""
        line, heard_at_s = "", time.monotonic()
        with (self._folder / "stderr").open() as said:
            ended = False
            while not ended:
                ended = self.has_ended(0.01)
                assert time.monotonic() - heard_at_s < HANGS_AFTER_S, "it hung"
                # the last line may have begun only
                while part := said.readline():
                    heard_at_s = time.monotonic()
                    line += part
                    if line.endswith("\n"):
                        yield line
                        line = ""

    @property
    def out_so_far(self) -> str:
        """What it has printed until now; only while nobody has waited for it."""
        return (self._folder / "stdout").read_text()

    def signal(self, number: int) -> None:
        """Send it a signal; no error when it has ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        """SIGKILL; no error when it has ended."""
        self.signal(signal.SIGKILL)

    def end(self) -> None:
        """Kill it if it still runs, and wait."""
        self.kill()
        self.wait()

    def stop(self) -> list[int]:
        """SIGSTOP; the ids of the processes it has started, of which there will be no more."""
        self.signal(signal.SIGSTOP)
        try:
            return [int(id_) for id_ in Path(f"/proc/{self.id}/task/{self.id}/children").read_text().split()]
        except OSError:
            return []

    def wait(self) -> Ran:
        """How it ended."""
        if self._ran is None:
            # second by second: a machine that slept meanwhile is none that hung
            hung = not any(self.has_ended(1) for _ in range(HANGS_AFTER_S))
            if hung:
                self.kill()
            code = self._launcher.ask(wait=self.id)
            self._ran = Ran(code, (self._folder / "stdout").read_text(), (self._folder / "stderr").read_text())
            shutil.rmtree(self._folder)
            assert not hung, f"it hung: {self._ran.err}"
        return self._ran
