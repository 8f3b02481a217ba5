"""Sweeps: complete walks over the list, as bronze records them, and what a walk shows about activities that are gone.

A cursor on `start_date` cannot see late uploads, edits and deletions behind it; a complete walk sees them all.
"""

import hashlib
import json
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.sources.strava_api.payloads import EPOCH, Payload

# a daily schedule is never quite 24 hours apart
SLACK = 0.9
# if more than so many, and more than this share of all, are missing, it is rather an outage or a lost scope
FEW = 5
SHARE = 0.1


@dataclass(frozen=True)
class Sweep:
    """A walk over the whole list; if interrupted, it continues where it stopped. Instants are UTC.

    reached: the start up to which the list was read. listed: how many activities it had. gone: ids up to there that
    bronze knows and the list lacks. reason: why they were not removed, if so. kept: how many stay live although the
    list lacks them, for that reason or because Strava knows them by id.
    """

    started_at: datetime
    ended_at: datetime
    reached: datetime = EPOCH
    listed: int = 0
    landed: int = 0
    gone: tuple[int, ...] = ()
    complete: bool = False
    reason: str | None = None
    kept: int = 0

    @classmethod
    def begin(cls, now: datetime) -> "Sweep":
        """A new sweep."""
        return cls(now, now)

    @classmethod
    def read(cls, text: str) -> "Sweep | None":
        """The sweep in a payload of bronze; None if its version is unknown."""
        try:
            fields = json.loads(text)
            return cls(
                _instant(fields["started_at"]),
                _instant(fields["ended_at"]),
                _instant(fields["reached"]) if fields["reached"] else EPOCH,
                int(fields["listed"]),
                int(fields["landed"]),
                tuple(map(int, fields["gone_ids"])),
                bool(fields["complete"]),
                fields["reason"],
                int(fields["kept"]),
            )
        except (ValueError, KeyError, TypeError):
            return None

    def payload(self, athlete_id: int) -> Payload:
        """The payload in bronze."""
        fields = {
            "after": None,
            "reached": _text(self.reached) if self.reached > EPOCH else None,
            "started_at": _text(self.started_at),
            "ended_at": _text(self.ended_at),
            "listed": self.listed,
            "landed": self.landed,
            "gone": len(self.gone),
            "gone_ids": list(self.gone),
            "complete": self.complete,
            "reason": self.reason,
            "kept": self.kept,
        }
        return _payload(None, athlete_id, None, fields)

    def is_recent(self, now: datetime, hours: float) -> bool:
        """Whether it began less than `hours` ago; a begin in the future comes from a clock that was corrected since."""
        return now - timedelta(hours=hours * SLACK) < self.started_at <= now + timedelta(hours=min(hours, 1))


def sweep_to_do(last: Sweep | None, now: datetime, hours: float) -> Sweep | None:
    """The sweep that is due: a new one, or the rest of the last; None if the last was complete and is recent."""
    if last is None or not last.is_recent(now, hours):
        return Sweep.begin(now)
    return None if last.complete else last


class RollCall:
    """Which activities a walk has met, and which of those that bronze knows (`expected`: id → start) it misses.

    An earlier part of the walk covered those that start before `start`, and missed `missed`. All in UTC.
    """

    def __init__(self, expected: dict[int, datetime | None], start: datetime, missed: Iterable[int] = ()) -> None:
        self._absent = expected
        self._start = start
        self._missed = set(missed)
        # 16 bytes for each activity instead of 100: a history may have 100,000
        self._met = array("q")
        self._met_starts_s = array("q")

    def answer(self, page: Iterable[Payload]) -> None:
        """Note that the activities of `page` are there."""
        for payload in page:
            if payload.id is not None:
                self._absent.pop(payload.id, None)
                self._missed.discard(payload.id)
                starts_at = payload.start_date or EPOCH
                if starts_at >= self._start:
                    self._met.append(payload.id)
                    self._met_starts_s.append(_seconds(starts_at))

    def met_again(self, ids: Iterable[int]) -> set[int]:
        """Those of `ids` that the walk has met."""
        return set(ids) & set(self._met)

    def met(self, until: datetime | None = None) -> int:
        """How many activities start before `until` (None: all), each counted once however often it was listed."""
        if until is None:
            return len(set(self._met))
        until_s = _seconds(until)
        return len({id_ for id_, start_s in zip(self._met, self._met_starts_s, strict=True) if start_s < until_s})

    def absent(self, until: datetime | None = None) -> set[int]:
        """Ids of those not met that start before `until`, up to which the walk has read (None: to the end)."""
        passed = {id_ for id_, start in self._absent.items() if until is None or (start or EPOCH) < until}
        return passed | self._missed


def why_not_remove(gone: int, live: int, where: str = "at Strava") -> str | None:
    """Why a walk, or an export, that misses `gone` of `live` activities removes none of them; None if it does."""
    if gone == 0 or (gone < live and (gone <= FEW or gone <= SHARE * live)):
        return None
    return f"{gone:,} of {live:,} activities are missing {where}"


def tombstone(
    id_: int, athlete_id: int, start_date: datetime | None, last_hash: str | None, reason: str, noticed_by: str
) -> Payload:
    """The event that an activity is gone: `reason` is deleted, out_of_reach or superseded.

    `noticed_by` is sweep, lookback, detail, export or file. `last_hash` is the hash of its last known payload,
    hexadecimal.
    """
    fields = {"reason": reason, "purged": False, "last_payload_hash": last_hash, "noticed_by": noticed_by}
    return _payload(id_, athlete_id, start_date, fields)


def purge_tombstone(
    id_: int, athlete_id: int, start_date: datetime | None, buried: str, erased: Iterable[datetime]
) -> Payload:
    """The event that the versions of an activity are to be erased: the tombstone `buried` again, with `purged`.

    erased: when those versions were fetched (UTC), which is all that stays of them; `status` needs it.
    """
    fields = {**read_tombstone(buried), "purged": True, "erased_fetched_at": [_text(instant) for instant in erased]}
    return _payload(id_, athlete_id, start_date, fields)


def read_tombstone(text: str) -> dict[str, Any]:
    """The content of a tombstone's payload; empty if its version is unknown."""
    try:
        fields = json.loads(text)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def erased_instants(text: str) -> list[datetime]:
    """When the versions that a tombstone's payload erased were fetched (UTC)."""
    fields = read_tombstone(text).get("erased_fetched_at")
    return [_instant(instant) for instant in fields] if isinstance(fields, list) else []


def _payload(id_: int | None, athlete_id: int, start_date: datetime | None, fields: Mapping[str, object]) -> Payload:
    text = json.dumps(fields).encode()
    return Payload(id_, athlete_id, start_date, text, hashlib.sha256(text).digest())


def _text(instant: datetime) -> str:
    return instant.isoformat() + "Z"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z"))


def _seconds(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(seconds=1)


def utc_now() -> datetime:
    """Now, in UTC without zone, as bronze keeps instants."""
    return datetime.now(UTC).replace(tzinfo=None)


def continued(sweep: Sweep, *, reached: datetime, listed: int, landed: int, gone: set[int]) -> Sweep:
    """`sweep` after a further part of the list: up to `reached`, with `listed` and `landed` of that part."""
    return replace(
        sweep,
        ended_at=utc_now(),
        reached=max(sweep.reached, reached),
        listed=sweep.listed + listed,
        landed=sweep.landed + landed,
        gone=tuple(sorted(gone)),
    )
