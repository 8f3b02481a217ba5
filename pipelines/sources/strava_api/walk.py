"""Walking Strava's list of activities in overlapping windows, so that a list that changes during a walk hides nothing.

Numbered pages shift: a deletion on a page that was read pulls the next activity across the border, unseen. So after a
full page comes a new window that begins with the last activity seen; a page number is only used if a window has more
activities in one second than fit on a page, or if a page is not full.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import requests
from dlt.sources.helpers.rest_client.paginators import BasePaginator

from .client import StravaClient
from .payloads import EPOCH, Payload
from .transport import raise_for_refusal

# windows overlap by one activity: with so many per window that is less than one in 100, and in a long walk less than
# one in 400, so that even 100,000 activities cost at most three requests more than their full pages
LEAST_IN_WINDOW = 100
LONG_WALK = 50_000
LEAST_IN_LONG_WALK = 400


class WindowPaginator(BasePaginator):
    """The pages of the activities that start after an instant (seconds since 1970), until an empty page.

    `listed` is how many a walk has seen before, `page` where it continues.
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
        """Decide from the page `data` what to request next."""
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
        """Put the next page's parameters into `request`."""
        request.params = {"after": self._after_s, "per_page": self._per_page, "page": self._page}

    def _next_window_s(self, page: list[Payload]) -> int:
        """`after` of the window that begins with the last activity of `page`; 0 if this window continues."""
        starts = [payload.start_date for payload in page if payload.start_date is not None]
        # a page may have fewer than per_page although more follow; newest first, a window would skip older activities
        if len(page) < self._per_page or not starts or starts != sorted(starts):
            return 0
        if self._listed_in_window < (LEAST_IN_WINDOW if self._listed < LONG_WALK else LEAST_IN_LONG_WALK):
            return 0
        return after_s(starts[-1])


def after_s(start: datetime) -> int:
    """The value of `after` (seconds since 1970) that lists what starts at `start` (UTC) or later.

    One second earlier is right for both readings of `after` (with or without the second itself) and for ties.
    """
    return max(int((start - EPOCH).total_seconds()) - 1, 0)


class ActivityWalk:
    """One walk of the list of activities.

    `listed` counts activities, `reached` is the newest start seen (UTC), `oldest_first` whether all came in that order.
    """

    def __init__(self, client: StravaClient, per_page: int) -> None:
        self._client = client
        self._per_page = per_page
        self._pages_seen = 0
        self._last_page: set[tuple[int | None, bytes]] = set()
        self.oldest_first = True
        self.reached = EPOCH
        self.listed = 0

    def pages(self, start: datetime) -> Iterator[list[Payload]]:
        """The pages of the activities that start at `start` (UTC) or later; for a walk that was stopped, the rest.

        Pass each to `take` before requesting the next.
        """
        if self.oldest_first:
            paginator = WindowPaginator(after_s(max(start, self.reached)), self._per_page, listed=self.listed)
        else:
            paginator = WindowPaginator(after_s(start), self._per_page, self._pages_seen + 1)
        return self._client.paginate(
            "athlete/activities", paginator=paginator, data_selector="$", hooks={"response": [raise_for_refusal]}
        )

    def take(self, page: list[Payload]) -> list[Payload]:
        """Note `page`; returns it without what the page before had.

        An activity that was edited in between appears twice.
        """
        self._pages_seen += 1
        for payload in page:
            if payload.start_date is not None:
                # windows overlap by a second
                self.oldest_first &= payload.start_date >= self.reached - timedelta(seconds=1)
                self.reached = max(payload.start_date, self.reached)
        fresh = [payload for payload in page if (payload.id, payload.digest) not in self._last_page]
        self._last_page = {(payload.id, payload.digest) for payload in page}
        self.listed += len(fresh)
        return fresh
