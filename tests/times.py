"""What each test file takes: printed at the end of a run with --times=NAME and kept in tests/results/NAME.json.

`python tests/times.py` writes what is kept into CONTRIBUTING.md. Processor time is that of a test's fixtures and
processes too, of those that outlive a test when they end.
"""

import json
import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from processes import forked_s

REPO = Path(__file__).resolve().parent.parent
RESULTS = REPO / "tests" / "results"
CONTRIBUTING = REPO / "CONTRIBUTING.md"
# the suites in the order in which they are shown, by the name of their make target
SUITES = ("test", "test-deep")
BEGIN, END = "<!-- times of the tests: by `make test-times` -->", "<!-- /times of the tests -->"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--times", metavar="NAME", help="print what each file takes; keep it in tests/results/NAME.json")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("times"):
        config.pluginmanager.register(Times(config), "times of files")


class Times:
    """In a worker it notes the processor time of each phase of a test, in the controller it adds them up."""

    def __init__(self, config: pytest.Config) -> None:
        self._name: str = config.getoption("times")
        self._workers = 1
        self._began_at_s = time.monotonic()
        self._spent_s = processor_s()
        self._tests: dict[str, dict[str, float]] = defaultdict(lambda: {"wall_s": 0.0, "processor_s": 0.0})

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        report: Any = yield
        spent_s = processor_s()
        report.user_properties.append(("processor_s", spent_s - self._spent_s))
        self._spent_s = spent_s
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if node := getattr(report, "node", None):
            self._workers = max(self._workers, int(node.gateway.id.removeprefix("gw")) + 1)
        taken = self._tests[report.nodeid]
        taken["wall_s"] += report.duration
        taken["processor_s"] += sum(value for name, value in report.user_properties if name == "processor_s")

    def pytest_terminal_summary(self, terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
        if hasattr(config, "workerinput") or not self._tests:
            return
        files: dict[str, dict[str, float]] = defaultdict(lambda: {"tests": 0, "wall_s": 0.0, "processor_s": 0.0})
        for nodeid, taken in self._tests.items():
            file = files[nodeid.partition("::")[0]]
            file["tests"] += 1
            for measure, value in taken.items():
                file[measure] += value
        kept = {
            "measured_on": f"{datetime.now(UTC):%Y-%m-%d}",
            "python": ".".join(map(str, sys.version_info[:2])),
            "workers": self._workers,
            "exit_code": int(exitstatus),
            "wall_s": time.monotonic() - self._began_at_s,
            "files": slowest_first(files),
            "tests": slowest_first(self._tests),
        }
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{self._name}.json").write_text(json.dumps(kept, indent=1) + "\n")
        terminalreporter.section(f"times of {self._name}, slowest files first")
        terminalreporter.write_line("processor_s   wall_s  tests  file")
        for path, file in kept["files"].items():
            terminalreporter.write_line(f"{file['processor_s']:11.1f} {file['wall_s']:8.1f} {file['tests']:6}  {path}")
        terminalreporter.write_line(summary(kept))


def slowest_first(taken: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """By processor time, in tenths of a second."""
    ordered = sorted(taken.items(), key=lambda item: -item[1]["processor_s"])
    return {name: {measure: round(value, 1) for measure, value in measures.items()} for name, measures in ordered}


def summary(kept: dict[str, Any]) -> str:
    """One line on the whole of a run."""
    files = kept["files"].values()
    return (
        f"{sum(file['tests'] for file in files):,} tests in {len(files)} files: "
        f"{sum(file['processor_s'] for file in files) / 60:.1f} min of processor time, "
        f"{kept['wall_s'] / 60:.1f} min with {kept['workers']} at a time"
    )


def processor_s() -> float:
    """Of this process, of those it has started that have ended, and of all that launchers have forked."""
    return sum(os.times()[:4]) + forked_s()


def main() -> int:
    """Write what `tests/results` holds into CONTRIBUTING.md."""
    text = CONTRIBUTING.read_text(encoding="utf-8")
    place = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if not place.search(text):
        sys.stderr.write(f"CONTRIBUTING.md has lost the place of its times: {BEGIN} … {END}\n")
        return 1
    missing = [name for name in SUITES if not (RESULTS / f"{name}.json").exists()]
    if missing:
        sys.stderr.write(f"There are no times yet: run {' and '.join(f'`make {name}`' for name in missing)}.\n")
        return 1
    lines = []
    for name in SUITES:
        kept = json.loads((RESULTS / f"{name}.json").read_text())
        lines += ["", f"`make {name}`, {kept['measured_on']}, Python {kept['python']}: {summary(kept)}.", ""]
        lines += ["| file | tests | processor s | wall s |", "| --- | ---: | ---: | ---: |"]
        rows = [(path, file) for path, file in kept["files"].items() if file["processor_s"] >= 1]
        lines += [f"| `{p}` | {f['tests']} | {f['processor_s']:.0f} | {f['wall_s']:.0f} |" for p, f in rows]
        lines += [f"| {len(kept['files']) - len(rows)} more, less than a second each | | | |"]
    table = "\n".join([BEGIN, *lines, "", END])
    CONTRIBUTING.write_text(place.sub(lambda _: table, text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
