"""dbt in a process of its own, which gets ready before it is known what to build.

`python -P dbt_run.py PROJECT_FILE OPTION…` imports dbt and reads the project with these options of dbt's. If there is a
file at PROJECT_FILE, an earlier process has read the same project and kept it there; otherwise this one keeps it. Then
it waits for a line on standard input, `{"results": PATH, "arguments": […]}`, runs `dbt ARGUMENT… OPTION…` and writes to
the file at PATH what became of each node. If standard input ends instead, nothing is built.

dbt's own artifacts (`run_results.json`, and twice the whole manifest) take a tenth of a build to write. It imports
nothing of ours, because dbt takes long enough to start.
"""

import gc
import hashlib
import json
import logging
import os
import pickle
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

if __name__ == "__main__":
    # a build of seconds ends before garbage matters: looking for it is a seventh of dbt's processor time
    gc.disable()

# the first three are what dbt imports when it needs them
import dbt.adapters.duckdb.environments.local
import dbt.task.build  # noqa: F401
import dbt_common.clients.agate_helper  # noqa: F401
from dbt.adapters.duckdb.__version__ import version as adapter_version
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.exceptions import DbtUsageException
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest
from dbt.version import __version__ as dbt_version

# who wrote a kept project: another dbt may have other classes
WRITER = f"{dbt_version} {adapter_version} {sys.version}".encode()
# kept projects: the usual one, with the tables that are fetched on demand, under another name of the warehouse
MOST_KEPT = 8


def read_project(options: Sequence[str], kept: Path) -> Manifest | None:
    """The project as dbt reads it with `options`, or as it was `kept`; None if dbt cannot read it, and printed why."""
    if (known := _kept_project(kept)) is not None:
        return known
    read = _invoke(["--quiet", "--no-write-json", "parse", *options])
    if not isinstance(read.result, Manifest):
        return None
    _keep_project(kept, read.result)
    return read.result


def _kept_project(path: Path) -> Manifest | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    pickled = content[hashlib.sha256().digest_size :]
    if not content.startswith(_digest(pickled)):
        # half of a file, or another dbt's
        return None
    # it lies beside the code, and whoever may write there can write code
    return Manifest(**pickle.loads(pickled))  # noqa: S301


def _keep_project(path: Path, project: Manifest) -> None:
    # what its own pickling forgets, and what dbt keeps too: the rest are indices, which it makes when it needs them
    parts = {part.name: getattr(project, part.name) for part in fields(project) if not part.name.startswith("_")}
    pickled = pickle.dumps(parts, pickle.HIGHEST_PROTOCOL)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        older = sorted(path.parent.glob(f"*{path.suffix}"), key=lambda each: each.stat().st_mtime)
        for each in older[: max(0, len(older) + 1 - MOST_KEPT)]:
            each.unlink()
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            whole = Path(folder, path.name)
            whole.write_bytes(_digest(pickled) + pickled)
            whole.replace(path)
    except OSError:
        # the code may be read-only, or the disk full: then the next process reads the project again
        return


def _digest(pickled: bytes) -> bytes:
    return hashlib.sha256(WRITER + pickled).digest()


def run_dbt(results_path: Path, arguments: Sequence[str], manifest: Manifest | None = None) -> int:
    """Run dbt with `arguments` and write to `results_path` what became of each node; returns the exit code, as dbt's.

    manifest: the project, if it was read already. A result has `unique_id`, `status`, `message` and `timing`, as in
    dbt's `run_results.json`.
    """
    ran = _invoke(["--no-write-json", *arguments], manifest)
    results = [_as_in_artifact(result) for result in getattr(ran.result, "results", None) or ()]
    results_path.parent.mkdir(parents=True, exist_ok=True)
    results_path.write_text(json.dumps({"results": results}), "utf-8")
    return 0 if ran.success else 1


def _invoke(arguments: Sequence[str], manifest: Manifest | None = None) -> dbtRunnerResult:
    ran = dbtRunner(manifest=manifest).invoke(list(arguments))
    if isinstance(ran.exception, DbtUsageException):
        # all other errors are printed by dbt
        sys.stderr.write(f"{ran.exception}\n")
    return ran


def _as_in_artifact(result: Any) -> dict[str, Any]:
    return {
        # of a hook, the result itself has it
        "unique_id": getattr(result, "node", result).unique_id,
        "status": str(result.status),
        "message": result.message,
        "timing": [
            {"name": phase.name, "started_at": str(phase.started_at), "completed_at": str(phase.completed_at)}
            for phase in result.timing
        ],
    }


def main(kept: Path, options: Sequence[str]) -> int:
    """Get ready, wait, build; returns dbt's exit code."""
    project = read_project(options, kept)
    if project is None:
        return 1
    line = sys.stdin.readline()
    if not line:
        return 0
    wish = json.loads(line)
    return run_dbt(Path(wish["results"]), [*wish["arguments"], *options], project)


def _end(code: int) -> NoReturn:
    """End this process without taking down, object by object, what dbt has made: that takes a third of a second."""
    # DuckDB writes its log back into the file
    DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _end(main(Path(sys.argv[1]), sys.argv[2:]))
