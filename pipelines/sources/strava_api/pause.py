"""How the source waits: between requests, before another try, for a lock, for a window to open."""

from dlt.common.runtime import signals


class Pause:
    """Waits as dlt does: a signal ends it. A program that handles signals itself passes another `wait`."""

    def wait(self, seconds: float) -> None:
        """Sleep until the time is over or a signal comes.

        Raises:
            SignalReceivedException: dlt has received one, now or before.
        """
        signals.raise_if_signalled()
        if seconds > 0:
            signals.sleep(seconds)
            signals.raise_if_signalled()
