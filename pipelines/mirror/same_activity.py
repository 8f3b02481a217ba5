"""Which activity a file belongs to: one with the same bytes in an export, with its upload id, or a similar one.

Similar are those with the same start, time and distance. What Strava has edited, or a watch has rounded, may differ a
little. What starts in the same second is the same recording even if it is longer: it was cut, or cropped at Strava. The
rule is the same for a new file and a known activity as for a new version and a known file, so that their order does not
matter.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import chain

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
# one format truncates a start that another rounds
SAME_START = timedelta(seconds=1)
# about 100 m: so far apart, two devices of one athlete do not begin
FURTHEST_OFF_DEG = 0.001
_DAY_S = 86400


@dataclass(frozen=True)
class KnownActivity:
    """What one door says about an activity; `start_date` is UTC. Unknown distances and times are 0."""

    id: int
    start_date: datetime | None
    elapsed_s: float = 0
    distance_m: float = 0
    upload_id: int | None = None
    # typed in at Strava, often with a round start
    is_manual: bool = False
    # if it is a file
    file: WatchedFile | None = None

    @classmethod
    def of_file(cls, file: WatchedFile) -> "KnownActivity":
        """What an imported file says about its activity."""
        return cls(file.activity_id, file.start_date, file.elapsed_s, file.distance_m, file.upload_id, file=file)

    def is_of(self, file: WatchedFile) -> bool:
        """Whether `file` belongs to this activity."""
        off = None if self.start_date is None else abs(self.start_date - file.start_date)
        if self.upload_id is not None and self.upload_id == file.upload_id:
            return off is None or off <= LONGEST_OFF_BY_NAME
        if off is None or off > LONGEST_OFF:
            return False
        return self.is_replaced_by(file) or (
            _is_close(self.elapsed_s, file.elapsed_s, LEAST_OFF_S)
            and _is_close(self.distance_m, file.distance_m, LEAST_OFF_M, self._share_off(file))
        )

    def is_replaced_by(self, file: WatchedFile) -> bool:
        """Whether `file` is this file, grown since or replaced by a better one."""
        return self.file is not None and (self.file.origin, self.file.name) == (file.origin, file.name)

    def is_recording_of(self, file: WatchedFile) -> bool:
        """Whether `file` is the same recording as this activity, of which either may lack a part of the end.

        An athlete's device starts one recording at a time. So that nothing else is taken for one, manual activities and
        doubtful clocks do not count, nor does what two files say differently about their device or first position.
        """
        if self.start_date is None or self.is_manual or not file.has_true_times:
            return False
        if abs(self.start_date - file.start_date) > SAME_START:
            return False
        return self.file is None or (
            self.file.has_true_times
            and _agree(self.file.device_id, file.device_id)
            and _begin_together(self.file.start_latlng, file.start_latlng)
        )

    def _share_off(self, file: WatchedFile) -> float:
        names = (file.name, self.file.name if self.file else "")
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
        self._ids_with_bytes = defaultdict[str, set[int]](set)
        for id_, sha256 in rows:
            self._ids_with_bytes[sha256].add(id_)
        self._by_id: dict[int, list[KnownActivity]] = {}
        self._by_day: dict[date | None, list[KnownActivity]] = {}
        for known in chain(
            _at_strava(bronze, athlete_id, files),
            map(KnownActivity.of_file, watched_files(bronze, athlete_id)),
        ):
            self._note(known)
        ids = self._by_id.keys()
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
        self._note(KnownActivity.of_file(file))

    def activity_of(self, file: WatchedFile, among: Collection[int] | None = None) -> int | None:
        """The id of the live activity to which `file` belongs, None if there is none; `among` says which ids count.

        Of several, those at Strava come before those known by files, similar ones before those of another length, and
        the nearest start before others.
        """
        ranked = sorted(
            (
                known.id < 0,
                not self._has_bytes(file, known),
                known.upload_id is None or known.upload_id != file.upload_id,
                not self._is_of(file, known),
                abs((known.start_date or file.start_date) - file.start_date),
                abs(known.elapsed_s - file.elapsed_s),
                known.id,
            )
            for known in self._all_of(file)
            if known.id in self._live and (among is None or known.id in among)
        )
        return ranked[0][-1] if ranked else None

    def is_gone(self, file: WatchedFile) -> bool:
        """Whether `file` belongs to an activity that was deleted at Strava."""
        return any(known.id > 0 and known.id not in self._live for known in self._all_of(file)) or any(
            abs(start_date - file.start_date) <= LONGEST_OFF for start_date in self._purged
        )

    def joined(self, file: WatchedFile, activity_id: int) -> WatchedFile:
        """`file` as one of the live activity to which it belongs, by `activity_of`.

        If it is the longest part of a recording that is known by files alone, it is returned as it is. A takeover then
        hands the others over to it, so that the activity has the same id whichever came first.
        """
        if activity_id < 0 and all(
            _is_longer(file.elapsed_s, known.elapsed_s) and not self._is_of(file, known)
            for known in self._by_id[activity_id]
        ):
            return file
        return self.handed_over(file, activity_id)

    def handed_over(self, file: WatchedFile, activity_id: int, along_with: Iterable[int] = ()) -> WatchedFile:
        """`file` as one of that activity; it is cut if anything else that is known of the activity is longer.

        along_with: ids of the activities that it takes over at the same time, whose files become its own too.
        """
        known_of_it = [
            known
            for id_ in {activity_id, *along_with}
            for known in self._by_id.get(id_, [])
            # a run that was killed may have noted it already
            if known.file is None or known.file.sha256 != file.sha256
        ]
        is_cut = (
            file.has_true_times
            and any(_is_longer(known.elapsed_s, file.elapsed_s) for known in known_of_it)
            and not any(known.is_replaced_by(file) for known in known_of_it)
        )
        return replace(file, activity_id=activity_id, is_cut=is_cut)

    def whole_of(self, file: WatchedFile) -> int | None:
        """The id of the live activity, known by files alone, that has more of the recording in `file`, if there is one.

        file: one of an activity that is known by files alone itself.
        """
        ids = {known.id for known in self._near(file) if known.id < 0 and known.is_recording_of(file)}
        longest = max((ids & self._live) | {file.activity_id}, key=self._length)
        return None if longest == file.activity_id else longest

    @property
    def at_strava(self) -> set[int]:
        """Ids of the live activities that Strava knows, near the files."""
        return {id_ for id_ in self._by_id if id_ > 0} & self._live

    def _note(self, known: KnownActivity) -> None:
        self._by_id.setdefault(known.id, []).append(known)
        self._by_day.setdefault(known.start_date and known.start_date.date(), []).append(known)

    def _near(self, file: WatchedFile) -> Iterator[KnownActivity]:
        """What begins on the day of `file` or the days beside it, has no start, or has its bytes."""
        day = file.start_date.date().toordinal()
        days = [date.fromordinal(near) for near in (day - 1, day, day + 1) if 1 <= near <= date.max.toordinal()]
        yield from chain.from_iterable(self._by_day.get(each, ()) for each in (*days, None))
        for id_ in self._ids_with_bytes.get(file.sha256, ()):
            yield from self._by_id.get(id_, ())

    def _all_of(self, file: WatchedFile) -> Iterator[KnownActivity]:
        return (known for known in self._near(file) if self._is_of(file, known) or known.is_recording_of(file))

    def _is_of(self, file: WatchedFile, known: KnownActivity) -> bool:
        return self._has_bytes(file, known) or known.is_of(file)

    def _has_bytes(self, file: WatchedFile, known: KnownActivity) -> bool:
        return known.id in self._ids_with_bytes.get(file.sha256, ())

    def _length(self, activity_id: int) -> tuple[float, float, int]:
        """What orders the parts of a recording in the same way everywhere."""
        return max((known.elapsed_s, known.distance_m, known.id) for known in self._by_id[activity_id])


def _is_longer(one_s: float, other_s: float) -> bool:
    """Whether the first is longer by more than two recordings of one activity may differ."""
    return one_s > other_s and not _is_close(one_s, other_s, LEAST_OFF_S)


def _agree(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


def _begin_together(one: list[float] | None, other: list[float] | None) -> bool:
    """Whether two first positions are the same, as far as both are known."""
    if one is None or other is None:
        return True
    return all(abs(a - b) <= FURTHEST_OFF_DEG for a, b in zip(one, other, strict=True))


def _is_close(one: float, other: float, least: float, share: float = SHARE_OFF) -> bool:
    return abs(one - other) <= max(least, share * max(one, other))


def _at_strava(bronze: BronzeReader, athlete_id: int, files: Iterable[WatchedFile]) -> Iterator[KnownActivity]:
    """The newest version through each door of what starts about when `files` do; of exports also what has no start."""
    days = {int((file.start_date - datetime(1970, 1, 1)).total_seconds() // _DAY_S) for file in files}
    near = sorted({day + off for day in days for off in (-1, 0, 1)})
    for id_, start_date, elapsed_s, distance_m, upload_id, is_manual in bronze.query(
        _newest_near(
            ACTIVITIES,
            *(f"try_cast(try(json_extract_string({READABLE}, '$.{field}')) as {kind})" for field, kind in _FIELDS),
        ),
        athlete_id=athlete_id,
        days=near,
    ):
        yield KnownActivity(id_, start_date, elapsed_s or 0, distance_m or 0, upload_id, bool(is_manual))
    # without dates: bronze has them as a column
    read = RowReadings(lambda: ())
    for id_, start_date, payload in bronze.query(
        _newest_near(EXPORT_ACTIVITIES, "payload"), athlete_id=athlete_id, days=near
    ):
        row = read(payload)
        yield KnownActivity(
            id_,
            start_date,
            row.get("elapsed_time") or 0,
            row.get("distance") or 0,
            row.get("upload_id"),
            bool(row.get("manual")),
        )


_FIELDS = (("elapsed_time", "double"), ("distance", "double"), ("upload_id", "bigint"), ("manual", "boolean"))


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
