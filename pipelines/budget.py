"""Strava's rate limits: what its headers said last, shared by all processes, and never a request into a spent window.

Windows are Strava's natural ones: quarters of an hour and days, both in UTC.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.durable import written_whole
from pipelines.errors import BudgetSpent

QUARTER_S = 15 * 60
DAY_S = 24 * 60 * 60
WRITE_EVERY_S = 1
WINDOWS = ((QUARTER_S, "15-minute"), (DAY_S, "daily"))
# reads first: a pipeline only reads, and meets that limit first
KINDS = (("X-ReadRateLimit", "read"), ("X-RateLimit", "overall"))


@dataclass(frozen=True)
class Window:
    """One limit as last seen: `used` of `limit` requests in the window of `length_s` that ends at `ends_at_s`."""

    name: str
    used: int
    limit: int
    ends_at_s: int

    @property
    def left(self) -> int:
        """Requests that the window still admits."""
        return max(self.limit - self.used, 0)


class Budget:
    """The rate limits as Strava's headers told them last, kept in a small file that all runs share."""

    def __init__(self, path: Path, now_s: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now_s = now_s
        self._seen = self._read()
        self._written_at_s = 0.0

    def _read(self) -> dict[str, Any]:
        try:
            seen = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            # a cache: without it the next answer's headers tell
            return {}
        return seen if isinstance(seen, dict) else {}

    def _write(self) -> None:
        self._written_at_s = self._now_s()
        # not worth a flush to disk per request: after a power cut the next answer tells
        with written_whole(self._path, durable=False) as file:
            file.write(json.dumps(self._seen).encode())

    def observe(self, headers: Mapping[str, str]) -> None:
        """Note what the headers of an answer say; an answer without them changes nothing."""
        found = {kind: numbers for prefix, kind in KINDS if (numbers := _numbers(headers, prefix))}
        if found:
            self._seen = {**self._seen, **found, "seen_at_s": self._now_s()}
            if self._spent() is not None or self._now_s() - self._written_at_s >= WRITE_EVERY_S:
                self._write()

    def refuse(self) -> BudgetSpent:
        """Note a 429 and return it as the error to raise.

        Without a header that shows which window is spent, it is taken to be the quarter of an hour.
        """
        if self._spent() is None:
            self._seen = {**self._seen, "refused_until_s": _window_end_s(self._now_s(), QUARTER_S)}
            self._write()
        return self._error(self._spent())

    def raise_if_spent(self) -> None:
        """Raise before a request that Strava would refuse.

        Raises:
            BudgetSpent: with the window and when it opens again.
        """
        if (window := self._spent()) is not None:
            raise self._error(window)

    def windows(self) -> list[Window]:
        """The read limits (the overall ones where Strava tells no others) that still hold at this moment."""
        return next((found for _, kind in KINDS if (found := self._windows_of(kind))), [])

    def _windows_of(self, kind: str) -> list[Window]:
        seen_at_s = self._seen.get("seen_at_s", 0)
        return [
            Window(name, used, limit, _window_end_s(seen_at_s, length_s))
            for (length_s, name), (used, limit) in zip(WINDOWS, self._seen.get(kind, ()), strict=False)
            if self._now_s() < _window_end_s(seen_at_s, length_s)
        ]

    def _spent(self) -> Window | None:
        spent = [w for _, kind in KINDS for w in self._windows_of(kind) if w.left == 0]
        refused_until_s = self._seen.get("refused_until_s", 0)
        if self._now_s() < refused_until_s:
            spent.append(Window("15-minute", 0, 0, refused_until_s))
        return max(spent, key=lambda window: window.ends_at_s, default=None)

    def _error(self, window: Window | None) -> BudgetSpent:
        if window is None:
            return BudgetSpent("Strava's rate limit is used up; run again in a quarter of an hour.")
        opens_at = datetime.fromtimestamp(window.ends_at_s, UTC)
        used = f" ({window.used} of {window.limit} requests)" if window.limit else ""
        return BudgetSpent(
            f"Strava's {window.name} limit is used up{used}; it opens again at {opens_at:%Y-%m-%d %H:%M} UTC."
        )


def _window_end_s(at_s: float, length_s: int) -> int:
    return (int(at_s) // length_s + 1) * length_s


def _numbers(headers: Mapping[str, str], prefix: str) -> list[tuple[int, int]]:
    """(used, limit) of the quarter of an hour and of the day; empty when the headers are absent or unreadable."""
    try:
        limits = [int(part) for part in headers[f"{prefix}-Limit"].split(",")]
        usages = [int(part) for part in headers[f"{prefix}-Usage"].split(",")]
    except (KeyError, ValueError):
        return []
    return list(zip(usages, limits, strict=False))
