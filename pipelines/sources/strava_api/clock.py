"""Strava's time: the `Date` of its answers, carried on by this machine's time since boot, which cannot be set.

Rate-limit windows are Strava's, so a wrong clock here must neither open nor close them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _running_s() -> float:
    # Linux includes sleep here; elsewhere the wall clock has to do across processes
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass(frozen=True)
class MachineClock:
    """This machine's clocks: `wall_s` (epoch seconds, can be set), `running_s` (since the boot named `boot`).

    `boot` is empty if the system does not name it: `running_s` then means nothing to another process.
    """

    wall_s: Callable[[], float] = time.time
    running_s: Callable[[], float] = _running_s
    boot: str = ""

    @classmethod
    def of_this_machine(cls) -> "MachineClock":
        """The real ones."""
        return cls(boot=_boot_id())


@dataclass(frozen=True)
class Anchor:
    """A moment at which Strava's time was known, on all three clocks."""

    strava_s: float
    wall_s: float
    running_s: float
    boot: str

    @classmethod
    def at(cls, strava_s: float, clock: MachineClock) -> "Anchor":
        """The anchor for `strava_s` at Strava now."""
        return cls(strava_s, clock.wall_s(), clock.running_s(), clock.boot)

    def elapsed_s(self, clock: MachineClock) -> float | None:
        """Seconds since then; None if the clocks do not show it, because the wall clock was set back."""
        running_s = clock.running_s() - self.running_s
        if clock.boot and clock.boot == self.boot and running_s >= 0:
            return running_s
        wall_s = clock.wall_s() - self.wall_s
        return wall_s if wall_s >= 0 else None
