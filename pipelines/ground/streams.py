"""The three standard streams at the start and at the end of a process; imported before all else, so by itself."""

import io
import os
import sys


def prepare_streams() -> None:
    """Open what is closed of the three standard streams, and let them write any character in some way.

    A file that is opened later would get the number of a closed stream, and be written what is meant for that stream.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    if sys.stdin is None:
        sys.stdin = os.fdopen(0)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush_streams() -> None:
    """Write what is still to be written where that can be; what cannot be keeps nobody from ending."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            # else Python would try again at its end, and end with a code of its own
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
