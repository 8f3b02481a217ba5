"""dbt in a process of its own: `python -P dbt_run.py RESULTS ARGUMENT…` is `dbt ARGUMENT…` with results in a file.

They have what became of each node, and nothing else: dbt's own artifacts (`run_results.json`, and twice the whole
manifest) take a tenth of a build to write. It imports nothing of ours, because dbt takes long enough to start.
"""

import gc
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    # a build of seconds ends before garbage matters: looking for it is a seventh of dbt's processor time
    gc.disable()

from dbt.cli.exceptions import DbtUsageException
from dbt.cli.main import dbtRunner

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


def run_dbt(results_path: Path, arguments: Sequence[str], manifest: "Manifest | None" = None) -> int:
    """Run dbt with `arguments` and write to `results_path` what became of each node; returns the exit code, as dbt's.

    manifest: the parsed project, if it is known already. A result has `unique_id`, `status`, `message` and `timing`,
    as in dbt's `run_results.json`.
    """
    ran = dbtRunner(manifest=manifest).invoke(["--no-write-json", *arguments])
    results = [_as_in_artifact(result) for result in getattr(ran.result, "results", None) or ()]
    results_path.parent.mkdir(parents=True, exist_ok=True)
    results_path.write_text(json.dumps({"results": results}), "utf-8")
    if isinstance(ran.exception, DbtUsageException):
        # all other errors are printed by dbt
        sys.stderr.write(f"{ran.exception}\n")
    return 0 if ran.success else 1


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


if __name__ == "__main__":
    sys.exit(run_dbt(Path(sys.argv[1]), sys.argv[2:]))
