"""Takeovers: an activity that was known by its file alone, and that Strava now knows, becomes Strava's.

So does one whose file is a part of a recording that a longer file has. Bronze is never changed: the rows of the file
are repeated under the other id, and a tombstone buries the negative one. Files that came before their athlete was known
get that athlete in the same way.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from pipelines.bronze.exports import athletes_known
from pipelines.bronze.store import Bronze
from pipelines.bronze.sweep import tombstone, utc_now
from pipelines.bronze.tables import ACTIVITY_FILES, NOBODY, TOMBSTONES, WATCHED_FILES
from pipelines.bronze.watched import SUPERSEDED, WatchedFile, watched_files
from pipelines.ground.progress import Report, counted
from pipelines.mirror.dated_rows import DatedRow, DatedRows
from pipelines.mirror.same_activity import KnownActivities

FILES_AT_A_TIME = 8


class Takeover:
    """Hands files over to the activities to which they belong; `began_at` is the run's.

    token_athlete_id: the athlete of the token, if there is one.
    """

    def __init__(self, bronze: Bronze, token_athlete_id: int | None, report: Report, began_at: datetime) -> None:
        self._bronze = bronze
        self._token_athlete_id = token_athlete_id
        self._report = report
        self._began_at = began_at

    def run(self) -> int:
        """Hand over what can be; returns how many activities were taken over.

        Raises:
            StorageFailed: bronze could not be read or written; the next run continues.
        """
        if not self._bronze.shards(WATCHED_FILES):
            return 0
        athlete_id = self._athlete_id()
        if athlete_id is None:
            return 0
        self._give_an_athlete(athlete_id)
        files = [file for file in watched_files(self._bronze, athlete_id) if file.is_alone]
        live = self._bronze.live(athlete_id) if files else {}
        files = [file for file in files if file.activity_id in live]
        if not files:
            return 0
        known = KnownActivities(self._bronze, athlete_id, files)
        ids_at_strava = known.at_strava
        at_strava: dict[int, int] = {}
        by_length: dict[int, int] = {}
        for file in files:
            activity_id = known.activity_of(file, among=ids_at_strava)
            whole_id = known.whole_of(file)
            if activity_id is not None:
                at_strava.setdefault(file.activity_id, activity_id)
            elif whole_id is not None:
                by_length.setdefault(file.activity_id, whole_id)
        taken = {id_: _end_of(id_, by_length | at_strava) for id_ in by_length.keys() | at_strava.keys()}
        if taken:
            self._hand_over(athlete_id, _moved(files, taken, known))
            self._bury(athlete_id, {id_: live[id_] for id_ in taken})
        if at_strava:
            count = counted(len(at_strava), "activity")
            self._report.say(f"Files: {count} known by files alone until now have come from Strava too.")
        if joined := len(taken) - len(at_strava):
            self._report.say(f"Files: {counted(joined, 'recording')} are in longer files too, and count once.")
        return len(taken)

    def _athlete_id(self) -> int | None:
        """The athlete of the files, NOBODY if nothing names one yet; None if there are several."""
        if self._token_athlete_id is not None:
            return self._token_athlete_id
        athletes = athletes_known(self._bronze) or {NOBODY}
        return athletes.pop() if len(athletes) == 1 else None

    def _give_an_athlete(self, athlete_id: int) -> None:
        """Repeat the rows of files without an athlete as this athlete's."""
        nobodys = watched_files(self._bronze, NOBODY)
        if not nobodys or athlete_id == NOBODY:
            return
        rows = self._bronze.query(
            f"select id, payload_hash from {{{ACTIVITY_FILES}}} where athlete_id = $athlete_id", athlete_id=athlete_id
        )
        done = set(rows)
        live = self._bronze.live(NOBODY)
        left = [file for file in nobodys if file.activity_id in live and (file.activity_id, file.sha256) not in done]
        if left:
            # newer, so that this version counts
            self._repeat(NOBODY, athlete_id, {(f.activity_id, f.sha256): replace(f, taken_at=utc_now()) for f in left})

    def _hand_over(self, athlete_id: int, moved: Iterable[tuple[WatchedFile, WatchedFile]]) -> None:
        """Repeat the rows of files: each as it is, and as it will be."""
        moved = list(moved)
        landed = set(
            self._bronze.query(
                f"select id, payload_hash from {{{ACTIVITY_FILES}}} where id in (select unnest($ids))",
                ids=sorted({file.activity_id for _, file in moved}),
            )
        )
        self._repeat(
            athlete_id,
            athlete_id,
            # an export may have brought the file itself
            {
                (file.activity_id, file.sha256): taken
                for file, taken in moved
                if (taken.activity_id, taken.sha256) not in landed
            },
        )

    def _repeat(self, of: int, athlete_id: int, files: dict[tuple[int, str], WatchedFile]) -> None:
        """Land the rows of the athlete `of` again, by id and hash, with other keys."""
        if files:
            rows = DatedRows(self._bronze, athlete_id, self._began_at)
            rows.land(WATCHED_FILES, (note_row(file, athlete_id) for file in files.values()))
            rows.land(ACTIVITY_FILES, self._contents(of, files))

    def _contents(self, of: int, files: dict[tuple[int, str], WatchedFile]) -> Iterator[DatedRow]:
        left = dict(files)
        ids = sorted({id_ for id_, _ in files})
        for first in range(0, len(ids), FILES_AT_A_TIME):
            for id_, sha256, content in self._bronze.query(
                f"select id, payload_hash, payload from {{{ACTIVITY_FILES}}} "
                "where athlete_id = $athlete_id and id in (select unnest($ids))",
                athlete_id=of,
                ids=ids[first : first + FILES_AT_A_TIME],
            ):
                if (file := left.pop((id_, sha256), None)) is not None:
                    yield file_row(file, content)

    def _bury(self, athlete_id: int, starts: dict[int, datetime | None]) -> None:
        rows = []
        for id_, start_date in sorted(starts.items()):
            payload = tombstone(id_, athlete_id, start_date, None, SUPERSEDED, "file")
            rows.append(DatedRow(id_, start_date, utc_now(), payload.text, payload.digest.hex()))
        DatedRows(self._bronze, athlete_id, self._began_at).land(TOMBSTONES, rows)


def _end_of(activity_id: int, taken: dict[int, int]) -> int:
    """The id of the last of those that take it over one after the other."""
    while activity_id in taken:
        activity_id = taken[activity_id]
    return activity_id


def _moved(
    files: Iterable[WatchedFile], taken: dict[int, int], known: KnownActivities
) -> Iterator[tuple[WatchedFile, WatchedFile]]:
    """The files of the activities that are `taken` over, by which: each as it is, and as it will be."""
    along_with = defaultdict[int, set[int]](set)
    for id_, new_id in taken.items():
        along_with[new_id].add(id_)
    for file in files:
        if file.activity_id in taken:
            new_id = taken[file.activity_id]
            # an activity may be cropped at Strava, so that only its other files show that this one is cut
            yield file, known.handed_over(file, new_id, along_with[new_id])


def note_row(file: WatchedFile, athlete_id: int) -> DatedRow:
    """The note on `file`, as a row."""
    payload = file.payload(athlete_id)
    return DatedRow(file.activity_id, file.start_date, file.version_at, payload.text, payload.digest.hex())


def file_row(file: WatchedFile, content: bytes) -> DatedRow:
    """The file itself, as a row."""
    return DatedRow(file.activity_id, file.start_date, file.version_at, content, file.sha256)
