"""How the source waits: for its pace, for another try, for a lock, for a window to open."""

from dlt.common.runtime import signals


class Pause:
    """Waits as dlt does: a signal ends it. Who has signals of their own passes another `wait`."""

    def wait(self, seconds: float) -> None:
        """Sleep, but not past a signal.

        Raises:
            SignalReceivedException: dlt has received one, now or before.
        """
        signals.raise_if_signalled()
        if seconds > 0:
            signals.sleep(seconds)
            signals.raise_if_signalled()
