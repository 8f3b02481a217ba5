"""The budget through the command: whose requests it leaves, what it waits for, what a run says when it is spent."""

import json
import re
import signal
import time
from datetime import UTC, datetime, timedelta

import pytest
from deep import deep_but
from home import Athlete
from landed import DETAIL, LIST, NO_LIMITS, all_ids, details_asked, ids, pages_asked
from said import assert_said

from simulator import Simulator

pytestmark = pytest.mark.slow

# by Strava's own clock, far from the one on our wall: noon, in the middle of a quarter of an hour
NOON = datetime(2026, 3, 4, 12, 5, tzinfo=UTC)
PATIENT = {"STRAVA_MAX_WAIT_S": "900", "STRAVA_RESERVE": "0"}


@pytest.fixture
def strava():
    with Simulator(seed=7, activities=20, clock=NOON, limits=NO_LIMITS) as simulator:
        yield simulator


@pytest.fixture
def pulled(athlete, run, strava):
    """The user after a pull, with nothing used at Strava."""
    assert run("pull").code == 0
    strava.clear_requests()
    strava.set_usage(**dict.fromkeys(NO_LIMITS, 0))
    athlete.sleep(900)
    return athlete


def last_line(ran):
    return ran.err.splitlines()[-1]


def last_run(athlete):
    return json.loads((athlete.home / "warehouse" / ".state" / "last_run.json").read_text())


def assert_nothing_refused(strava):
    assert {request.status for request in strava.requests} == {200}


# --- the reserve


def test_enrichment_leaves_the_reserve_of_the_day_to_the_next_pull(pulled, run, strava):
    strava.set_limits(read_day=30)
    # two more by the pull
    strava.set_usage(read_day=2)
    ran = run(ENRICH_LIMIT="all")
    assert ran.code == 0
    assert len(details_asked(pulled)) == 6
    assert "daily limit is used up (10 of 30 requests, and the last 20 are kept for pulls)" in ran.err
    assert last_line(ran) == "14 details left: 14 requests, done 2026-03-06 00:00 UTC with `flow --backfill`."
    strava.clear_requests()
    assert run(ENRICH_LIMIT="all").code == 0
    assert (len(pages_asked(pulled)), details_asked(pulled)) == (2, [])
    assert_nothing_refused(strava)


def test_a_reserve_as_large_as_the_day_is_reported_and_does_not_stop_the_pull(athlete, run, strava):
    strava.set_limits(read_day=20)
    ran = run()
    assert_said(ran, 2, "STRAVA_RESERVE is 20, but Strava admits 20 requests a day")
    assert athlete.sql("select count(*) from staging.activities") == [(20,)]
    assert details_asked(athlete) == []


# --- what a run says at its end


def test_a_run_that_may_not_wait_says_what_is_left_and_when_it_will_be_done(pulled, run, strava):
    # two for the list
    strava.set_limits(read_15min=10)
    ran = run(ENRICH_LIMIT="all", STRAVA_RESERVE="0")
    assert ran.code == 0
    assert "15-minute limit is used up (10 of 10 requests); it opens again at 2026-03-04 12:30 UTC." in ran.err
    # 10 from 12:30 on, 2 from 12:45 on
    assert last_line(ran) == "12 details left: 12 requests, done today 12:45 UTC with `flow --backfill`."
    assert last_run(pulled)["message"].startswith("Strava's 15-minute limit")


def test_a_run_that_its_own_limit_cut_short_says_what_the_next_one_fetches(pulled, run, strava):
    ran = run(ENRICH_LIMIT="5")
    # in the minute that follows, whichever it is by now: Strava's clock continues while the run does its work
    assert re.fullmatch(
        r"15 details left: 15 requests; the next run fetches 5 \(ENRICH_LIMIT\), `flow --backfill` all, "
        r"done today 12:2[1-9] UTC\.",
        last_line(ran),
    )


def test_without_known_limits_a_run_says_so(pulled, run, strava):
    strava.fault("no_rate_headers", times=None)
    (pulled.home / "warehouse" / ".state" / "budget.json").unlink()
    assert "done when Strava's limits allow" in last_line(run(ENRICH_LIMIT="5"))


def test_a_run_that_left_nothing_does_not_mention_it(pulled, run):
    assert run(ENRICH_LIMIT="all").err.splitlines()[1] == "Details: 20 fetched, 20 new or changed, 0 left."
    assert "left:" not in run(ENRICH_LIMIT="all").err


def test_late_in_the_evening_the_rest_is_done_tomorrow(pulled, run, strava):
    pulled.sleep(11 * 3600)
    # two for the list
    strava.set_limits(read_day=20)
    assert last_line(run(ENRICH_LIMIT="all", STRAVA_RESERVE="0")).endswith(
        "2 details left: 2 requests, done tomorrow 00:00 UTC with `flow --backfill`."
    )


# --- waiting


@pytest.mark.deep
def test_a_first_flow_shows_the_activities_before_it_waits_and_continues_where_it_was(athlete, strava):
    # the athlete, two pages, six details
    strava.set_limits(read_15min=9)
    process = athlete.fork("flow", ENRICH_LIMIT="14", STRAVA_PAGE="true", **PATIENT)
    *_, page, waiting = takewhile_not_waiting(process)
    assert page.startswith(f"Page: {athlete.home / 'site' / 'index.html'}")
    assert waiting == (
        "Strava's 15-minute limit is used up (9 of 9 requests); it opens again at 2026-03-04 12:15 UTC. "
        "Waiting until then.\n"
    )
    counted = "select (select count(*) from strava.activities), (select count(*) from strava.activity_details)"
    assert athlete.sql(counted) == [(20, 6)]
    assert (last_run(athlete)["outcome"], last_run(athlete)["exit_code"]) == ("waiting", None)
    # nobody is kept out meanwhile
    assert athlete.spawn("backup", "--unencrypted", str(athlete.home / "strava.bundle")).code == 0
    athlete.sleep(600)
    ran = process.wait()
    assert ran.code == 0, ran.err
    assert "Details: 8 fetched, 8 new or changed, 6 left." in ran.err
    assert athlete.sql(counted) == [(20, 14)]
    assert (len(details_asked(athlete)), len(set(details_asked(athlete)))) == (14, 14)
    assert pages_asked(athlete) == [1, 2]
    assert_nothing_refused(strava)


def takewhile_not_waiting(process):
    """What it says up to the line that it waits."""
    for line in process.lines():
        yield line
        if "Waiting" in line:
            return


def test_a_pull_waits_for_the_next_window_and_continues_from_the_last_activity(athlete, strava):
    strava.set_limits(read_15min=4)
    strava.fault("late_in_window", path=LIST, after=2)
    ran = athlete.spawn("pull", PER_PAGE="5", **PATIENT)
    assert ran.code == 0, ran.err
    # what was deleted meanwhile must not pull another one over a page's border: the last one is asked for again
    assert pages_asked(athlete) == [1, 2, 3, 1, 2, 3]
    assert sorted(ids(athlete)) == sorted(set(ids(athlete)))
    assert set(ids(athlete)) == all_ids(strava)
    assert_nothing_refused(strava)


def test_a_command_that_waits_for_a_waiting_run_says_what_that_waits_for(athlete, strava):
    strava.set_limits(read_15min=3)
    pulling = athlete.fork("pull", PER_PAGE="5", **PATIENT)
    assert "Waiting until then" in [*takewhile_not_waiting(pulling)][-1]
    for command in (("backup", "--unencrypted", str(athlete.home / "b")), ("build",)):
        waiting = athlete.fork(*command)
        assert next(waiting.lines()) == (
            f"Another run is going on (pull, process {pulling.id}); waiting for it to end. "
            "Strava's 15-minute limit is used up (3 of 3 requests); it opens again at 2026-03-04 12:15 UTC.\n"
        )
        waiting.signal(signal.SIGTERM)
        assert waiting.wait().code == 130
    pulling.signal(signal.SIGTERM)
    assert pulling.wait().code == 130


@pytest.mark.parametrize("end", deep_but(2, signal.SIGTERM, signal.SIGKILL, signal.SIGINT))
def test_what_was_fetched_before_a_wait_has_landed_whatever_ends_the_wait(pulled, run, strava, end):
    # two for the list
    strava.set_limits(read_15min=8)
    process = pulled.fork(ENRICH_LIMIT="all", **PATIENT)
    assert "Waiting until then" in [*takewhile_not_waiting(process)][-1]
    process.signal(end)
    sent_at_s = time.monotonic()
    ran = process.wait()
    assert time.monotonic() - sent_at_s < 10
    assert len(details_asked(pulled)) == 6
    assert sorted(ids(pulled, "activity_details")) == sorted(details_asked(pulled))
    assert pulled.sql("select count(*) from staging.activity_details") == [(6,)]
    assert ran.code == (-signal.SIGKILL if end == signal.SIGKILL else 130)
    assert ran.err.splitlines()[-1].startswith("Stopped." if ran.code == 130 else "Strava's 15-minute limit")


def test_a_window_that_opens_later_than_the_longest_wait_ends_the_run(pulled, run, strava):
    strava.set_limits(read_15min=10)
    ran = run(ENRICH_LIMIT="all", STRAVA_MAX_WAIT_S="60", STRAVA_RESERVE="0")
    assert ran.code == 0
    assert "Waiting" not in ran.err
    assert "12 details left" in last_line(ran)


def test_a_spent_day_is_not_waited_for_however_near_its_end(pulled, run, strava):
    strava.set_limits(read_day=10)
    strava.fault("late_in_window", path=DETAIL, window="day", seconds=60)
    ran = run(ENRICH_LIMIT="all", **PATIENT)
    assert ran.code == 0
    assert "Waiting" not in ran.err
    assert "done 2026-03-06 00:00 UTC" in last_line(ran)


def test_a_run_that_is_refused_again_after_a_wait_does_not_wait_for_ever(pulled, strava):
    strava.fault("late_in_window", path=DETAIL, times=2, seconds=1)
    strava.fault("429", path=DETAIL, times=None)
    ran = pulled.spawn(ENRICH_LIMIT="all", **PATIENT)
    assert ran.code == 0
    assert ran.err.count("Waiting") == 1
    assert len(details_asked(pulled)) == 2


# --- backfill


@pytest.mark.deep
def test_a_backfill_continues_over_windows_and_days_until_nothing_is_missing(athlete, strava):
    # in the evening, so that the token outlives the day
    strava.set_clock(NOON.replace(hour=20))
    # 3 requests and 6 details; 4 more for the day; then 2 pages and 7 details, and the rest
    strava.set_limits(read_15min=9, read_day=13)
    strava.fault("late_in_window", path=DETAIL, after=5, seconds=3)
    strava.fault("late_in_window", path=DETAIL, after=9, seconds=3, window="day")
    strava.fault("late_in_window", path=DETAIL, after=15, seconds=3)
    starts = [datetime.fromisoformat(activity["start_date"]) for activity in strava.activities()]
    since = max(starts) - timedelta(days=30)
    recent = sum(start >= since for start in starts)
    process = athlete.fork("flow", "--backfill", STRAVA_RESERVE="0")
    built, said = [], []
    for line in process.lines():
        if "Waiting" in line:
            built.append(athlete.sql("select count(*) from strava.activity_details")[0][0])
        said.append(line)
    assert process.wait().code == 0, said
    assert [line for line in said if line.startswith("Activities")] == [
        "Activities: 20 listed, 20 new or changed.\n",
        f"Activities: {recent} listed since {since:%Y-%m-%d}, nothing new.\n",
    ]
    assert built == [6, 10, 17]
    assert athlete.sql("select count(*) from strava.activity_details") == [(20,)]
    assert len(details_asked(athlete)) == 20
    # once a day: two pages each
    assert pages_asked(athlete) == [1, 2, 1, 2]
    assert_nothing_refused(strava)
    last = last_run(athlete)
    assert (last["command"], last["details_landed"]) == ("flow --backfill", 20)
    assert last["requests"] == len(athlete.requests("/api/"))


@pytest.mark.deep
def test_a_backfill_that_was_stopped_continues_when_it_is_started_again_and_outlives_an_outage(athlete, strava):
    strava.set_limits(read_15min=12)
    process = athlete.fork("flow", "--backfill", STRAVA_RESERVE="0")
    said = process.lines()
    assert "11 details left: 11 requests, done today" in next(line for line in said if "details left: " in line)
    assert "Waiting" in next(said)
    assert (last_run(athlete)["outcome"], last_run(athlete)["exit_code"]) == ("waiting", None)
    # nobody is kept out meanwhile
    other = athlete.spawn("pull")
    assert "Another run" not in other.err
    process.signal(signal.SIGINT)
    assert process.wait().code == 130
    # what the other wrote since is the last run
    assert (last_run(athlete)["command"], last_run(athlete)["outcome"]) == ("pull", "done")
    assert_nothing_refused(strava)
    athlete.sleep(900)
    strava.set_limits(read_15min=100)
    strava.fault("503", times=12, path=DETAIL, after=4)
    ran = athlete.spawn("flow", "--backfill", STRAVA_RESERVE="0")
    assert ran.code == 0, ran.err
    assert "Trying again in 0:00:01." in ran.err
    assert athlete.sql("select count(*) from strava.activity_details") == [(20,)]
    answered = [request.path for request in athlete.requests(DETAIL) if request.status == 200]
    assert len(answered) == len(set(answered)) == 20
    assert {request.status for request in strava.requests} == {200, 503}


def test_a_backfill_with_a_limit_is_a_contradiction(run):
    assert_said(run("flow", "--backfill", "--limit", "5"), 2, "--backfill", "--limit")


# --- whose clock


@pytest.mark.parametrize("wrong", deep_but(2, *(timedelta(days=days) for days in (-3, 3, -1 / 24, 1 / 24))))
def test_windows_open_by_stravas_clock_however_wrong_ours_is(tmp_path, pull, wrong):
    # early in a window, so that none ends meanwhile
    clock = (datetime.now(UTC) + wrong).replace(minute=5, second=0)
    with Simulator(seed=7, activities=20, clock=clock) as strava:
        athlete = Athlete(tmp_path, strava)
        athlete.authorise()
        strava.set_limits(read_15min=4)
        settings = athlete.settings | {"PER_PAGE": "5", "STRAVA_LOOKBACK_DAYS": "0"}
        opens_at = datetime.fromtimestamp(strava.limits.ends_at_s("15min"), UTC)
        ran = pull(**settings)
        assert f"it opens again at {opens_at:%Y-%m-%d %H:%M} UTC" in ran.err
        assert len(athlete.requests("/api/")) == 4
        pull(**settings)
        assert len(athlete.requests("/api/")) == 4
        athlete.sleep(900)
        pull(**settings)
        assert len(athlete.requests("/api/")) > 4
        assert_nothing_refused(strava)


def test_status_shows_what_was_used_up_and_what_the_last_run_said(pulled, run, strava):
    strava.set_limits(read_15min=10, read_day=1000)
    run(ENRICH_LIMIT="all", STRAVA_RESERVE="0")
    shown = run("status").out
    assert re.search(r"Budget last seen +0 of 10 requests left \(15-minute\), 990 of 1,000 requests left", shown)
    assert "it opens again at 2026-03-04 12:30 UTC" in shown
