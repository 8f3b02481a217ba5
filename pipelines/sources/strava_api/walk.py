"""Walking Strava's list of activities: windows that overlap, so that a list that moves in mid-walk hides nothing.

Pages by number shift: what is deleted on a page already read pulls the next activity over the border, unseen. So a full
page is followed by a new window that begins with the last activity seen; a page number is only used where a window has
more of one second than a page holds, or a page that is not full.
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import requests
from dlt.sources.helpers.rest_client.paginators import BasePaginator

from pipelines.ground.errors import StravaStatsError
from pipelines.ground.payloads import EPOCH, Payload
from pipelines.sources.strava_api.client import InCommits, StravaClient
from pipelines.sources.strava_api.transport import raise_for_refusal

COMMIT_PAGES = 1000
COMMIT_S = 30
PAGES_AHEAD = 6
SWITCH_INTERVAL_S = 0.0002
# windows overlap by an activity: so many to a window keep that below one in 100, and in a long walk below one in 400,
# so that 100,000 activities too cost at most three requests more than their full pages
LEAST_IN_WINDOW = 100
LONG_WALK = 50_000
LEAST_IN_LONG_WALK = 400


class WindowPaginator(BasePaginator):
    """The pages of the activities that start after an instant (seconds since 1970), until an empty page.

    `listed` is how many a walk has seen before, `page` where it goes on.
    """

    def __init__(self, after_s: int, per_page: int, page: int = 1, listed: int = 0) -> None:
        super().__init__()
        self._after_s = after_s
        self._per_page = per_page
        self._page = page
        self._listed = listed
        self._listed_in_window = 0

    def init_request(self, request: requests.Request) -> None:
        """Ask for the first page."""
        self.update_request(request)

    def update_state(self, response: requests.Response, data: list[Payload] | None = None) -> None:
        """Decide from the page `data` what comes next."""
        if not data:
            self._has_next_page = False
            return
        self._listed += len(data)
        self._listed_in_window += len(data)
        next_after_s = self._next_window_s(data)
        if next_after_s > self._after_s:
            self._after_s, self._page, self._listed_in_window = next_after_s, 1, 0
        else:
            self._page += 1

    def update_request(self, request: requests.Request) -> None:
        """Write into `request` what comes next."""
        request.params = {"after": self._after_s, "per_page": self._per_page, "page": self._page}

    def _next_window_s(self, page: list[Payload]) -> int:
        """`after` of the window that begins with the last activity of `page`; 0 where this window goes on."""
        starts = [payload.start_date for payload in page if payload.start_date is not None]
        # a page may hold fewer than per_page though more follow; newest first, a window would skip what is older
        if len(page) < self._per_page or not starts or starts != sorted(starts):
            return 0
        if self._listed_in_window < (LEAST_IN_WINDOW if self._listed < LONG_WALK else LEAST_IN_LONG_WALK):
            return 0
        return after_s(starts[-1])


def after_s(start: datetime) -> int:
    """`after` (seconds since 1970) that lists what starts at `start` (UTC) or later.

    One second earlier survives both readings of `after` (whether it includes the second itself) and ties on it.
    """
    return max(int((start - EPOCH).total_seconds()) - 1, 0)


class ActivityWalk(InCommits):
    """One walk of the list of activities; an error ends it, with what came before it kept.

    `listed` counts activities, `reached` is the newest start seen (UTC).
    """

    def __init__(self, client: StravaClient, per_page: int, on_page: Callable[[list[Payload]], None]) -> None:
        super().__init__()
        self._client = client
        self._per_page = per_page
        self._on_page = on_page
        self._pages: Iterator[list[Payload]] | None = None
        self._pages_seen = 0
        self._last_page: set[tuple[int | None, bytes]] = set()
        self.oldest_first = True
        self.reached = EPOCH
        self.listed = 0

    def next_commit(self, start: datetime) -> Iterator[list[Payload]]:
        """The pages of the next commit of the activities that start at `start` (UTC) or later."""
        if self._pages is None:
            self._pages = self._open(start)
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
            page = self._without_overlap(page)
            self._on_page(page)
            yield page
            pages += 1
            # newest first, a commit in mid-walk would put the cursor past what is still to come: all is one then
            if self.oldest_first and (pages >= COMMIT_PAGES or time.monotonic() - began_at_s >= COMMIT_S):
                return

    def _open(self, start: datetime) -> Iterator[list[Payload]]:
        if self.oldest_first:
            paginator = WindowPaginator(after_s(max(start, self.reached)), self._per_page, listed=self.listed)
        else:
            paginator = WindowPaginator(after_s(start), self._per_page, self._pages_seen + 1)
        return _fetched_ahead(
            self._client.paginate(
                "athlete/activities",
                paginator=paginator,
                data_selector="$",
                hooks={"response": [raise_for_refusal]},
            )
        )

    def _note_order(self, page: Iterable[Payload]) -> None:
        for payload in page:
            if payload.start_date is not None:
                # windows overlap by a second
                self.oldest_first &= payload.start_date >= self.reached - timedelta(seconds=1)
                self.reached = max(payload.start_date, self.reached)

    def _without_overlap(self, page: list[Payload]) -> list[Payload]:
        """`page` less what the page before it held; an activity that was edited in between is there twice."""
        fresh = [payload for payload in page if (payload.id, payload.digest) not in self._last_page]
        self._last_page = {(payload.id, payload.digest) for payload in page}
        self.listed += len(fresh)
        return fresh


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
