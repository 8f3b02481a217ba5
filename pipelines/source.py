"""The dlt source: Strava's list of activities and their details, page → Arrow with an explicit schema and the payload.

Each resource is extracted in commits (`Bronze.land`), so that a kill or an error in the middle costs a commit at most.
"""

import hashlib
import json
import secrets
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import dlt
import orjson
import pyarrow as pa
import requests
from dlt.extract import DltResource
from dlt.extract.items import DataItemWithMeta
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator

from pipelines.bronze import ACTIVITIES, ACTIVITY_DETAILS, COLUMNS, Landed, write_shard
from pipelines.errors import BudgetSpent, DetailRefused, StravaStatsError, StravaUnavailable
from pipelines.transport import raise_for_refusal

EPOCH = datetime(1970, 1, 1)
END_OF_TIME = datetime(9999, 12, 31)
COMMIT_PAGES = 250
COMMIT_DETAILS = 500
COMMIT_S = 30
# 2 MB of payloads: what is in memory at a time, here and when DuckDB takes the shard in
ROWS_PER_SHARD = 2000
RECENT = 5000
PAGES_AHEAD = 6
SWITCH_INTERVAL_S = 0.0002
# so many refusals in a row are Strava's trouble, not an activity's
REFUSALS_IN_A_ROW = 3


class Payload(NamedTuple):
    """One JSON object as Strava sent it, its SHA-256, and the keys read from it; a key that makes no sense is None."""

    id: int | None
    athlete_id: int | None
    start_date: datetime | None
    text: bytes
    digest: bytes


def payloads_of(body: bytes) -> list[Payload]:
    """The elements of a JSON array, or a single object, each with its own text byte for byte.

    Raises:
        StravaUnavailable: the body is neither.
    """
    try:
        # cut where compact objects meet: a cut in a wrong place leaves no two halves that both are JSON
        return [_payload(orjson.loads(text), text) for text in _cut_between_objects(body.strip())]
    except orjson.JSONDecodeError:
        return _scanned(body)


def _cut_between_objects(text: bytes) -> list[bytes]:
    if not (text.startswith(b"[") and text.endswith(b"]")):
        return [text]
    first, *others = text[1:-1].split(b"},{")
    if not others:
        return [first] if first.strip() else []
    *middle, last = others
    return [first + b"}", *(b"{" + part + b"}" for part in middle), b"{" + last]


def _scanned(body: bytes) -> list[Payload]:
    """What `payloads_of` says of bodies with spaces, nested objects or odd strings: three times slower."""
    scan = json.JSONDecoder().raw_decode
    try:
        text = body.decode()
        start = _skip_space(text, 0)
        if text[start] != "[":
            parsed, end = scan(text, start)
            return [_payload(parsed, text[start:end].encode())]
        payloads: list[Payload] = []
        start = _skip_space(text, start + 1)
        while text[start] != "]":
            parsed, end = scan(text, start)
            payloads.append(_payload(parsed, text[start:end].encode()))
            start = _skip_space(text, end)
            if text[start] == ",":
                start = _skip_space(text, start + 1)
    except (ValueError, IndexError, RecursionError) as error:
        raise StravaUnavailable("Strava's answer could not be read as JSON text. Run again later.") from error
    return payloads


def _skip_space(text: str, start: int) -> int:
    while text[start] in " \t\r\n":
        start += 1
    return start


def _payload(parsed: Any, text: bytes) -> Payload:
    held = parsed if isinstance(parsed, dict) else {}
    athlete = held.get("athlete")
    return Payload(
        _bigint(held.get("id")),
        _bigint(athlete.get("id")) if isinstance(athlete, dict) else None,
        _instant(held.get("start_date")),
        text,
        hashlib.sha256(text).digest(),
    )


def _bigint(value: Any) -> int | None:
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def _instant(value: Any) -> datetime | None:
    try:
        # Strava's Z is UTC, and half the time is saved without it
        instant = datetime.fromisoformat(value.removesuffix("Z"))
        return instant if instant.tzinfo is None else instant.astimezone(UTC).replace(tzinfo=None)
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None


class NewVersions:
    """Turns payloads into shards of those versions that bronze does not hold yet; counts them in `count`.

    `pull` is what the names of its shards begin with; in `work_path` they wait until dlt has taken them.
    """

    def __init__(self, table: str, landed: Landed, athlete_id: int, started_at: datetime, work_path: Path) -> None:
        self._landed = landed
        self._athlete_id = athlete_id
        self._newest_fetched_at = landed.newest_fetched_at or EPOCH
        # a page that shifts under the walk repeats what came shortly before; a whole history would weigh 20 MB
        self._recent: dict[int | bytes, bytes] = {}
        self._work_path = work_path
        self.pull = f"{table}_{athlete_id}_{started_at:%Y%m%d%H%M%S}"
        self.count = 0

    def shards(self, pages: Iterable[list[Payload]]) -> Iterator[DataItemWithMeta]:
        """Those payloads of `pages` that are new or changed, as files for dlt to take."""
        waiting: list[pa.Table] = []
        for page in pages:
            if (rows := self._rows(page)) is not None:
                waiting.append(rows)
            if sum(map(len, waiting)) >= ROWS_PER_SHARD:
                yield from self._shard_of(waiting)
                waiting = []
        if waiting:
            yield from self._shard_of(waiting)

    def _shard_of(self, tables: list[pa.Table]) -> Iterator[DataItemWithMeta]:
        rows = pa.concat_tables(tables)
        # unique within a second and a pull: two files of one name would be one file
        name = f"{self.pull}_{secrets.token_hex(4)}"
        path = self._work_path / f"{name}.parquet"
        write_shard(rows.append_column("shard", pa.repeat(pa.scalar(name), len(rows))), path)
        # no rows beside the file: dlt's incremental would take None for an item that was filtered out
        yield dlt.mark.with_file_import(str(path), "parquet", len(rows), hints=[])
        # dlt has linked it into its package
        path.unlink()

    def _rows(self, payloads: Iterable[Payload]) -> pa.Table | None:
        # a clock that was set back must not make today's version older than yesterday's
        fetched_at = max(datetime.now(UTC).replace(tzinfo=None), self._newest_fetched_at + timedelta(microseconds=1))
        self._newest_fetched_at = fetched_at
        new = [payload for payload in payloads if self._is_new(payload)]
        self.count += len(new)
        if not new:
            return None
        columns = {
            "id": pa.array([payload.id for payload in new], pa.int64()),
            "athlete_id": pa.array([payload.athlete_id or self._athlete_id for payload in new], pa.int64()),
            "start_date": pa.array([payload.start_date for payload in new], pa.timestamp("us")),
            "fetched_at": pa.repeat(pa.scalar(fetched_at, pa.timestamp("us")), len(new)),
            "payload_hash": pa.array([payload.digest.hex() for payload in new], pa.string()),
            "payload": pa.array([payload.text for payload in new], pa.string()),
        }
        return pa.table(columns)

    def _is_new(self, payload: Payload) -> bool:
        """Whether the newest version known differs; from here on this is it."""
        key = payload.digest if payload.id is None else payload.id
        if self._recent.get(key, self._landed.hashes.get(key)) == payload.digest:
            return False
        self._recent[key] = payload.digest
        if len(self._recent) > RECENT:
            del self._recent[next(iter(self._recent))]
        return True


class StravaClient(RESTClient):
    """dlt's REST client; a page's data are its payloads, so that their text survives byte for byte."""

    def extract_response(self, response: requests.Response, data_selector: Any) -> list[Payload]:
        """The payloads of a page.

        Raises:
            StravaUnavailable: it is no JSON array; only an empty one ends the list: all else could go on for ever.
        """
        if not response.content.lstrip().startswith(b"["):
            raise StravaUnavailable("Strava answered with something else than a list of activities. Run again later.")
        return payloads_of(response.content)


class InCommits:
    """Something that is fetched in commits. It is `finished` at its end, or because of `error`.

    `waits_for` is a spent window that ended a commit: what came before it can land, then `go_on` says what next.
    """

    def __init__(self) -> None:
        self.finished = False
        self.error: StravaStatsError | None = None
        self.waits_for: BudgetSpent | None = None

    def stop(self, error: StravaStatsError) -> None:
        """No more for now: a spent window can be waited for, anything else is the end."""
        if isinstance(error, BudgetSpent):
            self.waits_for = error
        else:
            self.error = error
            self.finished = True

    def go_on(self, stopped_by: StravaStatsError | None) -> None:
        """The window is open again; or it was not waited for, because of `stopped_by`."""
        self.waits_for = None
        self.error = stopped_by
        self.finished = stopped_by is not None


class ActivityWalk(InCommits):
    """One walk of the list of activities; an error ends it, with what came before it kept."""

    def __init__(self, client: StravaClient, per_page: int, on_page: Callable[[list[Payload]], None]) -> None:
        super().__init__()
        self._client = client
        self._per_page = per_page
        self._on_page = on_page
        self._pages: Iterator[list[Payload]] | None = None
        self._pages_seen = 0
        self._oldest_first = True
        self._last_start_date = EPOCH

    def next_commit(self, after: datetime) -> Iterator[list[Payload]]:
        """The pages of the next commit of the activities that start after `after` (UTC)."""
        if self._pages is None:
            self._pages = self._open(after)
        began_at_s = time.monotonic()
        pages = 0
        while not self.finished:
            try:
                page = next(self._pages, None)
            except StravaStatsError as error:
                self.stop(error)
                # an iterator that raised has ended: whoever goes on opens it anew, behind the last page
                self._pages = None
                return
            # the end, or the empty page before it
            if not page:
                self.finished = True
                return
            self._pages_seen += 1
            self._note_order(page)
            self._on_page(page)
            yield page
            pages += 1
            # newest first, a commit in mid-walk would put the cursor past what is still to come: all is one then
            if self._oldest_first and (pages >= COMMIT_PAGES or time.monotonic() - began_at_s >= COMMIT_S):
                return

    def _open(self, after: datetime) -> Iterator[list[Payload]]:
        # one second earlier survives both readings of `after` (whether it includes the second itself) and ties on it
        after_s = max(int((after - EPOCH).total_seconds()) - 1, 0)
        return _fetched_ahead(
            self._client.paginate(
                "athlete/activities",
                params={"after": after_s, "per_page": self._per_page},
                # a page may hold fewer than per_page though more follow: only an empty one is the end
                paginator=PageNumberPaginator(
                    base_page=self._pages_seen + 1, total_path=None, stop_after_empty_page=True
                ),
                data_selector="$",
                hooks={"response": [raise_for_refusal]},
            )
        )

    def _note_order(self, page: list[Payload]) -> None:
        for payload in page:
            if payload.start_date is not None:
                self._oldest_first &= payload.start_date >= self._last_start_date
                self._last_start_date = payload.start_date


def _fetched_ahead(pages: Iterator[list[Payload]]) -> Iterator[list[Payload]]:
    """The same pages; while some are worked on, the next are on their way."""
    pool = ThreadPoolExecutor(max_workers=1)
    # who comes back from writing a shard should not wait 5 ms each time until the fetching thread lets go
    switch_interval_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        coming = deque(pool.submit(next, pages, None) for _ in range(PAGES_AHEAD))
        while (page := coming.popleft().result()) is not None:
            coming.append(pool.submit(next, pages, None))
            yield page
    finally:
        # somebody who wants out at once does not wait for the answer that is on its way
        pool.shutdown(wait=False, cancel_futures=True)
        sys.setswitchinterval(switch_interval_s)


def activities(walk: ActivityWalk, versions: NewVersions, start_after: datetime) -> DltResource:
    """The next commit of `walk` as a dlt resource: new versions of activities that start at `start_after` or later.

    The incremental cursor has an end, which makes it stateless: it starts where the shards end, less the lookback.
    """

    @dlt.resource(name=ACTIVITIES, columns=COLUMNS, write_disposition="append")
    def pages(
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
        yield from versions.shards(walk.next_commit(start_date.start_value or EPOCH))

    return pages()


class DetailFetch(InCommits):
    """Fetches the details of activities one by one; a refused one does not stop the others."""

    def __init__(
        self,
        client: StravaClient,
        ids: Iterable[int],
        on_detail: Callable[[int], None],
        on_refused: Callable[[int, StravaStatsError], None],
    ) -> None:
        super().__init__()
        self._client = client
        self._ids = deque(ids)
        self._on_detail = on_detail
        self._on_refused = on_refused
        self._refused_in_a_row: list[tuple[int, StravaStatsError]] = []

    def next_commit(self) -> Iterator[Payload]:
        """The details of the next commit."""
        began_at_s = time.monotonic()
        fetched = 0
        while fetched < COMMIT_DETAILS and time.monotonic() - began_at_s < COMMIT_S:
            try:
                payload = self._next_detail()
            except StravaStatsError as error:
                self.stop(error)
                return
            if payload is None:
                self.finished = True
                return
            yield payload
            fetched += 1

    def _next_detail(self) -> Payload | None:
        """The next detail that Strava hands out; None at the end.

        Raises:
            StravaStatsError: the run cannot go on.
        """
        while self._ids:
            # an error that ends the run, or a spent window, leaves it the next one to ask for
            id_ = self._ids[0]
            payload = None
            try:
                payload = self._fetch(id_)
            except DetailRefused as error:
                self._on_refused(id_, error)
            except StravaUnavailable as error:
                # one corrupt activity may answer 500 for ever; several in a row are an outage
                self._refused_in_a_row.append((id_, error))
                if len(self._refused_in_a_row) == REFUSALS_IN_A_ROW:
                    raise
            self._ids.popleft()
            if payload is not None:
                self._tell_refused()
                self._on_detail(id_)
                return payload
        self._tell_refused()
        return None

    def _fetch(self, id_: int) -> Payload:
        response = self._client.get(
            f"activities/{id_}", params={"include_all_efforts": "true"}, hooks={"response": [raise_for_refusal]}
        )
        payloads = payloads_of(response.content)
        if [payload.id for payload in payloads] != [id_]:
            raise DetailRefused("Strava answered with something else than this activity.")
        return payloads[0]

    def _tell_refused(self) -> None:
        for id_, error in self._refused_in_a_row:
            self._on_refused(id_, error)
        self._refused_in_a_row.clear()


def activity_details(fetch: DetailFetch, versions: NewVersions) -> DltResource:
    """The next commit of `fetch` as a dlt resource."""

    @dlt.resource(name=ACTIVITY_DETAILS, columns=COLUMNS, write_disposition="append")
    def details() -> Iterator[DataItemWithMeta]:
        yield from versions.shards([payload] for payload in fetch.next_commit())

    return details()
