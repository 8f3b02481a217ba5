"""The client: dlt's REST client, whose data are payloads."""

from typing import Any

import requests
from dlt.sources.helpers.rest_client import RESTClient

from .errors import StravaUnavailable
from .payloads import Payload, payloads_of


class StravaClient(RESTClient):
    """dlt's REST client; the data of a page are its payloads, whose text survives byte for byte."""

    def extract_response(self, response: requests.Response, data_selector: Any) -> list[Payload]:
        """The payloads of a page.

        Raises:
            StravaUnavailable: it is not a JSON array. Only an empty array ends the list: anything else could go on for
            ever.
        """
        if not response.content.lstrip().startswith(b"["):
            raise StravaUnavailable("Strava answered with something other than a list of activities. Run again later.")
        return payloads_of(response.content)
