"""dbt's own macros that the models call, for sqlfluff: its dbt templater does not run on dbt 1.11."""


def date_trunc(datepart: str, date: str) -> str:
    """Return the SQL that dbt makes of `dbt.date_trunc` on DuckDB."""
    return f"date_trunc('{datepart}', {date})"


def dateadd(datepart: str, interval: str, from_date_or_timestamp: str) -> str:
    """Return the SQL that dbt makes of `dbt.dateadd` on DuckDB."""
    return f"date_add({from_date_or_timestamp}, interval ({interval}) {datepart})"


def type_string() -> str:
    """Return DuckDB's name of `dbt.type_string`."""
    return "varchar"


def type_timestamp() -> str:
    """Return DuckDB's name of `dbt.type_timestamp`."""
    return "timestamp"


def datediff(first_date: str, second_date: str, datepart: str) -> str:
    """Return the SQL that dbt makes of `dbt.datediff` on DuckDB."""
    return f"date_diff('{datepart}', {first_date}, {second_date})"


def hash(field: str) -> str:  # noqa: A001 - dbt's name
    """Return the SQL that dbt makes of `dbt.hash` on DuckDB."""
    return f"md5(cast({field} as varchar))"
