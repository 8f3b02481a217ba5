"""Activity files from a watch folder or the command line: what bronze notes about each.

A file of no known activity is an activity of its own. Its id is negative, unlike any of Strava's, and depends only on
the file's content. Once an export or the API brings the activity, the file's rows are repeated under Strava's id, and a
tombstone with the reason SUPERSEDED buries the negative one.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from pipelines.bronze.exports import athletes_known
from pipelines.bronze.store import BronzeReader
from pipelines.bronze.sweep import read_tombstone
from pipelines.bronze.tables import ACTIVITY_FILES, WATCHED_FILES
from pipelines.sources.strava_api.payloads import Payload

SUPERSEDED = "superseded"
# the athlete of these files as long as no token, profile or export names one; Strava counts its athletes from 1
NOBODY = 0
# JavaScript, and everything that reads JSON as it does, represents no larger integers exactly
_LARGEST_ID = 2**52


@dataclass(frozen=True)
class WatchedFile:
    """A file that was imported: from where, what it is, and what identifies its activity. Instants are UTC.

    origin: the folder in which it was found. name: its path in there. upload_id: the one in its name, if any.
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

    @property
    def is_alone(self) -> bool:
        """Whether nothing else is known of its activity."""
        return self.activity_id < 0

    def payload(self, athlete_id: int) -> Payload:
        """As bronze keeps it."""
        noted = asdict(self)
        # the row itself has these
        for key in ("activity_id", "taken_at", "start_date"):
            del noted[key]
        text = json.dumps(noted, ensure_ascii=False).encode("utf-8", "replace")
        return Payload(self.activity_id, athlete_id, self.start_date, text, hashlib.sha256(text).digest())


def own_id(sha256: str) -> int:
    """The negative id of a file that belongs to no known activity, from the hash of its content."""
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
    for id_, taken_at, start_date, text in rows:
        try:
            noted = json.loads(text)
            files.append(WatchedFile(id_, taken_at, start_date=start_date, **noted))
        except (ValueError, TypeError):
            # its version is unknown
            continue
    return files


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
