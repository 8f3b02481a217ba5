"""Counts that go back and forth in Strava's list: one that returns to an earlier value is no news for a while."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property

from pipelines.bronze.store import BronzeReader
from pipelines.bronze.tables import ACTIVITIES
from pipelines.sources.strava_api.payloads import Payload
from pipelines.sources.strava_api.settings import FLAPPING

# a value that returned to stay lands this late, and an activity that flaps at most this often for that alone
LANDS_AFTER = timedelta(days=30)
# a key with its value; inside a string its quotes have backslashes, so this never matches there
_VALUE = re.compile(rf'"(?:{"|".join(FLAPPING)})"\s*:\s*(?:\d+|null)'.encode())


class Flapping:
    """Compares one walk over the list with the versions in `bronze`."""

    def __init__(self, bronze: BronzeReader) -> None:
        self._bronze = bronze

    def returned(self, payloads: Sequence[Payload], now: datetime) -> set[bytes]:
        """The digests of those of `payloads`, fetched at `now` (UTC), whose only change is a count that returned.

        They differ from their activity's newest version in FLAPPING alone, the activity has had these values before,
        and that version is younger than LANDS_AFTER.
        """
        ids = [payload.id for payload in payloads if payload.id in self._with_several_versions] if payloads else []
        if not ids:
            return set()
        rows = self._bronze.query(
            f"select id, fetched_at, payload from {{{ACTIVITIES}}} where list_contains($ids, id) "
            "order by fetched_at, payload_hash",
            ids=ids,
        )
        had: dict[int, set[bytes]] = {}
        newest: dict[int, tuple[datetime, bytes]] = {}
        for id_, fetched_at, text in rows:
            payload_bytes = text.encode()
            had.setdefault(id_, set()).update(_VALUE.findall(payload_bytes))
            newest[id_] = fetched_at, payload_bytes
        return {
            payload.digest
            for payload in payloads
            if payload.id in newest
            and now - newest[payload.id][0] < LANDS_AFTER
            and _VALUE.split(payload.text) == _VALUE.split(newest[payload.id][1])
            and had[payload.id].issuperset(_VALUE.findall(payload.text))
        }

    @cached_property
    def _with_several_versions(self) -> set[int]:
        """Ids of activities that can return to something: when all change at once, few payloads need to be read."""
        rows = self._bronze.query(f"select id from {{{ACTIVITIES}}} group by id having count(*) > 1")
        return {id_ for (id_,) in rows}
