"""Requesting an endpoint; a refusal for one activity does not stop the others."""

import hashlib
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from .client import StravaClient
from .endpoint import ACTIVITIES, Endpoint
from .errors import DetailRefused, StravaError, StravaUnavailable
from .payloads import Payload, payloads_of
from .settings import MAX_PER_PAGE, PARAMS
from .transport import raise_for_refusal

# so many refusals in a row are an outage at Strava, not a problem of an activity
REFUSALS_IN_A_ROW = 3

Id = TypeVar("Id", int, str)


def ask(client: StravaClient, endpoint: Endpoint, id_: int | str | None = None) -> list[Payload]:
    """Strava's answer at `endpoint` for `id_`, byte for byte: an object, or the elements of all pages of a list.

    Raises:
        DetailRefused: Strava does not know it, or answered with another activity.
    """
    path = endpoint.path.format(id=quote(str(id_), safe=""))
    payloads: list[Payload] = []
    page = 0
    while True:
        page += 1
        paging: dict[str, Any] = {"page": page, "per_page": MAX_PER_PAGE} if endpoint.answers == "pages" else {}
        response = client.get(
            path, params=PARAMS.get(endpoint.name, {}) | paging, hooks={"response": [raise_for_refusal]}
        )
        found = payloads_of(response.content)
        payloads += found
        if not paging or len(found) < MAX_PER_PAGE:
            break
    is_an_activity = endpoint.parent == ACTIVITIES and endpoint.by == "id" and endpoint.answers == "object"
    if is_an_activity and [str(payload.id) for payload in payloads] != [str(id_)]:
        raise DetailRefused("Strava answered with something other than this activity.")
    return payloads


def whole(endpoint: Endpoint, id_: int, payloads: list[Payload]) -> Payload:
    """Strava's answer at `endpoint` for the activity `id_` as one payload: an object, or all pages of a list."""
    if endpoint.answers in ("object", "by type"):
        return payloads[0]
    text = b"[" + b",".join(payload.text for payload in payloads) + b"]"
    return Payload(id_, None, None, text, hashlib.sha256(text).digest())


class Refusals(Generic[Id]):
    """What refusals mean: a single one concerns its activity, several in a row all of Strava."""

    def __init__(self) -> None:
        self._in_a_row: list[tuple[Id, StravaError]] = []

    def note(self, id_: Id, error: DetailRefused | StravaUnavailable) -> list[tuple[Id, StravaError]]:
        """Note that `id_` was refused; returns the refusals that, as far as known, concern their activities alone.

        Raises:
            StravaUnavailable: it is the last of several in a row: an outage.
        """
        if isinstance(error, DetailRefused):
            return [(id_, error)]
        # one corrupt activity may answer 500 for ever; several in a row are an outage
        self._in_a_row.append((id_, error))
        if len(self._in_a_row) == REFUSALS_IN_A_ROW:
            raise error
        return []

    def settled(self) -> list[tuple[Id, StravaError]]:
        """Strava has answered, or nothing is left to request: the refusals so far concern their activities alone."""
        refused, self._in_a_row = self._in_a_row, []
        return refused
