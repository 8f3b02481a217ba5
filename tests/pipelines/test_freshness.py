"""Which details are asked for again: histories of what summaries and details said, judged by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.mirror.fingerprints import Enriched, Version
from pipelines.mirror.freshness import PATHS, to_fetch_again

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC).replace(tzinfo=None)
NEVER = NOON + timedelta(days=3650)


def versions(history: str) -> list[Version]:
    """The versions in "1a 5b": at hour 1 the name was a, at hour 5 b."""
    return [Version(NOON + timedelta(hours=int(one[:-1])), fields(f'"{one[-1]}"')) for one in history.split()]


def fields(name: str, kudos: str = "0") -> list[str | None]:
    said: dict[str, str | None] = {"$.name": name, "$.kudos_count": kudos, "$.start_date": '"2026-03-01T08:00:00Z"'}
    return [said.get(path) for path in PATHS]


def is_asked_for(summaries: str, details: str, sweeps: str = "") -> bool:
    walks = [NOON + timedelta(hours=int(hour)) for hour in sweeps.split()]
    return to_fetch_again([Enriched(7, versions(summaries), versions(details))], walks, NEVER) == [7]


@pytest.mark.parametrize(
    ("summaries", "details", "sweeps", "expected"),
    [
        # the same
        ("1a", "2a", "", False),
        # an edit after the details
        ("1a 3b", "2a", "", True),
        # another value from the start: unless the list was read since, the details may just be newer
        ("1a", "2b", "", False),
        ("1a", "2b", "3", True),
        # seen twice, with a walk in between, and the summary as before: Strava says both for ever
        ("1a", "2b 4b", "3 5", False),
        # no walk between the two: it may still be that the list was late
        ("1a", "2b 4b", "5", True),
        # the summary changed since the first of the two
        ("1a 3c", "2b 4b", "3 5", True),
        # the details said something else between: only the last run of equal ones counts
        ("1a", "2b 4c 6b", "3 5 7", True),
        ("1a", "2b 4c 6b 8b", "3 5 7 9", False),
        # back at what the details say
        ("1a 3b 5a", "2a", "", False),
    ],
)
def test_details_are_asked_for_again_if_they_contradict_a_summary_that_may_be_newer(
    summaries, details, sweeps, expected
):
    assert is_asked_for(summaries, details, sweeps) is expected


def test_an_edit_comes_before_other_kudos_and_kudos_count_for_recent_activities_only():
    def activity(id_: int, name: str, kudos: str) -> Enriched:
        summaries = [Version(NOON, fields('"a"')), Version(NOON + timedelta(hours=2), fields(name, kudos))]
        return Enriched(id_, summaries, [Version(NOON + timedelta(hours=1), fields('"a"'))])

    enriched = [activity(1, '"a"', "5"), activity(2, '"b"', "0"), activity(3, '"a"', "0")]
    assert to_fetch_again(enriched, [], datetime(2026, 3, 1, tzinfo=UTC)) == [2, 1]
    assert to_fetch_again(enriched, [], datetime(2026, 3, 2, tzinfo=UTC)) == [2]
