"""Stopping cleanly: the first signal ends a run between two requests, a second Ctrl-C or SIGTERM ends it at once."""

import signal
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import FrameType

from pipelines.ground.errors import Interrupted
from pipelines.sources.strava_api.pause import Pause

# what a person or the machine asks a process to end by: Ctrl-C, a stop of the service, a terminal that closes, and what
# batch systems warn by before they kill. SIGQUIT stays the system's: a way out for whom nothing else helps.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU, signal.SIGUSR1, signal.SIGUSR2)
# kernel and shell each send one when a terminal closes, and one comes every second past a processor limit: no hurry
INSISTING = (signal.SIGINT, signal.SIGTERM)


class StopFlag(Pause):
    """Set by a signal, looked at before each request; what was fetched still lands."""

    def __init__(self) -> None:
        self._is_set = False
        # no event: that has a lock, and a signal that came while it is taken would wait for it for ever; a simple queue
        # is made for signal handlers
        self._came: SimpleQueue[int] = SimpleQueue()
        self._insisted = False

    def install(self) -> None:
        """Take the signals that ask a process to end; call from the main thread.

        A SIGHUP that is ignored stays so: `nohup` has asked for that.
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
        """Sleep, but not past a signal.

        Raises:
            Interrupted: a signal came, now or before.
        """
        # most waits are over when they begin
        if seconds > 0 and not self._is_set:
            with suppress(Empty):
                # put back, for whoever else waits
                self._came.put(self._came.get(timeout=seconds))
        if self._is_set:
            raise Interrupted("Stopped. What was fetched has landed; the next run goes on from there.")
