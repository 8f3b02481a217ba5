"""Endpoints as dlt resources: payloads → rows; dlt's state keeps what was fetched."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dlt
import orjson
from dlt.common import logger
from dlt.common.pipeline import get_dlt_pipelines_dir
from dlt.extract import DltResource

from .auth import RefreshTokenAuth, TokenFile, open_app
from .budget import Budget
from .client import StravaClient
from .details import Refusals, ask
from .endpoint import ACTIVITIES, Endpoint
from .errors import ActivityNotFound, BadSetting, BudgetSpent, DetailRefused, StravaError, StravaUnavailable
from .pause import Pause
from .payloads import EPOCH, Payload, instant_of, read_json
from .settings import MAX_PER_PAGE, OTHERS_DOING, columns_of
from .transport import StravaAdapter, open_session
from .walk import ActivityWalk

Row = dict[str, Any]
# enough to see a change of one activity
HASH_BYTES = 6


class Strava:
    """Access to Strava as dlt's configuration describes it; no request is sent before a resource runs."""

    def __init__(
        self,
        credentials: tuple[str, str],
        tokens: tuple[str | None, str | None],
        urls: tuple[str, str],
        times_s: tuple[float, float],
        when_spent: str,
        budget_file: str | None,
    ) -> None:
        refresh_token, token_file = tokens
        api_url, oauth_url = urls
        min_interval_s, retry_wait_s = times_s
        if when_spent not in ("raise", "later", "wait"):
            raise BadSetting(f"when_spent is {when_spent!r}: it must be raise, later or wait.")
        pause = Pause()
        # not in a pipeline's folder, which may be dropped, and the refresh token with it
        path = token_file or Path(get_dlt_pipelines_dir()).parent / f"strava_token_{credentials[0]}.json"
        self.budget = Budget(Path(budget_file) if budget_file else None, stop=pause)
        self._later = when_spent == "later"
        adapter = StravaAdapter(pause, self.budget, retry_wait_s, waits=when_spent == "wait")
        adapter.min_interval_s = min_interval_s
        auth = RefreshTokenAuth(
            open_app(oauth_url, credentials, retry_wait_s, pause),
            TokenFile(Path(path).expanduser()),
            pause,
            refresh_token,
        )
        self.client = StravaClient(api_url, auth=auth, session=open_session(adapter))

    def or_later(self, name: str, asked: Iterator[list[Row]]) -> Iterator[list[Row]]:
        """What is `asked`; a spent window ends it if the rest is to come with the next run.

        Raises:
            BudgetSpent: it is not to come later.
        """
        try:
            yield from asked
        except BudgetSpent as spent:
            if not self._later:
                raise
            logger.warning(f"{name}: {spent} The next run fetches what is left.")


def activities(strava: Strava, per_page: int, lookback_days: float, since: str | None) -> DltResource:
    """The list of activities, oldest first, from `lookback_days` before the newest one known, or `since`."""
    if not 1 <= per_page <= MAX_PER_PAGE:
        raise BadSetting(f"per_page is {per_page}: Strava takes 1 to {MAX_PER_PAGE} activities per page.")
    if since is not None and instant_of(since) is None:
        raise BadSetting(f"since is {since!r}: it must be an instant like 2026-01-31T00:00:00Z.")

    @dlt.resource(name=ACTIVITIES, primary_key="id", write_disposition="merge", columns=columns_of(ACTIVITIES))
    def pages(
        start_date: dlt.sources.incremental[str] = dlt.sources.incremental(  # noqa: B008 - dlt's way
            "start_date", initial_value=since, primary_key=(), on_cursor_value_missing="include"
        ),
    ) -> Iterator[list[Row]]:
        yield from strava.or_later(ACTIVITIES, _listed(strava, per_page, lookback_days, start_date))

    return pages()


def _listed(
    strava: Strava, per_page: int, lookback_days: float, start_date: "dlt.sources.incremental[str]"
) -> Iterator[list[Row]]:
    known = instant_of(start_date.start_value) or EPOCH
    first = instant_of(start_date.initial_value) or EPOCH
    lookback = timedelta(days=lookback_days)
    start = max(first, _before(known, lookback))
    end = instant_of(start_date.end_value)
    # Strava applies the range; an activity without a start belongs to every range
    start_date.advance(None)  # type: ignore[arg-type]
    # a range, like dlt's own, leaves no trace in the state
    seen = _Seen(dlt.current.resource_state() if end is None else {}, start)
    walk = ActivityWalk(strava.client, per_page)
    reached = known
    for page in walk.pages(start):
        payloads = [payload for payload in walk.take(page) if end is None or (payload.start_date or start) < end]
        # a start in the future, from a watch with a wrong clock, would hide everything that follows
        now = strava.budget.now().replace(tzinfo=None)
        reached = max([reached, *(at for payload in payloads if (at := payload.start_date) and at <= now)])
        if walk.oldest_first and reached > EPOCH:
            start_date.advance(_text_of(reached))
        # even if there is none: resources below activities may have something left from an earlier run
        yield _rows(seen.new(payloads))
        seen.forget_before(_before(reached, lookback))
        if end is not None and walk.oldest_first and walk.reached >= end:
            return
    if reached > EPOCH:
        start_date.advance(_text_of(reached))
    if not walk.listed:
        yield []


class _Seen:
    """What the lookback has seen, in dlt's state, so that only new and changed activities are loaded again.

    Otherwise each run would add the days of the lookback once more, if a destination cannot merge. A lookback that goes
    further back than that of the run before treats everything as new.
    """

    def __init__(self, state: dict[str, Any], start: datetime) -> None:
        began_at = instant_of(state.get("seen_from"))
        self._state = state
        if began_at is None or start < began_at:
            state["seen"] = {}
        # id → start and hash
        self._seen: dict[str, tuple[str, str]] = state.setdefault("seen", {})

    def new(self, payloads: list[Payload]) -> list[Payload]:
        """Those of `payloads` that are new or changed."""
        new = []
        for payload in payloads:
            version = payload.digest.hex()[: 2 * HASH_BYTES]
            if payload.id is None or self._seen.get(str(payload.id), ("", ""))[1] != version:
                new.append(payload)
            if payload.id is not None:
                self._seen[str(payload.id)] = (_text_of(payload.start_date or EPOCH), version)
        return new

    def forget_before(self, start: datetime) -> None:
        """Forget what no later lookback covers."""
        self._state["seen_from"] = _text_of(start)
        for id_ in [id_ for id_, (at, _) in self._seen.items() if at < _text_of(start)]:
            del self._seen[id_]


def _before(instant: datetime, lookback: timedelta) -> datetime:
    return instant - min(lookback, instant - EPOCH)


def resource_of(endpoint: Endpoint, strava: Strava, parent: DltResource | None) -> DltResource:
    """The resource of `endpoint`, below `parent` if it has one."""
    hints: dict[str, Any] = {
        "name": endpoint.name,
        "primary_key": endpoint.key,
        "columns": columns_of(endpoint.name),
        "selected": endpoint.selected,
        # the athlete's own data are fetched completely each time
        "write_disposition": "merge" if endpoint.parent == ACTIVITIES else "replace",
    }
    if endpoint.is_part_of_activity:
        # all rows of an activity are replaced by its present ones
        hints["merge_key"] = "activity_id"
    if parent is None:

        @dlt.resource(**hints)
        def alone() -> Iterator[list[Row]]:
            yield _answer(strava, endpoint, None)

        made: DltResource = alone()
        return made

    @dlt.transformer(data_from=parent, **hints)
    def below(rows: list[Row]) -> Iterator[list[Row]]:
        if endpoint.parent == ACTIVITIES:
            yield from strava.or_later(endpoint.name, _missing(strava, endpoint, rows))
        else:
            # what is replaced has to come now or not at all
            yield from (_answer(strava, endpoint, row[endpoint.by]) for row in rows)

    return below


def _missing(strava: Strava, endpoint: Endpoint, rows: list[Row]) -> Iterator[list[Row]]:
    """The rows of what is new or changed; the resource's state keeps what was fetched, and what could not be."""
    state = dlt.current.resource_state()
    fetched: dict[str, str] = state.setdefault("fetched", {})
    waiting: dict[str, str] = state.setdefault("waiting", {})
    week = str(strava.budget.now().toordinal() // endpoint.days) if endpoint.days else None
    if week is not None:
        # gear that no activity uses any more may still be renamed or retired
        waiting |= {id_: week for id_, at in fetched.items() if at != week}
    for row in rows:
        id_ = row.get(endpoint.by)
        if id_ is None:
            continue
        version = week or _version(endpoint, row)
        if fetched.get(str(id_)) == version or (endpoint.count and not row.get(endpoint.count)):
            waiting.pop(str(id_), None)
        else:
            waiting[str(id_)] = version

    yield from _asked(strava, endpoint, fetched, waiting)


def _asked(strava: Strava, endpoint: Endpoint, fetched: dict[str, str], waiting: dict[str, str]) -> Iterator[list[Row]]:
    """The rows of what is `waiting`; each moves from there to `fetched`, both as id → version."""
    refused: dict[str, str] = {}

    def note(found: list[tuple[str, StravaError]]) -> None:
        for id_, error in found:
            logger.warning(f"{endpoint.name} of {id_}: {error} The others continue.")
            if isinstance(error, ActivityNotFound):
                # until it changes there is nothing to request
                fetched[id_] = refused.pop(id_)

    refusals = Refusals[str]()
    # dlt processes several pages in turn: they take from the same heap
    while waiting:
        id_, version = waiting.popitem()
        refused[id_] = version
        try:
            answer = _answer(strava, endpoint, id_)
        except (DetailRefused, StravaUnavailable) as error:
            note(refusals.note(id_, error))
            continue
        except BudgetSpent:
            waiting |= refused
            raise
        note(refusals.settled())
        # right after an upload there may be no streams yet
        if answer or endpoint.answers != "by type":
            fetched[id_] = refused.pop(id_)
        yield answer
    note(refusals.settled())
    waiting |= refused


def _version(endpoint: Endpoint, row: Row) -> str:
    fields = (endpoint.count,) if endpoint.count else endpoint.changes_with or sorted(row.keys() - OTHERS_DOING)
    text = orjson.dumps([row.get(name) for name in fields], default=str)
    return hashlib.blake2b(text, digest_size=HASH_BYTES).hexdigest()


def _answer(strava: Strava, endpoint: Endpoint, id_: int | str | None) -> list[Row]:
    """The rows at `endpoint` for the parent's `id_`."""
    rows = _rows(ask(strava.client, endpoint, id_), keyed=endpoint.key == "id")
    if endpoint.answers == "by type":
        rows = [{"type": kind, **value} for row in rows for kind, value in row.items() if isinstance(value, dict)]
    if endpoint.is_part_of_activity:
        rows = [{"activity_id": int(id_ or 0), "position": place, **row} for place, row in enumerate(rows, 1)]
    return rows


def _rows(payloads: Iterable[Payload], keyed: bool = True) -> list[Row]:
    """`payloads` as rows for dlt; what is not an object, or lacks the key, cannot be merged."""
    values = [_value_of(payload.text) for payload in payloads]
    rows = [value for value in values if isinstance(value, dict) and not (keyed and value.get("id") is None)]
    if len(rows) < len(values):
        logger.warning(f"{len(values) - len(rows)} of Strava's answers have no id and are left out.")
    return rows


def _value_of(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # dlt cannot write half a surrogate pair
        return json.loads(json.dumps(read_json(text), ensure_ascii=False).encode(errors="replace"))


def _text_of(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
