"""Readers of activity files, FIT, GPX and TCX: `read_activity_file` is the entrance."""

from .activity import POINTS, ActivityFile, Lap, Session, UnreadableFile
from .door import read_activity_file
from .wrapping import unwrapped

__all__ = ["POINTS", "ActivityFile", "Lap", "Session", "UnreadableFile", "read_activity_file", "unwrapped"]
