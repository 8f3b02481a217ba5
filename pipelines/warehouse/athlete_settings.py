"""The athlete's own numbers and goals in staging, which dbt's views read: a changed number shows without a build."""

import duckdb

from pipelines.bronze.athlete_settings import payloads_without_settings, settings_payloads
from pipelines.bronze.tables import ATHLETE_SETTINGS, GOALS
from pipelines.ground.settings import StravaSettings
from pipelines.warehouse.database import DATASET


def versions_of_settings(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, int], str]:
    """By table and athlete, the hash of the newest version in the opened warehouse.

    Raises:
        duckdb.CatalogException, duckdb.BinderException: an older version staged it.
    """
    newest = " union all ".join(
        f"select '{table}', athlete_id, max_by(payload_hash, (fetched_at, payload_hash)) from {DATASET}.{table} "
        "group by athlete_id"
        for table in (ATHLETE_SETTINGS, GOALS)
    )
    return {(table, athlete_id): sha256 for table, athlete_id, sha256 in connection.execute(newest).fetchall()}


def settings_are_known(connection: duckdb.DuckDBPyConnection, settings: StravaSettings, athlete_id: int | None) -> bool:
    """Whether the opened warehouse has the same settings of the athlete.

    Settings without any number of the athlete contradict nothing: the home may be the demo's, or another machine's.

    Raises:
        duckdb.CatalogException, duckdb.BinderException: an older version staged it.
    """
    wanted, nothing_set = settings_payloads(settings, athlete_id or 0), payloads_without_settings(athlete_id or 0)
    known = versions_of_settings(connection)
    return wanted == nothing_set or all(
        payload.digest.hex() == known.get((table, athlete_id or 0), nothing_set[table].digest.hex())
        for table, payload in wanted.items()
    )
