"""What a reader finds out from the data of a page that is published: by joins of its tables, and by what they know."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from itertools import combinations
from math import comb
from typing import Any

Row = dict[str, Any]
MEASURES = ("moving_time_s", "distance_m", "total_elevation_gain_m")
# what a table may be joined by with an activity
JOINS: dict[str, Callable[[Row], Any]] = {
    "year": lambda one: _day(one).year,
    "weekday": lambda one: _day(one).isoweekday(),
    "month_start_date": lambda one: str(_day(one).replace(day=1)),
    "activity_date": lambda one: str(_day(one)),
    "date": lambda one: str(_day(one)),
    "sport_group": lambda one: one["sport_group"],
    "distance_m": lambda one: one["distance_m"],
    "moving_time_s": lambda one: one["moving_time_s"],
    "longest_distance_m": lambda one: one["distance_m"],
}
MOST_SUMMED, MOST_TRIED = 4, 30_000


def _day(one: Row) -> date:
    return date.fromisoformat(one["started_local"][:10])


def rows(data: dict[str, Any], table: str) -> list[Row]:
    """Return a table's rows with the names of their columns, none where there is no such table."""
    found = data["tables"].get(table, {"columns": [], "rows": []})
    return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


def by_sums(data: dict[str, Any], table: str) -> list[tuple[Row, tuple[int, ...]]]:
    """Return the rows of a table with the activities, by their places in the list, that they must be about.

    A row that counts and sums some activities tells about each of them, where only one choice of them has its sums.
    """
    activities = rows(data, "activities")
    found = []
    for row in rows(data, table):
        if row.get("sport_group") != "All":
            measures = [name for name in MEASURES if row.get(name)]
            joins = [name for name in row if name in JOINS and name not in measures and row[name] is not None]
            of_row = [i for i, one in enumerate(activities) if all(JOINS[name](one) == row[name] for name in joins)]
            found.append((row, _only_choice(activities, of_row, row, measures)))
    return found


def _only_choice(activities: list[Row], of_row: list[int], row: Row, measures: list[str]) -> tuple[int, ...]:
    if row.get("activities") == len(of_row) or len(of_row) == 1:
        return tuple(of_row)
    found: tuple[int, ...] = ()
    for size in [row["activities"]] if "activities" in row else range(1, MOST_SUMMED + 1):
        if size > MOST_SUMMED or comb(len(of_row), size) > MOST_TRIED or not measures:
            continue
        for choice in combinations(of_row, size):
            if all(abs(sum(activities[i][name] or 0 for i in choice) - row[name]) < 1 for name in measures):
                if found:
                    return ()
                found = choice
    return found


def ways(data: dict[str, Any]) -> dict[str, list[Any]]:
    """Return what tells activities apart, by name: a value for each activity of the list, None where it says nothing.

    That is each column with its last digits, the place in the list and within the day, and what other tables' rows
    have besides of the activities that they must be about.
    """
    activities = rows(data, "activities")
    of_day: dict[date, list[int]] = {}
    for i, one in enumerate(activities):
        of_day.setdefault(_day(one), []).append(i)
    found: dict[str, list[Any]] = {
        "place within the day": [
            (of_day[_day(one)].index(i), len(of_day[_day(one)])) for i, one in enumerate(activities)
        ]
    }
    for column in activities[0]:
        found[column] = [one[column] for one in activities]
        found[f"last digits of {column}"] = [str(one[column])[-2:] for one in activities]
    for table in data["tables"].keys() - {"activities"}:
        for row, choice in by_sums(data, table):
            for column in row.keys() - JOINS.keys() - {*MEASURES, "activities"}:
                values = found.setdefault(f"{table}.{column}", [None] * len(activities))
                for i in choice:
                    values[i] = row[column]
    return found


def guesses(reported: dict[str, list[Any]], known: dict[int, Any], count: int) -> Iterator[tuple[str, dict[int, Any]]]:
    """Return guesses at the unknown ones' values, from those that are `known`, by one way after the other.

    Of `count` activities those have the same value that a way does not tell apart, or those that are neighbours.
    """
    asked = [i for i in range(count) if i not in known]
    ((usual, _),) = Counter(known.values()).most_common(1)
    yield "usual", dict.fromkeys(asked, usual)
    for step in (-1, 1):
        yield f"neighbour {step}", {i: known.get(i + step, usual) for i in asked}
    for way, values in reported.items():
        met: dict[Any, Counter[Any]] = {}
        for i, value in known.items():
            met.setdefault(values[i], Counter())[value] += 1
        yield way, {i: met[values[i]].most_common(1)[0][0] if values[i] in met else usual for i in asked}
