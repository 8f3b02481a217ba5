"""Numbers and instants in GPX and TCX."""

from datetime import UTC, datetime
from math import isfinite

from .activity import credible_offset_s


def number(text: str) -> float | None:
    """Return a finite number, or None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def instant(text: str) -> datetime | None:
    """Return an ISO 8601 instant, in UTC if it names no zone, or None for anything else."""
    try:
        value = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def local_offset_s(value: datetime) -> int | None:
    """Return an instant's own offset from UTC; None without one, and for UTC, which may be only a default."""
    return None if value.tzinfo is UTC else credible_offset_s(value.utcoffset()) or None
