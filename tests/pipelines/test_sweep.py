import json
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from home import Athlete
from landed import LIST, NO_LIMITS, all_ids, details_asked, ids, names
from soak.strava import Strava

from pipelines.mirror.enrich import DetailChoice
from simulator import Simulator

pytestmark = pytest.mark.slow

N = 60
ALWAYS = {"STRAVA_SWEEP_HOURS": "0"}


@pytest.fixture
def strava(request):
    options = {"activities": N, "limits": NO_LIMITS} | getattr(request, "param", {})
    with Simulator(seed=7, **options) as simulator:
        yield simulator


def oldest(strava, place=0):
    """The id of an activity far behind every lookback."""
    return strava.activities()[-1 - place]["id"]


def newest(strava, place=0):
    return strava.activities()[place]["id"]


def records(athlete, table):
    """The payloads of our own notes, oldest first."""
    rows = [row for path in athlete.shards(table) for row in pq.ParquetFile(path).read().to_pylist()]
    return [json.loads(row["payload"]) for row in sorted(rows, key=lambda row: row["fetched_at"])]


def buried(athlete):
    return sorted(ids(athlete, "tombstones"))


# --- what a sweep finds


def test_late_uploads_edits_and_deletions_of_any_age_arrive_by_the_next_sweep(athlete, pull, strava):
    pull()
    late = strava.add(start_date="2015-06-07T08:09:10Z", name="late")["id"]
    renamed, gone = oldest(strava, 5), oldest(strava, 9)
    strava.edit(renamed, name="renamed")
    strava.delete(gone)
    assert pull().code == 0
    assert late not in ids(athlete)
    ran = pull(**ALWAYS)
    assert ran.code == 0
    assert ", 2 new or changed" in ran.err
    assert "Gone at Strava: 1" in ran.err
    assert late in ids(athlete)
    assert names(athlete, renamed)[-1] == "renamed"
    assert buried(athlete) == [gone]
    assert records(athlete, "tombstones")[0]["reason"] == "deleted"
    assert records(athlete, "tombstones")[0]["noticed_by"] == "sweep"


def test_after_a_flow_with_a_sweep_the_warehouse_equals_strava(athlete, run, strava):
    run("flow", ENRICH_LIMIT="all")
    gone = oldest(strava, 9)
    strava.delete(gone)
    strava.add(start_date="2015-06-07T08:09:10Z")
    strava.edit(oldest(strava, 3), name="renamed", distance=4321.5)
    assert run("flow", ENRICH_LIMIT="all", **ALWAYS).code == 0
    stored = athlete.sql("select id, name, distance, sport_type from strava.activities order by id")
    truth = [(a["id"], a["name"], a["distance"], a.get("sport_type")) for a in strava.activities()]
    assert stored == sorted(truth)
    assert {id_ for (id_,) in athlete.sql("select id from strava.activity_details")} == all_ids(strava)
    assert athlete.sql("select sum(activities) from strava.activities_yearly") == [(N,)]
    assert athlete.sql("select id, reason from strava.deleted_activities") == [(gone, "deleted")]


def test_a_sweep_costs_a_request_per_page_and_two_more_and_happens_once_a_day(athlete, pull, strava):
    pull()
    assert [sweep["complete"] for sweep in records(athlete, "sweeps")] == [True]
    before = athlete.shards("sweeps")
    strava.clear_requests()
    pull()
    assert len(athlete.requests(LIST)) == 2
    assert athlete.shards("sweeps") == before
    strava.clear_requests()
    pull(**ALWAYS)
    assert [request.query["after"] for request in athlete.requests(LIST)] == ["0", "0"]
    sweep = records(athlete, "sweeps")[-1]
    assert (sweep["complete"], sweep["listed"], sweep["landed"], sweep["gone"]) == (True, N, 0, 0)
    assert sweep["started_at"] <= sweep["ended_at"]


def test_an_all_pull_is_a_sweep_whenever_the_last_one_was(athlete, pull, strava):
    pull()
    gone = oldest(strava)
    strava.delete(gone)
    assert pull("--all").code == 0
    assert buried(athlete) == [gone]


def test_a_deletion_within_the_lookback_is_noticed_without_a_sweep(athlete, pull, strava):
    pull()
    gone = newest(strava, 1)
    strava.delete(gone)
    assert pull().code == 0
    assert buried(athlete) == [gone]
    assert records(athlete, "tombstones")[0]["noticed_by"] == "lookback"
    assert len(athlete.shards("sweeps")) == 1


def test_an_activity_that_the_walk_missed_and_that_answers_500_by_id_is_not_gone_and_others_are(tmp_path):
    with Strava(seed=7, activities=250) as strava:
        athlete = Athlete(tmp_path, strava)
        athlete.authorise()
        assert athlete.spawn("pull", PER_PAGE="100").code == 0
        # asked for by id one after the other
        moved, gone = sorted((newest(strava), newest(strava, 1)))
        # its start is edited when the first page is on its way: it is in no window of this walk, though it is there
        strava.at_request(1, lambda: strava.edit(moved, start_date="2015-06-07T08:09:10Z"))
        strava.fault("500", times=None, id=moved)
        strava.delete(gone)
        ran = athlete.spawn("pull", "--all", PER_PAGE="100")
        assert ran.code == 0, ran.err
        assert athlete.requests(f"/activities/{moved}")
        assert buried(athlete) == [gone]
        assert athlete.sql("select count(distinct id) from staging.activities") == [(250,)]


def test_the_only_activity_of_the_lookback_can_go_too(athlete, pull, strava):
    pull()
    gone = newest(strava)
    strava.delete(gone)
    assert pull(STRAVA_LOOKBACK_DAYS="0").code == 0
    assert buried(athlete) == [gone]


def test_the_only_activity_of_all_is_not_gone_because_its_details_are(athlete, run, pull, steps, strava):
    for activity in strava.activities()[1:]:
        strava.delete(activity["id"])
    only = newest(strava)
    assert pull().code == 0
    strava.delete(only)
    said = steps.run("enrich", "stage", details=DetailChoice(None, (only,)))
    assert "1 of 1 activities are missing at Strava" in said
    assert "Nothing was removed" in said
    assert buried(athlete) == []


def test_an_activity_moved_out_of_the_lookback_is_an_edit_and_no_deletion(athlete, pull, strava):
    pull()
    moved = newest(strava, 1)
    strava.edit(moved, start_date="2015-06-07T08:09:10Z", start_date_local="2015-06-07T08:09:10Z")
    assert pull().code == 0
    assert buried(athlete) == []
    assert ids(athlete).count(moved) == 2


def test_an_activity_moved_into_the_lookback_is_missed_there_once_it_is_gone(athlete, pull, strava):
    pull()
    moved = oldest(strava)
    strava.edit(moved, start_date=strava.activities()[1]["start_date"])
    assert pull(**ALWAYS).code == 0
    strava.delete(moved)
    assert pull().code == 0
    assert buried(athlete) == [moved]


def test_an_activity_that_comes_back_comes_back(athlete, pull, strava):
    pull()
    gone = next(a for a in strava.activities()[:20] if a.get("visibility") != "only_me")["id"]
    athlete.authorise(scope="read,activity:read")
    athlete.token_file.write_text(json.dumps({"refresh_token": strava.issue_refresh_token("read,activity:read")}))
    strava.hide(gone)
    pull(**ALWAYS)
    assert gone in buried(athlete)
    versions = ids(athlete).count(gone)
    athlete.token_file.write_text(json.dumps({"refresh_token": strava.issue_refresh_token()}))
    assert pull(**ALWAYS).code == 0
    assert ids(athlete).count(gone) == versions + 1
    strava.clear_requests()
    assert "nothing new" in pull(**ALWAYS).err


def test_without_the_scope_to_see_it_an_activity_is_out_of_reach_and_not_deleted(athlete, pull, strava):
    scope = "read,activity:read"
    athlete.token_file.write_text(json.dumps({"refresh_token": strava.issue_refresh_token(scope), "scope": scope}))
    pull()
    hidden = newest(strava) if newest(strava) in ids(athlete) else ids(athlete)[-1]
    strava.hide(hidden)
    assert pull(**ALWAYS).code == 0
    assert [note["reason"] for note in records(athlete, "tombstones")] == ["out_of_reach"]


# --- what it does not believe


@pytest.mark.parametrize("strava", [{"activities": 20}], indirect=True)
def test_a_walk_that_misses_a_tenth_removes_nothing_until_it_is_confirmed(athlete, pull, strava):
    pull()
    gone = sorted(activity["id"] for activity in strava.activities()[8:14])
    for id_ in gone:
        strava.delete(id_)
    ran = pull(**ALWAYS)
    assert ran.code == 0
    assert "warning: 6 of 20 activities are missing at Strava" in ran.err
    assert "--confirm-deletions" in ran.err
    assert buried(athlete) == []
    assert records(athlete, "sweeps")[-1]["reason"] == "6 of 20 activities are missing at Strava"
    assert pull("--confirm-deletions").code == 0
    assert buried(athlete) == gone


@pytest.mark.parametrize("strava", [{"activities": 2}], indirect=True)
def test_a_walk_that_misses_everything_removes_nothing(athlete, pull, strava):
    pull()
    for id_ in all_ids(strava):
        strava.delete(id_)
    assert "2 of 2 activities are missing" in pull().err
    assert buried(athlete) == []


@pytest.mark.parametrize("strava", [{"activities": 60}], indirect=True)
def test_five_deletions_at_once_need_no_confirmation(athlete, pull, strava):
    pull()
    gone = sorted(activity["id"] for activity in strava.activities()[-5:])
    for id_ in gone:
        strava.delete(id_)
    pull(**ALWAYS)
    assert buried(athlete) == gone


# --- a sweep that is stopped, or moved under


@pytest.mark.parametrize("strava", [{"activities": 450}], indirect=True)
def test_a_sweep_that_is_stopped_continues_where_it_stopped(athlete, run, strava):
    run("pull")
    strava.delete(oldest(strava))
    gone_late = newest(strava, 20)
    strava.fault("429", path=LIST, after=2, window="15min")
    run("pull", "--all")
    assert [sweep["complete"] for sweep in records(athlete, "sweeps")] == [True, False]
    reached = records(athlete, "sweeps")[-1]["reached"]
    assert buried(athlete) == []
    strava.delete(gone_late)
    (athlete.home / "warehouse" / ".state" / "budget.json").unlink()
    strava.clear_requests()
    assert run("pull").code == 0
    assert athlete.requests(LIST)[0].query["after"] != "0"
    assert len(athlete.requests(LIST)) == 2
    last = records(athlete, "sweeps")[-1]
    assert (last["complete"], last["gone"], last["reached"] > reached) == (True, 2, True)
    assert len(buried(athlete)) == 2


@pytest.mark.parametrize("strava", [{"activities": 450}], indirect=True)
def test_a_deletion_in_mid_sweep_buries_no_neighbour(athlete, pull, strava):
    pull()
    strava.fault("shift", path=LIST, after=1, delete=True)
    assert pull("--all").code == 0
    assert set(buried(athlete)) <= set(ids(athlete)) - all_ids(strava)


def test_without_a_record_of_a_sweep_the_next_pull_is_one(athlete, pull, strava):
    pull()
    for path in athlete.shards("sweeps"):
        path.unlink()
    strava.clear_requests()
    pull()
    assert athlete.requests(LIST)[0].query["after"] == "0"


def test_a_clock_that_was_set_back_puts_off_no_sweep_that_is_always_due(athlete, pull, strava):
    pull()
    (shard,) = athlete.shards("sweeps")
    # as of half an hour from now
    began_at = datetime.fromisoformat(records(athlete, "sweeps")[0]["started_at"].removesuffix("Z"))
    rows = pq.read_table(shard).to_pylist()
    later = (began_at + timedelta(minutes=30)).isoformat() + "Z"
    rows[0]["payload"] = json.dumps(json.loads(rows[0]["payload"]) | {"started_at": later})
    pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(shard)), shard)
    late = strava.add(start_date="2015-06-07T08:09:10Z")["id"]
    assert pull(**ALWAYS).code == 0
    assert late in ids(athlete)


# --- what follows


def test_no_details_are_fetched_of_what_is_gone(athlete, run, pull, strava):
    pull()
    gone = newest(strava)
    strava.delete(gone)
    pull()
    strava.clear_requests()
    assert run(ENRICH_LIMIT="all").code == 0
    assert set(details_asked(athlete)) == all_ids(strava)
    assert run("enrich", "--ids", str(gone)).code == 2
