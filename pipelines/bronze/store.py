"""Bronze: immutable Parquet shards, one row per version of an activity; everything else is rebuilt from them.

A shard appears completely or not at all, has the name that its rows contain, and is never written twice.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from itertools import count
from pathlib import Path
from shutil import copyfileobj, rmtree
from typing import Any

import dlt
import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.destination.client import PreparedTableSchema
from dlt.common.metrics import LoadJobMetrics
from dlt.common.normalizers.naming import NamingConvention
from dlt.destinations import filesystem
from dlt.destinations.impl.filesystem.configuration import FilesystemDestinationClientConfiguration
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient, FilesystemLoadJob
from dlt.extract import DltResource
from dlt.extract.items import DataItemWithMeta
from dlt.pipeline.exceptions import PipelineStepFailed

from pipelines.bronze.compaction import (
    Span,
    batches_of,
    covered,
    due,
    file_name,
    file_of,
    is_compacted,
    rows_to_compact,
    span,
    together,
    within_memory,
)
from pipelines.bronze.liveness import OF_ANYBODY, VERSION_ORDER, is_live, with_live
from pipelines.bronze.object_store import aws_credentials, fetch_missing, put_back, store_error, take_away
from pipelines.bronze.packages import (
    forget_packages,
    holds_packages,
    known_cause,
    load_package,
    open_pipeline,
    root,
    take_out_files,
)
from pipelines.bronze.shard import (
    Erases,
    IsPurged,
    ShardDamaged,
    are_as_they_came,
    bytes_and_rows,
    erases_purged,
    files_set_aside,
    look_through,
    name_in_new_file,
    names_in,
    opened,
    rewrite_shard,
    shard_files,
    shard_name,
    without_erased,
    write_shard_anew,
)
from pipelines.bronze.sweep import read_tombstone
from pipelines.bronze.tables import (
    ACTIVITIES,
    ACTIVITY_DETAILS,
    ACTIVITY_FILES,
    ERASED_FROM,
    EXPORT_ACTIVITIES,
    SWEEPS,
    TABLES,
    TOMBSTONES,
    WITHDRAWALS,
)
from pipelines.bronze.withdrawals import Withdrawal, Withdrawn
from pipelines.ground.durable import (
    entries,
    is_there,
    linked_whole,
    make_folder,
    move,
    read_whole,
    remove,
    size_of,
    written_whole,
)
from pipelines.ground.engine import literal, read_parquet, rows_of
from pipelines.ground.errors import StorageFailed, StravaError, WarehouseBusy
from pipelines.ground.progress import Report
from pipelines.ground.settings import StravaSettings
from pipelines.sources.strava_api.pause import Pause
from pipelines.sources.strava_api.payloads import EPOCH

# a purge may remove shards while another process reads
TRIES = 3

# the payload as DuckDB can read it: half a surrogate pair, which Strava may send as an escape, makes it refuse the
# whole text. The macro `readable_json` does the same in dbt.
READABLE = r"""
    case when regexp_matches(payload, '\\u[dD]') and not json_valid(payload) then array_to_string(list_transform(
        regexp_extract_all(payload, '(?s)[^\\]+|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u[dD][89a-fA-F]..|\\.'),
        lambda part: case when regexp_full_match(part, '\\u[dD]...') then '\ufffd' else part end
    ), '') else payload end
"""

# of JSON in memory at a time
OUTPUT_BYTES = 2**23


@dataclass(frozen=True)
class Landed:
    """What bronze has of one table: newest hash by id (by hash for a payload without id), and the newest instant."""

    hashes: dict[int | bytes, bytes]
    newest_fetched_at: datetime | None


class _AppearWholeJob(FilesystemLoadJob):
    """Gives a file of a load package its place: a shard as a second name of the file, or as a copy if that is refused.

    dlt's own job copies in place, so that a kill leaves half a file. An object store has no half-written objects, so
    dlt's own job is enough there. `client` is the loading client.
    """

    client: FilesystemClient

    @property
    def path(self) -> Path:
        """Where the file is: dlt moves it when the job begins."""
        return Path(self.metrics().file_path)

    def run(self) -> None:
        target = self.make_remote_path()
        there = self._what_is_there(target) if self.load_table_name in TABLES else None
        if there is not None:
            # a job repeated after a kill finds its own file; the file of another job must not be overwritten
            if there != self.path.read_bytes():
                raise StorageFailed(f"The shard {target} exists with other content; shards are never overwritten.")
            return
        if not self.client.is_local_filesystem:
            super().run()
            return
        if self.load_table_name in TABLES and linked_whole(self.path, Path(target)):
            return
        with written_whole(Path(target)) as file, self.path.open("rb") as source:
            copyfileobj(source, file, 1 << 20)

    def _what_is_there(self, target: str) -> bytes | None:
        """The bytes at `target`, None if there is nothing; if that cannot be determined, it is an error."""
        try:
            if self.client.is_local_filesystem:
                return read_whole(Path(target))
            content: bytes = self.client.fs_client.cat_file(target)
        except FileNotFoundError:
            return None
        return content

    def make_remote_file_path(self, file_name: str) -> str:
        if self.load_table_name not in TABLES:
            return super().make_remote_file_path(file_name)
        # from the rows, not from this run's settings: a killed run may have left the package
        return f"{self.load_table_name}/{name_in_new_file(self.path)}.parquet"

    def metrics(self) -> LoadJobMetrics:
        # dlt's own metrics add the remote path, which can no longer be read: the file is among the completed jobs
        metrics = super(FilesystemLoadJob, self).metrics()
        assert metrics is not None  # noqa: S101 - for the type checker: of a job that has begun there are some
        return metrics


class _ShardClient(FilesystemClient):
    def create_dataset(self) -> None:
        # dlt's own fails if the folder exists: a mounted volume, shards restored from a backup
        self.fs_client.makedirs(self.dataset_path, exist_ok=True)

    def get_load_job_class(self, table: PreparedTableSchema, file_path: str) -> type[FilesystemLoadJob]:
        # dlt creates a job from the path alone
        return type("AppearWholeJob", (_AppearWholeJob,), {"client": self})


class shards(filesystem):  # noqa: N801 - dlt names its destinations so
    """dlt's filesystem destination, with shards that appear completely or not at all."""

    @property
    def client_class(self) -> type[FilesystemClient]:
        """The client whose load jobs rename into place."""
        return _ShardClient

    def capabilities(
        self, config: FilesystemDestinationClientConfiguration | None = None, naming: NamingConvention | None = None
    ) -> DestinationCapabilitiesContext:
        """Its capabilities: the URL alone decides. dlt would resolve all settings for this, a dozen times a commit."""
        return super().capabilities(config or self.spec(bucket_url=self.config_params["bucket_url"]), naming)


class BronzeReader:
    """What the shards in `folder` contain, for commands that only read: nothing is moved, repaired or written.

    A damaged shard is left out, as if it did not exist, and noted in `damaged`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # path -> what is wrong with it
        self.damaged: dict[Path, str] = {}
        # (path, size) of a file -> the names of its shards
        self._names: dict[tuple[Path, int], frozenset[str]] = {}
        # Arrow's own pool keeps freed memory: 40 MB more at 100,000 activities, and no faster
        pa.set_memory_pool(pa.system_memory_pool())

    def shards(self, table: str) -> list[Path]:
        """The shard files of `table`, by name, without those known to be damaged or covered by another one.

        Raises:
            StorageFailed: the folder cannot be listed.
        """
        paths = [path for path in shard_files(self.folder / table) if path not in self.damaged]
        hidden = covered(paths, self.names_of)
        return [path for path in paths if path not in hidden]

    def names_of(self, path: Path) -> frozenset[str]:
        """The names of the shards in a file; none if it is damaged or was just removed."""
        try:
            return self._read_names(path)
        except (FileNotFoundError, ShardDamaged):
            return frozenset()

    def _read_names(self, path: Path) -> frozenset[str]:
        key = path, size_of(path)
        if key not in self._names:
            self._names[key] = names_in(path)
        return self._names[key]

    def leave_out_damaged(self) -> int:
        """Look through all shards, and leave out those that are damaged; returns how many there were.

        Raises:
            StorageFailed: the system could not read one; that is not damage.
        """
        found = self._find_damaged()
        self.damaged |= found
        return len(found)

    def _find_damaged(self) -> dict[Path, str]:
        found = {}
        for path in [path for table in TABLES for path in self.shards(table)]:
            try:
                look_through(path)
            except ShardDamaged as damage:
                found[path] = damage.reason
            except FileNotFoundError:
                # just removed by a purge
                continue
        return found

    def shards_set_aside(self) -> list[Path]:
        """What is set aside as damaged, by its path as a shard, unless that is here again."""
        found = [each for table in TABLES for each in files_set_aside(self.folder / table)]
        return sorted({shard for aside, shard in found if not self._is_back(aside, shard)})

    def _is_back(self, aside: Path, shard: Path) -> bool:
        """Whether what is set aside as `aside` is here again: the `shard`, or all of its shards in other files."""
        if is_there(shard):
            return True
        names = self.names_of(aside) if is_compacted(shard) else frozenset([shard.stem])
        return bool(names) and names <= self._names_elsewhere(shard)

    def _names_elsewhere(self, shard: Path) -> frozenset[str]:
        """The names of the shards in all other files of its table that overlap with `shard`."""
        of = span(shard)
        others = [
            path
            for path in self.shards(shard.parent.name)
            if path != shard and span(path).first <= of.last and of.first <= span(path).last
        ]
        return frozenset().union(*map(self.names_of, others))

    def landed(self, table: str) -> Landed:
        """What is known of `table`, so that only new or changed payloads land; what is buried lands again."""
        rows = self.query(
            f"""
            select coalesce(cast(id as varchar), payload_hash), any_value(id),
                   max_by(payload_hash, {VERSION_ORDER}), max(fetched_at)
            from {{{table}}} group by 1
            """
        )
        buried: dict[int, datetime] = {}
        if table in (ACTIVITIES, ACTIVITY_DETAILS):
            buried = dict(self.query(f"select id, max(fetched_at) from {{{TOMBSTONES}}} group by id"))
        return Landed(
            {
                id_ if id_ is not None else bytes.fromhex(key): bytes.fromhex(newest)
                for key, id_, newest, fetched_at in rows
                if table != ACTIVITIES or id_ is None or is_live(fetched_at, buried.get(id_))
            },
            max([*(fetched_at for *_, fetched_at in rows), *buried.values()], default=None),
        )

    def cursor(self, athlete_id: int) -> datetime | None:
        """The newest `start_date` (UTC) that has landed of `athlete_id`, or None.

        It is read from the shards, so it can never be ahead of them. A start that is later than its own fetch (a watch
        with a wrong clock) does not count, because it would hide everything that follows.
        """
        rows = self.query(
            f"select max(start_date) from {{{ACTIVITIES}}} where athlete_id = $athlete_id and start_date <= fetched_at",
            athlete_id=athlete_id,
        )
        return rows[0][0] if rows else None

    def live(self, athlete_id: int, start: datetime = EPOCH) -> dict[int, datetime | None]:
        """Ids of the activities that are not buried and start at `start` (UTC) or later, each with its start.

        Without a start, an activity counts as one of 1970.
        """
        rows = self.query(
            f"{with_live()} select id, start_date from live "
            "where coalesce(start_date, timestamp '1970-01-01') >= $start",
            athlete_id=athlete_id,
            start=start,
        )
        return dict(rows)

    def live_at_strava(self, athlete_id: int, start: datetime = EPOCH) -> dict[int, datetime | None]:
        """Like `live`, without activities that are known by a file alone, which have negative ids."""
        return {id_: at for id_, at in self.live(athlete_id, start).items() if id_ > 0}

    def live_of_all(self) -> set[int]:
        """Ids of the live activities of all athletes."""
        return {id_ for (id_,) in self.query(f"{with_live(OF_ANYBODY)} select id from live")}

    def exported(self, athlete_id: int) -> set[int]:
        """Ids of all activities in exports, buried or not, from their rows or their files."""
        rows = self.query(
            f"select id from {{{EXPORT_ACTIVITIES}}} where athlete_id = $athlete_id union "
            f"select id from {{{ACTIVITY_FILES}}} where athlete_id = $athlete_id and id is not null",
            athlete_id=athlete_id,
        )
        return {id_ for (id_,) in rows}

    def live_at_api(self, athlete_id: int, start: datetime = EPOCH) -> dict[int, datetime | None]:
        """Like `live`, for those that came through the API at least once."""
        known = self.query(
            f"select distinct id from {{{ACTIVITIES}}} where athlete_id = $athlete_id union "
            f"select distinct id from {{{ACTIVITY_DETAILS}}} where athlete_id = $athlete_id",
            athlete_id=athlete_id,
        )
        came = {id_ for (id_,) in known}
        return {id_: at for id_, at in self.live(athlete_id, start).items() if id_ in came}

    def last_sweep(self, athlete_id: int, complete: bool = False) -> tuple[datetime, str] | None:
        """When the newest record of a sweep, or of a `complete` one, landed, and its payload."""
        only = "and json_extract_string(payload, '$.complete') = 'true'" if complete else ""
        rows = self.query(
            f"select fetched_at, payload from {{{SWEEPS}}} where athlete_id = $athlete_id {only} "
            "order by fetched_at desc limit 1",
            athlete_id=athlete_id,
        )
        return rows[0] if rows else None

    def newest_fetched_at(self) -> datetime | None:
        """The newest instant in any table."""
        instants = " union all ".join(f"select fetched_at from {{{table}}}" for table in TABLES)
        rows = self.query(f"select max(fetched_at) from ({instants})")
        return rows[0][0] if rows else None

    def seen(self, athlete_id: int, instant: datetime) -> dict[int, tuple[datetime, datetime | None]]:
        """Ids of all activities, buried or not → instant and start of the newest version up to `instant` (UTC)."""
        rows = self.query(
            f"select id, max(fetched_at), max_by(start_date, {VERSION_ORDER}) from {{{ACTIVITIES}}} "
            "where id is not null and athlete_id = $athlete_id and fetched_at <= $instant group by id",
            athlete_id=athlete_id,
            instant=instant,
        )
        return {id_: (fetched_at, start) for id_, fetched_at, start in rows}

    def tombstones(self) -> list[tuple[int, int, datetime | None, datetime, str]]:
        """Athlete, id, start, instant and payload of all tombstones, oldest first."""
        return self.query(
            f"select athlete_id, id, start_date, fetched_at, payload from {{{TOMBSTONES}}} "
            "where id is not null order by fetched_at, payload_hash"
        )

    def purged(self) -> dict[int, datetime]:
        """Ids of what was purged, each with the instant of the newest intent."""
        return {
            id_: instant for _, id_, _, instant, payload in self.tombstones() if read_tombstone(payload).get("purged")
        }

    def is_purged(self, table: str) -> IsPurged:
        """Whether a row of `table`, with this id and instant, was erased for good."""
        purged_at = self.purged() if table in ERASED_FROM else {}
        return lambda id_, fetched_at: id_ is not None and id_ in purged_at and fetched_at <= purged_at[id_]

    def withdrawn(self) -> Withdrawn:
        """All withdrawals together."""
        rows = self.query(f"select payload, fetched_at from {{{WITHDRAWALS}}}")
        read = [Withdrawal.read(payload) for payload, _ in rows]
        return Withdrawn(filter(None, read), max((at for _, at in rows), default=EPOCH))

    def rows_by_shard(self, table: str) -> dict[str, int]:
        """The names inside the shards of `table`, each with its number of rows; a copied shard counts once."""
        rows = self.query(f"select shard, count(*) from {{{table}}} group by shard, filename")
        return dict(rows)

    def versions(self, table: str, ids: Iterable[int]) -> list[tuple[int, datetime, str, str]]:
        """Id, instant, payload hash and file of each row of `table` about one of `ids`."""
        return self.query(
            f"select id, fetched_at, payload_hash, filename from {{{table}}} where id in (select unnest($ids))",
            ids=list(ids),
        )

    def without_details(self, athlete_id: int, since: date | None = None, until: date | None = None) -> list[int]:
        """Ids of live activities that came through the API without details, newest first.

        `since` and `until` are local dates.
        """
        return [id_ for id_, has_details in self._activities(athlete_id, since, until) if not has_details]

    def with_details(self, athlete_id: int) -> set[int]:
        """Ids of live activities that have details."""
        return {id_ for id_, has_details in self._activities(athlete_id) if has_details}

    def sweeps_begun(self, athlete_id: int) -> list[datetime]:
        """For each complete sweep, an instant after its begin and after all that landed before it, oldest first."""
        rows = self.query(
            f"""
            select min(fetched_at) from {{{SWEEPS}}} where athlete_id = $athlete_id
            group by json_extract_string(payload, '$.started_at')
            having bool_or(json_extract_string(payload, '$.complete') = 'true')
            order by 1
            """,
            athlete_id=athlete_id,
        )
        return [begun_by for (begun_by,) in rows]

    def ids(self, athlete_id: int, since: date | None = None, until: date | None = None) -> set[int]:
        """Ids of all live activities that came through the API, between the local dates `since` and `until`."""
        return {id_ for id_, _ in self._activities(athlete_id, since, until)}

    def _activities(
        self, athlete_id: int, since: date | None = None, until: date | None = None
    ) -> list[tuple[int, bool]]:
        in_range = ""
        if since is not None or until is not None:
            # the payload is only parsed if dates are given; an athlete means the local date
            local = f"try_cast(left(try(json_extract_string({READABLE}, '$.start_date_local')), 10) as date)"
            in_range = (
                f"and {local} between coalesce($since, date '0001-01-01') and coalesce($until, date '9999-12-31')"
            )
        return self.query(
            f"""
            {with_live(in_range=in_range)}
            select live.id, details.id is not null
            from live
            left join (select distinct id from {{{ACTIVITY_DETAILS}}}) as details on details.id = live.id
            where details.id is not null or live.id in (select id from {{{ACTIVITIES}}})
            order by live.start_date desc nulls last, live.id desc
            """,
            athlete_id=athlete_id,
            **({"since": since, "until": until} if in_range else {}),
        )

    def query(self, sql: str, **parameters: Any) -> list[Any]:
        """Rows of `sql`, in which `{table}` stands for the rows of that table's shards, of which there may be none.

        Raises:
            StorageFailed: a shard, or another file that `sql` reads, cannot be read although it is not damaged.
        """
        return self._asked(lambda: self._run_query(sql, parameters))

    def query_shard(self, table: str, shard: Path, sql: str, **parameters: Any) -> list[Any]:
        """Like `query`, for one shard of `table`; no rows if it is damaged or was just removed."""

        def ask() -> list[Any]:
            is_left = shard not in self.damaged and is_there(shard)
            return self._run_query(sql, parameters, {table: [shard]}) if is_left else []

        return self._asked(ask)

    def _asked(self, ask: Callable[[], list[Any]]) -> list[Any]:
        """The answer of `ask`; if it fails, again without damaged shards."""
        for left in reversed(range(TRIES)):
            try:
                return ask()
            except duckdb.OutOfMemoryException as error:
                raise StorageFailed(
                    f"The shards in {self.folder} could not be read: memory does not suffice. Nothing was changed; "
                    "free some and run again."
                ) from error
            except duckdb.Error as error:
                # damaged, or just removed by a purge, or unreadable, which this raises
                self.leave_out_damaged()
                if not left:
                    reason = (str(error).splitlines() or ["no reason given"])[0]
                    raise StorageFailed(
                        f"The shards in {self.folder} could not be read, though each by itself is whole: {reason} "
                        "Nothing was changed; run again."
                    ) from error
        raise AssertionError

    def _run_query(
        self, sql: str, parameters: dict[str, Any], shards: dict[str, list[Path]] | None = None
    ) -> list[Any]:
        found = shards or {table: self.shards(table) for table in TABLES if f"{{{table}}}" in sql}
        used = {table: list(map(literal, paths)) for table, paths in found.items()}
        if not any(used.values()):
            return []
        # a single shard with other types would be read without an error, which would only show in Python
        readers = {
            table: f"(select {TABLES[table].typed}, filename from {read_parquet(f'$shards_of_{table}')})"
            if paths
            else TABLES[table].no_rows
            for table, paths in used.items()
        }
        files = {f"shards_of_{table}": paths for table, paths in used.items() if paths}
        return rows_of(sql.format(**readers), files | parameters)


class Bronze(BronzeReader):
    """The shards of one folder: landing new ones, and querying them. For a run that holds the lock.

    url: where they are, if that is an object store, of which `folder` is then a copy. rows_of: the rows of the shards
    of a table whose names are in a span, from the warehouse; None if it lacks them; raises if that cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        work_path: Path,
        warn: Callable[[str], None],
        url: str | None = None,
        rows_of: Callable[[str, Span], pa.Table | None] = lambda _table, _names: None,
    ) -> None:
        super().__init__(folder)
        self._rows_of = rows_of
        self._url = url
        # where new shards wait until dlt takes them into its package
        self.waiting_path = work_path / "waiting"
        self._warn = warn
        # files from a package that a killed run left, until they have landed
        self._taken_out_path = work_path / "taken_out"
        self._pipeline = open_pipeline(
            "strava_bronze",
            work_path,
            take_out_to=self._taken_out_path,
            destination=self._destination(),
            dataset_name=url.rpartition("/")[2] if url else folder.name,
        )

    def _destination(self) -> shards:
        options: dict[str, Any] = {
            "layout": "{table_name}/{load_id}.{file_id}.{ext}",
            "enable_dataset_name_normalization": False,
        }
        if self._url is None:
            return shards(bucket_url=str(self.folder.parent), **options)
        return shards(bucket_url=self._url.rpartition("/")[0], credentials=aws_credentials(), **options)

    def fetch(self) -> None:
        """Bring the copy up to date with the object store, if there is one.

        Raises:
            StorageFailed: it cannot be reached, or the disk is full.
        """
        if self._url is not None:
            fetch_missing(self._pipeline, self._url, TABLES, self.folder)

    def land(self, *resources: DltResource) -> None:
        """Extract `resources` and land their rows as shards; when this returns, they survive a power cut.

        Raises:
            StorageFailed: a file could not be written; what was extracted waits for `finish_pending`.
        """
        try:
            self.waiting_path.mkdir(parents=True, exist_ok=True)
            for resource in resources:
                # dlt creates these folders too, but a power cut could undo that and lose the first shards
                make_folder(self.folder / resource.name)
            self._pipeline.extract(resources, loader_file_format="parquet")
            self._pipeline.normalize()
            load_package(self._pipeline)
        except (OSError, PipelineStepFailed) as error:
            raise self._cause(error) from error
        self.fetch()

    def finish_pending(self) -> None:
        """Land what a killed run had extracted, and drop the rest.

        Raises:
            StorageFailed: a file could not be read or written; nothing of it is lost.
        """
        # from a run that was killed between two steps: what it had landed, and what it had not
        for leftover in (Path(self._pipeline.working_dir, "load", "loaded"), self.waiting_path):
            rmtree(leftover, ignore_errors=True)
        self.fetch()
        try:
            if holds_packages(self._pipeline) or is_there(self._taken_out_path):
                take_out_files(Path(self._pipeline.working_dir), self._taken_out_path)
                forget_packages(self._pipeline)
                self._land_taken_out()
                rmtree(self._taken_out_path)
        except OSError as error:
            raise self._cause(error) from error

    def _land_taken_out(self) -> None:
        tables = {table: self._whole_of(shard_files(self._taken_out_path / table)) for table in TABLES}
        if any(tables.values()):
            self.land(*(resource_of(table, _taken_out(paths)) for table, paths in tables.items() if paths))

    def _whole_of(self, paths: list[Path]) -> list[Path]:
        whole = []
        for path in paths:
            try:
                look_through(path)
            except ShardDamaged:
                # a power cut: the cursor has not moved past it, so it is requested again
                self._warn("What a killed run had fetched but not landed is damaged; it will be fetched again.")
            else:
                whole.append(path)
        return whole

    def _cause(self, error: Exception) -> BaseException:
        """The typed error behind `error`; errors of an object store arrive without types of their own."""
        cause = known_cause(error, self.folder)
        if self._url is None or isinstance(cause, StravaError | KeyboardInterrupt):
            return cause
        return store_error(self._url, root(error))

    def to_compact(self) -> list[tuple[str, list[Path]]]:
        """Table and small shard files of each group that is to become one file; usually none.

        Raises:
            StorageFailed: the size of a file cannot be read.
        """
        groups = []
        for table in TABLES:
            # beside what is set aside its replacement stays, which shows that it is not missing
            replaced = {shard for _, shard in files_set_aside(self.folder / table)}
            paths = [path for path in self.shards(table) if path not in replaced]
            groups += [(table, batch) for batch in due(paths)]
        return groups

    def compact(self, pause: Pause) -> int:
        """Write the rows of each group of `to_compact` into one file; returns how many files they had.

        Asks `pause` between.

        Raises:
            Interrupted: a signal came; the next call continues.
            StorageFailed: a file could not be read, written or removed; no row is lost.
        """
        done = 0
        for table, batch in self.to_compact():
            pause.wait(0)
            try:
                done += self._compact(table, batch)
            except MemoryError as error:
                raise StorageFailed(f"The shards in {self.folder / table}: memory does not suffice.") from error
        if done:
            self.fetch()
        self.remove_covered()
        return done

    def _compact(self, table: str, batch: list[Path]) -> int:
        done = 0
        for files in within_memory(rows for rows in map(rows_to_compact, batch) if rows is not None):
            if len(files) > 1:
                self._write_compacted(table, together(files))
                done += len(files)
        return done

    def _write_compacted(self, table: str, rows: pa.Table) -> None:
        folder = self.folder if self._url is None else self.waiting_path
        path = folder / table / file_name(rows)
        with written_whole(path) as file:
            file.write(file_of(rows))
        if self._url is not None:
            # as with any shard: first the store has it, then the copy fetches it
            put_back(self._pipeline, self._url, path)
            remove(path)

    def remove_covered(self) -> None:
        """Remove the files that a compacted file covers if that is whole, after compaction or after a kill.

        A link stays: what it leads to belongs to somebody else.

        Raises:
            StorageFailed: one could not be removed; readers leave it out.
        """
        for table in TABLES:
            covers = covered(shard_files(self.folder / table), self.names_of)
            whole = {path for path in set(covers.values()) if _is_whole(path)}
            hidden = {path: by for path, by in sorted(covers.items()) if by in whole and not path.is_symlink()}
            if hidden and self._url is not None:
                hidden = take_away(self._pipeline, self._url, hidden)
            for path in hidden:
                # if a power cut brings one back, the next run removes it again
                remove(path, durable=False)

    def erase(self, shard: Path, erases: Erases) -> int:
        """Erase the rows of `shard` for which `erases` is true; returns how many.

        Raises:
            StorageFailed: it could not be written; as long as a row is left somewhere, the next run finds it.
        """
        rows = rewrite_shard(shard, erases)
        if rows and self._url is not None:
            put_back(self._pipeline, self._url, shard)
        return rows

    def whole_shards(self, table: str, but: set[str]) -> dict[str, Path]:
        """The files of the shards of `table`, by the name inside, except those in `but`; several may share a file.

        Raises:
            ShardDamaged: one of them has no name; `leave_out_damaged` handles it.
            StorageFailed: one cannot be read.
        """
        found: dict[str, Path] = {}
        for path in self.shards(table):
            # somebody may have removed it just now
            with suppress(FileNotFoundError):
                if is_compacted(path) or path.stem not in but:
                    found |= {name: path for name in self._read_names(path) - but if name is not None}
        return found

    def leave_out_damaged(self) -> int:
        """Look through all shards, and set damaged ones aside; returns how many there were.

        A shard whose rows the warehouse has is rewritten from them.

        Raises:
            StorageFailed: the system could not read one; that is not damage, and nothing has moved.
            WarehouseBusy: the warehouse may have the rows of one but cannot be read now; the shard stays in place.
        """
        found = self._find_damaged()
        for path, reason in found.items():
            self._set_aside(path, reason, self._rows_in_warehouse(path))
        return len(found)

    def _rows_in_warehouse(self, shard: Path) -> pa.Table | None:
        if self._url is not None:
            # a bucket has the shard itself
            return None
        table, names = shard.parent.name, span(shard)
        if not is_compacted(shard):
            # the warehouse knows it by the name inside, where that can be read yet
            with suppress(ShardDamaged, FileNotFoundError):
                names = Span(*[shard_name(shard)] * 2)
        rows = self._rows_of(table, names)
        if rows is not None and is_compacted(shard):
            # its names may be unreadable: take the shards between its first and its last that no other file has
            rows = rows.filter(pc.invert(pc.is_in(rows["shard"], pa.array(self._names_elsewhere(shard), pa.string()))))
        # of an export's rows staging may have what a reader makes of them, and that is not what came
        return rows if rows and are_as_they_came(rows) else None

    def _set_aside(self, shard: Path, reason: str, rows: pa.Table | None) -> None:
        aside = self._place_aside(shard)
        place = shard if rows is None else self._place_anew(shard, shard, rows)
        move(shard, aside)
        found = f"The shard {shard} is damaged ({reason}) and was set aside as {aside.name}"
        if rows is not None:
            write_shard_anew(rows, place)
        if place != shard:
            self._warn(
                f"{found}; what the warehouse had of its rows was written anew as {place.name}. Nothing else here has "
                f"the others: restore it from a backup, and keep {aside.name}."
            )
        elif rows is not None:
            self._warn(f"{found}; the warehouse had its rows, and it was written anew.")
        elif self._url is not None:
            self._warn(f"{found}; it is fetched again from {self._url}.")
        else:
            self._warn(f"{found}; nothing else here has its rows: restore it from a backup, and keep {aside.name}.")

    def _place_anew(self, damaged: Path, shard: Path, rows: pa.Table) -> Path:
        """Where to write `rows`, which the warehouse has of the `damaged` file of `shard`.

        Its own place only if they are all of it: what is not there is reported as missing.
        """
        if not is_compacted(shard):
            return shard
        names = self.names_of(damaged)
        is_all = names <= self._names_elsewhere(shard) | frozenset(rows["shard"].unique().to_pylist())
        return shard if names and is_all else shard.with_name(file_name(rows))

    def _place_aside(self, shard: Path) -> Path:
        """A name that no other file has, unless with the same bytes."""
        content = read_whole(shard)
        for number in count(1):
            aside = shard.with_name(f"{shard.name}{'' if number == 1 else f'.{number}'}.torn")
            if not is_there(aside) or read_whole(aside) == content:
                return aside
        raise AssertionError

    def put_back(self) -> None:
        """Put back what was set aside: unchanged if it is whole, otherwise from the warehouse if that has its rows.

        Earlier versions set aside what a failing disk could not read. What was purged or withdrawn since stays
        erased.

        Raises:
            StorageFailed: a file could not be read or written; nothing of it is lost.
        """
        if self._url is not None:
            # a bucket has the shard itself
            return
        # withdrawals and tombstones first: they record what was erased
        for table in reversed(TABLES):
            for aside, shard in files_set_aside(self.folder / table):
                if not self._is_back(aside, shard):
                    self._put_back(aside, shard)

    def _put_back(self, aside: Path, shard: Path) -> None:
        table = shard.parent.name
        withdrawn = self.withdrawn().erases(table)
        purged = erases_purged(self.is_purged(table))
        try:
            look_through(aside)
            rewrite_shard(aside, withdrawn)
            if is_there(aside):
                rewrite_shard(aside, purged)
        except ShardDamaged:
            self._write_anew(aside, shard, withdrawn, purged)
            return
        if is_there(aside):
            move(aside, shard)
            self._warn(f"The shard {shard} had been set aside, but it is whole: it is back.")

    def _write_anew(self, aside: Path, shard: Path, *erase: Erases) -> None:
        try:
            rows = self._rows_in_warehouse(shard)
        except WarehouseBusy:
            # the next run tries again
            return
        if rows is None:
            return
        for erases in erase:
            rows = without_erased(rows, erases)
        if rows:
            write_shard_anew(rows, self._place_anew(aside, shard, rows))
            self._warn(f"The shard {shard}, set aside as {aside.name}, was written anew: the warehouse had its rows.")

    def erase_set_aside(
        self, tables: Iterable[str], erases: Callable[[str], Erases]
    ) -> tuple[int, list[tuple[Path, Path]]]:
        """Erase the rows of `tables` for which `erases` is true from what is set aside; returns how many.

        Also returns what cannot be parsed, each with its path as a shard.

        Raises:
            StorageFailed: one could not be read or written; the next run finds it.
        """
        rows, damaged = 0, []
        for table in tables:
            for aside, shard in files_set_aside(self.folder / table):
                try:
                    rows += rewrite_shard(aside, erases(table))
                except ShardDamaged:
                    damaged.append((aside, shard))
        return rows, damaged

    def write_outputs(self, output: Path, this_pull: str) -> None:
        """Write one JSON array per pull that landed activities, byte for byte as Strava sent them.

        This pull gets its file, whatever the clock says, and so do pulls that are newer than the newest file: the next
        run writes the file of a killed pull, and deleted files stay deleted.
        """
        names = (Path(entry.name) for entry in entries(output))
        newest = max((_stamp(name.stem) for name in names if name.match(f"strava_{ACTIVITIES}_*.json")), default="")
        # by pull, its shards, each with the file that it is in
        pulls: dict[str, dict[str, Path]] = {}
        for path in self.shards(ACTIVITIES):
            for name in self.names_of(path) if is_compacted(path) else [path.stem]:
                # activities_<athleteId>_<yyyymmddhhmmss>_<unique>
                pull = name.rpartition("_")[0]
                if pull == this_pull or _stamp(pull) > newest:
                    pulls.setdefault(pull, {})[name] = path
        for pull, files in sorted(pulls.items()):
            try:
                with written_whole(output / f"strava_{pull}.json") as file:
                    file.writelines(_json_array(files))
            except ShardDamaged:
                # what is whole of that pull is written by the next one
                self.leave_out_damaged()


def _is_whole(path: Path) -> bool:
    try:
        look_through(path)
    except (FileNotFoundError, ShardDamaged):
        return False
    return True


def resource_of(table: str, shards: Iterator[DataItemWithMeta]) -> DltResource:
    """`shards`, given as files, as a dlt resource of `table`."""

    @dlt.resource(name=table, columns=TABLES[table].columns, write_disposition="append")
    def files() -> Iterator[DataItemWithMeta]:
        yield from shards

    return files()


def _taken_out(paths: list[Path]) -> Iterator[DataItemWithMeta]:
    for path in paths:
        with opened(path) as file:
            rows = file.metadata.num_rows
        yield dlt.mark.with_file_import(str(path), "parquet", rows, hints=[])


def _stamp(pull: str) -> str:
    return pull.rpartition("_")[2]


def _json_array(files: Mapping[str, Path]) -> Iterable[bytes]:
    """The payloads of shards, given by name with the file of each, as one JSON array, in pieces."""
    separator = b"["
    for name, path in sorted(files.items()):
        size, rows = bytes_and_rows(path)
        batch_size = min(500, max(1, OUTPUT_BYTES * rows // max(size, 1)))
        with opened(path) as file:
            for batch in batches_of(file, path, name, batch_size):
                payloads = batch.column("payload")
                yield separator
                yield pc.binary_join(pa.ListArray.from_arrays([0, len(payloads)], payloads), ",\n")[0].as_buffer()
                separator = b",\n"
    yield b"]\n" if separator != b"[" else b"[]\n"


def open_bronze(
    settings: StravaSettings, report: Report, rows_of: Callable[[str, Span], pa.Table | None] | None = None
) -> Bronze:
    """The bronze of `settings`; `rows_of` as in `Bronze`."""
    options = {"rows_of": rows_of} if rows_of is not None else {}
    return Bronze(settings.bronze_path, settings.state_path / "dlt", report.warn, settings.bronze_store, **options)
