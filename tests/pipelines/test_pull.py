import json
import math
import signal
from datetime import UTC, datetime, timedelta

import pytest
from home import Athlete
from landed import LIST, NO_LIMITS, all_ids, assert_one_sentence, ids, names, pages_asked, versions
from soak.strava import Strava

from simulator import Simulator

pytestmark = pytest.mark.slow

DAY_S = 24 * 3600


@pytest.fixture
def strava(request):
    options = {"activities": 60, "limits": NO_LIMITS} | getattr(request, "param", {})
    with Simulator(seed=7, **options) as simulator:
        yield simulator


def days_ago(days):
    return datetime.now(UTC).replace(microsecond=0) - timedelta(days=days)


def epoch_s(text):
    return int(datetime.fromisoformat(text).timestamp())


# --- the walk


def test_a_pull_walks_to_the_empty_page_and_lands_every_activity_once(athlete, run):
    ran = run("pull", PER_PAGE="25")
    assert (ran.code, ran.out) == (0, "")
    assert pages_asked(athlete) == [1, 2, 3, 4]
    assert sorted(ids(athlete)) == sorted(all_ids(athlete.strava))
    assert athlete.sql("select count(*), count(distinct id) from staging.activities") == [(60, 60)]


def test_a_short_page_in_the_middle_is_not_the_end(athlete, pull, strava):
    strava.fault("short_page", path=LIST, after=1, missing=10)
    assert pull(PER_PAGE="25").code == 0
    assert sorted(ids(athlete)) == sorted(all_ids(strava))


@pytest.mark.parametrize("strava", [{"activities": n} for n in (0, 1, 200, 401)], indirect=True)
def test_a_first_sync_costs_at_most_three_requests_more_than_its_full_pages(athlete, pull, strava):
    assert pull().code == 0
    assert len(athlete.requests(LIST)) <= math.ceil(strava.count / 200) + 2
    # the token and whose it is
    assert len(strava.requests) == len(athlete.requests(LIST)) + 2
    assert len(ids(athlete)) == strava.count


def test_an_activity_that_arrives_in_mid_walk_doubles_none_and_hides_none(athlete, pull, strava):
    before = all_ids(strava)
    strava.fault("shift", path=LIST, after=1)
    assert pull(PER_PAGE="20").code == 0
    assert sorted(ids(athlete)) == sorted(before)
    pull("--all")
    assert sorted(ids(athlete)) == sorted(all_ids(strava))


@pytest.mark.parametrize("strava", [{"activities": 250}], indirect=True)
def test_an_activity_deleted_in_mid_walk_hides_no_other(athlete, pull, strava):
    strava.fault("shift", path=LIST, after=1, delete=True)
    assert pull(PER_PAGE="100").code == 0
    assert all_ids(strava) <= set(ids(athlete))


def test_an_edit_between_two_pages_that_overlap_is_kept(tmp_path):
    with Strava(seed=7, activities=250) as strava:
        athlete = Athlete(tmp_path, strava)
        athlete.authorise()
        # the list is asked oldest first: the last of the first page begins the window of the second
        on_both = strava.activities()[-100]["id"]
        before = strava.summary(on_both)["name"]
        # a token, the athlete; when the first page is on its way
        strava.at_request(3, lambda: strava.edit(on_both, name="edited between two pages"))
        assert athlete.spawn("pull", PER_PAGE="100").code == 0
        assert names(athlete, on_both) == [before, "edited between two pages"]
        assert len(ids(athlete)) == strava.count + 1


def test_a_run_with_nothing_new_writes_no_shard_and_needs_no_token(athlete, pull, strava):
    pull()
    before = athlete.shards()
    strava.clear_requests()
    ran = pull()
    assert (ran.code, athlete.shards()) == (0, before)
    assert "nothing new" in ran.err
    assert len(strava.requests) <= 3
    assert athlete.requests("/oauth") == []


def test_an_account_without_activities_is_a_history_too(athlete, run, strava):
    for activity in strava.activities():
        strava.delete(activity["id"])
    assert run("pull").code == 0
    assert athlete.shards() == []
    assert athlete.sql("select count(*) from staging.activities") == [(0,)]
    assert not (athlete.home / "output").exists()
    strava.add(name="the first one")
    assert run("pull").code == 0
    assert len(ids(athlete)) == 1


# --- the cursor


def test_a_pull_asks_for_what_is_after_the_cursor_less_the_lookback_and_a_second(athlete, pull, strava):
    pull()
    newest_s = epoch_s(strava.activities()[0]["start_date"])
    strava.clear_requests()
    pull()
    pull("--lookback-days", "3")
    pull(STRAVA_LOOKBACK_DAYS="0")
    pull("--all")
    asked = [int(request.query["after"]) for request in athlete.requests(LIST) if request.query["page"] == "1"]
    assert asked == [newest_s - 30 * DAY_S - 1, newest_s - 3 * DAY_S - 1, newest_s - 1, 0]


@pytest.mark.parametrize("strava", [{"after_inclusive": True}, {"after_inclusive": False}], indirect=True)
@pytest.mark.parametrize("start", ["the newest", "hidden"])
def test_an_activity_that_starts_in_the_second_of_the_cursor_is_found(athlete, pull, strava, start):
    # Strava shows a hidden start as 00:00:01: all of a day share one second
    second = (
        strava.activities()[0]["start_date"]
        if start == "the newest"
        else strava.add(start_date=f"{datetime.now(UTC):%Y-%m-%d}T00:00:01Z")["start_date"]
    )
    strava.add(start_date=second)
    pull("--lookback-days", "0")
    late = strava.add(start_date=second)
    assert pull("--lookback-days", "0").code == 0
    assert late["id"] in ids(athlete)
    assert sorted(ids(athlete)) == sorted(all_ids(strava))


def test_an_id_of_any_size_stays_itself(athlete, run, strava):
    big = [2**31 + 1, 2**53 + 1, 2**63 - 1]
    for id_ in big:
        strava.add(id=id_)
    assert run("pull").code == 0
    assert set(big) <= set(ids(athlete))
    staged = athlete.sql("select id, json_extract_string(payload, '$.id') from staging.activities")
    assert {(id_, str(id_)) for id_ in big} <= set(staged)


def test_a_start_in_the_future_does_not_hide_what_follows(athlete, run, strava):
    strava.add(start_date=datetime.now(UTC) + timedelta(days=400), name="a watch with a wrong clock")
    run("pull")
    strava.add(name="the next day")
    ran = run("pull")
    assert ran.code == 0, ran.err
    assert sorted(ids(athlete)) == sorted(all_ids(strava))


def test_a_late_upload_within_the_lookback_reaches_the_warehouse_and_an_older_one_waits_for_all(athlete, run, strava):
    strava.add(name="today")
    run("pull")
    late, older = strava.add(start_date=days_ago(20)), strava.add(start_date=days_ago(40))
    run("pull")
    assert (late["id"] in ids(athlete), older["id"] in ids(athlete)) == (True, False)
    run("pull", "--lookback-days", "45")
    assert older["id"] in ids(athlete)
    oldest = strava.add(start_date="2009-06-07T08:09:10Z")
    run("pull", "--all")
    assert oldest["id"] in ids(athlete)


def test_per_page_is_what_each_request_asks_for(athlete, pull):
    pull("--all", "--per-page", "50", PER_PAGE="20")
    pull("--all", PER_PAGE="20")
    asked = [request.query["per_page"] for request in athlete.requests(LIST)]
    assert asked == ["50"] * 3 + ["20"] * 4


# --- versions


def test_an_edit_lands_as_a_new_version_and_what_did_not_change_does_not(athlete, run, strava):
    newest = strava.activities()[0]["id"]
    run("pull")
    strava.edit(newest, name="Renamed")
    assert ", 1 new or changed" in run("pull").err
    assert len(versions(athlete)) == strava.count + 1
    assert names(athlete, newest)[-1] == "Renamed"
    assert athlete.sql("select count(*) from staging.activities where id = ?", newest) == [(2,)]


def test_an_edit_older_than_the_lookback_arrives_with_all(athlete, pull, strava):
    oldest = strava.activities()[-1]["id"]
    pull()
    strava.edit(oldest, name="Renamed")
    pull()
    assert "Renamed" not in names(athlete, oldest)
    pull("--all")
    assert names(athlete, oldest)[-1] == "Renamed"


def test_a_name_that_goes_and_comes_back_is_three_versions(athlete, pull, strava):
    newest = strava.activities()[0]["id"]
    for name in ("A", "B", "A", "A"):
        strava.edit(newest, name=name)
        pull()
    assert names(athlete, newest) == ["A", "B", "A"]


# --- rate limits


def test_a_spent_window_ends_a_pull_cleanly_with_what_it_fetched(athlete, run, strava):
    strava.set_limits(read_15min=4)
    ran = run("pull", PER_PAGE="10")
    assert ran.code == 0
    listed, *_, spent, last = ran.err.splitlines()
    assert listed == "Activities: 30 listed so far, 30 new or changed."
    assert "15-minute limit is used up (4 of 4 requests); it opens again at" in spent
    assert last == "The list is not complete: the next run goes on from where it stands."
    assert all(request.status == 200 for request in strava.requests)
    landed = len(ids(athlete))
    assert landed == 30
    assert athlete.sql("select count(*) from staging.activities") == [(landed,)]
    assert len(list((athlete.home / "output").iterdir())) == 1


def test_the_next_run_sends_nothing_into_a_spent_window_and_goes_on_when_it_opens(athlete, pull, strava):
    strava.fault("429", path=LIST, after=2, window="15min")
    assert pull(PER_PAGE="10").code == 0
    strava.clear_requests()
    ran = pull(PER_PAGE="10")
    assert (ran.code, strava.requests) == (0, [])
    assert "opens again" in ran.err.splitlines()[-2]
    athlete.sleep(900)
    assert pull(PER_PAGE="10").code == 0
    assert set(ids(athlete)) == all_ids(strava)


def test_a_spent_day_is_told_as_one(athlete, pull, strava):
    strava.fault("429", path=LIST, after=1, window="day")
    ran = pull(PER_PAGE="10")
    assert ran.code == 0
    assert "daily limit is used up" in ran.err.splitlines()[-2]
    assert f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d} 00:00 UTC" in ran.err


def test_a_429_that_does_not_say_which_window_closes_the_quarter_of_an_hour(athlete, pull, strava):
    strava.fault("429", path=LIST, after=1)
    strava.fault("no_rate_headers", times=None)
    assert pull(PER_PAGE="10").code == 0
    assert len(ids(athlete)) == 10
    strava.clear_requests()
    assert pull().code == 0
    assert strava.requests == []


@pytest.mark.parametrize("spelled", ["as documented", "in lower case"])
def test_rate_headers_count_however_they_are_spelled(athlete, pull, strava, spelled):
    strava.lower_case_headers = spelled == "in lower case"
    strava.set_limits(read_15min=3)
    assert pull(PER_PAGE="10").code == 0
    assert len(athlete.requests("/api/")) == 3


def test_answers_without_rate_headers_stop_nothing(athlete, pull, strava):
    strava.fault("no_rate_headers", times=None)
    assert pull(PER_PAGE="10").code == 0
    assert len(ids(athlete)) == 60


# --- a list in another order


class NewestFirst(Simulator):
    """A Strava whose list has the newest activity first, whatever `after` says."""

    def page(self, before, after, page, per_page, *, only_me):
        in_order = super().page(before, after, 1, 10**6, only_me=only_me)
        return in_order[::-1][(page - 1) * per_page : page * per_page]


@pytest.fixture
def reversed_athlete(tmp_path):
    clock = datetime(2026, 3, 4, 12, 5, tzinfo=UTC)
    with NewestFirst(seed=7, activities=60, limits=NO_LIMITS, clock=clock) as strava:
        athlete = Athlete(tmp_path, strava)
        athlete.authorise()
        yield athlete


def test_a_list_that_comes_newest_first_is_asked_page_by_page_and_an_outage_in_it_hides_nothing(reversed_athlete):
    athlete, strava = reversed_athlete, reversed_athlete.strava
    strava.fault("503", times=4, path=LIST, after=2)
    assert athlete.spawn("pull", PER_PAGE="15").code == 4
    assert len(ids(athlete)) == 30
    # what has not been seen yet is older than all that has
    ran = athlete.spawn("pull", PER_PAGE="15")
    assert ran.code == 0, ran.err
    assert "60 listed" in ran.err
    assert pages_asked(athlete)[-5:] == [1, 2, 3, 4, 5]
    assert sorted(ids(athlete)) == sorted(all_ids(strava))


class Growing(NewestFirst):
    """The same; once it has shown its first page it has two activities more."""

    def page(self, before, after, page, per_page, *, only_me):
        if page == 2 and self.count == 12:
            for name in ("one", "another"):
                self.add(name=name)
        return super().page(before, after, page, per_page, only_me=only_me)


def test_what_a_list_that_grows_shows_again_two_pages_later_lands_once(tmp_path):
    with Growing(seed=7, activities=12) as strava:
        athlete = Athlete(tmp_path, strava)
        athlete.authorise()
        before = all_ids(strava)
        assert athlete.spawn("pull", PER_PAGE="1", SOAK_STEPS="pull").code == 0
        assert strava.count == 14
        # the newest one, one that came since, the newest one again, and the rest
        assert len(set(ids(athlete))) == 13
        assert sorted(ids(athlete)) == sorted(set(ids(athlete)))
        assert set(ids(athlete)) > before


def test_a_walk_newest_first_goes_on_at_the_page_where_it_waited(reversed_athlete):
    athlete, strava = reversed_athlete, reversed_athlete.strava
    strava.set_limits(read_15min=4)
    strava.fault("late_in_window", path=LIST, after=2)
    ran = athlete.spawn("pull", PER_PAGE="15", STRAVA_MAX_WAIT_S="900")
    assert ran.code == 0, ran.err
    assert "Waiting until then" in ran.err
    assert pages_asked(athlete) == [1, 2, 3, 4, 5]
    assert sorted(ids(athlete)) == sorted(all_ids(strava))


@pytest.mark.parametrize("strava", [{"activities": 30}], indirect=True)
def test_a_pull_that_is_stopped_while_it_waits_says_and_writes_what_it_fetched(athlete, strava):
    strava.set_limits(read_15min=4)
    process = athlete.fork("pull", PER_PAGE="10", STRAVA_MAX_WAIT_S="900", SOAK_STEPS="pull")
    said = []
    for line in process.lines():
        said.append(line)
        if "Waiting" in line:
            process.signal(signal.SIGTERM)
    assert process.wait().code == 130
    landed = ids(athlete)
    assert landed
    assert any(f"{len(landed)} listed" in line and "so far" in line for line in said), said
    [array] = (athlete.home / "output").iterdir()
    assert sorted(activity["id"] for activity in json.loads(array.read_bytes())) == sorted(landed)


# --- an outage in mid-walk


def test_an_outage_in_mid_pull_keeps_the_pages_before_it(athlete, run, strava):
    strava.fault("503", times=None, path=LIST, after=3)
    assert_one_sentence(run("pull", PER_PAGE="10"), 4, "answered 503", "What was fetched is kept")
    assert len(ids(athlete)) == 30
    assert athlete.sql("select count(*) from staging.activities") == [(30,)]


def test_after_an_outage_the_walk_goes_on_from_where_it_was(athlete, pull, strava):
    strava.fault("drop", times=None, path=LIST, after=5)
    pull("--lookback-days", "0", PER_PAGE="10")
    before = athlete.shards()
    strava.clear_faults()
    strava.clear_requests()
    assert pull("--lookback-days", "0", PER_PAGE="10").code == 0
    assert len(athlete.requests(LIST)) <= 3
    assert set(before) < set(athlete.shards())
    assert sorted(ids(athlete)) == sorted(all_ids(strava))


def test_a_pull_goes_through_the_proxy_of_the_environment_where_there_is_one(athlete, pull, strava):
    # the simulator takes a proxy's requests too, which name the server; that server is nowhere else
    api_url = "http://api.strava.invalid/api/v3"
    assert pull(STRAVA_API_URL=api_url, http_proxy=strava.url, no_proxy="127.0.0.1").code == 0
    assert pages_asked(athlete) == [1, 2]
    assert set(ids(athlete)) == all_ids(strava)
