"""Strava's rate limits: all requests and reads, per natural quarter of an hour and per UTC day."""

from collections.abc import Callable

_QUARTER_S = 15 * 60
_DAY_S = 24 * 3600


class Limits:
    """Counts requests and says when there were too many. Not locked: `World` calls it under its lock.

    Names of limits and usages: `read_15min`, `read_day`, `overall_15min`, `overall_day`.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self.limits = {"read_15min": 100, "read_day": 1000, "overall_15min": 200, "overall_day": 2000}
        self._usage = dict.fromkeys(self.limits, 0)
        self._windows = self._current_windows()

    def _current_windows(self) -> dict[str, int]:
        now = int(self._now_s())
        return {name: now // (_QUARTER_S if name.endswith("15min") else _DAY_S) for name in self.limits}

    @property
    def usage(self) -> dict[str, int]:
        """The requests counted in the windows that the clock is in."""
        windows = self._current_windows()
        for name, window in windows.items():
            if window != self._windows[name]:
                self._usage[name] = 0
        self._windows = windows
        return self._usage

    def ends_at_s(self, window: str) -> int:
        """Return the epoch seconds at which the window (`15min`, `day`) that the clock is in ends."""
        length_s = {"15min": _QUARTER_S, "day": _DAY_S}[window]
        return (int(self._now_s()) // length_s + 1) * length_s

    def set_limits(self, **limits: int) -> None:
        """Change limits; raises ValueError for a name that is invalid."""
        self._known(limits)
        self.limits.update(limits)

    def set_usage(self, **usage: int) -> None:
        """Change what is counted so far; raises ValueError for a name that is invalid."""
        self._known(usage)
        self.usage.update(usage)

    def _known(self, names: dict[str, int]) -> None:
        unknown = names.keys() - self.limits.keys()
        if unknown:
            raise ValueError(f"unknown limits: {sorted(unknown)}; there are {sorted(self.limits)}")

    def admit(self, *, read: bool) -> bool:
        """Count a request and say whether it is within the limits. A refused one counts too, as at Strava."""
        usage = self.usage
        names = [name for name in self.limits if read or not name.startswith("read")]
        for name in names:
            usage[name] += 1
        return all(usage[name] <= self.limits[name] for name in names)

    def headers(self, exhausted: str = "") -> dict[str, str]:
        """Return Strava's rate headers; `exhausted` is a window (`15min`, `day`) to show as used up."""
        shown = dict(self.usage)
        if exhausted:
            name = f"read_{exhausted}"
            shown[name] = max(shown[name], self.limits[name])
        return {
            f"X-{kind}-{what}": f"{numbers[f'{prefix}_15min']},{numbers[f'{prefix}_day']}"
            for kind, prefix in (("RateLimit", "overall"), ("ReadRateLimit", "read"))
            for what, numbers in (("Limit", self.limits), ("Usage", shown))
        }
