"""What belongs to one activity, one request each; one that Strava refuses does not hold up the others."""

from collections.abc import Callable

from .client import StravaClient
from .errors import DetailRefused, StravaError, StravaUnavailable
from .payloads import Payload, payloads_of
from .transport import raise_for_refusal

# so many refusals in a row are Strava's trouble, not an activity's
REFUSALS_IN_A_ROW = 3


def fetch_detail(client: StravaClient, id_: int) -> Payload:
    """The DetailedActivity of `id_`, with all its efforts.

    Raises:
        DetailRefused: Strava does not know it, or answered with another one.
    """
    response = client.get(
        f"activities/{id_}", params={"include_all_efforts": "true"}, hooks={"response": [raise_for_refusal]}
    )
    payloads = payloads_of(response.content)
    if [payload.id for payload in payloads] != [id_]:
        raise DetailRefused("Strava answered with something else than this activity.")
    return payloads[0]


class Refusals:
    """Whom a refusal concerns: that one activity, or, several in a row, all of Strava.

    on_refused: is called with each id that is refused for a reason of its own.
    """

    def __init__(self, on_refused: Callable[[int, StravaError], None]) -> None:
        self._on_refused = on_refused
        self._in_a_row: list[tuple[int, StravaError]] = []

    def note(self, id_: int, error: DetailRefused | StravaUnavailable) -> None:
        """Note that `id_` was refused.

        Raises:
            StravaUnavailable: it is the last of several in a row: an outage.
        """
        if isinstance(error, DetailRefused):
            self._on_refused(id_, error)
            return
        # one corrupt activity may answer 500 for ever; several in a row are an outage
        self._in_a_row.append((id_, error))
        if len(self._in_a_row) == REFUSALS_IN_A_ROW:
            raise error

    def report(self) -> None:
        """Strava has answered, or there is nothing left to ask: what was refused before had reasons of its own."""
        for id_, error in self._in_a_row:
            self._on_refused(id_, error)
        self._in_a_row.clear()
