"""dbt's `target`, for sqlfluff: DuckDB, whose SQL it checks."""

type = "duckdb"  # noqa: A001 - dbt's name
