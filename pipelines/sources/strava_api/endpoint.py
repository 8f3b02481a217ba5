"""What a resource is at Strava, as a declaration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ACTIVITIES = "activities"


@dataclass(frozen=True)
class Endpoint:
    """A resource: where Strava has it (`path`), by what its rows are known (`key`), what it costs.

    With a `parent` it is asked for by each of that resource's rows, whose field `by` stands in `path` as `{id}`, but
    only where that is new or one of its fields `changes_with` is (None: in each run; empty: any that the athlete's
    doing changes), or every so many `days`. Where the field `count` of the parent's row is 0, nothing is asked.

    Strava `answers` with an object, a list (in pages, if it is `paged`) or an object of objects by their type.
    """

    name: str
    path: str
    cost: str
    key: str | tuple[str, ...] = "id"
    parent: str | None = None
    by: str = "id"
    changes_with: tuple[str, ...] | None = None
    days: int | None = None
    count: str | None = None
    answers: Literal["object", "list", "by type"] = "object"
    paged: bool = False
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_part_of_activity(self) -> bool:
        """Whether its rows are several to an activity, which they name: `activity_id`."""
        return self.parent == ACTIVITIES and self.answers != "object"
