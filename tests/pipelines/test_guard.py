"""What a sweep does not believe, nothing else believes either."""

import pytest
from landed import NO_LIMITS

from simulator import Simulator


@pytest.mark.deep
def test_what_a_sweep_keeps_is_not_removed_bit_by_bit(athlete, run, strava: Simulator):
    strava.set_limits(**NO_LIMITS)
    run("pull")
    newest, *others = [activity["id"] for activity in strava.activities()]
    for id_ in [newest, *others[10:20]]:
        strava.delete(id_)
    assert "--confirm-deletions" in run("pull", STRAVA_SWEEP_HOURS="0").err
    # one of them is in the lookback window, all of them lack details
    assert run(ENRICH_LIMIT="all").code == 0
    assert run("pull", "--lookback-days", "3650").code == 0
    assert athlete.shards("tombstones") == []
    assert run("pull", "--confirm-deletions").code == 0
    assert athlete.sql("select count(*) from staging.tombstones") == [(11,)]
    # from now on it is believed again
    strava.delete(others[0])
    assert run("pull", "--lookback-days", "3650").code == 0
    assert athlete.sql("select count(*) from staging.tombstones") == [(12,)]
