"""Activity files from a watch folder or the command line: what bronze notes about each.

A file of no known activity is an activity of its own. Its id is negative, unlike any of Strava's, and depends only on
the file's content. Once an export or the API brings the activity, or a file the rest of its recording, the file's rows
are repeated under that id, and a tombstone with the reason SUPERSEDED buries the negative one.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from pipelines.bronze.exports import athletes_known
from pipelines.bronze.store import BronzeReader
from pipelines.bronze.sweep import read_tombstone
from pipelines.bronze.tables import ACTIVITY_FILES, NOBODY, WATCHED_FILES
from pipelines.sources.strava_api.payloads import Payload

SUPERSEDED = "superseded"
# JavaScript, and everything that reads JSON as it does, represents no larger integers exactly
_LARGEST_ID = 2**52
# GPS receivers began again in 1980 and 1999, FIT counts from 1989
LAST_RESET_YEAR = 2000


@dataclass(frozen=True)
class WatchedFile:
    """A file that was imported: from where, what it is, and what identifies its activity. Instants are UTC.

    origin: the folder in which it was found. name: its path in there. upload_id: the one in its name, if any.
    device_id, start_latlng: what recorded it, and where it began, if the file says so. is_cut: its recording goes on in
    another file, or at Strava; only if `has_true_times`.
    """

    activity_id: int
    taken_at: datetime
    origin: str
    name: str
    sha256: str
    start_date: datetime
    elapsed_s: float
    distance_m: float
    upload_id: int | None = None
    device_id: str | None = None
    start_latlng: list[float] | None = None
    is_cut: bool = False

    @property
    def has_true_times(self) -> bool:
        """Whether its start can be that of one recording only.

        A clock that lost its time begins again at midnight of a 1 January, or in the last century. Routes with made-up
        times begin there too.
        """
        start = self.start_date
        is_reset = start.year <= LAST_RESET_YEAR or (start.month, start.day, start.hour) == (1, 1, 0)
        return not is_reset and start <= self.taken_at and self._ends_at <= self.taken_at

    @property
    def version_at(self) -> datetime:
        """The instant of its rows in bronze, where the newest version counts.

        A cut copy is the recording as it was when the copy ends, which is before anybody can have imported all of it.
        """
        return self._ends_at if self.is_cut else self.taken_at

    @property
    def _ends_at(self) -> datetime:
        return self.start_date + timedelta(seconds=self.elapsed_s)

    @property
    def is_alone(self) -> bool:
        """Whether nothing else is known of its activity."""
        return self.activity_id < 0

    def payload(self, athlete_id: int) -> Payload:
        """As bronze keeps it."""
        noted = asdict(self)
        # the row itself has these
        for key in ("activity_id", "start_date"):
            del noted[key]
        if self.is_cut:
            noted["taken_at"] = self.taken_at.isoformat()
        else:
            del noted["taken_at"]
        text = json.dumps(noted, ensure_ascii=False).encode("utf-8", "replace")
        return Payload(self.activity_id, athlete_id, self.start_date, text, hashlib.sha256(text).digest())


def own_id(sha256: str) -> int:
    """The negative id of a file that belongs to no known activity, from the hash of its content without gzip."""
    return -1 - int(sha256, 16) % _LARGEST_ID


def watched_files(bronze: BronzeReader, athlete_id: int, ids: Iterable[int] | None = None) -> list[WatchedFile]:
    """The notes on the files of an athlete, oldest first; only on those of the activities `ids`, if given.

    Raises:
        StorageFailed: bronze cannot be read.
    """
    wanted = "" if ids is None else "and id in (select unnest($ids))"
    rows = bronze.query(
        f"select distinct id, fetched_at, start_date, payload from {{{WATCHED_FILES}}} "
        f"where athlete_id = $athlete_id and id is not null and start_date is not null {wanted} "
        "order by fetched_at, payload, id",
        athlete_id=athlete_id,
        **({} if ids is None else {"ids": list(ids)}),
    )
    files = []
    for id_, version_at, start_date, text in rows:
        try:
            noted = json.loads(text)
            text_of_instant = noted.pop("taken_at", None)
            taken_at = version_at if text_of_instant is None else datetime.fromisoformat(text_of_instant)
            files.append(WatchedFile(id_, taken_at, start_date=start_date, **noted))
        except (AttributeError, TypeError, ValueError):
            # its version is unknown
            continue
    return sorted(files, key=lambda file: file.taken_at)


def superseded(bronze: BronzeReader) -> set[int]:
    """Ids of activities that were known by their files alone until Strava's own version arrived.

    Raises:
        StorageFailed: bronze cannot be read.
    """
    return {id_ for _, id_, _, _, payload in bronze.tombstones() if read_tombstone(payload).get("reason") == SUPERSEDED}


def athletes_of_history(bronze: BronzeReader) -> set[int]:
    """The athletes whose activities bronze has: NOBODY if there are only files and nothing names their athlete.

    Raises:
        StorageFailed: bronze cannot be read.
    """
    known = athletes_known(bronze)
    if known or not bronze.query(f"select 1 from {{{ACTIVITY_FILES}}} where athlete_id = {NOBODY} limit 1"):
        return known
    return {NOBODY}
