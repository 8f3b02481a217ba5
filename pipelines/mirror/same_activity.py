"""Which activity a file belongs to: one with the same bytes in an export, with its upload id, or a similar one.

Similar are those with the same start, time and distance. What Strava has edited, or a watch has rounded, may differ a
little. The rule is the same for a new file and a known activity as for a new version and a known file, so that
their order does not matter.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipelines.bronze.liveness import VERSION_ORDER
from pipelines.bronze.store import READABLE, BronzeReader
from pipelines.bronze.sweep import read_tombstone
from pipelines.bronze.tables import ACTIVITIES, ACTIVITY_FILES, EXPORT_ACTIVITIES
from pipelines.bronze.watched import SUPERSEDED, WatchedFile, watched_files
from pipelines.warehouse.row_readings import RowReadings

LONGEST_OFF = timedelta(minutes=2)
SHARE_OFF = 0.02
# GPX has no distance: the sum over its positions is often off by some per cent
SHARE_OFF_BY_POSITIONS = 0.1
# for something short, 2 % is less than rounding
LEAST_OFF_S, LEAST_OFF_M = 2, 10
# a number in a name may be a date and not an upload id: its activity has to be of about that time. A crop, or a watch
# with a wrong clock, moves a start by hours
LONGEST_OFF_BY_NAME = timedelta(days=1)
_DAY_S = 86400


@dataclass(frozen=True)
class KnownActivity:
    """What one door says about an activity; `start_date` is UTC. Unknown distances and times are 0."""

    id: int
    start_date: datetime | None
    elapsed_s: float = 0
    distance_m: float = 0
    upload_id: int | None = None
    # for a file: where it was found
    place: tuple[str, str] | None = None

    @classmethod
    def of_file(cls, file: WatchedFile) -> "KnownActivity":
        """What an imported file says about its activity."""
        return cls(
            file.activity_id,
            file.start_date,
            file.elapsed_s,
            file.distance_m,
            file.upload_id,
            (file.origin, file.name),
        )

    def is_of(self, file: WatchedFile) -> bool:
        """Whether `file` belongs to this activity."""
        off = None if self.start_date is None else abs(self.start_date - file.start_date)
        if self.upload_id is not None and self.upload_id == file.upload_id:
            return off is None or off <= LONGEST_OFF_BY_NAME
        if off is None or off > LONGEST_OFF:
            return False
        # the file grew since, or was replaced by a better one
        return self.place == (file.origin, file.name) or (
            _is_close(self.elapsed_s, file.elapsed_s, LEAST_OFF_S)
            and _is_close(self.distance_m, file.distance_m, LEAST_OFF_M, self._share_off(file))
        )

    def _share_off(self, file: WatchedFile) -> float:
        names = (file.name, self.place[1] if self.place else "")
        is_by_positions = any(name.lower().removesuffix(".gz").endswith(".gpx") for name in names)
        return SHARE_OFF_BY_POSITIONS if is_by_positions else SHARE_OFF


class KnownActivities:
    """The activities of an athlete to which a file may belong: those that Strava knows, and those of imported files."""

    def __init__(self, bronze: BronzeReader, athlete_id: int, files: Iterable[WatchedFile]) -> None:
        """Look around the starts of `files`.

        Raises:
            StorageFailed: bronze cannot be read.
        """
        files = list(files)
        self._live = set(bronze.live(athlete_id))
        rows = bronze.query(
            f"select id, payload_hash from {{{ACTIVITY_FILES}}} where athlete_id = $athlete_id and id > 0 "
            "and payload_hash in (select unnest($hashes))",
            athlete_id=athlete_id,
            hashes=[file.sha256 for file in files],
        )
        # which activities at Strava have exactly these bytes
        self._with_bytes = set(rows)
        self._known = list(_at_strava(bronze, athlete_id, files))
        self._known += map(KnownActivity.of_file, watched_files(bronze, athlete_id))
        ids = {known.id for known in self._known}
        # of a purged activity only the start is known
        self._purged = [
            start_date
            for of, id_, start_date, _, payload in bronze.tombstones()
            if of == athlete_id and start_date is not None and id_ not in ids and id_ not in self._live
            if read_tombstone(payload).get("reason") != SUPERSEDED
        ]

    def add(self, file: WatchedFile) -> None:
        """Add a file that is about to land."""
        self._live.add(file.activity_id)
        self._known.append(KnownActivity.of_file(file))

    def activity_of(self, file: WatchedFile, among: Collection[int] | None = None) -> int | None:
        """The id of the live activity to which `file` belongs, None if there is none; `among` says which ids count.

        Of several, those at Strava come before those known by files, and the nearest start before others.
        """
        found = [known for known in self._known if known.id in self._live and self._is_of(file, known)]
        found = [known for known in found if among is None or known.id in among]
        ranked = sorted(
            (
                known.id < 0,
                (known.id, file.sha256) not in self._with_bytes,
                known.upload_id is None or known.upload_id != file.upload_id,
                abs((known.start_date or file.start_date) - file.start_date),
                known.id,
            )
            for known in found
        )
        return ranked[0][-1] if ranked else None

    def is_gone(self, file: WatchedFile) -> bool:
        """Whether `file` belongs to an activity that was deleted at Strava."""
        return any(
            known.id > 0 and known.id not in self._live and self._is_of(file, known) for known in self._known
        ) or any(abs(start_date - file.start_date) <= LONGEST_OFF for start_date in self._purged)

    def _is_of(self, file: WatchedFile, known: KnownActivity) -> bool:
        return (known.id, file.sha256) in self._with_bytes or known.is_of(file)

    @property
    def at_strava(self) -> set[int]:
        """Ids of the live activities that Strava knows, near the files."""
        return {known.id for known in self._known if known.id > 0} & self._live


def _is_close(one: float, other: float, least: float, share: float = SHARE_OFF) -> bool:
    return abs(one - other) <= max(least, share * max(one, other))


def _at_strava(bronze: BronzeReader, athlete_id: int, files: Iterable[WatchedFile]) -> Iterator[KnownActivity]:
    """The newest version through each door of what starts about when `files` do; of exports also what has no start."""
    days = {int((file.start_date - datetime(1970, 1, 1)).total_seconds() // _DAY_S) for file in files}
    near = sorted({day + off for day in days for off in (-1, 0, 1)})
    for id_, start_date, elapsed_s, distance_m, upload_id in bronze.query(
        _newest_near(
            ACTIVITIES,
            *(f"try_cast(try(json_extract_string({READABLE}, '$.{field}')) as {kind})" for field, kind in _FIELDS),
        ),
        athlete_id=athlete_id,
        days=near,
    ):
        yield KnownActivity(id_, start_date, elapsed_s or 0, distance_m or 0, upload_id)
    # without dates: bronze has them as a column
    read = RowReadings(lambda: ())
    for id_, start_date, payload in bronze.query(
        _newest_near(EXPORT_ACTIVITIES, "payload"), athlete_id=athlete_id, days=near
    ):
        row = read(payload)
        yield KnownActivity(
            id_, start_date, row.get("elapsed_time") or 0, row.get("distance") or 0, row.get("upload_id")
        )


_FIELDS = (("elapsed_time", "double"), ("distance", "double"), ("upload_id", "bigint"))


def _newest_near(table: str, *columns: str) -> str:
    return f"""
        with newest as (
            select id, max({VERSION_ORDER}) as version, max_by(start_date, {VERSION_ORDER}) as start_date
            from {{{table}}} where id is not null and athlete_id = $athlete_id group by id
        ),
        near as (
            select * from newest
            where start_date is null or cast(floor(epoch(start_date) / {_DAY_S}) as bigint) in (select unnest($days))
        )
        select distinct near.id, near.start_date, {", ".join(columns)}
        from near
        inner join {{{table}}} as versions
            on versions.id = near.id
            and versions.fetched_at = near.version.fetched_at and versions.payload_hash = near.version.payload_hash
    """
