import hashlib
import json
import re
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from home import Athlete, copy_home
from landed import DETAIL, all_ids, ask, assert_one_sentence, details_asked, ids, versions

from pipelines.mirror.enrich import DetailChoice
from simulator import Simulator

pytestmark = pytest.mark.slow


@pytest.fixture
def strava():
    with Simulator(seed=7, activities=8) as simulator:
        yield simulator


@pytest.fixture
def fetch(run):
    """`pull, enrich` without the load into staging: what was asked for and has landed is what most tests look at."""
    return partial(run, SOAK_STEPS="pull,enrich")


@pytest.fixture
def enrich(steps):
    """`enrich` alone; what it said."""

    def enrich(*ids, limit=None, **settings):
        return steps.run("enrich", details=DetailChoice(limit, ids), **settings)

    return enrich


@pytest.fixture(scope="module")
def pulled_home(tmp_path_factory):
    """A home after a pull, to be copied only: of a Strava that is the same as `strava`."""
    return home_after(tmp_path_factory, "0")


@pytest.fixture(scope="module")
def detailed_home(tmp_path_factory):
    """The same after the details of all."""
    return home_after(tmp_path_factory, "all")


def home_after(tmp_path_factory, limit):
    with Simulator(seed=7, activities=8) as simulator:
        user = Athlete(tmp_path_factory.mktemp("home"), simulator)
        user.authorise()
        ran = user.spawn(ENRICH_LIMIT=limit)
        assert ran.code == 0, ran.err
    return user.home


def copied(home, athlete):
    copy_home(home, athlete.home)
    # whose the token is has been asked
    athlete.authorise(athlete_id=athlete.strava.athlete_id)
    return athlete


@pytest.fixture
def pulled(athlete, pulled_home):
    """`athlete`, whose list has landed."""
    return copied(pulled_home, athlete)


@pytest.fixture
def detailed(athlete, detailed_home):
    """`athlete`, whose details have all landed too."""
    return copied(detailed_home, athlete)


def newest_first(strava):
    return [activity["id"] for activity in strava.activities()]


# Without a command the program pulls and enriches, and does not start dbt.


def test_details_are_fetched_newest_first_and_only_those_that_are_missing(athlete, run, strava):
    ran = run(ENRICH_LIMIT="3")
    assert (ran.code, ran.out) == (0, "")
    assert ", 5 left." in ran.err
    assert details_asked(athlete) == newest_first(strava)[:3]
    run(ENRICH_LIMIT="2")
    assert details_asked(athlete) == newest_first(strava)[:5]
    assert ids(athlete, "activity_details") == newest_first(strava)[:5]


def test_a_limit_of_none_asks_for_none_and_one_of_all_for_all(athlete, fetch, strava):
    fetch(ENRICH_LIMIT="0")
    assert (details_asked(athlete), athlete.shards("activity_details")) == ([], [])
    fetch(ENRICH_LIMIT="all")
    assert set(ids(athlete, "activity_details")) == all_ids(strava)
    strava.clear_requests()
    assert "nothing missing" in fetch(ENRICH_LIMIT="all").err
    assert details_asked(athlete) == []


def test_a_new_activity_is_the_only_one_whose_details_are_asked_for(detailed, fetch, strava):
    new = strava.add(name="today")
    fetch()
    assert details_asked(detailed) == [new["id"]]


def test_a_detail_lands_byte_for_byte_with_all_its_efforts(athlete, run, strava):
    run(ENRICH_LIMIT="1")
    asked = athlete.requests(DETAIL)[0]
    assert asked.query == {"include_all_efforts": "true"}
    [(id_, payload)] = versions(athlete, "activity_details")
    assert payload == athlete.sql("select payload from staging.activity_details")[0][0]
    assert payload.encode() == ask(athlete, f"/activities/{id_}", include_all_efforts="true")


def test_chosen_activities_are_fetched_again_though_they_wait_and_land_only_if_they_changed(athlete, run, strava):
    first, second, third, *_ = newest_first(strava)
    strava.fault("500", id=third)
    assert " left: " not in run(ENRICH_LIMIT="all").err, "what Strava refuses is not left for the next run"
    strava.clear_faults()
    strava.edit(first, description="Changed")
    strava.clear_requests()
    ran = run("enrich", "--ids", f"{second},{first},{third},{second}")
    assert ran.code == 0
    assert details_asked(athlete) == [second, first, third]
    assert "3 fetched, 2 new or changed" in ran.err
    assert len(ids(athlete, "activity_details")) == strava.count + 1
    assert "Details refused 0" in " ".join(run("status").out.split())
    # enrich leaves them merged: one row each, the newest version
    assert athlete.sql("select count(*), count(distinct id) from strava.activity_details") == [(8, 8)]
    description = athlete.sql("select json->>'description' from strava.activity_details where id = ?", first)
    assert description == [("Changed",)]


def test_what_is_left_of_chosen_activities_has_no_limit_to_wait_for(athlete, pull, run, strava):
    pull()
    chosen = ",".join(str(id_) for id_ in newest_first(strava)[:3])
    strava.fault("429", path=DETAIL, after=1, window="15min")
    ran = run("enrich", "--ids", chosen, ENRICH_LIMIT="1", STRAVA_MAX_WAIT_S="0")
    assert details_asked(athlete)[0] == newest_first(strava)[0]
    assert "2 details left: 2 requests" in ran.err
    assert "ENRICH_LIMIT" not in ran.err


def test_since_and_until_are_dates_where_the_athlete_was(athlete, run, strava):
    # at +13:00 the 2nd of June begins when it is still the 1st in Greenwich; at -08:00 it lasts into the 3rd
    tonga = strava.add(start_date="2026-06-01T12:30:00Z", utc_offset=13 * 3600)
    coast = strava.add(start_date="2026-06-03T05:00:00Z", utc_offset=-8 * 3600)
    before = strava.add(start_date="2026-06-02T05:00:00Z", utc_offset=-8 * 3600)
    after = strava.add(start_date="2026-06-02T12:00:00Z", utc_offset=13 * 3600)
    run("pull", SOAK_STEPS="pull")
    assert run("enrich", "--since", "2026-06-02", "--until", "2026-06-02", SOAK_STEPS="enrich").code == 0
    assert details_asked(athlete) == [coast["id"], tonga["id"]]
    assert {before["id"], after["id"]}.isdisjoint(ids(athlete, "activity_details"))


# --- refused ones


@pytest.mark.deep
def test_an_activity_that_details_and_list_both_lack_is_gone_and_not_asked_for_again(pulled, run, fetch, strava):
    gone = newest_first(strava)[1]
    strava.delete(gone)
    ran = run("enrich", ENRICH_LIMIT="all")
    assert ran.code == 0, ran.err
    assert "Gone at Strava: 1, see strava.deleted_activities." in ran.err
    assert set(ids(pulled, "activity_details")) == all_ids(strava)
    assert ids(pulled, "tombstones") == [gone]
    assert pulled.sql("select id, noticed_by from strava.deleted_activities") == [(gone, "detail")]
    assert json.loads(run("status", "--json").out)["last_run"]["activities_buried"] == 1
    strava.clear_requests()
    assert fetch(ENRICH_LIMIT="all").code == 0
    assert details_asked(pulled) == []


def test_an_activity_that_only_the_list_has_is_passed_over_and_not_asked_for_again_at_once(pulled, run, fetch, strava):
    hidden = newest_first(strava)[1]
    strava.fault("empty404", id=hidden)
    ran = fetch(ENRICH_LIMIT="all")
    assert ran.code == 0
    assert f"warning: Activity {hidden} has no details for now: Strava answers 404" in ran.err
    assert set(ids(pulled, "activity_details")) == all_ids(strava) - {hidden}
    assert ids(pulled, "tombstones") == []
    strava.clear_requests()
    assert fetch(ENRICH_LIMIT="all").code == 0
    assert details_asked(pulled) == []
    assert "Details refused" in run("status").out


@pytest.mark.parametrize("kind", ["500", "nonsense"])
def test_a_corrupt_activity_is_passed_over_and_not_asked_for_again_at_once(pulled, fetch, enrich, strava, kind):
    corrupt = newest_first(strava)[2]
    strava.fault(kind, id=corrupt)
    assert fetch(ENRICH_LIMIT="all").code == 0
    assert set(ids(pulled, "activity_details")) == all_ids(strava) - {corrupt}
    state = pulled.home / "warehouse" / ".state" / "quarantine.json"
    assert json.loads(state.read_text())[str(corrupt)]["refusals"] == 1
    strava.clear_requests()
    assert fetch(ENRICH_LIMIT="all").code == 0
    assert details_asked(pulled) == []
    strava.clear_faults()
    enrich(corrupt)
    assert json.loads(state.read_text()) == {}


def test_a_refused_one_waits_twice_as_long_each_time(pulled, run, fetch, strava):
    corrupt = newest_first(strava)[0]
    strava.fault("500", times=None, id=corrupt)
    state = pulled.home / "warehouse" / ".state" / "quarantine.json"
    for delay_s in (3600, 7200, 14400):
        began_s = time.time()
        assert fetch(ENRICH_LIMIT="1", STRAVA_RETRY_WAIT_S="0.001").code == 0
        held = json.loads(state.read_text())
        waits_s = held[str(corrupt)]["next_try_at_s"] - began_s
        assert -2 < waits_s - delay_s < 60
        strava.clear_requests()
        assert fetch(ENRICH_LIMIT="1").code == 0
        assert corrupt not in details_asked(pulled)
        # so much later
        held[str(corrupt)]["next_try_at_s"] -= delay_s + 1
        state.write_text(json.dumps(held))
    assert "500" in run("status").out


def test_a_clock_that_was_set_back_makes_no_refused_one_wait_for_years(pulled, fetch, strava):
    corrupt = newest_first(strava)[2]
    strava.fault("500", id=corrupt)
    assert fetch(ENRICH_LIMIT="all").code == 0
    state = pulled.home / "warehouse" / ".state" / "quarantine.json"
    held = json.loads(state.read_text())
    # refused when it was 2037 here
    held[str(corrupt)]["next_try_at_s"] += 10 * 365 * 86400
    state.write_text(json.dumps(held))
    strava.clear_requests()
    fetch(ENRICH_LIMIT="all")
    assert set(details_asked(pulled)) == {corrupt}


def test_two_corrupt_ones_in_a_row_at_the_very_end_are_passed_over_too(pulled, fetch, strava):
    *_, last_but_one, last = newest_first(strava)
    for id_ in (last_but_one, last):
        strava.fault("500", id=id_)
    assert fetch(ENRICH_LIMIT="all").code == 0
    strava.clear_requests()
    assert fetch(ENRICH_LIMIT="all").code == 0
    assert details_asked(pulled) == []


def test_an_answer_about_another_activity_is_not_taken(pulled, fetch, strava):
    first, second, *_ = newest_first(strava)
    strava.set_summary(first, json.dumps(strava.summary(second)).encode())
    assert fetch(ENRICH_LIMIT="1").code == 0
    assert ids(pulled, "activity_details") == []


def test_three_failures_in_a_row_are_an_outage_and_nobody_is_passed_over(pulled, run, fetch, strava):
    strava.fault("503", times=None, path=DETAIL, after=2)
    ran = run(ENRICH_LIMIT="all")
    assert_one_sentence(ran, 4, "answered 503")
    assert ids(pulled, "activity_details") == newest_first(strava)[:2]
    assert len(set(details_asked(pulled))) == 5
    assert pulled.sql("select count(*) from staging.activity_details") == [(2,)]
    strava.clear_faults()
    assert fetch(ENRICH_LIMIT="all").code == 0
    assert set(ids(pulled, "activity_details")) == all_ids(strava)


def test_a_pull_that_fails_does_not_start_to_enrich(pulled, run, strava):
    strava.fault("503", times=None, path="/athlete/activities")
    assert_one_sentence(run(), 4)
    assert details_asked(pulled) == []


# --- pace and limits


def test_the_throttle_keeps_its_distance_between_two_details(pulled, fetch, strava):
    fetch(ENRICH_LIMIT="4", STRAVA_ENRICH_SLEEP_MS="120")
    at = [request.at for request in pulled.requests(DETAIL)]
    assert len(at) == 4
    # the simulator notes when it answered, so a few milliseconds may be missing
    assert all((later - earlier).total_seconds() > 0.1 for earlier, later in pairwise(at))


def test_a_spent_window_ends_enrichment_cleanly_with_what_it_fetched(pulled, run, strava):
    strava.set_limits(read_day=6)
    strava.set_usage(read_day=1)
    ran = run(ENRICH_LIMIT="all", STRAVA_RESERVE="0")
    assert ran.code == 0
    assert "daily limit is used up (6 of 6 requests)" in ran.err
    assert ids(pulled, "activity_details") == newest_first(strava)[:3]
    assert pulled.sql("select count(*) from staging.activity_details") == [(3,)]
    assert all(request.status == 200 for request in strava.requests)


# --- details follow their summaries


def test_details_are_fetched_again_when_their_summary_changed_and_missing_ones_come_first(athlete, fetch, strava):
    first, second, third, *_ = newest_first(strava)
    fetch(ENRICH_LIMIT="3")
    strava.edit(second, name="renamed")
    strava.edit(third, gear_id="b1")
    strava.clear_requests()
    fetch(ENRICH_LIMIT="all")
    fourth = newest_first(strava)[3]
    assert details_asked(athlete)[0] == fourth
    assert details_asked(athlete)[-2:] == [second, third]
    assert first not in details_asked(athlete)
    newest_detail = [json.loads(text) for id_, text in versions(athlete, "activity_details") if id_ == second][-1]
    assert newest_detail["name"] == "renamed"
    strava.clear_requests()
    assert fetch(ENRICH_LIMIT="all").code == 0
    assert details_asked(athlete) == []


def test_details_that_know_of_the_change_already_are_not_fetched_again(pulled, fetch, enrich, strava):
    first = newest_first(strava)[0]
    strava.edit(first, name="renamed")
    enrich()
    strava.clear_requests()
    assert fetch(ENRICH_LIMIT="all").code == 0
    assert details_asked(pulled) == []


def test_details_that_come_back_as_they_were_are_not_asked_for_for_ever(detailed, fetch, strava):
    first = newest_first(strava)[0]
    summary = dict(strava.summary(first), name="only the list says so")
    strava.set_summary(first, json.dumps(summary).encode())
    fetch(ENRICH_LIMIT="all")
    strava.clear_requests()
    assert fetch(ENRICH_LIMIT="all").code == 0
    assert details_asked(detailed) == []


def test_a_count_of_companions_that_goes_to_and_fro_costs_no_request(athlete, run, fetch, strava):
    first = newest_first(strava)[0]
    strava.edit(first, athlete_count=1)
    fetch(ENRICH_LIMIT="all")
    strava.clear_requests()
    for count in (3, 1, 3):
        strava.edit(first, athlete_count=count)
        assert fetch(ENRICH_LIMIT="all", STRAVA_SWEEP_HOURS="0").code == 0
    assert details_asked(athlete) == []
    assert run("pull").code == 0
    assert athlete.sql(
        "select payload->>'$.athlete_count' from staging.activities order by fetched_at desc limit 1"
    ) == [("3",)]


def test_an_edit_that_was_taken_back_before_the_list_showed_it_leaves_no_details_behind(pulled, fetch, enrich, strava):
    first, second, *_ = newest_first(strava)
    before = {id_: strava.summary(id_) for id_ in (first, second)}
    strava.edit(first, name="for a minute")
    strava.edit(second, distance=1.5)
    # the list is not read in between
    enrich()
    enrich()
    # another edit of the one, which the details know of already
    strava.edit(first, name=before[first]["name"], commute=not before[first]["commute"])
    strava.edit(second, distance=before[second]["distance"])
    strava.clear_requests()
    assert fetch(ENRICH_LIMIT="all", STRAVA_SWEEP_HOURS="0").code == 0
    assert details_asked(pulled) == [first, second]
    reported = {id_: json.loads(text) for id_, text in versions(pulled, "activity_details")}
    assert reported[first]["name"] == before[first]["name"]
    assert reported[second]["distance"] == before[second]["distance"]
    strava.clear_requests()
    assert fetch(ENRICH_LIMIT="all", STRAVA_SWEEP_HOURS="0").code == 0
    assert details_asked(pulled) == []


def test_details_that_say_a_thing_differently_for_ever_are_asked_for_once_more_and_never_again(
    athlete, run, fetch, strava
):
    first, second, *_ = newest_first(strava)
    strava.edit_detail(first, name="only the details say so")
    # DuckDB refuses half a surrogate pair
    strava.set_summary(second, json.dumps(dict(strava.summary(second), name="\ud800")).encode())
    strava.edit_detail(second, name="whole")
    asked = []
    for _ in range(4):
        strava.clear_requests()
        fetch(ENRICH_LIMIT="all", STRAVA_SWEEP_HOURS="0")
        asked.append([details_asked(athlete).count(id_) for id_ in (first, second)])
    assert asked == [[1, 1], [1, 1], [0, 0], [0, 0]]
    assert run("pull").code == 0


@pytest.mark.deep
def test_details_of_many_versions_are_asked_for_once_for_each_change(detailed, fetch, strava):
    first, *_ = newest_first(strava)
    asked = []
    for number in range(3):
        strava.edit(first, name=f"edit {number}")
        for _ in range(2):
            strava.clear_requests()
            assert fetch(ENRICH_LIMIT="all", STRAVA_SWEEP_HOURS="0").code == 0
            asked.append(details_asked(detailed))
    assert asked == [[first], []] * 3
    # the summary differs for ever now: asked once more, and never again, however many versions there are
    strava.edit_detail(first, name="only the details say so")
    strava.edit(first, distance=4321.5)
    asked = []
    for _ in range(4):
        strava.clear_requests()
        fetch(ENRICH_LIMIT="all", STRAVA_SWEEP_HOURS="0")
        asked.append(details_asked(detailed))
    assert asked == [[first], [first], [], []]


def test_an_edit_that_landed_by_a_clock_set_back_since_is_asked_for(detailed, fetch, strava):
    # the list before was fetched by a clock that was ahead, so its shard is by its name the later one
    [shard] = detailed.shards()
    table = pq.read_table(shard)
    name = re.sub(r"\d{14}", f"{datetime.now(UTC) + timedelta(days=1):%Y%m%d%H%M%S}", shard.stem)
    column = pa.array([name] * len(table), table.schema.field("shard").type)
    pq.write_table(
        table.set_column(table.schema.get_field_index("shard"), "shard", column), shard.with_name(f"{name}.parquet")
    )
    shard.unlink()
    first, *_ = newest_first(strava)
    strava.edit(first, name="edited")
    assert fetch(ENRICH_LIMIT="all").code == 0
    assert details_asked(detailed) == [first]


@pytest.mark.deep
def test_other_kudos_are_worth_a_request_within_the_lookback_only(detailed, run, strava):
    second = newest_first(strava)[1]
    strava.edit(second, kudos_count=4711)
    kudos = "(select kudos_count from strava.activities where id = d.id)"
    counts = f"select {kudos}, json->>'$.kudos_count' from strava.activity_details d where id = ?"
    strava.clear_requests()
    run("flow", ENRICH_LIMIT="all", STRAVA_LOOKBACK_DAYS="0", STRAVA_SWEEP_HOURS="0")
    assert details_asked(detailed) == []
    [(summary, details)] = detailed.sql(counts, second)
    assert (summary, details == "4711") == (4711, False)
    run("flow", ENRICH_LIMIT="all", STRAVA_LOOKBACK_DAYS="30", STRAVA_SWEEP_HOURS="0")
    assert details_asked(detailed) == [second]
    assert detailed.sql(counts, second) == [(4711, "4711")]


# --- details that are old


DAY_S = 86_400


def test_a_description_that_was_edited_alone_arrives_when_its_details_are_old(detailed, fetch, strava):
    strava.edit(newest_first(strava)[0], description="Remembered later")
    detailed.sleep(29 * DAY_S)
    strava.clear_requests()
    assert fetch(ENRICH_LIMIT="all").code == 0
    assert details_asked(detailed) == []
    detailed.sleep(2 * DAY_S)
    assert fetch(ENRICH_LIMIT="all").code == 0
    assert details_asked(detailed) == newest_first(strava)
    # what came back as it was has left nothing behind
    assert len(ids(detailed, "activity_details")) == strava.count + 1
    assert json.loads(versions(detailed, "activity_details")[-1][1])["description"] == "Remembered later"
    strava.clear_requests()
    assert "nothing missing" in fetch(ENRICH_LIMIT="all").err
    assert details_asked(detailed) == []


def test_old_details_cost_a_small_share_of_each_day_newest_first_and_after_all_else(athlete, fetch, strava):
    for hours in range(1, 16):
        strava.add(start_date=strava.now() - timedelta(hours=hours))
    fetch(ENRICH_LIMIT="all")
    athlete.sleep(31 * DAY_S)
    old = newest_first(strava)
    new = strava.add(name="today")["id"]
    strava.clear_requests()
    assert ", 0 left." in fetch(ENRICH_LIMIT="5").err
    assert details_asked(athlete) == [new, *old[:4]]
    fetch(ENRICH_LIMIT="all")
    fetch(ENRICH_LIMIT="all")
    # by this machine's clock, which did not sleep, the new one's are of 31 days ago too
    assert details_asked(athlete) == [new, *old[:4], new, *old[4:19]]
    athlete.sleep(DAY_S)
    fetch(ENRICH_LIMIT="all")
    assert details_asked(athlete)[21:] == old[19:]


def test_old_details_of_what_has_no_start_come_last(detailed, fetch, enrich, strava):
    # Strava's clock
    fetch(ENRICH_LIMIT="0")
    undated, *dated = newest_first(strava)
    for name in ("activities", "activity_details"):
        [shard] = detailed.shards(name)
        table = pq.read_table(shard)
        rows = table.to_pylist()
        [row] = [row for row in rows if row["id"] == undated]
        payload = json.loads(row["payload"])
        del payload["start_date"]
        text = json.dumps(payload)
        row |= {"start_date": None, "payload": text, "payload_hash": hashlib.sha256(text.encode()).hexdigest()}
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), shard)
    detailed.sleep(31 * DAY_S)
    enrich(limit=3)
    assert details_asked(detailed) == dated[:3]


def test_old_details_may_be_left_as_they_are(detailed, fetch, strava):
    detailed.sleep(400 * DAY_S)
    strava.clear_requests()
    assert fetch(STRAVA_DETAILS_DAYS="0").code == 0
    assert fetch(ENRICH_LIMIT="0").code == 0
    assert details_asked(detailed) == []


def test_old_details_take_nothing_of_the_reserve_and_wait_for_no_window(detailed, fetch, strava):
    detailed.sleep(31 * DAY_S)
    strava.set_limits(read_day=30)
    strava.set_usage(read_day=0)
    # the day's limit has to be known: from the answers to the pull
    strava.clear_requests()
    ran = fetch(ENRICH_LIMIT="all", STRAVA_RESERVE="25", STRAVA_MAX_WAIT_S="900")
    assert ran.code == 0
    # beside the pull's own
    assert sum(request.authorised for request in detailed.requests("/api/v3/")) == 5
    assert 0 < len(details_asked(detailed)) < 5
    assert "left: " not in ran.err
    assert "Waiting" not in ran.err
