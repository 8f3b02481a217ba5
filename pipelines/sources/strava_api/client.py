"""Asking Strava: dlt's REST client with payloads for data, and fetching in commits."""

from typing import Any

import requests
from dlt.sources.helpers.rest_client import RESTClient

from pipelines.ground.errors import BudgetSpent, StravaStatsError, StravaUnavailable
from pipelines.ground.payloads import Payload, payloads_of


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
