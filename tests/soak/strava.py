"""A simulated Strava that remembers every version it ever had, and lets things happen at a request's number."""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from landed import NO_LIMITS

from simulator import Simulator
from simulator.athlete import SPORTS

ALL = "read,activity:read,activity:read_all"
LESS = "read,activity:read"


@dataclass(frozen=True)
class Change:
    """Something the athlete does at Strava; `number` chooses among the activities and the ways to do it."""

    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


class Strava(Simulator):
    """The simulator, and what the mirror is measured by: `versions` are (id, hash) of all summaries there ever were."""

    def __init__(self, seed: int, activities: int) -> None:
        super().__init__(seed=seed, activities=activities, limits=NO_LIMITS)
        self.scope = ALL
        self.versions = self.versions_of(self.summary_texts())
        self.requests_seen = 0
        self._at_request: dict[int, Callable[[], None]] = {}

    def edit(self, activity_id: int, **fields: Any) -> dict[str, Any]:
        """Change an activity, as every change of the simulator's does, and remember what it was changed to."""
        with self.lock:
            summary = super().edit(activity_id, **fields)
            self.versions.add((activity_id, _hash(self.summary_texts()[activity_id])))
            return summary

    def record(self, record: Any) -> None:
        """Remember a request; what is to happen at it happens before its answer leaves."""
        super().record(record)
        with self.lock:
            self.requests_seen += 1
            happening = self._at_request.pop(self.requests_seen, None)
        if happening is not None:
            happening()

    def at_request(self, number: int, happening: Callable[[], None]) -> None:
        """Let something happen at the request that is `number` requests away (1: the next one)."""
        with self.lock:
            self._at_request[self.requests_seen + number] = happening

    def forget_happenings(self) -> None:
        """Nothing happens at a request any more."""
        with self.lock:
            self._at_request.clear()

    def knows(self, refresh_token: str) -> bool:
        """Whether it would accept this refresh token."""
        return self.accepts_refresh_token(refresh_token)

    def truth(self) -> dict[int, bytes]:
        """The summaries that the athlete's token may see, by id, as the list hands them out."""
        with self.lock:
            texts = self.summary_texts()
            return {id_: text for id_, text in texts.items() if self.visible(id_, only_me=self.scope == ALL)}

    def versions_of(self, truth: dict[int, bytes]) -> set[tuple[int, str]]:
        """(id, hash) of summaries."""
        return {(id_, _hash(text)) for id_, text in truth.items()}

    def suffer(self, change: Change) -> None:
        """Let the athlete do something."""
        with self.lock:
            known, dice = sorted(self.summary_texts()), random.Random(change.number)  # noqa: S311 - nobody guesses at it
            if change.kind in _NEEDS_NONE:
                self._add_or_restore(change, dice)
            elif known and change.kind == "delete_many":
                for id_ in dice.sample(known, min(len(known), dice.randrange(4, 12))):
                    self.delete(id_)
            elif change.kind == "flap":
                # the same ones often enough that a count returns
                for id_ in known[change.number % 3 :: 3]:
                    self.edit(id_, athlete_count=3 if self.summary(id_)["athlete_count"] == 1 else 1)
            elif known:
                chosen = known[change.number % len(known)]
                news = self._news(chosen, dice) if change.kind == "edit" else {}
                getattr(self, change.kind)(chosen, **news)

    def _add_or_restore(self, change: Change, dice: random.Random) -> None:
        match change.kind:
            case "upload":
                self.add(name=f"upload {change.number}")
            case "late":
                self.add(start_date=self.now() - timedelta(days=dice.randrange(1, 4000)), name="late")
            case "same_second":
                starts = [summary["start_date"] for summary in self.activities()] or [None]
                start = starts[change.number % len(starts)]
                for _ in range(dice.randrange(1, 5)):
                    self.add(start_date=start, name="at the same second")
            case "restore" if gone := self.deleted_ids:
                self.restore(gone[change.number % len(gone)])

    def _news(self, chosen: int, dice: random.Random) -> dict[str, Any]:
        summary = self.summary(chosen)
        other = self.summary(dice.choice(sorted(self.summary_texts())))
        start = datetime.fromisoformat(summary["start_date"])
        return dice.choice(
            [
                {"name": f"renamed {dice.randrange(10**6)}"},
                {"sport_type": dice.choice(sorted(SPORTS))},
                {"start_date": start - timedelta(seconds=dice.choice([-3600, -1, 1, 1, 60, 86400 * 45]))},
                {"start_date": other["start_date"]},
                {"start_date": self.now() - timedelta(days=dice.randrange(4000))},
                {"gear_id": other.get("gear_id")},
                {"kudos_count": summary["kudos_count"] + 1},
                {"distance": summary["distance"] + 100.5, "moving_time": summary["moving_time"] + 60},
                {"commute": not summary["commute"], "trainer": not summary["trainer"]},
                {"utc_offset": dice.choice([-28800, 0, 3600.0, 46800])},
            ]
        )


CHANGES = (
    *("upload", "late", "same_second", "edit", "edit", "edit", "crop", "hide", "unhide"),
    *("delete", "delete", "delete_many", "restore", "restore", "flap", "flap"),
)
_NEEDS_NONE = {"upload", "late", "same_second", "restore"}


def _hash(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
