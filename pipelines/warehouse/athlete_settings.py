"""The athlete's own numbers and goals as tables of staging, where dbt's views read them.

So a changed number shows at once, without a build.
"""

from typing import Any

import duckdb

from pipelines.ground.settings import StravaSettings
from pipelines.warehouse.database import DATASET, holds_table, open_warehouse

# table -> column -> type
TABLES = {
    "athlete_settings": {
        "rest_hr": "double",
        "max_hr": "double",
        "threshold_hr": "double",
        "ftp_w": "double",
        "sex": "varchar",
        "units": "varchar",
    },
    "goals": {"sport_group": "varchar", "measure": "varchar", "period": "varchar", "target": "double"},
}


def write_athlete_settings(settings: StravaSettings) -> None:
    """Write the settings into the warehouse; a file that has them already is not written.

    Raises:
        WarehouseBusy: another process has the DuckDB file open.
        StorageFailed: it could not be written.
    """
    with open_warehouse(settings.warehouse_path) as connection:
        known = read_athlete_settings(connection)
        for table, rows in _wanted(settings).items():
            if known[table] != rows:
                _replace(connection, table, rows)


def settings_are_known(connection: duckdb.DuckDBPyConnection, settings: StravaSettings) -> bool:
    """Whether the opened warehouse has the same settings; one of an older version never does.

    Settings without any number of the athlete contradict nothing: the home may be the demo's, or another machine's.
    """
    known, wanted = read_athlete_settings(connection), _wanted(settings)
    return known == wanted or (wanted == _wanted(StravaSettings()) and None not in known.values())


def _wanted(settings: StravaSettings) -> dict[str, list[tuple[Any, ...]]]:
    return {
        "athlete_settings": [
            (
                settings.rest_hr,
                settings.max_hr,
                settings.threshold_hr,
                settings.ftp,
                settings.sex and settings.sex.lower(),
                settings.units.lower(),
            )
        ],
        "goals": [(goal.sport_group, goal.measure, goal.period, goal.target) for goal in settings.goals_read],
    }


def read_athlete_settings(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[Any, ...]] | None]:
    """By table, the rows of the opened warehouse; None if an older version had no such table, or a different one."""
    return {table: _rows(connection, table) for table in TABLES}


def _rows(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[Any, ...]] | None:
    # checked first: for a missing table, DuckDB would look for a Python variable of that name
    if not holds_table(connection, table):
        return None
    try:
        query = f"select {', '.join(TABLES[table])} from {DATASET}.{table} order by all"
        return connection.execute(query).fetchall()
    except duckdb.BinderException:
        return None


def _replace(connection: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[Any, ...]]) -> None:
    columns = ", ".join(f"{name} {kind}" for name, kind in TABLES[table].items())
    connection.begin()
    connection.execute(f"create or replace table {DATASET}.{table} ({columns})")
    for row in rows:
        places = ", ".join("?" for _ in row)
        connection.execute(f"insert into {DATASET}.{table} values ({places})", row)
    connection.commit()
