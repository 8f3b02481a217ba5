"""The door to the readers: bytes in, whatever they are called and wrapped in, an activity out."""

from .activity import ActivityFile
from .fit import read_fit


def read_activity_file(data: bytes, name: str) -> ActivityFile:
    """Read it."""
    return read_fit(data)
