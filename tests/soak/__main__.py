"""`make soak`: random histories until it is told to stop. Exit codes: 0 no difference, 1 some, 130 interrupted."""

import argparse
import logging
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test
from processes import Launcher

from soak.batch import Batch
from soak.doors import DoorsHistory
from soak.mirror import LongMirror, Mirror

# one in so many goes through whole flows, with dbt in each
LONG_EVERY = 25
# so many others are built into one warehouse at a time
BUILT_AT_ONCE = 40
SHOWN_EACH = ("kills", "requests")
COUNTED = (
    "steps",
    "changes",
    "faults",
    "runs",
    "kills",
    "requests",
    "quiet_pulls",
    "held_back",
    "locked_out",
    *("purges", "torn"),
)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make soak",
        description="Try the mirror with random histories: uploads, edits, deletions, faults, kills, concurrent runs.",
    )
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="the number of the first history")
    parser.add_argument("--examples", type=int, default=None, metavar="N", help="how many (default: as time allows)")
    parser.add_argument("--seconds", type=float, default=None, help="how long (default: 600, or until --examples)")
    parser.add_argument("--steps", type=int, default=10, help="steps of a history (default: %(default)s)")
    parser.add_argument(
        "--doors", action="store_true", help="histories by exports, files, the API and withdrawals, with kills"
    )
    parser.add_argument("--quiet", action="store_true", help="a line per history, not one per step")
    return parser.parse_args(argv)


class MirrorSoak:
    """Histories of the mirror, which `Mirror` is the state machine of."""

    def __init__(self, folder: Path, seed: int, launcher: Launcher, arguments: argparse.Namespace) -> None:
        self._seed = seed
        self._steps = arguments.steps
        Mirror.launcher = launcher
        Mirror.folder = folder
        Mirror.batch = self.batch = Batch(folder / "batch", launcher)
        if not arguments.quiet:
            Mirror.tell = staticmethod(_say)

    def again(self, number: int) -> str:
        """What repeats a history, and continues from there."""
        return f"make soak SEED={self._seed} STEPS={self._steps} FROM={number}"

    def go_through(self, number: int) -> list[str]:
        """Go through the history of this number; what differs, in words."""

        class History(Mirror if number % LONG_EVERY else LongMirror):  # type: ignore[misc]
            name = f"history {number}"

        known = len(Mirror.tally.differences)
        hypothesis.seed(self._seed * 1_000_003 + number)(History)
        settings = hypothesis.settings(
            max_examples=1,
            stateful_step_count=self._steps,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            verbosity=hypothesis.Verbosity.quiet,
        )
        not_each_time = []
        try:
            run_state_machine_as_test(History, settings=settings)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is in the tally, and the next history is tried
            not_each_time = ["(not each time)"] if isinstance(error, Flaky) else []
        differences = Mirror.tally.differences[known:]
        return [*differences, *not_each_time] if differences else []

    def counts(self) -> dict[str, int]:
        """What was done, over all histories."""
        return {name.replace("_", " "): getattr(Mirror.tally, name) for name in COUNTED}


class DoorsSoak:
    """Histories by exports, files, the API and withdrawals."""

    def __init__(self, folder: Path, seed: int, launcher: Launcher, arguments: argparse.Namespace) -> None:
        self._folder = folder
        self._seed = seed
        self._say = (lambda _step: None) if arguments.quiet else _say
        self._launcher = launcher
        self.batch = Batch(folder / "batch", launcher, Path)
        self._kills = 0

    def again(self, number: int) -> str:
        """What repeats a history, and continues from there."""
        return f"make soak DOORS=1 SEED={self._seed} FROM={number}"

    def go_through(self, number: int) -> list[str]:
        """Go through the history of this number; what went wrong, in words."""
        history = DoorsHistory(self._seed, number, self._folder / str(number), self._launcher, self._say)
        try:
            self.batch.add(history.run(), history.data)
        except AssertionError as error:
            return [str(error)]
        finally:
            self._kills += history.kills
            shutil.rmtree(history.folder, ignore_errors=True)
        return []

    def counts(self) -> dict[str, int]:
        """What was done, over all histories."""
        return {"kills": self._kills}


def _say(text: str) -> None:
    print(text, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run; see the module."""
    arguments = _arguments(argv)
    logging.disable(logging.CRITICAL)
    seed = arguments.seed if arguments.seed is not None else random.randrange(10**6)  # noqa: S311 - a choice of tests
    seconds = arguments.seconds or (600 if arguments.examples is None else float("inf"))
    began_at_s, number, failed = time.monotonic(), arguments.first, []
    interrupted = False
    _say(f"seed {seed}")
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        launcher = Launcher()
        soak = (DoorsSoak if arguments.doors else MirrorSoak)(Path(folder), seed, launcher, arguments)

        def settle() -> None:
            """Build what waits, and tell of differences; how to repeat each."""
            soak.batch.settle()
            for name, differences in soak.batch.differences:
                failed.append(f"{soak.again(int(name.split()[-1]))} EXAMPLES=1")
                print(f"{name}: DIFFERENT in strava.*", differences, failed[-1], sep="\n", flush=True)
            soak.batch.differences.clear()

        try:
            while time.monotonic() - began_at_s < seconds:
                if arguments.examples is not None and number >= arguments.first + arguments.examples:
                    break
                before, differences = soak.counts(), soak.go_through(number)
                done = ", ".join(
                    f"{count - before[what]} {what}" for what, count in soak.counts().items() if what in SHOWN_EACH
                )
                result = "DIFFERENT" if differences else "equal"
                _say(f"history {number}: {done}, {result}; {time.monotonic() - began_at_s:.0f} s")
                if differences:
                    failed.append(f"{soak.again(number)} EXAMPLES=1")
                    print(*differences, failed[-1], sep="\n", flush=True)
                number += 1
                if len(soak.batch) >= BUILT_AT_ONCE:
                    settle()
        except KeyboardInterrupt:
            interrupted = True
        finally:
            settle()
            launcher.close()
            print(f"\nto go on: {soak.again(number)}")
            print(f"seed {seed}, histories {arguments.first} to {number - 1}, {time.monotonic() - began_at_s:.0f} s")
            for what, count in soak.counts().items():
                print(f"  {what:<12}{count:>9,}")
            print(f"  {'differences':<12}{len(failed):>9,}", *failed, sep="\n    ")
    if interrupted:
        return 130
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
