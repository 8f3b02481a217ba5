"""dlt's packages: loading and forgetting them, and what a kill or a power cut leaves in dlt's working folder.

dlt continues with a package only if it was stopped between two of its steps. A kill comes at any moment, so the files
of a package, which are ours and complete, are taken out and landed again, and dlt begins with an empty folder.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from typing import Any

import dlt
import duckdb
import pyarrow as pa
from dlt.common.configuration.utils import get_resolved_traces

from pipelines.ground.durable import entries, read_whole, storage_error
from pipelines.ground.engine import LEAVE_ALONE, engine_error
from pipelines.ground.errors import StravaError

# the folders whose packages have complete data; what is in `load/new` is in `normalize/extracted` as well
_PACKAGES = ("normalize/extracted", "load/normalized")
_NOT_LOADED = ("new_jobs", "started_jobs", "failed_jobs")


def open_pipeline(name: str, work_path: Path, take_out_to: Path | None = None, **how: Any) -> dlt.Pipeline:
    """A pipeline whose working folder is in `work_path`; `how` are further arguments of `dlt.pipeline`.

    take_out_to: where the files of packages go before a folder that a power cut damaged is dropped.

    Raises:
        StorageFailed: the folder cannot be written.
    """
    working = work_path / name
    try:
        if not _is_sound(working):
            if take_out_to is not None:
                take_out_files(working, take_out_to)
            _forget_state(working)
        pipeline: dlt.Pipeline = dlt.pipeline(name, pipelines_dir=str(work_path), **how)
    except OSError as error:
        raise storage_error(Path(error.filename or work_path), error) from error
    # what has landed is read from the shards: dlt's state is not needed on a fresh machine
    pipeline.config.restore_from_destination = False
    return pipeline


def holds_packages(pipeline: dlt.Pipeline) -> bool:
    """Whether a killed run has left any packages."""
    return any(entries(Path(pipeline.working_dir) / folder) for folder in _PACKAGES)


def take_out_files(working: Path, to: Path) -> None:
    """Move the files that the packages in `working` have not loaded to a folder per table in `to`, which is made.

    Raises:
        OSError: one cannot be moved; the next call continues.
        StorageFailed: a folder cannot be listed; the next call continues.
    """
    to.mkdir(parents=True, exist_ok=True)
    for jobs in [package / jobs for package in _packages(working) for jobs in _NOT_LOADED]:
        for file in [jobs / entry.name for entry in entries(jobs) if entry.name.endswith(".parquet")]:
            table = file.name.partition(".")[0]
            (to / table).mkdir(exist_ok=True)
            file.rename(to / table / file.name)


def _packages(working: Path) -> Iterator[Path]:
    """The folders of packages in `working`."""
    for folder in _PACKAGES:
        for entry in entries(working / folder):
            if entry.is_dir():
                yield working / folder / entry.name


def forget_packages(pipeline: dlt.Pipeline) -> None:
    """Let dlt begin with an empty working folder, even if this is killed halfway."""
    _forget_state(Path(pipeline.working_dir))
    pipeline.drop()


def _forget_state(working: Path) -> None:
    # dlt looks for this first: without it, it ignores everything else
    (working / dlt.Pipeline.STATE_FILE).unlink(missing_ok=True)


def _is_sound(working: Path) -> bool:
    """Whether the files that dlt reads first are readable: it renames them into place, but does not fsync them."""
    try:
        schemas = [working / "schemas" / entry.name for entry in entries(working / "schemas")]
        for path in (working / dlt.Pipeline.STATE_FILE, *(path for path in schemas if path.suffix == ".json")):
            json.loads(read_whole(path))
    except FileNotFoundError:
        return True
    except ValueError:
        return False
    return True


def load_package(pipeline: dlt.Pipeline) -> None:
    """Load what `pipeline` has normalized, then remove it: dlt would keep a folder per package for ever."""
    # with one worker, dlt 1.31 sleeps for a second after a finished job
    pipeline.load(workers=2)
    rmtree(Path(pipeline.working_dir, "load", "loaded"), ignore_errors=True)
    # 3,000 notes per package on where dlt found its settings, kept for a trace that is switched off
    get_resolved_traces().clear()


def root(error: BaseException) -> BaseException:
    """The innermost of dlt's wrappings."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def known_cause(error: BaseException, path: Path) -> BaseException:
    """The typed error inside dlt's wrappings, or dlt's own if there is none; `path` is what was being written."""
    cause: BaseException | None = error
    while cause is not None:
        # dlt wraps even a second Ctrl-C
        if isinstance(cause, StravaError | KeyboardInterrupt):
            return cause
        if isinstance(cause, OSError):
            return storage_error(Path(cause.filename or path), cause)
        if isinstance(cause, duckdb.Error | pa.ArrowException | MemoryError):
            return engine_error(path, cause, LEAVE_ALONE)
        cause = cause.__cause__ or cause.__context__
    return error
