"""Looking again at details that are old: a description that was edited alone shows nowhere else.

Nothing tells that it was, so details are asked for once more when they are old, a few a day. What comes back as it was
lands nothing; that it was looked at is noted in a small file, a cache: without it some are asked for once more.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import orjson

from pipelines.bronze.liveness import with_enriched
from pipelines.bronze.store import Bronze
from pipelines.ground.durable import read_whole, written_whole
from pipelines.sources.strava_api.budget import DAY_S

# of a thousand that Strava admits a day
REFRESHED_PER_DAY = 20


class Refresh:
    """Which details are to be looked at again: those older than `days` (0: none), the newest activities first.

    `now` is Strava's time, UTC: its day is the one whose share is counted.
    """

    def __init__(self, bronze: Bronze, path: Path, days: float, now: datetime) -> None:
        self._bronze = bronze
        self._path = path
        self._days = days
        self._now_s = now.timestamp()
        self._today_s = now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        self._looked_at_s = self._read()

    def due(self, athlete_id: int) -> list[int]:
        """Ids of those that are due within what is left of today's share."""
        today = sum(self._today_s <= at_s <= self._now_s for at_s in self._looked_at_s.values())
        left = REFRESHED_PER_DAY - today
        if not self._days or left <= 0:
            return []
        oldest_s = self._oldest_s
        rows = self._bronze.query(
            f"{with_enriched()} select id from enriched where enriched_at < $before "
            "order by start_date desc nulls last, id desc",
            athlete_id=athlete_id,
            before=datetime.fromtimestamp(oldest_s, UTC).replace(tzinfo=None),
        )
        due = [id_ for (id_,) in rows if not oldest_s <= self._looked_at_s.get(str(id_), 0) <= self._now_s]
        return due[:left]

    def note(self, ids: Iterable[int]) -> None:
        """Note that `ids` were looked at.

        Raises:
            StorageFailed: it cannot be noted.
        """
        noted = dict.fromkeys(map(str, ids), self._now_s)
        if noted:
            kept = {id_: at_s for id_, at_s in self._looked_at_s.items() if at_s >= self._oldest_s}
            self._write(kept | noted)

    def forget(self, ids: set[int]) -> None:
        """Drop what is noted of `ids`.

        Raises:
            StorageFailed: it cannot be noted.
        """
        kept = {id_: at_s for id_, at_s in self._looked_at_s.items() if int(id_) not in ids}
        if len(kept) < len(self._looked_at_s):
            self._write(kept)

    def _write(self, looked_at_s: dict[str, float]) -> None:
        self._looked_at_s = looked_at_s
        with written_whole(self._path) as file:
            file.write(orjson.dumps(looked_at_s))

    @property
    def _oldest_s(self) -> float:
        return self._now_s - self._days * DAY_S

    def _read(self) -> dict[str, float]:
        try:
            return {str(int(id_)): float(at_s) for id_, at_s in orjson.loads(read_whole(self._path)).items()}
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            return {}
