"""`make soak`: random histories until it is told to stop. Exit codes: 0 no difference, 1 some, 130 interrupted."""

import argparse
import logging
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

from soak.mirror import LongMirror
from soak.processes import Launcher


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make soak",
        description="Try the mirror with random histories: uploads, edits, deletions, faults, kills, concurrent runs.",
    )
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="the number of the first history")
    parser.add_argument("--examples", type=int, default=None, metavar="N", help="how many (default: as time allows)")
    parser.add_argument("--seconds", type=float, default=None, help="how long (default: 600, or until --examples)")
    parser.add_argument("--steps", type=int, default=30, help="steps of a history (default: %(default)s)")
    parser.add_argument("--quiet", action="store_true", help="a line per history, not one per step")
    return parser.parse_args(argv)


def _try_history(seed: int, steps: int) -> bool:
    """Go through the history of this seed; whether it could be repeated, where there was a difference."""

    class History(LongMirror):
        pass

    hypothesis.seed(seed)(History)
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run; see the module."""
    arguments = _arguments(argv)
    logging.disable(logging.CRITICAL)
    seed = arguments.seed if arguments.seed is not None else random.randrange(10**6)  # noqa: S311 - a choice of tests
    seconds = arguments.seconds or (600 if arguments.examples is None else float("inf"))
    tally, began_at_s, number, failed = LongMirror.tally, time.monotonic(), arguments.first, []
    print(f"seed {seed}")
    LongMirror.launcher = Launcher()
    if not arguments.quiet:
        LongMirror.tell = staticmethod(lambda told: print(told, flush=True))
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        LongMirror.folder = Path(folder)
        try:
            while time.monotonic() - began_at_s < seconds:
                if arguments.examples is not None and number >= arguments.first + arguments.examples:
                    break
                known, kills, requests = len(tally.differences), tally.kills, tally.requests
                repeated = _try_history(seed * 1_000_003 + number, arguments.steps)
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
        except KeyboardInterrupt:
            print(f"stopped; to go on: make soak SEED={seed} FROM={number} STEPS={arguments.steps}")
            return 130
        finally:
            LongMirror.launcher.close()
            print(f"\nseed {seed}, histories {arguments.first} to {number - 1}, {time.monotonic() - began_at_s:.0f} s")
            for name in (
                "steps",
                "changes",
                "faults",
                "runs",
                "kills",
                "requests",
                "quiet_pulls",
                "held_back",
                *("purges", "torn"),
            ):
                print(f"  {name.replace('_', ' '):<12}{getattr(tally, name):>9,}")
            print(f"  {'differences':<12}{len(failed):>9,}", *failed, sep="\n    ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
