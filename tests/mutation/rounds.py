"""A round: each mutant of a sample against the tests that cover it; what is known of it is kept after each one."""

import json
import re
import threading
import time
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from mutation.copies import REPO, WORK, Copy, Ended
from mutation.covering import Map
from mutation.modules import modules
from mutation.mutants import Gone, Mutant, covering_lines, lines_of_function, sample

EQUIVALENT = Path(__file__).with_name("equivalent.toml")
# seconds of the tests that are tried first; what starts again then, pytest and what it forks commands from, costs some
FIRST_STAGE_S = 60
# a machine that does much else takes so much longer than it did for the map; whoever takes longer hangs
SLOWER = 6
HANGS_AFTER_S = 120
# of tests that fail and then, alone, do not
TRIES = 3


class Round:
    """The sample of `seed`, of the modules with these names or of all, and what became of each of its mutants."""

    def __init__(self, number: int, seed: int, only: str = "") -> None:
        names = only.split(",") if only else []
        if unknown := set(names) - {Path(path).stem for path in modules(REPO)}:
            raise SystemExit(f"There is no module called {', '.join(sorted(unknown))} to mutate.")
        self._folder = WORK / "rounds" / " ".join([str(seed), str(number), *names])
        self._folder.mkdir(parents=True, exist_ok=True)
        self._results = self._folder / "results.jsonl"
        kept = self._folder / "sample.json"
        if not kept.exists():
            paths = [path for path in modules(REPO) if not names or Path(path).stem in names]
            drawn = sample(REPO, paths, number, seed)
            kept.write_text(json.dumps([asdict(mutant) for mutant in drawn], indent=1))
        self._mutants = [Mutant(**one) for one in json.loads(kept.read_text())]
        self._lock = threading.Lock()

    def run(self, jobs: int, patience_s: float, again: bool) -> None:
        """Try those of which nothing is known yet; `again` also those that survived."""
        known = self._known()
        done = {key for key, results in known.items() if not again or results[-1]["outcome"] != "survived"}
        equivalent = equivalents()
        left = [mutant for mutant in self._mutants if mutant.key not in done and mutant.key not in equivalent]
        if not left:
            return
        covered = Map()
        copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(jobs):
            copies.put(Copy(f"worker-{number}"))

        def attempt(mutant: Mutant) -> None:
            copy = copies.get()
            try:
                began_s = time.monotonic()
                result = try_mutant(mutant, copy, covered, patience_s)
                result["seconds"] = round(time.monotonic() - began_s, 1)
                self._note(mutant, result)
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(jobs) as pool:
            for number, _ in enumerate(pool.map(attempt, left), 1):
                if number % 10 == 0:
                    print(f"{number} of {len(left)}", flush=True)
        while not copies.empty():
            copies.get().remove()

    def _note(self, mutant: Mutant, result: dict[str, Any]) -> None:
        with self._lock, self._results.open("a") as file:
            file.write(json.dumps(asdict(mutant) | result) + "\n")

    def _known(self) -> dict[tuple[str, ...], list[dict[str, Any]]]:
        known: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        if self._results.exists():
            for line in self._results.read_text().splitlines():
                result = json.loads(line)
                known.setdefault(_mutant(result).key, []).append(result)
        return known

    def table(self) -> str:
        """What was found, by module, as Markdown."""
        known, equivalent = self._known(), equivalents()
        counts: dict[str, Counter[str]] = {}
        for mutant in self._mutants:
            count = counts.setdefault(mutant.module, Counter())
            if mutant.key in equivalent:
                count.update(["mutations", "equivalent"])
            elif (results := known.get(mutant.key)) and results[-1]["outcome"] != "gone":
                count.update(["mutations"])
                count["first"] += results[0]["outcome"] != "survived"
                count["noticed"] += results[-1]["outcome"] != "survived"
        rows = [(module, counts[module]) for module in counts]
        rows.append(("all", sum((count for _, count in rows), Counter())))
        head = "| module | mutations | equivalent | noticed at first | noticed now | survive | noticed of the rest |\n"
        return head + "| --- | --: | --: | --: | --: | --: | --: |\n" + "\n".join(_row(*row) for row in rows)

    def list_survivors(self) -> Path:
        """Write those that survived, with their changes, into a file."""
        equivalent = equivalents()
        path = self._folder / "survivors.txt"
        path.write_text(
            "\n".join(
                f"{result['module']} {result['function']} ({result['operator']}; {result['tests']} tests)\n"
                + _marked("- ", result["before"])
                + _marked("+ ", result["after"])
                for key, results in self._known().items()
                if (result := results[-1])["outcome"] == "survived" and key not in equivalent
            )
        )
        return path


def _row(module: str, count: Counter[str]) -> str:
    rest = count["mutations"] - count["equivalent"]
    share = f"{count['noticed'] / rest:.0%}" if rest else ""
    cells = (count["mutations"], count["equivalent"], count["first"], count["noticed"], rest - count["noticed"], share)
    return f"| {module.removeprefix('pipelines/')} | {' | '.join(map(str, cells))} |"


def _marked(mark: str, text: str) -> str:
    return "".join(f"{mark}{line}\n" for line in text.splitlines())


def _mutant(result: dict[str, Any]) -> Mutant:
    return Mutant(**{name: result[name] for name in Mutant.__dataclass_fields__})


def equivalents() -> dict[tuple[str, ...], str]:
    """Why the mutants that make no difference make none, by their keys."""
    listed = tomllib.loads(EQUIVALENT.read_text()).get("equivalent", [])
    return {
        tuple(one[name].strip("\n") for name in ("module", "function", "before", "after")): one["why"] for one in listed
    }


def try_mutant(mutant: Mutant, copy: Copy, covered: Map, patience_s: float) -> dict[str, Any]:
    """Whether a test notices: the outcome (noticed, hung, survived, gone), by which test, of how many."""
    source = (copy.root / mutant.module).read_text()
    try:
        first, last = mutant.place(source)
    except Gone:
        return {"outcome": "gone", "tests": 0}
    lines, names = covering_lines(source, first, last)
    tests = covered.tests(mutant.module, lines) | covered.tests_of_names(mutant.module, names)
    stages = staged(covered.concern(tests, mutant.module, lines_of_function(source, first)), covered, patience_s)
    copy.write(mutant.module, mutant.applied(source))
    try:
        for stage in stages:
            limit_s = HANGS_AFTER_S + SLOWER * sum(covered.seconds[test] for test in stage)
            for _ in range(TRIES):
                ended = copy.pytest(["-x", "-q", "-rfE", "--tb=line", *stage], limit_s)
                if ended.code is None:
                    return {"outcome": "hung", "tests": len(tests), "by": ", ".join(stage[:5])}
                if ended.code not in (0, 1, 2):
                    raise RuntimeError(f"pytest ended with {ended.code}:\n{ended.out[-3000:]}")
                if ended.code == 0:
                    break
                by = _first_failed(ended)
                # a test that only a busy machine makes fail would not fail again, alone
                if by not in covered.seconds or copy.pytest(["-x", "-q", "--tb=line", by], limit_s).code != 0:
                    return {"outcome": "noticed", "tests": len(tests), "by": by}
    finally:
        copy.write(mutant.module, source)
    return {"outcome": "survived", "tests": len(tests), "tried": sum(map(len, stages))}


def staged(concern: dict[str, float], covered: Map, patience_s: float) -> list[list[str]]:
    """The tests in the order in which they are tried, in two stages; those that cost more than is left are not.

    First what is cheap and what the mutant concerns most (`concern`, by test). Of a test with many parameters each one
    counts for twice as dear as the one before: what one does not notice, the next hardly will.
    """
    most = max(concern.values(), default=1.0)
    cost = {test: covered.seconds[test] * (most / share) ** 2 for test, share in concern.items()}
    weights: dict[str, float] = {}
    of_function: Counter[str] = Counter()
    for test in sorted(cost, key=lambda test: (cost[test], test)):
        function = test.partition("[")[0]
        weights[test] = cost[test] * 2 ** min(of_function[function], 20)
        of_function[function] += 1
    ranked = sorted(weights, key=lambda test: (weights[test], test))
    stages: dict[bool, list[str]] = {True: [], False: []}
    spent_s = 0.0
    for test in ranked:
        if spent_s == 0 or spent_s + covered.seconds[test] <= patience_s:
            stages[spent_s + covered.seconds[test] <= FIRST_STAGE_S].append(test)
            spent_s += covered.seconds[test]
    return [_by_file(stage) for stage in stages.values() if stage]


def _by_file(tests: list[str]) -> list[str]:
    """The same tests, a file at a time, the first one's first: what its fixtures build is built once."""
    files: dict[str, list[str]] = {}
    for test in tests:
        files.setdefault(test.partition("::")[0], []).append(test)
    return [test for of_file in files.values() for test in of_file]


def _first_failed(ended: Ended) -> str:
    found = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", ended.out, re.MULTILINE)
    return found[1] if found else ended.out[-300:]
