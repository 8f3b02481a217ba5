"""Processes, timed and weighed by the kernel, and none left behind.

This process must stay small: a child's peak memory as the kernel tells it is at least its parent's at the fork. So
nothing heavier than the standard library is imported in `bench`, but in `bench/floor.py`, which is a child.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
KIB_ON_LINUX = 1 if sys.platform == "darwin" else 1024
# a first signal asks a run to end in good order, a second at once
PATIENCE_S = (2, 10)


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
            return
        process.terminate()
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            continue
    if process.poll() is None:
        process.kill()
        process.wait()
