"""Stopping cleanly: the first Ctrl-C or SIGTERM ends a run between two requests, the second ends it at once."""

import signal
import threading
from types import FrameType

from pipelines.errors import Interrupted


class StopFlag:
    """Set by a signal, looked at before each request; what was fetched still lands."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def install(self) -> None:
        """Take SIGINT and SIGTERM; call from the main thread."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._event.is_set():
            raise KeyboardInterrupt
        self._event.set()

    def wait(self, seconds: float) -> None:
        """Sleep, but not past a signal.

        Raises:
            Interrupted: a signal came, now or before.
        """
        # most waits are over when they begin, and an event takes its time even then
        if self._event.is_set() or (seconds > 0 and self._event.wait(seconds)):
            raise Interrupted("Stopped. What was fetched has landed; the next run goes on from there.")
