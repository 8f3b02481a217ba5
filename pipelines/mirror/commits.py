"""Fetching in commits: what was fetched lands regularly, so that a kill or an error costs at most one commit."""

import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from pipelines.ground.errors import BudgetSpent, DetailRefused, StravaError, StravaUnavailable
from pipelines.sources.strava_api.client import StravaClient
from pipelines.sources.strava_api.details import Refusals, ask, whole
from pipelines.sources.strava_api.endpoint import Endpoint
from pipelines.sources.strava_api.payloads import Payload
from pipelines.sources.strava_api.walk import ActivityWalk

COMMIT_PAGES = 1000
COMMIT_DETAILS = 500
COMMIT_S = 30
PAGES_AHEAD = 6
SWITCH_INTERVAL_S = 0.0002


class InCommits:
    """Something that is fetched in commits, until it is `finished`, possibly because of `error`.

    `waits_for` is the spent window that ended a commit: what came before it lands, then `go_on` continues or ends.
    """

    def __init__(self) -> None:
        self.finished = False
        self.error: StravaError | None = None
        self.waits_for: BudgetSpent | None = None

    def stop(self, error: StravaError) -> None:
        """Stop for now: for a spent window one can wait, anything else is the end."""
        if isinstance(error, BudgetSpent):
            self.waits_for = error
        else:
            self.error = error
            self.finished = True

    def go_on(self, stopped_by: StravaError | None) -> None:
        """Continue, because the window is open again; or end, because of `stopped_by`."""
        self.waits_for = None
        self.error = stopped_by
        self.finished = stopped_by is not None


class ListInCommits(ActivityWalk, InCommits):
    """One walk over the list of activities in commits; an error ends it, and what came before is kept."""

    def __init__(self, client: StravaClient, per_page: int) -> None:
        ActivityWalk.__init__(self, client, per_page)
        InCommits.__init__(self)
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
                # an iterator that raised has ended: to continue, a new one is opened after the last page
                self._pages = None
                return
            # the end, or the empty page before it
            if not page:
                self.finished = True
                return
            yield self.take(page)
            pages += 1
            # newest first, a commit during the walk would move the cursor past what is still to come: then there is one
            if self.oldest_first and (pages >= COMMIT_PAGES or time.monotonic() - began_at_s >= COMMIT_S):
                return


def _fetched_ahead(pages: Iterator[list[Payload]]) -> Iterator[list[Payload]]:
    """The same pages; while some are processed, the next are being fetched."""
    pool = ThreadPoolExecutor(max_workers=1)
    # a thread that has written a shard should not wait 5 ms each time until the fetching thread yields
    switch_interval_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        coming = deque(pool.submit(next, pages, None) for _ in range(PAGES_AHEAD))
        while (page := coming.popleft().result()) is not None:
            coming.append(pool.submit(next, pages, None))
            yield page
    finally:
        # a run that ends at once does not wait for the answer that is on its way
        pool.shutdown(wait=False, cancel_futures=True)
        sys.setswitchinterval(switch_interval_s)


class AnswersInCommits(InCommits):
    """Requests an endpoint for activities, one by one; a refused one does not stop the others."""

    def __init__(self, client: StravaClient, endpoint: Endpoint, ids: Iterable[int]) -> None:
        super().__init__()
        self._client = client
        self._endpoint = endpoint
        self._ids = deque(ids)
        self._refusals = Refusals[int]()

    def next_commit(self) -> Iterator[tuple[int, Payload | StravaError]]:
        """Ids of the next commit, each with Strava's answer, or the reason why Strava refuses it."""
        began_at_s = time.monotonic()
        fetched = 0
        while self._ids and fetched < COMMIT_DETAILS and time.monotonic() - began_at_s < COMMIT_S:
            # after an error that ends the run, or a spent window, it is the next one to be requested
            id_ = self._ids[0]
            try:
                payload = whole(self._endpoint, id_, ask(self._client, self._endpoint, id_))
            except (DetailRefused, StravaUnavailable) as error:
                try:
                    refused = self._refusals.note(id_, error)
                except StravaError as outage:
                    self.stop(outage)
                    return
                self._ids.popleft()
                yield from refused
                continue
            except StravaError as error:
                self.stop(error)
                return
            self._ids.popleft()
            yield from self._refusals.settled()
            yield id_, payload
            fetched += 1
        # known now: otherwise an empty commit would follow
        self.finished = not self._ids
        if self.finished:
            yield from self._refusals.settled()
