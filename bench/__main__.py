"""The command: `python -m bench`. Exit codes: 0 all targets reached, 1 one missed, 2 not measured, 130 interrupted."""

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

from bench.engines import POINT, SIZES, engines, spark_packages
from bench.measures import MEASURES, Lab, Result
from bench.processes import REPO, CommandFailed

RESULTS = REPO / "bench" / "results"
LARGE = 100_000
REPEAT = 3
PACKAGES = ("dlt", "dbt-core", "dbt-duckdb", "duckdb", "pyarrow", "requests")


def _points(text: str) -> list[int]:
    points = {part.strip() for part in text.split(",")}
    if not points <= {str(point) for point in MEASURES}:
        raise argparse.ArgumentTypeError(f"{text!r} must be some of {','.join(map(str, MEASURES))}")
    return sorted(map(int, points))


def _at_least_one(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of 1 or more")
    return int(text)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure speed and size: ratios, both sides in one run against one simulated Strava.",
        epilog="examples:\n  python -m bench --only 1,3 --activities 20000 --repeat 1\n"
        "  python -m bench --spark --activities 5000",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    points = "; ".join(f"{point}: {measure.__name__.replace('_', ' ')}" for point, measure in MEASURES.items())
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--only", type=_points, metavar="1,3", help=f"some of the measures ({points})")
    sizes = " and ".join(f"{size:,}" for size in SIZES)
    which.add_argument(
        "--spark",
        action="store_true",
        help=f"measure {POINT} alone: DuckDB and Spark build {sizes} activities, which takes half an hour",
    )
    parser.add_argument(
        "--activities",
        type=_at_least_one,
        metavar="N",
        help=f"the large account (default: {LARGE:,}); fewer for a quick look, which proves nothing",
    )
    parser.add_argument(
        "--repeat",
        type=_at_least_one,
        metavar="N",
        help=f"times each side is measured (default: {REPEAT}; with --spark 1)",
    )
    return parser.parse_args(argv)


def _measured(lab: Lab, options: argparse.Namespace) -> Iterator[Result]:
    """The results of the points that were asked for."""
    if options.spark:
        lab.show(f"-- {POINT}: {_title(engines)}")
        yield from engines(lab, (options.activities,) if options.activities else SIZES)
        return
    for point in options.only or MEASURES:
        lab.show(f"-- {point}: {_title(MEASURES[point])}")
        yield from MEASURES[point](lab)


def _title(measure: Callable[..., Iterator[Result]]) -> str:
    return (measure.__doc__ or "").splitlines()[0].split(": ", 1)[1]


def _machine(more_packages: dict[str, str]) -> dict[str, Any]:
    """Where this runs: what figures can be compared with."""
    return {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {package: version(package) for package in PACKAGES} | more_packages,
    }


def _verdict(result: Result) -> str:
    if result.target is None:
        return ""
    return "ok" if result.reached else "MISSED"


def _table(results: Sequence[Result]) -> str:
    rows = [("", "what", "measured", "at most", "", "how")]
    rows += [
        (
            str(result.point),
            result.what,
            f"{result.measured:.4g} {result.unit}",
            "" if result.target is None else f"{result.target:g}",
            _verdict(result),
            result.how,
        )
        for result in results
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _save(results: Sequence[Result], began_at: datetime, machine: dict[str, Any], options: argparse.Namespace) -> Path:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{began_at:%Y%m%dT%H%M%SZ}.json"
    held = {
        "began_at": began_at.isoformat(),
        "machine": machine,
        "options": vars(options),
        "results": [asdict(result) | {"reached": result.reached} for result in results],
    }
    path.write_text(json.dumps(held, indent=1) + "\n")
    return path


def _interrupt_once(_number: int, _frame: FrameType | None) -> None:
    # a second Ctrl-C must not keep the children from being ended
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, save it as JSON; the exit code says whether all targets were reached."""
    options = _arguments(argv)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt_once)
    began_at = datetime.now(UTC)
    began_at_s = time.monotonic()
    machine = _machine(spark_packages() if options.spark else {})
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    print(f"{machine['cores']} cores, load {machine['load']}, {machine['system']}")
    print(f"Python {machine['python']}, {packages}", flush=True)

    def show(text: str) -> None:
        print(f"{time.monotonic() - began_at_s:6.1f} s  {text}", flush=True)

    results: list[Result] = []
    trouble = None
    try:
        with tempfile.TemporaryDirectory(prefix="strava-bench-") as folder, ExitStack() as stack:
            repeat = options.repeat or (1 if options.spark else REPEAT)
            lab = Lab(Path(folder), options.activities or LARGE, repeat, show, stack)
            # what was measured before a command fails is shown too
            results.extend(_measured(lab, options))
    except KeyboardInterrupt:
        print("Stopped; nothing is left running.", file=sys.stderr)
        return 130
    except CommandFailed as error:
        trouble = str(error)
    print(f"\n{_table(results)}\n\nSaved as {_save(results, began_at, machine, options)}")
    if trouble is not None:
        print(f"error: {trouble}", file=sys.stderr)
        return 2
    return 0 if all(result.reached for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
