"""The map from lines to the tests that cover them: a part for each file of tests, made again when that file changes."""

import difflib
import hashlib
import json
import re
import shutil
from collections import defaultdict
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from coverage import CoverageData
from coverage.exceptions import DataError

from mutation.copies import REPO, WORK, Copy
from mutation.modules import modules
from mutation.mutants import covering_lines
from mutation.recorder import hash_of

MAP = WORK / "map"
SOURCES = WORK / "sources"
# these run nothing that is mutated, or need what is not here, or would take longer than all others together
LEFT_OUT = (
    "tests/containers/",
    "tests/workflows/",
    "tests/dbt/",
    "tests/simulator/",
    "tests/mutation/",
    "tests/page/test_page_in_a_",
)
LEFT_OUT += ("tests/pipelines/test_activity_files.py", "tests/pipelines/test_export_source.py")
LEFT_OUT += ("tests/pipelines/test_mirror.py", "tests/test_make.py", "tests/test_python_choice.py")
LEFT_OUT += ("tests/pipelines/test_fuzz.py", "tests/pipelines/test_histories_by_all_doors.py")
LEFT_OUT += ("tests/pipelines/test_kill_points.py",)
# `make test` and `make test-deep`, in two parts
HERE = "not container and not workflows and not browser and not spark and not cluster"
SELECTED = {"fast": f"not slow and not deep and {HERE}", "slow": f"(slow or deep) and {HERE}"}
# these copy a source into a project of its own, where nothing is recorded
COPYING = {"pipelines/sources/": "tests/sources/"}
ENDS_WITHIN_S = 1800

CONFIGURATION = """\
[run]
include = {root}/pipelines/*
data_file = {data}
parallel = true
context = ${{COVERED_BY-}}
patch =
    _exit
    fork
"""


def make(jobs: int, anew: bool, speeds: Iterable[str] = SELECTED) -> None:
    """Make what is missing of the map, or all of it `anew`, of these speeds of tests."""
    if anew:
        shutil.rmtree(MAP, ignore_errors=True)
    MAP.mkdir(parents=True, exist_ok=True)
    SOURCES.mkdir(exist_ok=True)
    files = [str(path.relative_to(REPO)) for path in sorted((REPO / "tests").rglob("test_*.py"))]
    wanted = [(speed, file) for speed in speeds for file in files if not file.startswith(LEFT_OUT)]
    wanted = [(speed, file) for speed, file in wanted if not _is_current(speed, file)]
    if not wanted:
        return
    copies: SimpleQueue[Copy] = SimpleQueue()
    for number in range(jobs):
        copies.put(Copy(f"map-{number}"))
    for path in (REPO / "pipelines").rglob("*.py"):
        (SOURCES / _digest(path.read_bytes())).write_bytes(path.read_bytes())

    def run(part: tuple[str, str]) -> None:
        copy = copies.get()
        try:
            _make_part(copy, *part)
        finally:
            copies.put(copy)

    with ThreadPoolExecutor(jobs) as pool:
        for done, _ in enumerate(pool.map(run, wanted), 1):
            print(f"map: {done} of {len(wanted)}: {' '.join(wanted[done - 1])}", flush=True)


def _digest(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()[:16]


def _part(speed: str, file: str) -> Path:
    return MAP / f"{speed} {file.replace('/', ' ')}.json"


def _is_current(speed: str, file: str) -> bool:
    part = _part(speed, file)
    return part.exists() and json.loads(part.read_text())["digest"] == _digest((REPO / file).read_bytes())


def _make_part(copy: Copy, speed: str, file: str) -> None:
    folder = WORK / f"{copy.root.name}.data"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    configuration = folder / "coverage.ini"
    configuration.write_text(CONFIGURATION.format(root=copy.root, data=folder / "data"))
    digest = _digest((copy.root / file).read_bytes())
    ended = copy.pytest(
        ["-p", "mutation.recorder", "-q", "--tb=short", "-m", SELECTED[speed], file],
        ENDS_WITHIN_S,
        PYTHONPATH=str(copy.root / "tests"),
        COVERAGE_PROCESS_START=str(configuration),
        COVERED_BY=hash_of(file),
        RECORD_TO=str(folder / "tests.json"),
    )
    # 5: there is no test of this speed
    if ended.code not in (0, 1, 5):
        print(f"map: {file}: {ended.code}\n{ended.out[-3000:]}", flush=True)
    record = folder / "tests.json"
    recorded = json.loads(record.read_text()) if record.exists() else {"tests": {}, "shared": {}}
    if failed := [name for name, test in recorded["tests"].items() if not test["passed"]]:
        print(f"map: not used, they fail or are skipped: {', '.join(failed)}", flush=True)
    sources = {
        str(path.relative_to(copy.root)): _digest(path.read_bytes()) for path in (copy.root / "pipelines").rglob("*.py")
    }
    part = {"digest": digest, **recorded, "sources": sources, "lines": _lines(folder, copy.root)}
    _part(speed, file).write_text(json.dumps(part))
    shutil.rmtree(folder)


def _lines(folder: Path, root: Path) -> dict[str, dict[str, list[int]]]:
    """The lines of each module that each test, by its hash, has covered."""
    lines: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for path in folder.glob("data.*"):
        # a process that was killed while it wrote leaves half a file
        with suppress(DataError):
            data = CoverageData(str(path))
            data.read()
            for file in data.measured_files():
                module = str(Path(file).relative_to(root))
                for line, contexts in data.contexts_by_lineno(file).items():
                    for context in contexts:
                        # what a fork covers has the context of its parent before its own
                        lines[context.rpartition("|")[2]][module].add(line)
    return {test: {module: sorted(found) for module, found in by.items()} for test, by in lines.items()}


class Map:
    """Which tests cover a line of a module as it is now, and how long each takes, with the fixtures of its file."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._tests: dict[tuple[str, int], set[str]] = defaultdict(set)
        self._sources = {path: (REPO / path).read_text() for path in modules(REPO)}
        for path in sorted(MAP.glob("*.json")):
            self._add(json.loads(path.read_text()))

    def _add(self, part: dict[str, Any]) -> None:
        shared = part["shared"]
        passed = {
            name: test["seconds"] + shared.get(name.partition("::")[0], 0)
            for name, test in part["tests"].items()
            if test["passed"]
        }
        self.seconds |= passed
        by_hash: dict[str, list[str]] = defaultdict(list)
        for name in passed:
            by_hash[hash_of(name)].append(name)
            by_hash[hash_of(name.partition("::")[0])].append(name)
        moved = {
            path: lines_now(part["sources"][path], text)
            for path, text in self._sources.items()
            if path in part["sources"]
        }
        for hash_, covered in part["lines"].items():
            for module in covered.keys() & moved.keys():
                for line in covered[module]:
                    if (to := moved[module].get(line)) is not None:
                        self._tests[module, to].update(by_hash[hash_])

    def tests(self, module: str, lines: Iterable[int]) -> set[str]:
        """The tests that cover any of these lines, or may, in a copy of the module."""
        folders = tuple(tests for sources, tests in COPYING.items() if module.startswith(sources))
        copying = {test for test in self.seconds if test.startswith(folders)} if folders else set()
        return copying.union(*(self._tests.get((module, line), ()) for line in lines))

    def concern(self, tests: set[str], module: str, function: Collection[int]) -> dict[str, float]:
        """How much each of `tests` has to do with a function of `module`, given by its lines; above 0.

        Each line of the module that a test covers counts, those of the function thrice, by how few others cover it:
        every pull passes most lines, and few tests go where something is decided.
        """
        concern = dict.fromkeys(tests, 1e-9)
        for number in range(1, self._sources[module].count("\n") + 2):
            if covering := self._tests.get((module, number)):
                for test in covering & tests:
                    concern[test] += (3 if number in function else 1) / len(covering)
        return concern

    def tests_of_names(self, module: str, names: Iterable[str]) -> set[str]:
        """The tests that cover a line which mentions one of these names of `module`, there or where it is imported."""
        dotted = module.removesuffix(".py").replace("/", ".")
        mentions = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b") if names else None
        return set().union(
            *(
                self.tests(path, covering_lines(text, number, number)[0])
                for path, text in self._sources.items()
                if path == module or f"from {dotted} import" in text
                for number, line in enumerate(text.splitlines(), 1)
                if mentions and mentions.search(line)
            )
        )


def lines_now(digest: str, now: str) -> dict[int, int]:
    """Where each line of the source of this digest is by now; without those that have changed."""
    before = (SOURCES / digest).read_text()
    if before == now:
        return {number: number for number in range(1, before.count("\n") + 2)}
    blocks = difflib.SequenceMatcher(None, before.splitlines(), now.splitlines(), autojunk=False).get_matching_blocks()
    return {block.a + i + 1: block.b + i + 1 for block in blocks for i in range(block.size)}
