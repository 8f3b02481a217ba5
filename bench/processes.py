"""Processes, timed and weighed by the kernel, and none left behind.

This process must stay small: a child's peak memory as the kernel tells it is at least its parent's at the fork. So
nothing heavier than the standard library is imported in `bench`, but in `bench/floor.py`, which is a child.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
KIB_ON_LINUX = 1 if sys.platform == "darwin" else 1024
# a first signal asks a run to end in good order, a second at once
PATIENCE_S = (2, 10)
GROUP_ENDS_WITHIN_S = 10
WATCHED_EVERY_S = 0.5
PROC = Path("/proc")


class CommandFailed(Exception):
    """A measured command failed, or did something else than it should: there is nothing to measure."""


@dataclass(frozen=True)
class Finished:
    """A process that ended well: wall time from start to end, processor time, peak memory, and all it printed."""

    seconds: float
    cpu_s: float
    peak_bytes: int
    printed: str


def run_timed(command: Sequence[str], environment: Mapping[str, str], typed: str = "") -> Finished:
    """Run `command` to its end, `typed` being its standard input.

    Raises:
        CommandFailed: it exits with another code than 0; the text is the end of what it printed.
    """
    with tempfile.TemporaryFile("w+") as stdin, tempfile.TemporaryFile("w+") as printed:
        stdin.write(typed)
        stdin.seek(0)
        # what one run wrote is on disk before the next is timed
        os.sync()
        began_at_s = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - our own programs
            command,
            env=environment,
            cwd=REPO,
            stdin=stdin,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - began_at_s
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            end(process)
        printed.seek(0)
        text = printed.read()
    if process.returncode:
        raise CommandFailed(f"{' '.join(command)} ended with {process.returncode}:\n{text[-2000:]}")
    return Finished(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * KIB_ON_LINUX, text)


def end(process: subprocess.Popen[bytes]) -> None:
    """End `process` if it still runs, and what it started with it."""
    for patience_s in PATIENCE_S:
        if process.poll() is not None:
            break
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    if process.poll() is None:
        process.kill()
        process.wait()
    # it led a group: a JVM ends some moments after the program that it serves
    ends_at_s = time.monotonic() + GROUP_ENDS_WITHIN_S
    with suppress(ProcessLookupError):
        while time.monotonic() < ends_at_s:
            os.killpg(process.pid, 0)
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def serving(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], ready_file: Path, within_s: float
) -> Iterator[str]:
    """Run `python -m module` with `arguments` in this block; yields what it writes to `ready_file` once it is ready.

    Raises:
        CommandFailed: it ended, or was not ready `within_s` seconds.
    """
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", module, *arguments],
        env=environment,
        cwd=REPO,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        began_at_s = time.monotonic()
        while not ready_file.exists():
            if process.poll() is not None or time.monotonic() - began_at_s > within_s:
                raise CommandFailed(f"{module} does not come up: {' '.join(arguments)}")
            time.sleep(0.05)
        yield ready_file.read_text()
    finally:
        end(process)


@dataclass
class Spent:
    """What several processes spent together: the most memory (RSS) at a time, and processor time."""

    peak_bytes: int = 0
    cpu_s: float = 0


@contextmanager
def watching_all() -> Iterator[Spent]:
    """Add up meanwhile what all processes below this one spend. Where there is no /proc, that is nothing.

    The kernel counts only the largest one's memory, and no processor time of a JVM that nobody waits for.
    """
    spent = Spent()
    cpu_s: dict[int, float] = {}
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(WATCHED_EVERY_S):
            now = _below(os.getpid())
            spent.peak_bytes = max(spent.peak_bytes, sum(each.peak_bytes for each in now.values()))
            # those that have ended stay in the sum
            cpu_s.update((number, each.cpu_s) for number, each in now.items())
            spent.cpu_s = sum(cpu_s.values())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield spent
    finally:
        is_over.set()
        watcher.join()


def _below(root: int) -> dict[int, Spent]:
    """What each process that descends from `root` has spent so far, by its number."""
    children: dict[int, dict[int, Spent]] = {}
    for path in PROC.glob("[0-9]*/stat"):
        # one may have ended by now
        with suppress(OSError):
            # after the name in brackets: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
            fields = path.read_text().rpartition(")")[2].split()
            ticks = int(fields[11]) + int(fields[12])
            spent = Spent(int(fields[21]) * os.sysconf("SC_PAGE_SIZE"), ticks / os.sysconf("SC_CLK_TCK"))
            children.setdefault(int(fields[1]), {})[int(path.parent.name)] = spent
    found: dict[int, Spent] = {}
    parents = [root]
    while parents:
        of_parent = children.get(parents.pop(), {})
        found |= of_parent
        parents += of_parent
    return found
