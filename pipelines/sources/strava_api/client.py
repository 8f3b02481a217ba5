"""Asking Strava: dlt's REST client with payloads for data."""

from typing import Any

import requests
from dlt.sources.helpers.rest_client import RESTClient

from .errors import StravaUnavailable
from .payloads import Payload, payloads_of


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
