"""Exports and the API in one history: what either has seen since lives on, and neither buries what it cannot know."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from imports import Steps, exported, live, rows
from landed import all_ids, details_asked

from pipelines.ground.errors import BadExport
from simulator import Simulator

pytestmark = pytest.mark.slow


@pytest.fixture
def land(athlete, monkeypatch, capfd):
    return Steps(athlete, monkeypatch, capfd)


def noticed_by(athlete):
    return {row["id"]: json.loads(row["payload"])["noticed_by"] for row in rows(athlete, "tombstones")}


def test_an_activity_of_the_api_that_a_later_export_lacks_is_gone(athlete, pull, strava, land, tmp_path):
    assert pull().code == 0
    gone = strava.activities()[5]["id"]
    strava.delete(gone)
    # an hour later; what has a date of the future counts as of now
    strava.advance(3600)
    written, path = exported(strava, tmp_path / "1.zip")
    said = land(path)
    assert "Gone: 1 activity not in 1.zip" in said
    assert noticed_by(athlete) == {gone: "export"}
    assert live(athlete) == set(written.row_ids)
    landed = [row["fetched_at"] for table in ("export_activities", "tombstones") for row in rows(athlete, table)]
    assert max(landed) <= datetime.now(UTC).replace(tzinfo=None)
    # and comes back with the API, also unchanged
    strava.restore(gone)
    assert pull("--all").code == 0
    assert live(athlete) == all_ids(strava)


def test_what_the_api_has_listed_since_the_export_was_made_lives_on(athlete, pull, strava, land, tmp_path):
    assert pull().code == 0
    hidden = strava.activities()[5]["id"]
    strava.delete(hidden)
    # times in a ZIP are even seconds
    time.sleep(2.1)
    _, path = exported(strava, tmp_path / "1.zip")
    strava.restore(hidden)
    uploaded = strava.add()["id"]
    assert pull("--all").code == 0
    assert [row["id"] for row in rows(athlete, "activities")].count(hidden) == 1
    said = land(path)
    assert "Gone" not in said
    assert live(athlete) == all_ids(strava) >= {hidden, uploaded}


def test_the_api_buries_what_only_an_export_has_shown(athlete, run, strava, land, tmp_path):
    strava.set_clock(datetime.now(UTC) - timedelta(days=1))
    _, path = exported(strava, tmp_path / "1.zip")
    land(path)
    gone = strava.activities()[5]["id"]
    strava.delete(gone)
    strava.set_clock(datetime.now(UTC))
    assert run("pull").code == 0
    assert noticed_by(athlete) == {gone: "sweep"}
    assert live(athlete) == all_ids(strava)
    land(path)
    assert live(athlete) == all_ids(strava)
    shown = json.loads(run("status", "--json").out)
    assert shown["activities"]["stored"] == shown["activities"]["at_api"] == 59
    reasons = {each["reason"]: (each["count"], each["adds_up"]) for each in shown["differences"]}
    assert reasons["in the newest export, but gone since"] == (1, True)


def test_a_token_that_cannot_see_everything_buries_nothing_that_only_an_export_has_shown(
    athlete, run, strava, land, tmp_path
):
    mine = strava.add(visibility="only_me")["id"]
    hidden = sum(activity["visibility"] == "only_me" for activity in strava.activities())
    _, path = exported(strava, tmp_path / "1.zip")
    land(path)
    athlete.authorise(scope="read,activity:read")
    assert run(ENRICH_LIMIT="all").code == 0
    assert noticed_by(athlete) == {}
    assert mine in live(athlete)
    assert mine not in details_asked(athlete)
    assert len(details_asked(athlete)) == 61 - hidden
    shown = json.loads(run("status", "--json").out)["activities"]
    assert (shown["stored"], shown["at_api"], shown["in_export"], shown["listed"]) == (61, 61 - hidden, 61, 61 - hidden)
    assert shown["details_missing"] == 0


def test_an_export_of_another_athlete_than_the_token_is_refused(athlete, run, strava, land, tmp_path):
    assert run("pull").code == 0
    with Simulator(seed=8, activities=3) as other:
        _, path = exported(other, tmp_path / "1.zip")
    with pytest.raises(BadExport, match="is the export of athlete"):
        land(path)
