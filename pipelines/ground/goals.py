"""Goals: STRAVA_GOALS as measures, periods and targets in SI units."""

import re
from dataclasses import dataclass

from pipelines.ground.errors import BadSetting

ALL = "All"
# those of dbt_project/seeds/sport_groups.csv
GROUPS = ("Ride", "Run", "Walk", "Swim", "Snow", "Water", "Gym", "Other")
# unit -> measure, and what one of the unit is
UNITS = {
    "km": ("distance_m", 1000.0),
    "mi": ("distance_m", 1609.344),
    "m": ("total_elevation_gain_m", 1.0),
    "h": ("moving_time_s", 3600.0),
    "x": ("activities", 1.0),
    "days": ("active_days", 1.0),
}
# there, metres are a distance: nobody climbs
ON_WATER = ("Swim", "Water")
GOAL = re.compile(
    r"(?P<group>[a-z]+)\s+(?P<number>[0-9]{1,9}(\.[0-9]{1,3})?)\s*(?P<unit>km|mi|m|h|x|days)\s*/\s*"
    r"(?P<period>week|month|year)",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, order=True)
class Goal:
    """A target for the sum over a group of sports in a period: metres, seconds or a number."""

    sport_group: str
    measure: str
    period: str
    target: float


def parse_goals(text: str) -> tuple[Goal, ...]:
    """The goals of a text like `Run 1000 km/year, All 10 h/week`, in order.

    Raises:
        BadSetting: one of them is not a goal, or two are about the same group and period.
    """
    goals: dict[tuple[str, str, str], Goal] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        goal = _goal(part)
        key = (goal.sport_group, goal.measure, goal.period)
        if key in goals:
            raise BadSetting(f"STRAVA_GOALS has two goals for {part!r}: one of a kind for each group and period.")
        goals[key] = goal
    return tuple(sorted(goals.values()))


def _goal(part: str) -> Goal:
    read = GOAL.fullmatch(part)
    names = {name.lower(): name for name in (ALL, *GROUPS)}
    group = names.get(read["group"].lower()) if read else None
    if read is None or group is None or not float(read["number"]):
        raise BadSetting(
            f"STRAVA_GOALS has {part!r}: a goal is a group ({', '.join(names.values())}), a number, "
            "a unit (km, mi, m, h, x, days) and a period (week, month, year), like Run 1000 km/year."
        )
    measure, size = UNITS[read["unit"].lower()]
    if read["unit"].lower() == "m" and group in ON_WATER:
        measure = "distance_m"
    return Goal(group, measure, read["period"].lower(), round(float(read["number"]) * size, 3))
