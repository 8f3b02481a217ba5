"""dbt in a process of its own, which gets ready before it is known what to build.

`python -P dbt_run.py OPTION…` imports dbt, and reads the project with these options of dbt's unless a line has come on
standard input by then: `{"results": PATH, "arguments": […]}`. When it has, it runs `dbt ARGUMENT… OPTION…` and writes
to the file at PATH what became of each node. If standard input ends instead, nothing is built.

dbt's own artifacts (`run_results.json`, and twice the whole manifest) take a tenth of a build to write. It imports
nothing of ours, because dbt takes long enough to start.
"""

import gc
import json
import logging
import os
import select
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if __name__ == "__main__":
    # a build of seconds ends before garbage matters: looking for it is a seventh of dbt's processor time
    gc.disable()

# the first three are what dbt imports when it needs them
import dbt.adapters.duckdb.environments.local
import dbt.task.build  # noqa: F401
import dbt_common.clients.agate_helper  # noqa: F401
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.exceptions import DbtUsageException
from dbt.cli.main import dbtRunner, dbtRunnerResult

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


def read_project(options: Sequence[str]) -> "Manifest | None":
    """The project as dbt reads it with `options`; None if it cannot, and printed why."""
    read = _invoke(["--quiet", "--no-write-json", "parse", *options])
    return read.result if read.success else None  # type: ignore[return-value]


def run_dbt(results_path: Path, arguments: Sequence[str], manifest: "Manifest | None" = None) -> int:
    """Run dbt with `arguments` and write to `results_path` what became of each node; returns the exit code, as dbt's.

    manifest: the project, if it was read already. A result has `unique_id`, `status`, `message` and `timing`, as in
    dbt's `run_results.json`.
    """
    ran = _invoke(["--no-write-json", *arguments], manifest)
    results = [_as_in_artifact(result) for result in getattr(ran.result, "results", None) or ()]
    results_path.parent.mkdir(parents=True, exist_ok=True)
    results_path.write_text(json.dumps({"results": results}), "utf-8")
    return 0 if ran.success else 1


def _invoke(arguments: Sequence[str], manifest: "Manifest | None" = None) -> dbtRunnerResult:
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


def main(options: Sequence[str]) -> int:
    """Get ready, wait, build; returns dbt's exit code."""
    manifest = None
    if not select.select([sys.stdin], [], [], 0)[0]:
        manifest = read_project(options)
        if manifest is None:
            return 1
    line = sys.stdin.readline()
    if not line:
        return 0
    wish = json.loads(line)
    return run_dbt(Path(wish["results"]), [*wish["arguments"], *options], manifest)


def _end(code: int) -> NoReturn:
    """End this process without taking down, object by object, what dbt has made: that takes a third of a second."""
    # DuckDB writes its log back into the file
    DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _end(main(sys.argv[1:]))
