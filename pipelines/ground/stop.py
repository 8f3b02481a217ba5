"""Stopping cleanly: the first signal ends a run between two requests, a second Ctrl-C or SIGTERM ends it at once."""

import signal
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import FrameType

from pipelines.ground.errors import Interrupted
from pipelines.sources.strava_api.pause import Pause

# the signals that ask a process to end: Ctrl-C, a stop of the service, a terminal that closes, and those with which
# batch systems warn before they kill. SIGQUIT stays the system's, as a way out if nothing else helps.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU, signal.SIGUSR1, signal.SIGUSR2)
# kernel and shell each send one when a terminal closes, and a processor limit repeats its own: these are never urgent
INSISTING = (signal.SIGINT, signal.SIGTERM)
GOES_ON = "What was fetched has landed; the next run goes on from there."
CHANGED_NOTHING = "Nothing was changed."


class StopFlag(Pause):
    """Set by a signal and checked before each request; what was fetched still lands.

    then: what a person reads after "Stopped."
    """

    def __init__(self, then: str = GOES_ON) -> None:
        self._then = then
        self._is_set = False
        # not an event: that has a lock, and a signal that comes while it is taken would wait for ever; a simple queue
        # is made for signal handlers
        self._came: SimpleQueue[int] = SimpleQueue()
        self._insisted = False

    def install(self) -> None:
        """Handle the signals that ask a process to end; call from the main thread.

        An ignored SIGHUP stays ignored: `nohup` wants that.
        """
        for number in SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number in INSISTING:
            if self._insisted:
                raise KeyboardInterrupt
            self._insisted = True
        self._is_set = True
        self._came.put(number)

    def wait(self, seconds: float) -> None:
        """Sleep until the time is over or a signal comes.

        Raises:
            Interrupted: a signal came, now or before.
        """
        # most waits take no time
        if seconds > 0 and not self._is_set:
            with suppress(Empty):
                # put back, for the next wait
                self._came.put(self._came.get(timeout=seconds))
        if self._is_set:
            raise Interrupted(f"Stopped. {self._then}")
