"""A question on the terminal, which a signal ends."""

import os
import select
from typing import TextIO

from pipelines.sources.strava_api.pause import Pause


def typed_line(terminal: TextIO, pause: Pause) -> str:
    """What a person types until the end of the line, or of the input.

    Raises:
        Interrupted: a signal came.
    """
    typed = b""
    while not typed.endswith(b"\n"):
        pause.wait(0)
        ready, _, _ = select.select([terminal.fileno()], [], [], 0.2)
        if ready:
            read = os.read(terminal.fileno(), 1000)
            if not read:
                break
            typed += read
    return typed.decode(errors="replace")
