"""Queries on the warehouse: read-only, on nothing but the warehouse, with answers for people or programs."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile, TemporaryDirectory, gettempdir

import duckdb
from rich.cells import cell_len

from pipelines.ground.durable import storage_error
from pipelines.ground.engine import quoted, refused_write
from pipelines.ground.errors import BadSetting, StorageFailed, StravaError
from pipelines.ground.output import BestEffort, answering
from pipelines.sources.strava_api.terminal import on_one_line
from pipelines.warehouse.database import BUILDS, not_built, open_warehouse, staged_tables

FORMATS = ("table", "csv", "json", "markdown")
ROWS_AT_ONCE = 1000
KEPT_IN_MEMORY_BYTES = 4_000_000
# read-only is not enough: COPY … TO writes any file of this user, read_text prints any, LOAD runs it
SEAL = (
    "set autoinstall_known_extensions = false",
    "set autoload_known_extensions = false",
    "set allow_community_extensions = false",
    "set allow_persistent_secrets = false",
    # this program's variables are not tables
    "set python_enable_replacements = false",
    "set enable_external_access = false",
    "set lock_configuration = true",
)
ELSEWHERE = (
    "`sql` reads the warehouse and nothing else. `sql --format csv … > FILE` saves an answer; for the rest, open the "
    "warehouse in DuckDB itself."
)
EXAMPLE = 'Give one like this: make sql Q="FROM strava.activities_yearly"'
NOT_ASCII = re.compile("[^\x00-\x7f]")
NO_NUMBER = re.compile("NaN|Infinity")
NUMBERS = re.compile("(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL.*[)])$")
# for consoles without line-drawing characters
PLAIN_LINES = str.maketrans("─│┌┬┐├┼┤└┴┘·…", "-|+++++++++..")

Write = Callable[[str], None]
Rows = Iterable[tuple[str | None, ...]]


def query_warehouse(path: Path, query: str | None, format_: str | None) -> None:
    """Answer `query`; without one, what a person types at a prompt or a program writes to standard input.

    A terminal gets tables cut to its size, anything else all rows and columns; as a table unless `format_` is another
    one of `FORMATS`.

    Raises:
        BadSetting: there is no query; DuckDB does not accept a statement, or has no such table because the warehouse is
            not built yet: statements after it are not run.
        StorageFailed: the answer, or the warehouse, cannot be written or read.
    """
    with _sealed(path) as connection, answering() as write:
        if query:
            _answer(path, connection, _decoded(os.fsencode(query)), format_, write)
        elif sys.stdin.isatty():
            write(f"{path} (read only). End a statement with ; and leave with Ctrl-D.\n")
            _converse(path, connection, format_, write)
        else:
            statements = _decoded(sys.stdin.buffer.read())
            if not statements.strip():
                raise BadSetting(f"There is no query. {EXAMPLE}")
            _answer(path, connection, statements, format_, write)


@contextmanager
def _sealed(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, opened so that no statement reads, writes or loads anything else."""
    with (
        # DuckDB lets statements use its temporary folder, which by default is beside the warehouse
        TemporaryDirectory(prefix="strava-sql-", ignore_cleanup_errors=True) as folder,
        open_warehouse(path, read_only=True) as connection,
    ):
        connection.execute(f"set temp_directory = {quoted(Path(folder))}")
        for statement in SEAL:
            connection.execute(statement)
        yield connection


def _decoded(text: bytes) -> str:
    """SQL as text: UTF-8, otherwise in the encoding of this console."""
    for encoding in ("utf-8-sig", getattr(sys.stdin, "encoding", None) or "utf-8"):
        try:
            return text.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadSetting("The query is not UTF-8 text: save it as UTF-8.")


def _converse(path: Path, connection: duckdb.DuckDBPyConnection, format_: str | None, write: Write) -> None:
    statement = ""
    while True:
        prompt = "   ...> " if statement else "strava> "
        if not sys.stdout.isatty():
            # among saved answers a prompt would be noise
            seen = BestEffort(sys.stderr)
            seen.write(prompt)
            seen.flush()
            prompt = ""
        try:
            statement += input(prompt) + "\n"
        except EOFError:
            return
        if statement.rstrip().endswith(";"):
            try:
                _answer(path, connection, statement, format_, write)
            except BadSetting as error:
                write(f"{error}\n")
            statement = ""


def _answer(path: Path, connection: duckdb.DuckDBPyConnection, text: str, format_: str | None, write: Write) -> None:
    """Run the statements of `text` on the warehouse at `path` one after the other and write the answer of each."""
    results = 0
    try:
        for statement in connection.extract_statements(text):
            if statement.type == duckdb.StatementType.CALL:
                # CALL may switch on a log, which the sealed DuckDB cannot write: that would abort this process at its
                # end
                raise BadSetting(f"CALL is refused. {ELSEWHERE}")
            result = connection.sql(statement)
            if result is None:
                continue
            if results and format_ != "json":
                write("\n")
            results += 1
            _WRITERS[format_ or "table"](result, write)
    except duckdb.CatalogException as error:
        # a cursor sees the warehouse even if the statement was in a transaction
        with connection.cursor() as beside:
            if BUILDS in staged_tables(beside):
                raise _refused(error) from None
            raise BadSetting(f"{not_built(path)} ({str(error).splitlines()[0]})") from None
    except duckdb.Error as error:
        raise _refused(error) from None


def _refused(error: duckdb.Error) -> StravaError:
    said = str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return BadSetting(f"{said.splitlines()[0]}. Ask for less at a time, or open the warehouse in DuckDB itself.")
    if isinstance(error, duckdb.IOException):
        return refused_write(Path(gettempdir()), said) or StorageFailed(said)
    if isinstance(error, duckdb.PermissionException) or "configuration has been locked" in said:
        said += f"\n{ELSEWHERE}"
    return BadSetting(said)


def _cells(result: duckdb.DuckDBPyRelation, as_text: str) -> Rows:
    """The rows of `result` as they come, each value by DuckDB's own `as_text`; no result is completely in memory."""
    text = result.project(", ".join(as_text.format(f"#{number}") for number in range(1, len(result.columns) + 1)))
    while rows := text.fetchmany(ROWS_AT_ONCE):
        yield from rows


def _draw(result: duckdb.DuckDBPyRelation, write: Write) -> None:
    """Write a table: of a terminal's size on a terminal, otherwise complete."""

    def write_plainly(text: str) -> None:
        write(text.translate(PLAIN_LINES))

    drawn = write if _takes("─") else write_plainly
    if sys.stdout is not None and sys.stdout.isatty():
        drawn(f"{result}\n")
    else:
        _write_table(result, drawn)


def _takes(text: str) -> bool:
    """Whether standard output's encoding has the characters of `text`."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _write_table(result: duckdb.DuckDBPyRelation, write: Write) -> None:
    names = [on_one_line(name) for name in result.columns]
    is_number = [bool(NUMBERS.match(str(kind))) for kind in result.types]
    widths = [_width(name) for name in names]
    try:
        # two passes over the rows: the width of a column is only known at the end
        with SpooledTemporaryFile(KEPT_IN_MEMORY_BYTES, "w+", encoding="utf-8") as kept:
            for row in _cells(result, "{}::varchar"):
                cells = ["NULL" if cell is None else on_one_line(cell) for cell in row]
                widths = [max(width, _width(cell)) for width, cell in zip(widths, cells, strict=True)]
                kept.write(json.dumps(cells) + "\n")
            kept.seek(0)
            lines = ["─" * (width + 2) for width in widths]

            def write_row(cells: list[str]) -> None:
                padded = (
                    " " * (width - _width(cell)) + cell if right else cell + " " * (width - _width(cell))
                    for cell, width, right in zip(cells, widths, is_number, strict=True)
                )
                write(f"│ {' │ '.join(padded)} │\n")

            write(f"┌{'┬'.join(lines)}┐\n")
            write_row(names)
            write(f"├{'┼'.join(lines)}┤\n")
            for line in kept:
                write_row(json.loads(line))
            write(f"└{'┴'.join(lines)}┘\n")
    except OSError as error:
        raise storage_error(Path(gettempdir()), error) from error


def _width(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def _write_csv(result: duckdb.DuckDBPyRelation, write: Write) -> None:
    write(",".join(map(_csv_cell, result.columns)) + "\n")
    for row in _cells(result, "{}::varchar"):
        write(",".join(map(_csv_cell, row)) + "\n")


def _csv_cell(cell: str | None) -> str:
    # Python's csv writes NULL and an empty text alike; here, as in DuckDB's own CSV, only the text gets quotes
    if cell is None:
        return ""
    if cell and cell == cell.strip() and not any(character in cell for character in ',"\r\n'):
        return cell
    return '"' + cell.replace('"', '""') + '"'


def _write_json(result: duckdb.DuckDBPyRelation, write: Write) -> None:
    """Write an array with an object per row, each on a line; of columns with one name the later ones are numbered."""
    keys: list[str] = []
    for name in result.columns:
        number, key = 1, name
        while key in keys:
            key, number = f"{name}_{number}", number + 1
        keys.append(key)
    takes_any = _takes("\N{GRINNING FACE}")
    starts = [f"{json.dumps(key, ensure_ascii=False)}:" for key in keys]
    before = "[\n"
    for row in _cells(result, "to_json({})::varchar"):
        cells = (start + _json_value(cell) for start, cell in zip(starts, row, strict=True))
        line = "{" + ",".join(cells) + "}"
        write(before + (line if takes_any else NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], line)))
        before = ",\n"
    write("[]\n" if before == "[\n" else "\n]\n")


def _json_value(cell: str | None) -> str:
    if cell is None:
        return "null"
    # JSON has no such numbers, but DuckDB writes them
    if NO_NUMBER.search(cell):
        return json.dumps(json.loads(cell, parse_constant=lambda _: None), ensure_ascii=False)
    return cell


def _write_markdown(result: duckdb.DuckDBPyRelation, write: Write) -> None:
    write("| " + " | ".join(map(_markdown_cell, result.columns)) + " |\n")
    write("| " + " | ".join("---:" if NUMBERS.match(str(kind)) else "---" for kind in result.types) + " |\n")
    for row in _cells(result, "{}::varchar"):
        write("| " + " | ".join(map(_markdown_cell, row)) + " |\n")


def _markdown_cell(cell: str | None) -> str:
    if cell is None:
        return "NULL"
    return on_one_line(cell.replace("\\", "\\\\").replace("|", "\\|").replace("\r\n", "<br>").replace("\n", "<br>"))


_WRITERS: dict[str, Callable[[duckdb.DuckDBPyRelation, Write], None]] = {
    "table": _draw,
    "csv": _write_csv,
    "json": _write_json,
    "markdown": _write_markdown,
}
