"""dbt in a process of its own, which gets ready before it is known what to build.

`python -P dbt_run.py PROJECT KEPT HASHED_AT OPTION…` imports dbt and reads the project in the folder PROJECT with these
options of dbt's. If there is a file at KEPT, an earlier process has read the same project and kept it there; otherwise
this one keeps it, unless a file has changed since HASHED_AT (in seconds, as `time.time()`).

Then it waits for a line on standard input, `{"results": PATH, "arguments": […], "recording": PATH or ""}`, runs
`dbt ARGUMENT… OPTION…` and writes to the first file what became of each node, and to the second, if it has one, what
`replay.py` needs to do the same again. If standard input ends instead, nothing is built.

dbt's own artifacts (`run_results.json`, and twice the whole manifest) take a tenth of a build to write. It imports
nothing of ours, because dbt takes long enough to start.
"""

import gc
import hashlib
import itertools
import json
import logging
import os
import pickle
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

if __name__ == "__main__":
    # a build of seconds ends before garbage matters: looking for it is a seventh of dbt's processor time
    gc.disable()

# the first two are what dbt imports when it needs them
import dbt.task.build  # noqa: F401
import dbt_common.clients.agate_helper  # noqa: F401
import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.environments import local
from dbt.cli.exceptions import DbtUsageException
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest

# kept projects: the usual one, with the tables that are fetched on demand, under another name of the warehouse
MOST_KEPT = 8
# by how much the clock of files may lag
LAG_S = 1


@dataclass(frozen=True)
class Project:
    """The project in `folder`, and where it is `kept` as dbt has read it: by a hash of its files at `hashed_at_s`.

    dbt reads them later. If one has changed since, nothing may be kept by this hash, even if it is as before again.
    """

    folder: Path
    kept: Path
    hashed_at_s: float

    def is_as_hashed(self) -> bool:
        """Whether no file, and no folder, has changed since."""
        places: list[Path] = []
        for above, folders, names in os.walk(self.folder):
            # what dbt itself writes
            folders[:] = [name for name in folders if name not in ("target", "logs")]
            places += [Path(above, name) for name in (*folders, *names)]
        # the inode's time: nobody can set it
        return all(place.lstat().st_ctime < self.hashed_at_s - LAG_S for place in places)


def read_project(options: Sequence[str], project: Project) -> Manifest | None:
    """The project as dbt reads it with `options`, or as it was kept; None if dbt cannot read it, and printed why."""
    if (known := _kept_project(project.kept)) is not None:
        return known
    read = _invoke(["--quiet", "--no-write-json", "parse", *options])
    if not isinstance(read.result, Manifest):
        return None
    # the code may be read-only, or the disk full: then the next process reads the project again
    with suppress(OSError):
        if project.is_as_hashed():
            _keep_project(project.kept, read.result)
    return read.result


def _kept_project(path: Path) -> Manifest | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    pickled = content[hashlib.sha256().digest_size :]
    if not content.startswith(hashlib.sha256(pickled).digest()):
        # half of a file
        return None
    # it lies beside the code, and whoever may write there can write code
    return Manifest(**pickle.loads(pickled))  # noqa: S301


def _keep_project(path: Path, project: Manifest) -> None:
    # what its own pickling forgets, and what dbt keeps too: the rest are indices, which it makes when it needs them
    parts = {part.name: getattr(project, part.name) for part in fields(project) if not part.name.startswith("_")}
    pickled = pickle.dumps(parts, pickle.HIGHEST_PROTOCOL)
    path.parent.mkdir(parents=True, exist_ok=True)
    older = sorted(path.parent.iterdir(), key=lambda each: each.stat().st_mtime)
    for each in older[: max(0, len(older) + 1 - MOST_KEPT)]:
        each.unlink(missing_ok=True)
    half = path.with_suffix(".tmp")
    half.write_bytes(hashlib.sha256(pickled).digest() + pickled)
    half.replace(path)


def run_dbt(
    results_path: Path,
    arguments: Sequence[str],
    manifest: Manifest | None = None,
    recording_path: str = "",
    project: Project | None = None,
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


class Recorder:
    """What dbt sends to DuckDB, in the order in which it was done, and what it reads of the answers.

    An element of `calls` has the number of a cursor and what was called: `{"cursor", "call": "rollback"}`, the same
    with "close", or with "execute" and `"sql", "bindings", "columns", "rows"`. `columns` and `rows` are null if dbt did
    not look at them. `rows` is also null of what is no SELECT: dbt passes over the number of rows that it changed.
    `is_complete`: whether dbt did nothing else.
    """

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.is_complete = True
        self._cursors = itertools.count()

    def cursor(self, of: Any) -> "_RecordingCursor":
        """A cursor that does the same as `of`, and notes it."""
        return _RecordingCursor(of, next(self._cursors), self)

    def write(self, path: Path, results: Sequence[dict[str, Any]]) -> None:
        """Write it to `path`, and what became of each node, instead of all that another project did."""
        credentials = DuckDBConnectionManager.env().creds
        recording = {
            "catalog": credentials.database,
            "settings": credentials.settings,
            "calls": self.calls,
            "results": results,
        }
        # the build itself has succeeded: if this cannot be written, the next one needs dbt too
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            for other in path.parent.parent.iterdir():
                if other != path.parent:
                    shutil.rmtree(other, ignore_errors=True)
            half = path.with_suffix(".tmp")
            half.write_text(json.dumps(recording, default=str), "utf-8")
            half.replace(path)


class _RecordingCursor(local.DuckDBCursorWrapper):
    def __init__(self, cursor: Any, number: int, recorder: Recorder) -> None:
        super().__init__(cursor)  # type: ignore[no-untyped-call]
        self._of = cursor
        self._number = number
        self._recorder = recorder
        self._last: dict[str, Any] = {}

    def execute(self, sql: str, bindings: Any = None) -> Any:
        answer = super().execute(sql, bindings)  # type: ignore[no-untyped-call]
        self._last = self._note("execute", sql=sql, bindings=bindings, columns=None, rows=None)
        return answer

    @property
    def description(self) -> Any:
        description = self._of.description
        self._last["columns"] = [[column[0], str(column[1])] for column in description]
        return description

    def fetchall(self) -> Any:
        rows = self._of.fetchall()
        if duckdb.extract_statements(self._last["sql"])[-1].type == duckdb.StatementType.SELECT:
            self._last["rows"] = rows
        return rows

    def rollback(self) -> None:
        self._of.rollback()
        self._note("rollback")

    def close(self) -> None:
        self._of.close()
        self._note("close")

    def _note(self, call: str, **more: Any) -> dict[str, Any]:
        noted = {"cursor": self._number, "call": call, **more}
        self._recorder.calls.append(noted)
        return noted

    def __getattr__(self, name: str) -> Any:
        # another way to read an answer, which a replay would not compare
        self._recorder.is_complete = False
        return getattr(self._of, name)


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


def main(project: Project, options: Sequence[str]) -> int:
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
    _end(main(Project(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])), sys.argv[4:]))
