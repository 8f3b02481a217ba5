"""Looking again at details that are old: a description that was edited alone shows nowhere else.

Nothing says that it was, so details are asked for once more when they are old, a few a day. What comes back as it was
lands nothing; that it was looked at is noted beside the data.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from pipelines.bronze.liveness import with_enriched
from pipelines.bronze.store import Bronze
from pipelines.mirror.looked_at import LookedAt
from pipelines.sources.strava_api.budget import DAY_S

# of a thousand that Strava admits a day
REFRESHED_PER_DAY = 20


class Refresh:
    """Which details are to be looked at again: those older than `days` (0: none), the newest activities first.

    `now` is Strava's time, UTC: its day is the one whose share is counted.
    """

    def __init__(self, bronze: Bronze, path: Path, days: float, now: datetime) -> None:
        self._bronze = bronze
        self._days = days
        self._now_s = now.timestamp()
        self._today_s = now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        self._oldest_s = self._now_s - days * DAY_S
        self._looked_at = LookedAt(path)

    def due(self, athlete_id: int) -> list[int]:
        """Ids of those that are due within what is left of today's share."""
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
        """Note that `ids` were looked at.

        Raises:
            StorageFailed: it cannot be noted.
        """
        self._looked_at.note(map(str, ids), self._now_s, forget_before_s=self._oldest_s)

    def forget(self, ids: set[int]) -> None:
        """Drop what is noted of `ids`.

        Raises:
            StorageFailed: it cannot be noted.
        """
        self._looked_at.forget(map(str, ids))
