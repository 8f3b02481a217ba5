"""A resource of Strava, as a declaration."""

from dataclasses import dataclass
from typing import Literal

ACTIVITIES = "activities"


@dataclass(frozen=True)
class Endpoint:
    """A resource: its `path` at Strava, its cost in requests, and the `key` of its rows.

    With a `parent`, it is requested for each of that resource's rows, whose field `by` replaces `{id}` in the path.
    Below activities it is requested once, and again when one of the fields `changes_with` of that row has changed
    (none: any field but those that others change), or after so many `days`. A single field is a count: if it is 0,
    nothing is requested.

    Strava `answers` with an object, a list, a list in pages, or an object of objects by their type. A resource that
    costs more than a few requests a run is not `selected`: name it to get it (`with_resources`).
    """

    name: str
    path: str
    cost: str
    key: str | tuple[str, ...] = "id"
    parent: str | None = None
    changes_with: str | tuple[str, ...] = ()
    answers: Literal["object", "list", "pages", "by type"] = "object"
    by: str = "id"
    days: int | None = None
    selected: bool = False

    @property
    def count(self) -> str | None:
        """The field of the parent's row that says how many there are."""
        return self.changes_with if isinstance(self.changes_with, str) else None

    @property
    def is_part_of_activity(self) -> bool:
        """Whether an activity has several of its rows, which name it in `activity_id`."""
        return self.parent == ACTIVITIES and self.answers != "object"
