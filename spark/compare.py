"""Two warehouses compared row by row: the DuckDB file, and Parquet that Spark wrote of its tables."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.ground.engine import literal, quoted
from pipelines.warehouse.database import open_warehouse

SCHEMA = "strava"


@dataclass(frozen=True)
class Difference:
    """A relation that differs: rows that only one of the two has, and some of them; or why it cannot be compared."""

    relation: str
    only_in_duckdb: int
    only_in_spark: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """How many relations and rows were compared, and what differs."""

    relations: int
    rows: int
    differences: tuple[Difference, ...]


def compare(warehouse: Path, exported: Path, examples: int = 3) -> Comparison:
    """Compare each relation of the DuckDB file at `warehouse` with the folder of Parquet of its name in `exported`.

    Raises:
        WarehouseBusy: another process has the DuckDB file open.
        StorageFailed: it cannot be read.
    """
    with open_warehouse(warehouse, read_only=True) as connection:
        names = _relations(connection)
        rows = 0
        found = []
        for name in names:
            rows += (connection.execute(f"select count(*) from {SCHEMA}.{name}").fetchone() or (0,))[0]
            if (difference := _difference(connection, name, exported / name, examples)) is not None:
                found.append(difference)
    return Comparison(len(names), rows, tuple(found))


def _relations(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The tables and views that a build makes for queries."""
    # in a file of that name, the catalog is `strava`, and its schema `main`
    query = "select table_name from information_schema.tables where table_schema in (?, 'main') order by all"
    return [name for (name,) in connection.execute(query, [SCHEMA]).fetchall()]


def _difference(connection: duckdb.DuckDBPyConnection, name: str, folder: Path, examples: int) -> Difference | None:
    columns = connection.execute(f"describe {SCHEMA}.{name}").fetchall()
    typed = ", ".join(f'cast("{column}" as {_comparable(kind)}) as "{column}"' for column, kind, *_ in columns)
    # of 0.0 and -0.0, which are equal, one is another text: rows are compared as values
    ours, theirs = (
        f"(select {typed} from {source})"
        for source in (f"{SCHEMA}.{name}", f"read_parquet({quoted(str(literal(folder)) + '/*.parquet')})")
    )
    try:
        only = [
            connection.execute(
                f"select cast(x as varchar) from ({one} except all {other}) as x order by all"
            ).fetchall()
            for one, other in ((f"from {ours}", f"from {theirs}"), (f"from {theirs}", f"from {ours}"))
        ]
    except duckdb.Error as error:
        return Difference(name, 0, 0, (str(error),))
    if not any(only):
        return None
    shown = [
        f"{side}: {row}" for side, rows in zip(("DuckDB", "Spark"), only, strict=True) for (row,) in rows[:examples]
    ]
    return Difference(name, len(only[0]), len(only[1]), tuple(shown))


def _comparable(kind: str) -> str:
    # Spark has JSON as text
    return "varchar" if kind == "JSON" else kind
