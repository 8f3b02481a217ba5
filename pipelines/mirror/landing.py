"""Landing pages of payloads in bronze with dlt: page → Arrow with an explicit schema and the payload → shard.

Each resource is extracted in commits (`Bronze.land`), so that a kill or an error costs at most one commit.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dlt
import pyarrow as pa
from dlt.extract import DltResource
from dlt.extract.items import DataItemWithMeta

from pipelines.bronze.shard import taken_by_dlt, write_new_shard
from pipelines.bronze.store import Bronze, Landed, resource_of
from pipelines.bronze.tables import ACTIVITIES, TABLES
from pipelines.sources.strava_api.payloads import EPOCH, Payload

END_OF_TIME = datetime(9999, 12, 31)
# 4 MB of payloads are in memory at a time, here and when DuckDB reads the shard
ROWS_PER_SHARD = 2000
# a page: making a table for each detail would take longer than reading the detail
ROWS_PER_TABLE = 200
# however many rows: details of half a megabyte each would be a shard of 250 MB, which takes even more to read
BYTES_PER_TABLE = 2**23
BYTES_PER_SHARD = 2**25
RECENT = 5000


def pull_of(table: str, athlete_id: int, began_at: datetime) -> str:
    """The beginning of the names of an athlete's shards of `table` from a run that `began_at` (UTC)."""
    return f"{table}_{athlete_id}_{began_at:%Y%m%d%H%M%S}"


class NewVersions:
    """Turns payloads into shards of the versions that bronze does not have yet; counts them in `count`.

    `pull` is the beginning of its shards' names; they wait in `work_path` until dlt takes them. `no_news` returns
    the digests of payloads, fetched at an instant (UTC), that need not land although they differ from bronze.
    """

    def __init__(
        self,
        table: str,
        landed: Landed,
        athlete_id: int,
        started_at: datetime,
        work_path: Path,
        no_news: Callable[[Sequence[Payload], datetime], set[bytes]] = lambda _payloads, _now: set(),
    ) -> None:
        self.table = table
        self._landed = landed
        self._athlete_id = athlete_id
        self._newest_fetched_at = landed.newest_fetched_at or EPOCH
        # a page that shifts during the walk repeats what came shortly before; a whole history would take 20 MB
        self._recent: dict[int | bytes, bytes] = {}
        self._work_path = work_path
        self._no_news = no_news
        self.pull = pull_of(table, athlete_id, started_at)
        self.count = 0

    @property
    def newest_fetched_at(self) -> datetime:
        """The instant (UTC) after which every further version is fetched."""
        return self._newest_fetched_at

    def shards(self, pages: Iterable[list[Payload]]) -> Iterator[DataItemWithMeta]:
        """The payloads of `pages` that are new or changed, as files for dlt."""
        waiting: list[pa.Table] = []
        new: list[tuple[Payload, datetime]] = []
        for page in pages:
            new += self._new(page)
            if len(new) >= ROWS_PER_TABLE or sum(len(payload.text) for payload, _ in new) >= BYTES_PER_TABLE:
                waiting.append(self._rows(new))
                new = []
            rows, size = sum(map(len, waiting)), sum(table.nbytes for table in waiting)
            if rows >= ROWS_PER_SHARD or size >= BYTES_PER_SHARD:
                yield from self._shard_of(waiting)
                waiting = []
        if new:
            waiting.append(self._rows(new))
        if waiting:
            yield from self._shard_of(waiting)

    def _shard_of(self, tables: list[pa.Table]) -> Iterator[DataItemWithMeta]:
        yield from taken_by_dlt(*write_new_shard([pa.concat_tables(tables)], self.pull, self._work_path))

    def _new(self, payloads: Sequence[Payload]) -> list[tuple[Payload, datetime]]:
        """The payloads of a page that are new or changed, and when it was fetched."""
        # a clock that was set back must not make today's version older than yesterday's
        fetched_at = max(datetime.now(UTC).replace(tzinfo=None), self._newest_fetched_at + timedelta(microseconds=1))
        self._newest_fetched_at = fetched_at
        no_news = self._no_news([payload for payload in payloads if self._has_changed(payload)], fetched_at)
        new = [(payload, fetched_at) for payload in payloads if self._is_new(payload, no_news)]
        self.count += len(new)
        return new

    def _rows(self, new: list[tuple[Payload, datetime]]) -> pa.Table:
        columns = {
            "id": pa.array([payload.id for payload, _ in new], pa.int64()),
            "athlete_id": pa.array([payload.athlete_id or self._athlete_id for payload, _ in new], pa.int64()),
            "start_date": pa.array([payload.start_date for payload, _ in new], pa.timestamp("us")),
            "fetched_at": pa.array([fetched_at for _, fetched_at in new], pa.timestamp("us")),
            "payload_hash": pa.array([payload.digest.hex() for payload, _ in new], pa.string()),
            "payload": pa.array([payload.text for payload, _ in new], pa.string()),
        }
        return pa.table(columns)

    def _has_changed(self, payload: Payload) -> bool:
        """Whether it differs from the newest version of its activity, which is in bronze and not of this walk."""
        if payload.id is None or payload.id in self._recent or payload.id not in self._landed.hashes:
            return False
        return self._landed.hashes[payload.id] != payload.digest

    def _is_new(self, payload: Payload, no_news: set[bytes]) -> bool:
        """Whether the newest known version differs, and that is news; this one is the newest from now on."""
        key = payload.digest if payload.id is None else payload.id
        if self._recent.get(key, self._landed.hashes.get(key)) == payload.digest:
            return False
        if payload.digest in no_news and key not in self._recent:
            return False
        self._recent[key] = payload.digest
        if len(self._recent) > RECENT:
            del self._recent[next(iter(self._recent))]
        return True


def activities(pages: Iterable[list[Payload]], versions: NewVersions, start_after: datetime) -> DltResource:
    """`pages` of the list as a dlt resource: new versions of activities that start at `start_after` or later.

    The incremental cursor has an end, which makes it stateless: it starts where the shards end, minus the lookback.
    """

    @dlt.resource(name=ACTIVITIES, columns=TABLES[ACTIVITIES].columns, write_disposition="append")
    def listed(
        start_date: dlt.sources.incremental[datetime] = dlt.sources.incremental(  # noqa: B008 - dlt's way
            "start_date",
            initial_value=start_after,
            end_value=END_OF_TIME,
            range_end="closed",
            primary_key=(),
            on_cursor_value_missing="include",
        ),
    ) -> Iterator[DataItemWithMeta]:
        # Strava has applied the range; dlt would copy each table four times to apply it again
        start_date.advance(None)  # type: ignore[arg-type]
        yield from versions.shards(pages)

    return listed()


def rows_of(pages: Iterable[list[Payload]], versions: NewVersions) -> DltResource:
    """`pages` of payloads as a dlt resource: their new versions."""
    return resource_of(versions.table, versions.shards(pages))


class Notes:
    """The pipeline's own records (sweeps, tombstones), landed as rows of bronze; `began_at` is the run's."""

    def __init__(self, bronze: Bronze, began_at: datetime) -> None:
        self._bronze = bronze
        self.began_at = began_at

    def land(self, table: str, payloads: list[Payload], newest: datetime | None, athlete_id: int) -> None:
        """Land `payloads` of an athlete in `table`, each later than `newest` (UTC)."""
        versions = NewVersions(table, Landed({}, newest), athlete_id, self.began_at, self._bronze.waiting_path)
        self._bronze.land(rows_of([payloads], versions))
