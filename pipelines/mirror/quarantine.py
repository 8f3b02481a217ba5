"""Activities whose details Strava refuses: the reason, and when to try again; a file that outlives runs."""

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from pipelines.ground.durable import read_whole, written_whole

FIRST_DELAY_S = 60 * 60
LONGEST_DELAY_S = 30 * 24 * 60 * 60


class Quarantine:
    """A small file: activity id → reason, number of refusals, next try (epoch seconds). Delays double.

    Raises:
        StorageFailed: the file cannot be read; the next refusal would otherwise overwrite all others.
    """

    def __init__(self, path: Path, now_s: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now_s = now_s
        try:
            kept = json.loads(read_whole(path))
        except (FileNotFoundError, ValueError):
            # only waiting times: without them, each is requested once more
            kept = {}
        self._refused: dict[str, dict[str, int | str]] = kept if isinstance(kept, dict) else {}

    def __len__(self) -> int:
        return len(self._refused)

    def add(self, activity_id: int, reason: str) -> None:
        """Note a refusal; the next try waits twice as long as before."""
        refusals = int(self._refused.get(str(activity_id), {}).get("refusals", 0)) + 1
        self._refused[str(activity_id)] = {
            "reason": reason,
            "refusals": refusals,
            "next_try_at_s": int(self._now_s()) + _delay_s(refusals),
        }
        self._write()

    def release(self, activity_ids: set[int]) -> None:
        """Forget the refusals of activities that now have details."""
        kept = {key: refusal for key, refusal in self._refused.items() if int(key) not in activity_ids}
        if len(kept) < len(self._refused):
            self._refused = kept
            self._write()

    def reasons(self, activity_ids: set[int]) -> dict[str, int]:
        """Why Strava refuses details of `activity_ids`: reason → how many of them."""
        reasons = Counter(
            str(refusal.get("reason")) for key, refusal in self._refused.items() if int(key) in activity_ids
        )
        return dict(reasons.most_common())

    def waits(self, activity_id: int) -> bool:
        """Whether it is too early to request this activity again."""
        refusal = self._refused.get(str(activity_id))
        if refusal is None:
            return False
        left_s = int(refusal["next_try_at_s"]) - self._now_s()
        # longer than any delay: the clock was set back since
        return 0 < left_s <= _delay_s(int(refusal["refusals"]))

    def _write(self) -> None:
        with written_whole(self._path) as file:
            file.write(json.dumps(self._refused, indent=1).encode())


def _delay_s(refusals: int) -> int:
    return int(min(FIRST_DELAY_S * 2 ** (refusals - 1), LONGEST_DELAY_S))
