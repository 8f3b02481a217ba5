"""The comparison of two warehouses sees each row that differs; it needs no Spark."""

from pathlib import Path

import duckdb
import pytest

from spark.compare import Difference, compare

RUNS = "select 1 as id, 2.5 as km union all select 2, 5.0 union all select 2, 5.0"


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """A DuckDB file with a table, and the same as Parquet in `exported` beside it."""
    path = tmp_path / "strava.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"create table runs as {RUNS}")
    export(path, RUNS)
    return path


def export(warehouse: Path, query: str) -> None:
    folder = warehouse.parent / "exported" / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"copy ({query}) to '{folder}/one.parquet' (format parquet)")


def difference(warehouse: Path) -> Difference:
    [found] = compare(warehouse, warehouse.parent / "exported").differences
    assert found.relation == "runs"
    return found


def test_equal_rows_are_no_difference(warehouse: Path) -> None:
    comparison = compare(warehouse, warehouse.parent / "exported")
    assert (comparison.relations, comparison.rows, comparison.differences) == (1, 3, ())


def test_the_order_of_columns_and_rows_does_not_matter(warehouse: Path) -> None:
    export(warehouse, f"select km, id from ({RUNS}) order by id desc")
    assert compare(warehouse, warehouse.parent / "exported").differences == ()


def test_another_value_is_a_row_on_each_side(warehouse: Path) -> None:
    export(warehouse, RUNS.replace("2.5", "2.4"))
    found = difference(warehouse)
    assert (found.only_in_duckdb, found.only_in_spark) == (1, 1)
    assert "2.5" in found.examples[0]
    assert "2.4" in found.examples[1]


def test_null_is_another_value(warehouse: Path) -> None:
    export(warehouse, RUNS.replace("2.5", "null"))
    assert (difference(warehouse).only_in_duckdb, difference(warehouse).only_in_spark) == (1, 1)


def test_a_row_that_is_there_once_more_is_a_difference(warehouse: Path) -> None:
    export(warehouse, f"{RUNS} union all select 2, 5.0")
    assert (difference(warehouse).only_in_duckdb, difference(warehouse).only_in_spark) == (0, 1)


def test_a_missing_row_is_a_difference(warehouse: Path) -> None:
    export(warehouse, f"select * from ({RUNS}) where id = 2")
    assert (difference(warehouse).only_in_duckdb, difference(warehouse).only_in_spark) == (1, 0)


def test_a_missing_relation_or_column_is_a_difference(warehouse: Path) -> None:
    export(warehouse, "select 1 as id")
    assert "km" in difference(warehouse).examples[0]
    for path in (warehouse.parent / "exported" / "runs").iterdir():
        path.unlink()
    assert difference(warehouse).examples
