"""dbt in a process of its own, which gets ready before it is known what to build.

`python -P dbt_run.py PROJECT KEPT HASHED_AT OPTION…` imports dbt and reads the project in the folder PROJECT with these
options of dbt's. If there is a file at KEPT, an earlier process has read the same project and kept it there; otherwise
this one keeps it, unless a file has changed since HASHED_AT (in seconds, as `time.time()`).

Then it waits for a line on standard input, `{"results": PATH, "arguments": […], "recording": PATH or ""}`, runs
`dbt ARGUMENT… OPTION…` and writes to the first file what became of each node, and to the second, if it has one, what
`replay.py` needs to do the same again. If standard input ends instead, nothing is built.

dbt's own artifacts (`run_results.json`, and twice the whole manifest) take a tenth of a build to write. Of ours it only
imports what imports nothing else of ours, because dbt takes long enough to start.
"""

import gc
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

if __name__ == "__main__":
    # a build of seconds ends before garbage matters: looking for it is a seventh of dbt's processor time
    gc.disable()
    # the folder of this file, which Python would search, has modules that dbt takes for plugins by their names
    sys.path.append(str(Path(__file__).resolve().parents[2]))

# the first two are what dbt imports when it needs them
import dbt.task.build  # noqa: F401
import dbt_common.clients.agate_helper  # noqa: F401
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.environments import local
from dbt.cli.exceptions import DbtUsageException
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest

from pipelines.warehouse.kept_project import KeptProject
from pipelines.warehouse.recorder import Recorder


def read_project(options: Sequence[str], project: KeptProject) -> Manifest | None:
    """The project as dbt reads it with `options`, or as it was kept; None if dbt cannot read it, and printed why."""
    if (known := project.read()) is not None:
        return known
    read = _invoke(["--quiet", "--no-write-json", "parse", *options])
    if not isinstance(read.result, Manifest):
        return None
    project.keep(read.result)
    return read.result


def run_dbt(
    results_path: Path,
    arguments: Sequence[str],
    manifest: Manifest | None = None,
    recording_path: str = "",
    project: KeptProject | None = None,
) -> int:
    """Run dbt with `arguments` and write to `results_path` what became of each node; returns the exit code, as dbt's.

    manifest: the project, if it was read already. A result has `unique_id`, `status`, `message` and `timing`, as in
    dbt's `run_results.json`. recording_path: where to write, after a success, each statement that dbt sent and each
    answer that it read, unless the `project` has changed meanwhile.
    """
    recorder = Recorder()
    if recording_path:
        local.DuckDBCursorWrapper = recorder.cursor  # type: ignore[assignment,misc]
    ran = _invoke(["--no-write-json", *arguments], manifest)
    results = [_as_in_artifact(result) for result in getattr(ran.result, "results", None) or ()]
    results_path.parent.mkdir(parents=True, exist_ok=True)
    results_path.write_text(json.dumps({"results": results}), "utf-8")
    if recording_path and ran.success and recorder.is_complete and (project is None or project.is_as_hashed()):
        recorder.write(Path(recording_path), results)
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


def main(project: KeptProject, options: Sequence[str]) -> int:
    """Get ready, wait, build; returns dbt's exit code."""
    manifest = read_project(options, project)
    if manifest is None:
        return 1
    line = sys.stdin.readline()
    if not line:
        return 0
    wish = json.loads(line)
    return run_dbt(Path(wish["results"]), [*wish["arguments"], *options], manifest, wish["recording"], project)


def _end(code: int) -> NoReturn:
    """End this process without taking down, object by object, what dbt has made: that takes a third of a second."""
    # DuckDB writes its log back into the file
    DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _end(main(KeptProject(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])), sys.argv[4:]))
