"""`make mutate-models`: break each dbt model in ten ways, one at a time, and see whether a test notices.

Asked are, until one fails: the unit tests of the models the file makes, the data tests of a build on a warehouse of
oddities, and, where that build differs from the true one, the tests in tests/dbt that recompute the same tables.
A line of JSON per breaking goes to tests/results/broken_models.jsonl; a run that was stopped continues from there.
Exit codes: 0 enough was noticed, 1 too little, 2 wrong options.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

import duckdb
from dbt.cli.main import dbtRunner
from processes import REPO, inherited
from test_dbt_efforts import NUMBERS, SETTINGS, worsen, worsen_details
from test_dbt_incremental import FIRST_FETCH, shuffled_readings, shuffled_tombstones, shuffled_versions
from test_dbt_models import HALF_A_PAIR, SUMMARY_FIELDS
from test_dbt_statistics import goals_of, worsened
from versions import Warehouse, tombstone, version

from mutation.breakings import Breaking, all_breakings, read_equivalents
from pipelines.ground.resources import ON_DEMAND
from simulator import detail
from simulator.world import World

RESULTS = REPO / "tests" / "results" / "broken_models.jsonl"
TARGET = 0.95
FETCHED = datetime(2026, 10, 1)
ATHLETES = (1, 2, 3)
# the athlete with details
WITH_DETAILS = 7
# what a database says of a text that is no SQL of this project
NO_SQL = ("Parser Error", "Binder Error", "Catalog Error", "Compilation Error", "Syntax Error", "Not implemented Error")
LONGEST_S = 900
# macros that DuckDB does not run; the tests in tests/spark do
ONLY_OF_SPARK = ("dbt_of_spark", "export_marts", "sources_of_spark")
# folder of the marts -> the tests that recompute them
RECOMPUTED_BY = {
    "statistics": ("test_dbt_statistics.py",),
    "efforts": ("test_dbt_efforts.py",),
    "core": ("test_dbt_models.py", "test_dbt_incremental.py", "test_dbt_doors.py"),
}

# all models are built, and their unit tests run
VARIABLES = json.dumps({f"strava__using_{endpoint.name}": True for endpoint in ON_DEMAND.values()})

FORK = multiprocessing.get_context("fork")
T = TypeVar("T")
U = TypeVar("U")
# (status, unique id, message) of each node
Ran = list[tuple[str, str, str]]


def land(warehouse: Warehouse, part: int) -> None:
    """Land the first or the second half of what made-up athletes did, with all oddities the tests have."""
    rng = random.Random(part)  # noqa: S311 - a reproducible warehouse, no secret
    at = FETCHED + timedelta(days=part)
    for seed in ATHLETES:
        sent = [worsened(dict(each), random.Random(each["id"])) for each in World(seed, 160).activities()]  # noqa: S311
        warehouse.land(version(each, at, athlete_id=seed) for each in sent[part::2])
    world = World(seed=11, activities=240)
    summaries = {activity["id"]: activity for activity in world.activities()}
    worsen(summaries.values())
    details = {id_: world.detail(id_) for id_ in sorted(summaries)[::2]}
    worsen_details(details)
    warehouse.land(version(each, at) for each in list(summaries.values())[part::2])
    warehouse.land([version(each, at) for each in list(details.values())[part::2]], "activity_details")
    if part:
        ids = sorted(details)
        renamed = [details[id_] | {"gear": details[id_].get("gear", {}) | {"name": "Renamed"}} for id_ in ids[:5]]
        warehouse.land([version(each, at) for each in renamed], "activity_details")
        warehouse.land([tombstone(id_, at) for id_ in ids[5:12]], "tombstones")
        # two that came back after a purge, one of which erased just what was merged
        purged = {ids[12]: FETCHED, ids[14]: at}
        warehouse.land([tombstone(id_, gone_at, purged=True) for id_, gone_at in purged.items()], "tombstones")
        warehouse.land(version(summaries[id_], at + timedelta(hours=1)) for id_ in purged)
    land_what_else_is_fetched(warehouse, world, sorted(summaries)[part::3], at)
    versions = shuffled_versions(random.Random(3))[part::4]  # noqa: S311
    warehouse.land(versions)
    warehouse.land(rng.sample(versions, len(versions) // 2), "activity_details")
    warehouse.land(shuffled_tombstones(random.Random(4))[part::2], "tombstones")  # noqa: S311
    for table in ("export_activities", "activity_files"):
        readings = shuffled_readings(random.Random(table), table)[part::2]  # noqa: S311
        warehouse.land(readings, table)
        note = {
            "activity_ids": [row[0] for row in readings],
            "files": [{"activity_id": row[0]} for row in readings[:9]],
        }
        warehouse.land([version(note, FIRST_FETCH + timedelta(days=9 + part), activity_id=None)], "exports")
    # it went, was purged at the instant of its details and came back without any
    came_back = {"id": 6, "name": f"version {part}"}
    warehouse.land([version(came_back, at)])
    if part:
        warehouse.land([tombstone(6, FETCHED, purged=True)], "tombstones")
    else:
        warehouse.land([version(came_back, at)], "activity_details")
    land_neighbours(warehouse, part, at)
    if not part:
        odd = [version(SUMMARY_FIELDS, at), version(HALF_A_PAIR, at, activity_id=4), version({"name": "no id"}, at)]
        warehouse.land(odd)
        warehouse.land([version(HALF_A_PAIR, at, activity_id=4)], "activity_details")
        for number, athlete_id in enumerate((WITH_DETAILS, *ATHLETES)):
            warehouse.set_goals(goals_of(athlete_id), athlete_id)
            warehouse.set({**NUMBERS, "max_hr": SETTINGS["max_hr"] + number}, athlete_id)
        walk = {"started_at": f"{at:%Y-%m-%dT%H:%M:%S}", "listed": 9, "landed": 2, "gone": 1, "complete": True}
        warehouse.land([version(walk, at, activity_id=None)], "sweeps")


def land_neighbours(warehouse: Warehouse, part: int, at: datetime) -> None:
    """Land winter starts of three athletes at one instant, whose zone, renamed or gone later, counts in summer."""
    start = {"start_date": "2026-03-01T06:00:00Z", "start_date_local": "2026-03-01T07:00:00Z", "utc_offset": 3600}
    zone = "(GMT+01:00) Europe/Zurich" if part else "(GMT+01:00) Europe/Berlin"
    for athlete_id in (8, 9, 10):
        if athlete_id == 10 and part:
            warehouse.land([tombstone(athlete_id, at, athlete_id=athlete_id)], "tombstones")
        else:
            warehouse.land([version(start | {"id": athlete_id, "timezone": zone}, at, athlete_id)])
        exported = version({"start_date": "2026-07-01T06:00:00Z"}, FETCHED, athlete_id, 10 + athlete_id)
        warehouse.land([exported], "export_activities")


def land_what_else_is_fetched(warehouse: Warehouse, world: World, ids: Sequence[int], at: datetime) -> None:
    """Land lists for some activities, the profile, zones, gear and routes, as Strava sends them."""
    lists: dict[str, Callable[[dict[str, Any]], list[dict[str, Any]]]] = {
        "activity_kudos": detail.kudos,
        "activity_comments": detail.comments,
        "activity_photos": lambda summary: detail.photos(summary, 600),
        "activity_laps": detail.laps,
        "activity_zones": detail.zones,
    }
    for table, list_of in lists.items():
        listed = {id_: json.dumps(list_of(world.summary(id_))) for id_ in ids}
        warehouse.land([version(text, at, activity_id=id_) for id_, text in listed.items()], table)
    warehouse.land([version(json.dumps(world.routes()), at, activity_id=WITH_DETAILS)], "routes")
    warehouse.land([version(world.profile() | {"city": f"{at:%d}"}, at, activity_id=WITH_DETAILS)], "athlete")
    warehouse.land([version(detail.athlete_zones(), at, activity_id=WITH_DETAILS)], "athlete_zones")
    gear = [version(world.gear(gear_id), at, activity_id=number) for number, gear_id in enumerate(world.gear_ids())]
    warehouse.land(gear, "gear")


def in_a_process_of_its_own(work: Callable[[], T]) -> T | None:
    """What `work` returns, or None where it came to no end: dbt keeps databases open as long as its process lives."""
    receiver, sender = FORK.Pipe(duplex=False)

    def answer() -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        signal.alarm(LONGEST_S)
        sender.send(work())

    process = FORK.Process(target=answer)
    process.start()
    sender.close()
    try:
        answered: T = receiver.recv()
    except EOFError:
        return None
    finally:
        process.join()
    return answered


def spread(work: Callable[[T, U], None], clones: Sequence[T], items: Sequence[U]) -> None:
    """Do `work` for each item, in a process for each clone.

    Raises:
        SystemExit: one of them stopped.
    """

    def work_on(clone: T, its_items: Sequence[U]) -> None:
        for item in its_items:
            work(clone, item)

    processes = [
        FORK.Process(target=work_on, args=(clone, items[number :: len(clones)])) for number, clone in enumerate(clones)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit(1)


@dataclass(frozen=True)
class Scope:
    """What one file, or one macro of it, makes."""

    # models whose text it is part of
    models: tuple[str, ...]
    # whether an incremental model is built from it, so that only a whole build shows its effect
    is_merged: bool
    # schema.table of these models
    tables: tuple[str, ...]
    recomputed_by: tuple[str, ...]


class Project:
    """dbt's own account of what depends on what."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        self.nodes = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "model"}
        self.macros = {
            key: macro for key, macro in manifest["macros"].items() if macro["package_name"] == "strava_stats"
        }
        self.children = manifest["child_map"]

    def scope(self, path: str, line_of_macro: str) -> Scope:
        """What the file makes; of a file of macros, what the macro named there is part of."""
        if path.startswith("macros/"):
            wanted = {f"macro.strava_stats.{line_of_macro}"}
            while (
                more := {key for key, macro in self.macros.items() if wanted & set(macro["depends_on"]["macros"])}
                - wanted
            ):
                wanted |= more
            models = [key for key, node in self.nodes.items() if wanted & set(node["depends_on"]["macros"])]
        else:
            models = [key for key, node in self.nodes.items() if node["original_file_path"] == path]
        below = self._below(models)
        incremental = {key for key, node in self.nodes.items() if node["config"]["materialized"] == "incremental"}
        near = {*models, *(child for model in models for child in self.children[model] if child in self.nodes)}
        folders = {Path(self.nodes[key]["original_file_path"]).parent.name for key in near}
        files = [name for folder, names in RECOMPUTED_BY.items() if folder in folders for name in names]
        return Scope(
            models=tuple(sorted(self.nodes[key]["name"] for key in models)),
            is_merged=bool(below & incremental) or not models,
            tables=tuple(sorted(f"{self.nodes[key]['schema']}.{self.nodes[key]['name']}" for key in below)),
            recomputed_by=tuple(files or RECOMPUTED_BY["core"]),
        )

    def _below(self, models: Sequence[str]) -> set[str]:
        below, new = set(models), set(models)
        while new := {child for key in new for child in self.children[key] if child in self.nodes} - below:
            below |= new
        return below


class Clone:
    """A copy of the project in which one file at a time is broken, with its warehouses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("dbt_project", "pipelines", "simulator", "tests"):
            ignored = shutil.ignore_patterns("target", "logs", "__pycache__", "results")
            shutil.copytree(REPO / name, folder / name, ignore=ignored)
        for name in ("profiles.yml", "pyproject.toml"):
            shutil.copy(REPO / name, folder)
        self.warehouse = folder / "warehouse" / "club.duckdb"

    @cached_property
    def project(self) -> Project:
        """dbt's account of the project as it is; it spares each process that is forked later two thirds of its time."""
        return Project(self._dbt("parse", "--no-partial-parse").result.writable_manifest().to_dict())

    def base(self, name: str) -> Path:
        """A warehouse that stays as it is: `news`, where half of what landed is built, or `settled`, where all is."""
        return self.warehouse.with_name(f"{name}.duckdb")

    def take(self, name: str) -> None:
        """Work on a copy of that warehouse from now on."""
        self.warehouse.with_suffix(".duckdb.wal").unlink(missing_ok=True)
        shutil.copy(self.base(name), self.warehouse)

    def dbt(self, *command: str) -> Ran | None:
        """Run dbt on the copy; None where it came to no end."""

        def run() -> Ran:
            ran = self._dbt(*command)
            if ran.exception or ran.result is None:
                return [("error", "dbt", f"Compilation Error {ran.exception}")]
            results = [
                (str(result.status), result.node.unique_id, str(result.message)) for result in ran.result.results
            ]
            return results if ran.success or failures_of(results) else [("error", "dbt", "it failed without a result")]

        return in_a_process_of_its_own(run)

    def _dbt(self, *command: str) -> Any:
        os.environ.update(STRAVA_HOME=str(self.folder), STRAVA_WAREHOUSE=str(self.warehouse))
        places = ("--project-dir", str(self.folder / "dbt_project"), "--profiles-dir", str(self.folder))
        options = ("--vars", VARIABLES, *places)
        return dbtRunner().invoke(["--quiet", "--log-level-file", "none", "--no-write-json", *command, *options])

    def build_bases(self) -> None:
        """Make both warehouses with the project as it is.

        Raises:
            RuntimeError: the project as it is does not pass its own tests.
        """
        warehouse = Warehouse(self.warehouse, self.folder)
        for part, name in enumerate(("news", "settled")):
            land(warehouse, part)
            if part:
                shutil.copy(self.warehouse, self.base("news"))
            ran = self.dbt("build", *(() if part else ("--exclude-resource-type", "unit_test")))
            if ran is None or (failed := failures_of(ran)):
                raise RuntimeError(f"The project as it is does not pass on {name}: {ran and failed}")
            # dbt's process ended without a checkpoint
            warehouse.rows("checkpoint")
        shutil.copy(self.warehouse, self.base("settled"))

    def differing(self, tables: Sequence[str]) -> list[str]:
        """Which of these tables and views are not what the project as it is makes of the same rows."""

        def compare() -> list[str]:
            differing = []
            with duckdb.connect() as connection:
                connection.execute(f"attach '{self.warehouse}' as warehouse (read_only)")
                connection.execute(f"attach '{self.base('settled')}' as settled (read_only)")
                for table in tables:
                    one, other = (
                        f"select * exclude (c) from (select *, 0 as c from {base}.{table})"
                        for base in ("warehouse", "settled")
                    )
                    try:
                        rows = connection.execute(
                            f"select 1 from (({one} except all {other}) union all ({other} except all {one})) limit 1"
                        ).fetchall()
                    except duckdb.Error:
                        rows = [(1,)]
                    if rows:
                        differing.append(table)
            return differing

        return in_a_process_of_its_own(compare) or []

    def failing_test(self, files: Sequence[str]) -> str:
        """The first test of these files that fails on the broken project; empty when none does."""
        basetemp = self.folder / "pytest"
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"--basetemp={basetemp}"]
            + [f"tests/dbt/{name}" for name in files],
            cwd=self.folder,
            env=inherited(),
            capture_output=True,
            text=True,
            check=False,
        )
        shutil.rmtree(basetemp, ignore_errors=True)
        if ran.returncode == 0:
            return ""
        named = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return named[0].split(" - ")[0].split()[-1] if named else "pytest"


def failures_of(ran: Ran) -> Ran:
    return [result for result in ran if result[0] not in ("success", "pass", "warn", "skipped", "no-op", "None")]


def drawn(path: Path, seed: int) -> Iterator[Breaking]:
    """All breakings of a file, in an order that the seed decides and that takes the kinds by turns."""
    rng = random.Random(f"{seed} {path.name}")  # noqa: S311 - a reproducible choice, no secret
    kinds = defaultdict(list)
    for breaking in all_breakings(path.read_text()):
        kinds[breaking.kind].append(breaking)
    turns = [rng.sample(breakings, len(breakings)) for _, breakings in sorted(kinds.items())]
    rng.shuffle(turns)
    for turn in zip_longest(*turns):
        yield from (breaking for breaking in turn if breaking)


def wanted_of(path: Path, breakings: int) -> int:
    """How many breakings are tried of a file: of long ones one for each ten lines."""
    return max(breakings, len(path.read_text().splitlines()) * breakings // 100)


def macro_at(source: str, position: int) -> str:
    """Name of the macro that the position is in."""
    before = source[:position].rpartition("{% macro ")[2]
    return before.partition("(")[0].strip()


def key_of(path: str, broken: str) -> str:
    """What names a breaking, whatever else changes."""
    return hashlib.sha256(f"{path}\n{broken}".encode()).hexdigest()[:16]


class Trial:
    """Breaking after breaking in a clone; results go to the file, of which `known` is what it had."""

    def __init__(self, seed: int, breakings: int) -> None:
        self.seed = seed
        self.breakings = breakings
        self.known = read_results()
        self.state = state_of_the_project()

    def of_file(self, clone: Clone, path: str) -> None:
        """Try by dbt as many breakings of the file as are wanted and are SQL."""
        file = clone.folder / "dbt_project" / path
        source = file.read_text()
        left = wanted_of(file, self.breakings)
        for breaking in drawn(file, self.seed):
            if not left:
                return
            broken = breaking.applied(source)
            key = key_of(path, broken)
            result = self.known.get(key)
            # a survivor is asked again when a test or a model has changed
            if result is None or (result["outcome"] == "survived" and result["state"] != self.state):
                line, was, becomes = breaking.lines(source)
                result = {"key": key, "file": path, "line": line, "kind": breaking.kind, "was": was, "becomes": becomes}
                scope = clone.project.scope(path, macro_at(source, breaking.start))
                with broken_file(file, broken):
                    result |= by_dbt(clone, scope)
                self._note(result)
            left -= result["outcome"] != "no sql"

    def of_survivor(self, clone: Clone, survivor: dict[str, Any]) -> None:
        """Ask the tests that recompute what a survivor makes differ."""
        path = survivor["file"]
        file = clone.folder / "dbt_project" / path
        source = file.read_text()
        [breaking] = [each for each in all_breakings(source) if key_of(path, each.applied(source)) == survivor["key"]]
        scope = clone.project.scope(path, macro_at(source, breaking.start))
        with broken_file(file, breaking.applied(source)):
            test = clone.failing_test(scope.recomputed_by)
        noticed: dict[str, Any] = {"outcome": "noticed", "how": "recomputing", "by": test}
        self._note(survivor | (noticed if test else {"recomputed": True}))

    def survivors(self, paths: Sequence[str]) -> list[dict[str, Any]]:
        """What dbt did not notice although it makes a difference, and no test has recomputed yet."""
        return [
            result
            for result in read_results().values()
            if result["file"] in paths
            and (result["outcome"], result["state"]) == ("survived", self.state)
            and (result["differs"] or not result["tables"])
            and "recomputed" not in result
        ]

    def _note(self, result: dict[str, Any]) -> None:
        result |= {"state": self.state}
        self.known[result["key"]] = result
        with RESULTS.open("a") as results:
            results.write(json.dumps(result) + "\n")
        print(*(result.get(name, "") for name in ("file", "line", "kind", "outcome", "by")), flush=True)


@contextmanager
def broken_file(file: Path, broken: str) -> Iterator[None]:
    """The file has this text meanwhile."""
    source = file.read_text()
    file.write_text(broken)
    try:
        yield
    finally:
        file.write_text(source)


def by_dbt(clone: Clone, scope: Scope) -> dict[str, Any]:
    """Whether and by which unit or data test the broken clone is noticed, else which tables differ."""
    if scope.models:
        clone.take("settled")
        selected = [f"{model},test_type:unit" for model in scope.models]
        if found := judged(clone.dbt("test", "--select", *selected), "unit test"):
            return found
    if scope.is_merged:
        clone.take("news")
        ran = clone.dbt("build", "--exclude-resource-type", "unit_test")
    else:
        clone.take("settled")
        selected = [f"{model}+1" for model in scope.models]
        ran = clone.dbt("build", "--exclude-resource-type", "unit_test", "--select", *selected)
    if found := judged(ran, "data test"):
        return found
    return {"outcome": "survived", "tables": len(scope.tables), "differs": clone.differing(scope.tables)}


def judged(ran: Ran | None, how: str) -> dict[str, Any] | None:
    """What the first failure says of a breaking; None where there is none."""
    if ran is None:
        return {"outcome": "noticed", "how": how, "by": "no end"}
    failures = failures_of(ran)
    for status, _, message in failures:
        if status == "error" and any(word in message for word in NO_SQL) and "contract" not in message:
            return {"outcome": "no sql", "by": " ".join(message.split())[:200]}
    if not failures:
        return None
    status, name, _ = failures[0]
    return {
        "outcome": "noticed",
        "how": how if status == "fail" else f"an error in a {how}",
        "by": name.split(".", 2)[-1],
    }


def files_of_the_project(only: str) -> list[str]:
    """Models and macros that run on DuckDB and can be broken, as paths in dbt_project."""
    root = REPO / "dbt_project"
    macros = [path for path in sorted(root.glob("macros/*.sql")) if path.stem not in ONLY_OF_SPARK]
    paths = [*sorted(root.glob("models/**/*.sql")), *macros]
    return [str(path.relative_to(root)) for path in paths if only in str(path) and all_breakings(path.read_text())]


def state_of_the_project() -> str:
    """A hash of all that decides whether a breaking is noticed."""
    files = [path for folder in ("dbt_project", "tests/dbt", "simulator") for path in (REPO / folder).rglob("*.*")]
    digest = hashlib.sha256()
    for path in sorted(path for path in files if path.suffix in (".sql", ".yml", ".csv", ".py")):
        if "target" not in path.parts:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def read_results() -> dict[str, dict[str, Any]]:
    """The last result of each breaking."""
    if not RESULTS.exists():
        return {}
    lines = RESULTS.read_text().splitlines()
    return {result["key"]: result for result in map(json.loads, lines)}


def drawn_results(paths: Sequence[str], breakings: int, seed: int) -> dict[str, list[dict[str, Any]]]:
    """Results of the breakings that this seed draws, by file."""
    known = read_results()
    found: dict[str, list[dict[str, Any]]] = {}
    for path in paths:
        file = REPO / "dbt_project" / path
        source, left = file.read_text(), wanted_of(file, breakings)
        found[path] = []
        for breaking in drawn(file, seed):
            key = key_of(path, breaking.applied(source))
            if key in known and known[key]["outcome"] != "no sql" and len(found[path]) < left:
                found[path].append(known[key])
    return found


def report(found: dict[str, list[dict[str, Any]]]) -> bool:
    """Print the figures by file and the survivors; whether enough was noticed."""
    equivalents = read_equivalents()
    print(f"{'file':52} breakings  noticed  equivalent  survivors")
    sums: Counter[str] = Counter()
    survivors = []
    for path, results in found.items():
        noticed = sum(result["outcome"] == "noticed" for result in results)
        survived = [result for result in results if result["outcome"] == "survived"]
        equivalent = [
            result
            for result in survived
            if any(each.is_of(result["file"], result["was"], result["becomes"]) for each in equivalents)
        ]
        left = [result for result in survived if result not in equivalent]
        survivors += left
        sums += Counter(all=len(results), noticed=noticed, equivalent=len(equivalent), left=len(left))
        for result in results:
            if result["outcome"] == "noticed":
                sums[result["how"]] += 1
        print(f"{path:52} {len(results):9}  {noticed:7}  {len(equivalent):10}  {len(left):9}")
    print(f"{'all':52} {sums['all']:9}  {sums['noticed']:7}  {sums['equivalent']:10}  {sums['left']:9}")
    share = sums["noticed"] / max(sums["all"] - sums["equivalent"], 1)
    print(f"{share:.1%} of those that are not equivalent were noticed:", end=" ")
    print(
        ", ".join(
            f"{sums[how]} by {how}" for how in sorted(sums) if how not in ("all", "noticed", "equivalent", "left")
        )
    )
    for result in survivors:
        print(f"\n{result['file']}:{result['line']} ({result['kind']})\n  - {result['was']}\n  + {result['becomes']}")
        print(f"  differs: {', '.join(result['differs']) or 'nothing'}")
    return share >= TARGET


def try_all(paths: Sequence[str], trial: Trial, workers: int) -> None:
    """Try the breakings of all files and write down the results."""
    with tempfile.TemporaryDirectory(prefix="mutate-models-") as folder:
        clones = [Clone(Path(folder) / str(number)) for number in range(workers)]
        clones[0].build_bases()
        for clone in clones[1:]:
            shutil.copytree(clones[0].warehouse.parent, clone.warehouse.parent)
        for clone in clones:
            # before the fork, so that it lasts
            assert clone.project
        spread(trial.of_file, clones, paths)
        spread(trial.of_survivor, clones, trial.survivors(paths))


def main(argv: Sequence[str] | None = None) -> int:
    """Try what has no result yet, print all results."""
    parser = argparse.ArgumentParser(prog="make mutate-models", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="which of all breakings (default: %(default)s)")
    parser.add_argument("--number", type=int, default=10, help="of each file (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="at a time (default: %(default)s)")
    parser.add_argument("--only", default="", help="files whose path contains this")
    parser.add_argument("--table", action="store_true", help="only show what is known")
    options = parser.parse_args(argv)
    paths = files_of_the_project(options.only)
    if not paths:
        parser.error(f"no file of the dbt project has {options.only} in its path")
    if not options.table:
        RESULTS.parent.mkdir(exist_ok=True)
        try_all(paths, Trial(options.seed, options.number), options.jobs)
    return 0 if report(drawn_results(paths, options.number, options.seed)) else 1


if __name__ == "__main__":
    sys.exit(main())
