"""Fetching in commits: what came lands every now and then, so that a kill or an error costs a commit at most."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from pipelines.ground.errors import BudgetSpent, DetailRefused, StravaError, StravaUnavailable
from pipelines.sources.strava_api import DETAILS
from pipelines.sources.strava_api.client import StravaClient
from pipelines.sources.strava_api.details import Refusals, ask
from pipelines.sources.strava_api.payloads import Payload
from pipelines.sources.strava_api.walk import ActivityWalk

COMMIT_PAGES = 1000
COMMIT_DETAILS = 500
COMMIT_S = 30
PAGES_AHEAD = 6
SWITCH_INTERVAL_S = 0.0002


class InCommits:
    """Something that is fetched in commits. It is `finished` at its end, or because of `error`.

    `waits_for` is a spent window that ended a commit: what came before it can land, then `go_on` says what next.
    """

    def __init__(self) -> None:
        self.finished = False
        self.error: StravaError | None = None
        self.waits_for: BudgetSpent | None = None

    def stop(self, error: StravaError) -> None:
        """No more for now: a spent window can be waited for, anything else is the end."""
        if isinstance(error, BudgetSpent):
            self.waits_for = error
        else:
            self.error = error
            self.finished = True

    def go_on(self, stopped_by: StravaError | None) -> None:
        """The window is open again; or it was not waited for, because of `stopped_by`."""
        self.waits_for = None
        self.error = stopped_by
        self.finished = stopped_by is not None


class ListInCommits(ActivityWalk, InCommits):
    """One walk of the list of activities in commits; an error ends it, with what came before it kept."""

    def __init__(self, client: StravaClient, per_page: int, on_page: Callable[[list[Payload]], None]) -> None:
        ActivityWalk.__init__(self, client, per_page)
        InCommits.__init__(self)
        self._on_page = on_page
        self._pages: Iterator[list[Payload]] | None = None

    def next_commit(self, start: datetime) -> Iterator[list[Payload]]:
        """The pages of the next commit of the activities that start at `start` (UTC) or later."""
        if self._pages is None:
            self._pages = _fetched_ahead(self.pages(start))
        began_at_s = time.monotonic()
        pages = 0
        while not self.finished:
            try:
                page = next(self._pages, None)
            except StravaError as error:
                self.stop(error)
                # an iterator that raised has ended: whoever goes on opens it anew, behind the last page
                self._pages = None
                return
            # the end, or the empty page before it
            if not page:
                self.finished = True
                return
            page = self.take(page)
            self._on_page(page)
            yield page
            pages += 1
            # newest first, a commit in mid-walk would put the cursor past what is still to come: all is one then
            if self.oldest_first and (pages >= COMMIT_PAGES or time.monotonic() - began_at_s >= COMMIT_S):
                return


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


class DetailsInCommits(InCommits):
    """Fetches the details of activities one by one; a refused one does not stop the others."""

    def __init__(
        self,
        client: StravaClient,
        ids: Iterable[int],
        on_detail: Callable[[int], None],
        on_refused: Callable[[int, StravaError], None],
    ) -> None:
        super().__init__()
        self._client = client
        self._ids = deque(ids)
        self._on_detail = on_detail
        self._refusals = Refusals(on_refused)

    def next_commit(self) -> Iterator[Payload]:
        """The details of the next commit."""
        began_at_s = time.monotonic()
        fetched = 0
        while fetched < COMMIT_DETAILS and time.monotonic() - began_at_s < COMMIT_S:
            try:
                payload = self._next_detail()
            except StravaError as error:
                self.stop(error)
                return
            if payload is None:
                self.finished = True
                return
            yield payload
            fetched += 1
        # known now: else a commit with nothing in it would follow
        self.finished = not self._ids

    def _next_detail(self) -> Payload | None:
        """The next detail that Strava hands out; None at the end.

        Raises:
            StravaError: the run cannot go on.
        """
        while self._ids:
            # an error that ends the run, or a spent window, leaves it the next one to ask for
            id_ = self._ids[0]
            payload = None
            try:
                (payload,) = ask(self._client, DETAILS, id_)
            except (DetailRefused, StravaUnavailable) as error:
                self._refusals.note(id_, error)
            self._ids.popleft()
            if payload is not None:
                self._refusals.report()
                self._on_detail(id_)
                return payload
        self._refusals.report()
        return None
