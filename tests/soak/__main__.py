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
TOLD = (
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


def _try_history(seed: int, number: int, steps: int) -> bool:
    """Go through the history of this number; whether it could be repeated, where there was a difference."""

    class History(Mirror if number % LONG_EVERY else LongMirror):  # type: ignore[misc]
        name = f"history {number}"

    hypothesis.seed(seed * 1_000_003 + number)(History)
    settings = hypothesis.settings(
        max_examples=1,
        stateful_step_count=steps,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        verbosity=hypothesis.Verbosity.quiet,
    )
    try:
        run_state_machine_as_test(History, settings=settings)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is in the tally, and the next history is tried
        return not isinstance(error, Flaky)
    return True


def _settle(batch: Batch, seed: int, steps: int) -> list[str]:
    """Build what waits, and tell of differences; how to repeat each."""
    batch.settle()
    failed = []
    for name, differences in batch.differences:
        failed.append(f"make soak SEED={seed} FROM={name.split()[-1]} EXAMPLES=1 STEPS={steps}")
        print(f"{name}: DIFFERENT in strava.*", differences, failed[-1], sep="\n", flush=True)
    batch.differences.clear()
    return failed


def _soak_doors(arguments: argparse.Namespace, seed: int, seconds: float) -> int:
    """Histories by all doors; the exit code."""
    began_at_s, number, kills, failed = time.monotonic(), arguments.first, 0, []
    launcher, interrupted = Launcher(), False
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        batch = Batch(Path(folder) / "batch", launcher, Path)

        def settle() -> None:
            for name, differences in batch.settle():
                failed.append(f"make soak DOORS=1 SEED={seed} FROM={name.split()[-1]} EXAMPLES=1")
                print(f"{name}: DIFFERENT", differences, failed[-1], sep="\n", flush=True)

        try:
            while time.monotonic() - began_at_s < seconds:
                if arguments.examples is not None and number >= arguments.first + arguments.examples:
                    break
                history = DoorsHistory(seed, number, Path(folder) / str(number), launcher)
                if not arguments.quiet:
                    history.say = lambda step: print(f"  {step}", flush=True)
                try:
                    ended = history.run()
                    batch.add(ended, history.data)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is in the tally, and the next one is tried
                    failed.append(f"make soak DOORS=1 SEED={seed} FROM={number} EXAMPLES=1")
                    print(f"history {number}: {error}", failed[-1], sep="\n", flush=True)
                kills += history.kills
                print(f"history {number}: {history.kills} kills; {time.monotonic() - began_at_s:.0f} s", flush=True)
                shutil.rmtree(history.folder)
                number += 1
                if len(batch) >= BUILT_AT_ONCE:
                    settle()
        except KeyboardInterrupt:
            interrupted = True
        finally:
            settle()
            launcher.close()
            print(f"\nto go on: make soak DOORS=1 SEED={seed} FROM={number}")
            print(f"seed {seed}, histories {arguments.first} to {number - 1}, {time.monotonic() - began_at_s:.0f} s")
            print(f"  {'kills':<12}{kills:>9,}", f"  {'differences':<12}{len(failed):>9,}", *failed, sep="\n")
    if interrupted:
        return 130
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run; see the module."""
    arguments = _arguments(argv)
    logging.disable(logging.CRITICAL)
    seed = arguments.seed if arguments.seed is not None else random.randrange(10**6)  # noqa: S311 - a choice of tests
    seconds = arguments.seconds or (600 if arguments.examples is None else float("inf"))
    tally, began_at_s, number, failed = Mirror.tally, time.monotonic(), arguments.first, []
    interrupted = False
    print(f"seed {seed}")
    if arguments.doors:
        return _soak_doors(arguments, seed, seconds)
    Mirror.launcher = Launcher()
    if not arguments.quiet:
        Mirror.tell = staticmethod(lambda told: print(told, flush=True))
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        Mirror.folder = Path(folder)
        Mirror.batch = batch = Batch(Path(folder) / "batch", Mirror.launcher)
        try:
            while time.monotonic() - began_at_s < seconds:
                if arguments.examples is not None and number >= arguments.first + arguments.examples:
                    break
                known, kills, requests = len(tally.differences), tally.kills, tally.requests
                repeated = _try_history(seed, number, arguments.steps)
                print(
                    f"history {number}: {tally.kills - kills} kills, {tally.requests - requests} requests, "
                    f"{'equal' if len(tally.differences) == known else 'DIFFERENT'}; "
                    f"{time.monotonic() - began_at_s:.0f} s",
                    flush=True,
                )
                if len(tally.differences) > known:
                    again = f"make soak SEED={seed} FROM={number} EXAMPLES=1 STEPS={arguments.steps}"
                    failed.append(f"{again}{'' if repeated else '  (not each time)'}")
                    print(tally.differences[known], failed[-1], sep="\n", flush=True)
                number += 1
                if len(batch) >= BUILT_AT_ONCE:
                    failed += _settle(batch, seed, arguments.steps)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            failed += _settle(batch, seed, arguments.steps)
            Mirror.launcher.close()
            print(f"\nto go on: make soak SEED={seed} FROM={number} STEPS={arguments.steps}")
            print(f"seed {seed}, histories {arguments.first} to {number - 1}, {time.monotonic() - began_at_s:.0f} s")
            for name in TOLD:
                print(f"  {name.replace('_', ' '):<12}{getattr(tally, name):>9,}")
            print(f"  {'differences':<12}{len(failed):>9,}", *failed, sep="\n    ")
    if interrupted:
        return 130
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
