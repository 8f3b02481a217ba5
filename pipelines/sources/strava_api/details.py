"""Fetching details, one request each; an activity that Strava refuses does not hold up the others."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from pipelines.ground.errors import DetailRefused, StravaStatsError, StravaUnavailable
from pipelines.ground.payloads import Payload, payloads_of
from pipelines.sources.strava_api.client import InCommits, StravaClient
from pipelines.sources.strava_api.transport import raise_for_refusal

COMMIT_DETAILS = 500
COMMIT_S = 30
# so many refusals in a row are Strava's trouble, not an activity's
REFUSALS_IN_A_ROW = 3


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
        # known now: else a commit with nothing in it would follow
        self.finished = not self._ids

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
