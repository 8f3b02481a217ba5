"""A process for dbt, which imports dbt and reads the project before it is known what to build."""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipelines.bronze.shard import shard_files
from pipelines.bronze.tables import TABLES
from pipelines.ground.durable import is_there, read_whole
from pipelines.ground.settings import REPO, StravaSettings
from pipelines.warehouse import project_tree

PROJECT = REPO / "dbt_project"
# who reads the project, and what is in it besides our files: dbt's own macros
PACKAGES = ("dbt-core", "dbt-common", "dbt-adapters", "dbt-duckdb", "duckdb")
# what Python, dbt and DuckDB need; no settings, tokens, keys and passphrases
PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|TMP|TEMP|TZ|LANG|LANGUAGE|LC_\w+|TERM|COLUMNS|NO_COLOR|VIRTUAL_ENV|"
    r"PYTHON\w+|DBT_\w+|MALLOC_\w+|(DY)?LD_LIBRARY_PATH"
)
# what became of a node: its `unique_id`, `status`, `message`
Result = dict[str, Any]


@dataclass(frozen=True)
class DbtRan:
    """How a command of dbt's ended: its exit code, what it printed, what became of each node."""

    code: int
    printed: str
    results: Sequence[Result]


class Dbt:
    """dbt on the warehouse of the settings, as a process of its own; it has no secret.

    `get_ready` starts the process, which takes seconds, beside what else happens. `run` needs no such call.
    """

    def __init__(self, settings: StravaSettings) -> None:
        self._settings = settings
        self._folder = settings.state_path / "dbt"
        self.log_path = self._folder / "logs" / "dbt.log"
        # written by each command of dbt that ended by itself
        self.results_path = self._folder / "target" / "run_results.json"
        self._process: subprocess.Popen[str] | None = None
        self._options: list[str] = []

    def get_ready(self) -> None:
        """Start the process, unless it runs: it reads the project and waits. It ends when this process does."""
        self._started()

    def _started(self) -> subprocess.Popen[str]:
        if self._process is not None:
            return self._process
        target = self._folder / "target"
        _forget_project_of_elsewhere(target)
        self._options = _options(self._settings)
        hashed_at_s = time.time()
        kept = PROJECT / "target" / "read" / f"{project_hash(self._settings)}.pickle"
        project = [str(PROJECT), str(kept), str(hashed_at_s)]
        program = str(Path(__file__).with_name("dbt_run.py"))
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            # the output is for people: without Python's warnings, of which dbt's start causes one
            [sys.executable, "-P", "-W", "ignore", program, *project, *self._options],
            # each line of its log takes time: at dbt's own level, debug, a seventh of a build
            env={"DBT_LOG_LEVEL_FILE": "info"}
            | passed_on()
            | {
                "STRAVA_WAREHOUSE": str(self._settings.warehouse_path),
                # beside the warehouse, so that two warehouses can be built at a time, and the code may be read-only
                "DBT_TARGET_PATH": str(target),
                "DBT_LOG_PATH": str(self.log_path.parent),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # we handle the terminal's Ctrl-C: dbt finishes its merge
            start_new_session=True,
        )
        return self._process

    def run(self, *arguments: str, recording: Path | None = None) -> DbtRan:
        """Run `dbt ARGUMENT…` on our project and wait for its end.

        recording: where dbt is to write, after a success, what it did, for `replay`.
        """
        if self._options != _options(self._settings):
            # the first rows of a table that is fetched on demand have landed since
            self.close()
        process = self._started()
        self.results_path.unlink(missing_ok=True)
        wish = {"results": str(self.results_path), "arguments": arguments, "recording": str(recording or "")}
        printed, _ = process.communicate(json.dumps(wish) + "\n")
        self._process = None
        return DbtRan(process.returncode, printed, _read_results(self.results_path))

    def close(self) -> None:
        """End the process if it waits for something to do."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def variables(settings: StravaSettings) -> list[str]:
    """The variables that switch on the models of what was fetched on demand; without them, dbt skips these."""
    fetched = [
        name for name, table in TABLES.items() if table.is_on_demand and shard_files(settings.bronze_path / name)
    ]
    return ["--vars", json.dumps({f"strava__using_{name}": True for name in fetched})] if fetched else []


def _options(settings: StravaSettings) -> list[str]:
    """The options of dbt for our project, whatever the command and the folder it is called in."""
    project = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
    return ["--no-use-colors", *variables(settings), *project]


def passed_on() -> dict[str, str]:
    """What any program needs of our environment. It has no secret."""
    return {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}


def project_hash(settings: StravaSettings) -> str:
    """A hash of all that dbt reads to know our project: the same hash, the same manifest.

    Of the profile this is the database, which `profiles.yml` derives from the warehouse's name: dbt itself reads the
    project again if any setting of the profile has changed, such as the path of the warehouse.
    """
    environment = sorted((name, text) for name, text in os.environ.items() if name.startswith("DBT_"))
    by = [sys.version, *map(version, PACKAGES)]
    known = [by, settings.warehouse_path.name, _options(settings), environment]
    read = hashlib.sha256(json.dumps(known).encode())
    for path in project_tree.files(PROJECT):
        content = read_whole(path)
        read.update(b"%s\0%d\0" % (os.fsencode(path), len(content)))
        read.update(content)
    return read.hexdigest()


def _forget_project_of_elsewhere(target: Path) -> None:
    """Remove dbt's parse results from another folder: dbt would look for the seeds there.

    This happens after the clone was moved, and if it is used in a container and outside it in turn.
    """
    parsed = target / "partial_parse.msgpack"
    if is_there(parsed) and str(PROJECT).encode() not in read_whole(parsed):
        parsed.unlink()


def _read_results(path: Path) -> list[Result]:
    try:
        results: list[Result] = json.loads(path.read_bytes())["results"]
    except (OSError, ValueError, KeyError):
        return []
    return results
