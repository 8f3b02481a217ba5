"""A count in Strava's list that goes back and forth is no news; whatever else changes lands at once."""

import json
from functools import partial

import pytest
from landed import NO_LIMITS, details_asked, ids, names, versions

from simulator import Simulator

pytestmark = pytest.mark.slow

N = 99
SWEEPS = 12
DAY_S = 86400


@pytest.fixture
def strava(request):
    with Simulator(seed=7, activities=getattr(request, "param", 4), limits=NO_LIMITS) as simulator:
        for activity in simulator.activities():
            simulator.edit(activity["id"], athlete_count=1)
        yield simulator


@pytest.fixture
def sweep(athlete):
    """`pull --all` this many days from now; without the load into staging."""

    def sweep(days=0):
        ran = athlete.spawn("pull", "--all", SOAK_STEPS="pull", SOAK_CLOCK_S=str(round(days * DAY_S)))
        assert ran.code == 0, ran.err

    return sweep


def counts(athlete, id_):
    """The counts of companions that the versions of an activity have, oldest first."""
    return [json.loads(payload)["athlete_count"] for key, payload in versions(athlete) if key == id_]


def newest(strava):
    return strava.activities()[0]["id"]


@pytest.mark.deep
@pytest.mark.parametrize("strava", [N], indirect=True)
def test_99_activities_whose_count_goes_to_and_fro_in_12_sweeps_cost_no_detail_no_version_and_no_build(
    athlete, run, strava
):
    flow = partial(run, "flow", ENRICH_LIMIT="all", STRAVA_SWEEP_HOURS="0")
    assert flow().code == 0
    flapping = [activity["id"] for activity in strava.activities()]
    strava.clear_requests()
    landed, built = [], []
    for sweep in range(SWEEPS):
        before = len(ids(athlete))
        for id_ in flapping:
            strava.edit(id_, athlete_count=1 if sweep % 2 else 3)
        ran = flow()
        assert ran.code == 0, ran.err
        landed.append(len(ids(athlete)) - before)
        built.append("models built" in ran.err)
    assert details_asked(athlete) == []
    # 3 is new once; that it flaps cannot be known then
    assert landed == [N] + [0] * (SWEEPS - 1)
    assert built == [True] + [False] * (SWEEPS - 1)
    assert athlete.sql("select count(*), max(version) from strava.activities_history") == [(2 * N, 2)]


def test_a_count_that_an_activity_never_had_lands_at_once_and_one_that_returned_after_30_days(athlete, sweep, strava):
    first = newest(strava)
    for days, count in ((0, 1), (1, 3), (2, 1), (3, 2), (4, 3), (5, 1), (32.9, 1)):
        strava.edit(first, athlete_count=count)
        sweep(days)
    assert counts(athlete, first) == [1, 3, 2]
    sweep(33.1)
    assert counts(athlete, first) == [1, 3, 2, 1]
    strava.edit(first, athlete_count=2)
    sweep(62)
    assert counts(athlete, first) == [1, 3, 2, 1]


def test_a_count_that_returned_lands_with_any_other_change(athlete, sweep, strava):
    first, second, *_ = (activity["id"] for activity in strava.activities())
    for fields in ({"athlete_count": 1}, {"athlete_count": 3}, {"athlete_count": 1, "kudos_count": 99}):
        strava.edit(first, **fields)
        sweep()
    assert counts(athlete, first) == [1, 3, 1]
    # what is known by now, in another combination
    strava.edit(first, athlete_count=3)
    sweep()
    assert counts(athlete, first) == [1, 3, 1]
    assert counts(athlete, second) == [1]


def test_an_edit_that_was_taken_back_lands_at_once_each_time(athlete, sweep, strava):
    first, name = newest(strava), strava.activities()[0]["name"]
    said = [name, "another", name, 'of 3: "athlete_count":3', 'of 3: "athlete_count":1', 'of 3: "athlete_count":3']
    for each in said:
        strava.edit(first, name=each)
        sweep()
    assert names(athlete, first) == said


def test_an_activity_that_comes_back_with_a_count_that_returned_lands(athlete, sweep, strava):
    first = newest(strava)
    for count in (1, 3):
        strava.edit(first, athlete_count=count)
        sweep()
    strava.edit(first, athlete_count=1)
    strava.delete(first)
    sweep()
    strava.restore(first)
    sweep()
    assert counts(athlete, first) == [1, 3, 1]
