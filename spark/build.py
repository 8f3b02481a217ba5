"""Building the warehouse on Spark: what it reads is staged, dbt builds, and what was erased is forgotten."""

import shutil
from collections import Counter

from pipelines.ground.durable import is_there, read_whole, written_whole
from pipelines.ground.settings import StravaSettings
from pipelines.warehouse.database import DATASET, open_warehouse, staged_tables
from pipelines.warehouse.dbt_process import variables
from spark.places import Places
from spark.session import Session
from spark.staged import write_staged


def build(settings: StravaSettings, session: Session, *options: str) -> str:
    """Bring Spark's tables up to date with the shards; returns what was done.

    options: more arguments for `dbt build`.

    Raises:
        BuildFailed: a model or a test failed.
        StravaError: a known cause.
    """
    places = Places(settings)
    write_staged(settings.warehouse_path, places.staged)
    results = session.dbt("build", "--exclude-resource-type", "unit_test", *variables(settings), *options)
    erased = _erasures(settings)
    note = places.folder / "erasures"
    if str(erased) != (read_whole(note).decode() if is_there(note) else "0"):
        session.forget()
        # whoever exports elsewhere writes it again
        shutil.rmtree(places.exported, ignore_errors=True)
        with written_whole(note) as file:
            file.write(str(erased).encode())
    kinds = Counter(each["id"].split(".")[0] for each in results)
    return f"{kinds['model']} models built, {kinds['test']} tests passed"


def _erasures(settings: StravaSettings) -> int:
    """How many purges and withdrawals the warehouse knows."""
    with open_warehouse(settings.warehouse_path, read_only=True) as connection:
        purges = f"select count(*) from {DATASET}.tombstones where json_extract_string(payload, '$.purged') = 'true'"
        withdrawals = f"select count(*) from {DATASET}.withdrawals"
        queries = [purges] + ([withdrawals] if "withdrawals" in staged_tables(connection) else [])
        return sum((connection.execute(query).fetchone() or (0,))[0] for query in queries)
