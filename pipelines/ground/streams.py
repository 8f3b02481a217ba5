"""The three standard streams at the start and end of a process; a module of its own, because it is imported first."""

import io
import os
import sys


def prepare_streams() -> None:
    """Open those of the three standard streams that are closed, and let them write any character in some form.

    Otherwise the next file would get the number of a closed stream, and what is meant for that stream would go into it.
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
    """Write what is still buffered, if possible; otherwise the process ends without it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            # otherwise Python would try again at its end, and end with its own exit code
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
