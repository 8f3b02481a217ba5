"""Checking old details again: a description that was edited alone shows nowhere else.

So details are requested again when they are old, a few a day. What comes back unchanged lands nothing; a note outside
bronze records that it was checked.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from pipelines.bronze.liveness import with_enriched
from pipelines.bronze.store import Bronze
from pipelines.mirror.looked_at import LookedAt
from pipelines.sources.strava_api.budget import DAY_S

# of the thousand that Strava allows a day
REFRESHED_PER_DAY = 20


class Refresh:
    """Which details to check again: those older than `days` (0: none), the newest activities first.

    `now` is Strava's time, UTC, whose day's share counts.
    """

    def __init__(self, bronze: Bronze, path: Path, days: float, now: datetime) -> None:
        self._bronze = bronze
        self._days = days
        self._now_s = now.timestamp()
        self._today_s = now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        self._oldest_s = self._now_s - days * DAY_S
        self._looked_at = LookedAt(path)

    def due(self, athlete_id: int) -> list[int]:
        """Ids of details that are due, within what is left of today's share."""
        left = REFRESHED_PER_DAY - len(self._looked_at.since(self._today_s, self._now_s))
        if not self._days or left <= 0:
            return []
        rows = self._bronze.query(
            f"{with_enriched()} select id from enriched where enriched_at < $before "
            "order by start_date desc nulls last, id desc",
            athlete_id=athlete_id,
            before=datetime.fromtimestamp(self._oldest_s, UTC).replace(tzinfo=None),
        )
        looked_at = self._looked_at.since(self._oldest_s, self._now_s)
        due = [id_ for (id_,) in rows if str(id_) not in looked_at]
        return due[:left]

    def note(self, ids: Iterable[int]) -> None:
        """Note that `ids` were checked.

        Raises:
            StorageFailed: it cannot be noted.
        """
        self._looked_at.note(map(str, ids), self._now_s, forget_before_s=self._oldest_s)

    def forget(self, ids: set[int]) -> None:
        """Drop the notes on `ids`.

        Raises:
            StorageFailed: it cannot be noted.
        """
        self._looked_at.forget(map(str, ids))
