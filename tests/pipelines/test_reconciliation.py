"""`status` compares what Strava listed, what is stored, what the warehouse shows, and a reason for each difference."""

import fcntl
import json
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager

import duckdb
import pytest
from deep import deep_but
from home import Athlete
from landed import LIST, until

from pipelines.mirror.enrich import DetailChoice
from simulator import Simulator

pytestmark = pytest.mark.slow

HOLD = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def status(run, code=0):
    """What `status --json` says, after a look at whether it says the same to a person."""
    machines, people = run("status", "--json"), run("status")
    assert (machines.code, people.code) == (code, code), machines.out + machines.err
    content = json.loads(machines.out)
    assert content["adds_up"] == (code == 0)
    for difference in content["differences"]:
        assert difference["reason"] in people.out
    numbers = content["activities"]
    if numbers is not None and numbers["listed"] is not None and code == 0:
        since = numbers["landed_since"] - numbers["deleted_since"]
        assert numbers["at_api"] == numbers["listed"] + numbers["kept"] + since
    return content


def reasons(content, adds_up=True):
    return {each["reason"]: each["count"] for each in content["differences"] if each["adds_up"] == adds_up}


def count_of(content, words, adds_up=True):
    [count] = [count for reason, count in reasons(content, adds_up).items() if words in reason]
    return count


@contextmanager
def held_open(warehouse):
    command = [sys.executable, "-c", HOLD, str(warehouse)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.stdin.close()


def test_a_fresh_install_adds_up(athlete, run):
    content = status(run)
    assert (content["athlete_id"], content["activities"], content["differences"]) == (None, None, [])
    athlete.token_file.unlink()
    assert status(run)["adds_up"]


def test_the_keys_for_machines_are_those_that_are_documented(athlete, run):
    run("pull")
    content = status(run)
    assert list(content) == [
        *("adds_up", "athlete_id", "scope", "token_expires_at", "cursor", "activities", "differences"),
        *("exports", "files", "files_left", "unknown_fields", "budget", "last_run", "warehouse"),
    ]
    assert set(content["activities"]) == {
        *(
            "at_api",
            "in_export",
            "listed",
            "swept_at",
            "kept",
            "landed_since",
            "deleted_since",
            "stored",
            "enriched",
            "details_missing",
        ),
        *("quarantined", "deleted", "purged", "shards", "staged", "in_activities", "in_details"),
    }
    for each in content["differences"]:
        assert set(each) == {"count", "reason", "adds_up"}
    instants = [content["token_expires_at"], content["cursor"], content["activities"]["swept_at"]]
    instants += [content["last_run"]["started_at"], content["last_run"]["ended_at"]]
    assert [at for at in instants if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", at)] == []


def test_what_came_and_went_since_the_sweep_is_counted(athlete, run, strava):
    run("pull")
    for number in range(3):
        strava.add(name=f"number {number}")
    strava.delete(strava.activities()[3]["id"])
    strava.edit(strava.activities()[5]["id"], name="Renamed")
    run("pull")
    content = status(run)
    numbers = content["activities"]
    assert (numbers["listed"], numbers["stored"], numbers["deleted"]) == (60, 62, 1)
    assert (numbers["landed_since"], numbers["deleted_since"]) == (3, 1)
    assert reasons(content)["landed since the sweep"] == 3
    assert reasons(content)["deleted since the sweep"] == 1
    run("pull", "--all")
    content = status(run)
    numbers = content["activities"]
    assert (numbers["listed"], numbers["stored"], numbers["landed_since"], numbers["deleted_since"]) == (62, 62, 0, 0)
    assert [reason for reason in reasons(content) if "since the sweep" in reason] == []


def test_what_another_athlete_of_the_same_history_deleted_is_not_counted(athlete, run, strava, tmp_path_factory):
    run("pull")
    with Simulator(seed=8, activities=5) as strava_of_other:
        other = Athlete(tmp_path_factory.mktemp("other"), strava_of_other)
        other.authorise()
        settings = other.settings | {"STRAVA_BRONZE_URL": str(athlete.home / "data")}
        assert strava_of_other.athlete_id != strava.athlete_id
        assert run("pull", **settings).code == 0
        strava_of_other.delete(strava_of_other.activities()[2]["id"])
        assert run("pull", "--all", **settings).code == 0
    assert len(athlete.shards("tombstones")) == 1
    numbers = status(run)["activities"]
    assert (numbers["stored"], numbers["deleted"], numbers["deleted_since"]) == (60, 0, 0)


@pytest.mark.deep
def test_what_was_purged_since_the_sweep_still_adds_up(athlete, run, strava):
    run("pull")
    old, new = strava.activities()[1]["id"], strava.add(name="soon gone")["id"]
    run("pull")
    strava.delete(old)
    strava.delete(new)
    run("pull")
    run("purge")
    numbers = status(run)["activities"]
    assert (numbers["listed"], numbers["stored"], numbers["deleted"], numbers["purged"]) == (60, 59, 2, 2)
    # the new one came and went: it was not there at the sweep, and is not there now
    assert (numbers["landed_since"], numbers["deleted_since"]) == (0, 1)
    assert (numbers["in_activities"], numbers["in_details"]) == (59, 0)


def test_what_an_untrusted_walk_missed_is_reported(athlete, run, strava):
    run("pull")
    for activity in strava.activities()[:20]:
        strava.delete(activity["id"])
    run("pull", "--all")
    content = status(run)
    assert (content["activities"]["listed"], content["activities"]["kept"], content["activities"]["stored"]) == (
        40,
        20,
        60,
    )
    assert count_of(content, "kept: 20 of 60 activities are missing at Strava") == 20
    run("pull", "--confirm-deletions")
    content = status(run)
    assert (content["activities"]["stored"], content["activities"]["deleted"], content["activities"]["kept"]) == (
        40,
        20,
        0,
    )


def test_missing_and_refused_details_are_reported_with_what_they_cost(athlete, run, strava):
    refused = strava.activities()[1]["id"]
    strava.fault("500", times=None, id=refused)
    run(ENRICH_LIMIT="6")
    content = status(run)
    numbers = content["activities"]
    assert (numbers["enriched"], numbers["details_missing"]) == (5, 55)
    [(why, count)] = numbers["quarantined"].items()
    assert ("500" in why, count) == (True, 1)
    assert count_of(content, why) == 1
    assert count_of(content, "54 requests") == 54


@pytest.mark.parametrize("after_inclusive", deep_but(1, True, False))
def test_an_interrupted_sweep_that_continues_counts_nothing_twice(athlete, run, strava, after_inclusive):
    # a second or none apart, so that a walk that continues meets again what it has met; and one more in mid-walk
    strava.after_inclusive = after_inclusive
    for number, activity in enumerate(strava.activities()):
        strava.edit(activity["id"], start_date=f"2026-01-01T12:00:{number * 2 // 3:02}Z")
    strava.fault("503", times=None, path=LIST, after=4)
    assert run("pull", PER_PAGE="9").code == 4
    assert status(run)["activities"]["listed"] is None
    strava.clear_faults()
    strava.fault("shift", path=LIST, after=2)
    assert run("pull", PER_PAGE="9").code == 0
    numbers = status(run)["activities"]
    assert numbers["listed"] == numbers["stored"]
    assert run("pull", "--all").code == 0
    assert status(run)["activities"]["listed"] == len(strava.activities()) == 61


@pytest.mark.deep
def test_an_interrupted_sweep_counts_moved_activities_once_and_deleted_ones_not(
    athlete, run, steps, strava, tmp_path_factory
):
    run("pull")
    ids = [activity["id"] for activity in reversed(strava.activities())]
    strava.delete(ids[2])
    strava.fault("503", times=None, path=LIST, after=4)
    assert run("pull", "--all", PER_PAGE="9", STRAVA_RETRY_WAIT_S="0.001").code == 4
    strava.clear_faults()
    # listed by then: one moves to where the sweep has not been, so do one that was missing, and one beyond moves back
    newest, oldest = strava.activities()[0]["start_date"], strava.activities()[-1]["start_date"]
    strava.restore(ids[2])
    for id_ in ids[1:3]:
        strava.edit(id_, start_date=newest)
    strava.edit(ids[50], start_date=oldest)
    # and one goes, which its details tell
    strava.delete(ids[5])
    steps.run("enrich", "stage", details=DetailChoice(None, (ids[5],)))
    # cut once more
    strava.fault("503", times=None, path=LIST, after=2)
    assert run("pull", PER_PAGE="9", STRAVA_RETRY_WAIT_S="0.001").code == 4
    strava.clear_faults()
    other = tmp_path_factory.mktemp("without a purge")
    shutil.copytree(athlete.home, other, dirs_exist_ok=True)
    assert run("flow", ENRICH_LIMIT="0", PER_PAGE="9", STRAVA_PURGE_DELETED="true").code == 0
    assert_counted_once(run)
    # and where nothing is purged
    athlete.settings["STRAVA_HOME"] = str(other)
    assert run("pull", PER_PAGE="9").code == 0
    assert_counted_once(run)


def assert_counted_once(run):
    numbers = status(run)["activities"]
    assert (numbers["listed"], numbers["kept"], numbers["stored"], numbers["deleted"]) == (58, 1, 59, 1)
    assert run("pull", "--all").code == 0
    assert status(run)["activities"]["listed"] == 59


def test_a_lost_shard_does_not_add_up_and_the_named_step_repairs_that(athlete, run, strava):
    run("pull")
    strava.add(name="alone in its shard")
    run("pull", "--all")
    newest = max(athlete.shards(), key=lambda path: path.stat().st_mtime)
    newest.unlink()
    content = status(run, code=1)
    assert count_of(content, "no longer in bronze", adds_up=False) == 1
    ran = run("status")
    assert "error: It does not add up: 1 listed at Strava" in ran.err
    assert "run-all" in ran.err
    assert run("pull", "--all").code == 0
    status(run)


def test_shards_that_know_of_more_than_was_listed_do_not_add_up_until_the_next_sweep(athlete, run, strava, tmp_path):
    other = Athlete(tmp_path / "another machine", strava)
    other.authorise()
    gone = strava.add(name="gone before we came")["id"]
    assert run("pull", **other.settings).code == 0
    strava.delete(gone)
    assert run("pull").code == 0
    for shard in other.shards():
        shutil.copy(shard, athlete.home / "data" / "activities")
    content = status(run, code=1)
    assert count_of(content, "in bronze, but not listed at Strava", adds_up=False) == 1
    assert run("pull", "--all").code == 0
    numbers = status(run)["activities"]
    assert (numbers["listed"], numbers["stored"], numbers["deleted"]) == (60, 60, 1)


@pytest.mark.deep
def test_a_warehouse_that_is_behind_is_reported_and_a_wrong_one_does_not_add_up(athlete, run, strava):
    run(ENRICH_LIMIT="3")
    assert count_of(status(run), "make compact") == 60
    athlete.warehouse.unlink()
    assert count_of(status(run), "which does not exist: make compact") > 0
    run("build")
    content = status(run)
    assert (content["activities"]["in_activities"], content["activities"]["in_details"]) == (60, 3)
    assert list(reasons(content)) == ["without details: 57 requests (make enrich)"]
    # pulled and staged, and not merged yet: what is new, what has another version, what is gone, and no more
    strava.add(name="new")
    strava.edit(strava.activities()[3]["id"], name="renamed")
    strava.delete(strava.activities()[5]["id"])
    assert run("pull").code == 0
    assert count_of(status(run), "to be merged: make compact") == 3
    run("build")
    since = ["landed since the sweep", "deleted since the sweep", "without details: 57 requests (make enrich)"]
    assert list(reasons(status(run))) == since
    numbers = status(run)["activities"]
    assert (numbers["in_activities"], numbers["in_details"]) == (60, 3)
    with duckdb.connect(str(athlete.warehouse)) as connection:
        connection.execute("create table kept as from strava.activities where name = 'new'")
        connection.execute("delete from strava.activities where name = 'new'")
    assert count_of(status(run, code=1), "strava.activities", adds_up=False) == 1
    # as after a build of which one model failed
    with duckdb.connect(str(athlete.warehouse)) as connection:
        connection.execute("insert into strava.activities from kept")
        connection.execute("drop table staging.dbt_builds")
    assert list(reasons(status(run))) == [*since, "the tables are not all from one build: make compact"]
    strava.add(name="not staged")
    with held_open(athlete.warehouse) as holder:
        assert run("pull").code == 5
        content = status(run)
        assert count_of(content, f"process {holder.pid}") == 0
        assert content["activities"]["in_activities"] is None
    assert count_of(status(run), "shard not in staging yet") == 1


def test_status_leaves_the_warehouse_to_a_running_run(athlete, run, strava):
    run("pull")
    strava.fault("slow", times=None, path=LIST, seconds=30)
    strava.clear_requests()
    process = athlete.start("pull")
    until(lambda: locked_by_another(athlete.home / "warehouse" / ".state" / "run.lock"))
    assert count_of(status(run), "another run is going on") == 0
    process.kill()
    process.communicate(timeout=30)
    assert status(run)["activities"]["staged"] is not None


def locked_by_another(path):
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
