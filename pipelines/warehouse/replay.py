"""A build without dbt: the statements of dbt's last build of the same models, while DuckDB gives the same answers.

What dbt does is a function of the project, of its arguments and of what the database answers. If all of these are as
before, dbt would send the same statements again; to send them without dbt saves the seconds in which it is imported and
renders them. If an answer differs, dbt builds, and reports what it finds. It may do so at any time: it builds each
model in a transaction, and what was built before does not matter.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from pipelines.ground.durable import read_whole, real
from pipelines.ground.engine import interruptible, quoted
from pipelines.ground.settings import StravaSettings
from pipelines.warehouse.dbt_process import Dbt, Result, project_hash

# who writes recordings, and who reads them
BY = [Path(__file__), Path(__file__).with_name("recorder.py")]


def recording_path(settings: StravaSettings, changed: frozenset[str]) -> Path:
    """Where dbt writes what it does to build the tables that depend on those of staging that have `changed`.

    One project, and one version of dbt, DuckDB and this program, has one folder.

    Raises:
        StorageFailed: a file of the project cannot be read.
    """
    folder = hashlib.sha256(b"".join([project_hash(settings).encode(), *map(read_whole, BY)])).hexdigest()
    return _recordings(settings) / folder / f"{'+'.join(sorted(changed))}.json"


def may_replay(settings: StravaSettings) -> bool:
    """Whether the next build will probably do without dbt: dbt has run today, and something was recorded."""
    try:
        ran_at = datetime.fromtimestamp(Dbt(settings).results_path.stat().st_mtime, UTC)
        return ran_at.date() == datetime.now(UTC).date() and any(_recordings(settings).iterdir())
    except OSError:
        return False


def replay(settings: StravaSettings, path: Path) -> Sequence[Result] | None:
    """Build as the recording at `path` says.

    Returns what became of each node; None if there is no recording, or DuckDB did not answer as it did then.
    """
    try:
        recording = json.loads(path.read_bytes())
        with interruptible(), closing(_connected(settings, recording["catalog"])) as connection:
            is_same = _do(connection, recording["settings"], recording["calls"])
        return recording["results"] if is_same else None
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        # none, or one that is damaged
        return None
    except (MemoryError, duckdb.Error):
        # dbt meets the same error, and says which model it is about
        return None


def _recordings(settings: StravaSettings) -> Path:
    return settings.state_path / "dbt" / "recordings"


def _connected(settings: StravaSettings, catalog: str) -> duckdb.DuckDBPyConnection:
    """A connection as dbt makes it of our profile."""
    path = real(settings.warehouse_path)
    connection = duckdb.connect(":memory:", config={"temp_directory": f"{path}.tmp"})
    connection.execute(f"attach {quoted(path)} as {catalog}")
    return connection


def _do(connection: duckdb.DuckDBPyConnection, settings: Mapping[str, str], calls: Iterable[Mapping[str, Any]]) -> bool:
    """Do the recorded `calls` of cursors until an answer differs; returns whether none does."""
    cursors: dict[int, duckdb.DuckDBPyConnection] = {}
    with ExitStack() as opened:
        for call in calls:
            if call["cursor"] not in cursors:
                cursors[call["cursor"]] = cursor = opened.enter_context(closing(connection.cursor()))
                for name, value in settings.items():
                    cursor.execute(f"set {name} = {quoted(value)}")
            cursor = cursors[call["cursor"]]
            if call["call"] == "rollback":
                cursor.rollback()
            elif call["call"] == "close":
                cursor.close()
            elif _answer(cursor.execute(call["sql"], call["bindings"]), call) != (call["columns"], call["rows"]):
                return False
    return True


def _answer(cursor: duckdb.DuckDBPyConnection, call: Mapping[str, Any]) -> tuple[Any, Any]:
    """The columns and the rows that the cursor has, as far as dbt looked at those of `call`."""
    columns = None if call["columns"] is None else [[column[0], str(column[1])] for column in cursor.description]
    rows = None if call["rows"] is None else json.loads(json.dumps(cursor.fetchall(), default=str))
    return columns, rows
