"""What a resource is at Strava, as a declaration."""

from dataclasses import dataclass
from typing import Literal

ACTIVITIES = "activities"


@dataclass(frozen=True)
class Endpoint:
    """A resource: where Strava has it (`path`), what it costs in requests, by what its rows are known (`key`).

    With a `parent` it is asked for by each of that resource's rows, whose field `by` stands in the path as `{id}`.
    Below activities it is asked for once, and again when one of the fields `changes_with` of that row has changed
    (none: any field but those that others change), or after so many `days`. A single field is a count: where it says
    0, nothing is asked.

    Strava `answers` with an object, a list, a list in pages, or an object of objects by their type. What costs more
    than a few requests a run is not `selected`: those who want it name it (`with_resources`).
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
        """Whether its rows are several to an activity, which they name: `activity_id`."""
        return self.parent == ACTIVITIES and self.answers != "object"
