"""Settings that changed since the last run: `page` brings them into bronze and staging, so that it shows them."""

from functools import partial

from pipelines.bronze.store import open_bronze
from pipelines.bronze.sweep import utc_now
from pipelines.ground.progress import Report
from pipelines.ground.settings import StravaSettings
from pipelines.ground.stop import StopFlag
from pipelines.mirror.athlete_settings import land_settings
from pipelines.page.html import shows_settings
from pipelines.runs.repair import repair
from pipelines.warehouse.staging import load_staging, staged_rows


def stage_new_settings(settings: StravaSettings, report: Report, stop: StopFlag) -> None:
    """Land and stage the athlete's numbers and goals as a run would, if the warehouse has others; under its lock.

    Raises:
        BadSetting: there is no warehouse of this version.
        Interrupted, WarehouseBusy, StorageFailed: as in a run; the next one continues.
    """
    if shows_settings(settings):
        return
    bronze = open_bronze(settings, report, partial(staged_rows, settings.warehouse_path))
    repair(bronze, settings, report)
    land_settings(bronze, settings, report, utc_now())
    load_staging(bronze, settings.warehouse_path, settings.state_path / "dlt", stop)
