"""What is mirrored besides activities and details: the athlete, zones and gear always, other things on demand."""

import json

import pytest
from home import Athlete, copy_home
from landed import NO_LIMITS, assert_one_sentence, ids, versions

from simulator import Simulator

pytestmark = pytest.mark.slow

PROFILE = "read,profile:read_all,activity:read,activity:read_all"
OWN = ("/api/v3/athlete", "/api/v3/athlete/zones", "/api/v3/gear/", "/routes")


@pytest.fixture
def strava():
    with Simulator(seed=7, activities=40, limits=NO_LIMITS) as simulator:
        yield simulator


@pytest.fixture
def fetch(athlete, run):
    """A pull that sweeps each time, then what is the athlete's own, without details and without a build."""

    def fetch(*command, **settings):
        ran = run(*command, STRAVA_SWEEP_HOURS="0", ENRICH_LIMIT=settings.pop("ENRICH_LIMIT", "0"), **settings)
        assert ran.code == 0, ran.err
        return ran

    return fetch


@pytest.fixture
def flow(fetch):
    """The same with a build."""
    return lambda **settings: fetch("flow", **settings)


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    """A home after a flow that saw the profile, and what it asked for of the athlete's own."""
    with Simulator(seed=7, activities=40, limits=NO_LIMITS) as simulator:
        user = Athlete(tmp_path_factory.mktemp("past"), simulator)
        user.authorise(scope=PROFILE)
        ran = user.spawn("flow", ENRICH_LIMIT="0")
        assert ran.code == 0, ran.err
        return user.home, own_asked(simulator)


@pytest.fixture
def before(athlete, past):
    """What was asked for of the athlete's own in a flow before, whose home this is."""
    home, asked_before = past
    copy_home(home, athlete.home)
    athlete.authorise(scope=PROFILE)
    return asked_before


def asked(strava, path):
    return [record.path for record in strava.requests if path in record.path]


def own_asked(strava):
    """Requests for the athlete's own, without the list of activities."""
    found = [record.path for record in strava.requests if record.path.startswith(OWN[:3]) or OWN[3] in record.path]
    return [path for path in found if not path.startswith("/api/v3/athlete/activities")]


def gear(athlete):
    rows = athlete.sql("select gear_id, name, retired from strava.gear")
    return {gear_id: (name, retired) for gear_id, name, retired in rows}


def worn(strava):
    return sorted({activity["gear_id"] for activity in strava.activities() if activity["gear_id"]})


@pytest.mark.deep
def test_gear_renamed_or_retired_after_its_last_run_is_right_after_the_next_sweep(athlete, flow, strava, before):
    shoes = worn(strava)
    in_use = [id_ for id_ in shoes if not strava.gear(id_)["retired"]]
    # what the profile lists is not asked for
    assert sorted(path.rpartition("/")[2] for path in before if "/gear/" in path) == sorted(set(shoes) - set(in_use))
    assert gear(athlete) == {id_: (strava.gear(id_)["name"], strava.gear(id_)["retired"]) for id_ in shoes}

    strava.edit_gear(in_use[0], name="Renamed since")
    strava.edit_gear(in_use[1], retired=True)
    flow()
    assert own_asked(strava) == ["/api/v3/athlete", f"/api/v3/gear/{in_use[1]}"]
    assert gear(athlete)[in_use[0]] == ("Renamed since", False)
    assert gear(athlete)[in_use[1]][1] is True

    # taken back into use, and retired once more on the same day
    for retired in (False, True):
        strava.edit_gear(in_use[1], retired=retired)
        flow()
        assert gear(athlete)[in_use[1]][1] is retired


def test_without_the_profile_gear_is_asked_for_itself_once_a_week(athlete, fetch, strava):
    athlete.authorise(scope="read,activity:read,activity:read_all")
    fetch()
    assert own_asked(strava)[0] == "/api/v3/athlete"
    assert not asked(strava, "/athlete/zones"), "a request that the token may not make"
    assert sorted(path.rpartition("/")[2] for path in asked(strava, "/gear/")) == worn(strava)
    retired = [id_ for id_ in worn(strava) if strava.gear(id_)["retired"]]

    strava.clear_requests()
    for days in (0, 6.5):
        athlete.sleep(days * 24 * 3600)
        fetch()
        assert not asked(strava, "/gear/")
    athlete.sleep(24 * 3600)
    fetch()
    in_use = sorted(set(worn(strava)) - set(retired))
    assert sorted(path.rpartition("/")[2] for path in asked(strava, "/gear/")) == in_use


@pytest.mark.deep
def test_the_profile_and_zones_are_tables_and_what_has_not_changed_costs_one_request_a_sweep(
    athlete, flow, strava, before
):
    [(id_, weight, ftp)] = athlete.sql("select athlete_id, weight_kg, ftp_w from strava.athletes")
    assert (id_, weight, ftp) == (strava.athlete_id, strava.profile()["weight"], strava.profile()["ftp"])
    zones = athlete.sql("select kind, zone, lowest, highest from strava.athlete_zones order by zone")
    assert [zone for _, zone, _, _ in zones] == [1, 2, 3, 4, 5]
    assert {kind for kind, *_ in zones} == {"heart_rate"}
    ran = flow()
    assert own_asked(strava) == ["/api/v3/athlete"]
    assert len(versions(athlete, "athlete")) == len(versions(athlete, "athlete_zones")) == 1
    assert "dbt: nothing landed since the last build." in ran.err


def test_a_run_without_a_sweep_asks_for_nothing_of_the_athlete(athlete, fetch, run, strava):
    fetch()
    strava.clear_requests()
    assert run().code == 0
    assert own_asked(strava) == []


@pytest.mark.deep
def test_a_refused_profile_stops_nothing_and_is_requested_after_the_next_sweep(athlete, fetch, flow, strava):
    athlete.authorise(scope=PROFILE)
    strava.fault("500", times=None, path="/athlete/zones")
    ran = flow()
    assert "profile and gear are unchanged" in ran.err
    assert athlete.sql("select count(*) from strava.activities") == [(40,)]
    assert ids(athlete, "athlete_zones") == []
    strava.clear_faults()
    fetch()
    assert ids(athlete, "athlete_zones") == [strava.athlete_id]


def test_a_window_that_is_nearly_spent_is_left_to_activities(athlete, fetch, strava):
    strava.set_limits(read_15min=30)
    fetch()
    assert own_asked(strava) == ["/api/v3/athlete"], "whose history it is, and no more"
    assert versions(athlete, "athlete") == []
    athlete.sleep(15 * 60)
    strava.set_limits(**NO_LIMITS)
    fetch()
    fetch()
    assert ids(athlete, "athlete") == [strava.athlete_id]


def test_what_is_wanted_is_fetched_once_and_again_if_its_number_has_changed(athlete, flow, strava):
    wanted = {"STRAVA_RESOURCES": "kudos, comments,photos", "ENRICH_LIMIT": "all"}
    flow(**wanted)
    activities = strava.activities()
    for name, field in (("kudos", "kudos_count"), ("comments", "comment_count"), ("photos", "total_photo_count")):
        counts = {activity["id"]: activity[field] for activity in activities if activity[field]}
        rows = athlete.sql(f"select activity_id, count(*) from strava.{name} group by 1")
        assert dict(rows) == counts
        assert sorted(ids(athlete, f"activity_{name}")) == sorted(counts)

    strava.clear_requests()
    assert "dbt: nothing landed" in flow(**wanted).err
    assert not [record for record in strava.requests if record.path.endswith(("/kudos", "/comments", "/photos"))]
    newest = activities[0]["id"]
    strava.edit(newest, kudos_count=300)
    flow(**wanted)
    assert {path.split("/")[-2] for path in asked(strava, "/kudos")} == {str(newest)}
    assert athlete.sql("select count(*) from strava.kudos where activity_id = ?", newest) == [(300,)]
    # 200 to a page
    assert len(asked(strava, "/kudos")) == 2


@pytest.mark.deep
def test_laps_zones_and_routes_are_there_on_demand_and_laps_need_no_details(athlete, flow, strava):
    flow(STRAVA_RESOURCES="laps,zones,routes", ENRICH_LIMIT="500")
    [(zones, seconds)] = athlete.sql("select count(distinct activity_id), sum(time_s) from strava.activity_zones")
    with_heart_rate = [each for each in strava.activities() if "average_heartrate" in each]
    assert (zones, seconds) == (len(with_heart_rate), sum(each["moving_time"] for each in with_heart_rate))
    # private ones take another scope
    names = [route["name"] for route in strava.routes() if not route["private"]]
    assert sorted(name for (name,) in athlete.sql("select name from strava.routes")) == sorted(names)
    laps = athlete.sql("select count(*) from strava.laps")
    # fetched again, without details: the same laps
    athlete.warehouse.unlink()
    for shard in athlete.shards("activity_details"):
        shard.unlink()
    flow(STRAVA_RESOURCES="laps")
    assert athlete.sql("select count(*) from strava.laps") == laps


def test_routes_are_requested_of_the_athlete_once_a_sweep_and_of_no_activity(athlete, fetch, strava):
    athlete.authorise(scope=PROFILE)
    strava.set_limits(read_15min=100)
    fetch(STRAVA_RESOURCES="routes", ENRICH_LIMIT="all")
    assert asked(strava, "/routes") == [f"/api/v3/athletes/{strava.athlete_id}/routes"]
    assert ids(athlete, "routes")


def test_a_limit_counts_what_is_on_demand_too_and_the_next_run_continues(athlete, run, strava):
    run("pull")
    assert "left." in run(ENRICH_LIMIT="45", STRAVA_RESOURCES="kudos").err
    assert len(asked(strava, "/kudos")) == 5
    run(ENRICH_LIMIT="all", STRAVA_RESOURCES="kudos")
    given = [activity for activity in strava.activities() if activity["kudos_count"]]
    assert len(asked(strava, "/kudos")) == len(given)


@pytest.mark.deep
def test_a_purge_erases_what_was_fetched_on_demand(athlete, fetch, flow, run, strava):
    # photos too, as above: what dbt has parsed for these serves here
    wanted = {"STRAVA_RESOURCES": "comments,kudos,photos", "ENRICH_LIMIT": "all"}
    fetch(**wanted)
    [gone] = [each["id"] for each in strava.activities() if each["comment_count"] and each["kudos_count"]][:1]
    strava.delete(gone)
    flow(**wanted)
    assert athlete.sql("select count_if(activity_id = ?), count(*) > 0 from strava.kudos", gone) == [(0, True)]
    assert gone in ids(athlete, "activity_comments")
    assert run("purge", **wanted).code == 0
    for table in ("activities", "activity_details", "activity_comments", "activity_kudos"):
        assert gone not in ids(athlete, table)
    assert json.loads(run("status", "--json").out)["adds_up"] is True


def test_an_unknown_resource_is_named(run):
    assert_one_sentence(run("pull", STRAVA_RESOURCES="kudos,friends"), 2, "STRAVA_RESOURCES", "friends", "photos")
