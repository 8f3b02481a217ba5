"""Repair of what kills, power cuts and failing disks leave behind: here and nowhere else, at the start of a run.

Commands that only read change nothing of it.
"""

import re
from contextlib import suppress

from pipelines.bronze.store import Bronze
from pipelines.bronze.tables import TABLES
from pipelines.ground.durable import remove_half_written
from pipelines.ground.errors import StorageFailed
from pipelines.ground.progress import Report
from pipelines.ground.settings import StravaSettings
from pipelines.ground.written_places import Places
from pipelines.warehouse.points import PointLayer


def repair(bronze: Bronze, settings: StravaSettings, report: Report) -> None:
    """Remove what is half written or covered, land what was fetched, put back what was set aside; under the run's lock.

    A killed restore is completed before this, because bronze is opened on what it restores.

    Raises:
        StorageFailed: a file could not be read or written; nothing of it is lost.
    """
    _remove_half_written(settings, report)
    bronze.finish_pending()
    # if it cannot be removed, readers leave it out, and compaction says so
    with suppress(StorageFailed):
        bronze.remove_covered()
    bronze.put_back()


def _remove_half_written(settings: StravaSettings, report: Report) -> None:
    """Remove what killed processes left half-written in any place of this history."""
    places = Places(settings)
    shards, outputs = {settings.bronze_path, *places.paths("shards")}, {settings.output_path, *places.paths("output")}
    warehouses = {settings.warehouse_path, settings.warehouse_path.resolve(), *places.paths("warehouse")}
    files = {settings.token_path.resolve(), *warehouses}
    files.update([*places.paths("copy"), *places.paths("page"), *places.paths("bundle")])
    looked_for = [
        *((folder / table, r".+\.parquet") for folder in shards for table in TABLES),
        *((folder, r"strava_.+\.json") for folder in outputs),
        *((path.parent / settings.state_path.name, ".+") for path in warehouses),
        *((PointLayer(path).folder, r".+\.parquet") for path in warehouses),
        *((path.parent, re.escape(path.name)) for path in files),
    ]
    for folder, names in looked_for:
        try:
            remove_half_written(folder, names)
        except StorageFailed as error:
            # an earlier folder may belong to another program by now
            report.warn(str(error))
