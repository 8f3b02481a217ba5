"""Landing the athlete's own numbers and goals: a row of bronze whenever the settings say something else."""

from datetime import datetime

from pipelines.bronze.athlete_settings import payloads_without_settings, settings_payloads
from pipelines.bronze.store import Bronze
from pipelines.bronze.watched import athletes_of_history
from pipelines.ground.progress import Report
from pipelines.ground.settings import StravaSettings
from pipelines.mirror.landing import NewVersions, rows_of
from pipelines.sources.strava_api.auth import TokenFile


def land_settings(bronze: Bronze, settings: StravaSettings, report: Report, began_at: datetime) -> None:
    """Land what `settings` say of the athlete, if bronze has something else; without a row, nothing is set.

    The athlete is the token's, otherwise the only one of the history. As long as that is nobody, the settings wait.

    Raises:
        StorageFailed: bronze could not be read or written.
    """
    token_athlete_id = TokenFile(settings.token_path).athlete_id()
    athletes = athletes_of_history(bronze) if token_athlete_id is None else {token_athlete_id}
    athlete_id = min(athletes, default=0)
    wanted, nothing_set = settings_payloads(settings, athlete_id), payloads_without_settings(athlete_id)
    if len(athletes) != 1:
        if athletes and wanted != nothing_set:
            report.warn(
                "The heart rates, goals and the like in the settings apply to nobody: this is the history of several "
                "athletes, and no token says which of them is meant."
            )
        return
    changed = []
    for table, payload in wanted.items():
        landed = bronze.landed(table)
        if landed.hashes.get(athlete_id, nothing_set[table].digest) != payload.digest:
            versions = NewVersions(table, landed, athlete_id, began_at, bronze.waiting_path)
            changed.append(rows_of([[payload]], versions))
    if changed:
        bronze.land(*changed)
