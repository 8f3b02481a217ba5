"""A recording of what dbt sends to DuckDB, and of the answers that it reads, for `replay.py`."""

import itertools
import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.environments.local import DuckDBCursorWrapper


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


class _RecordingCursor(DuckDBCursorWrapper):
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
