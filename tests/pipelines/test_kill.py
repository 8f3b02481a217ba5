import os
import shutil
import signal

import pyarrow.parquet as pq
import pytest
from deep import deep_but
from landed import DETAIL, LIST, NO_LIMITS, all_ids, details_asked, ids, open_files, until

from pipelines.mirror.commits import COMMIT_PAGES
from simulator import Simulator

pytestmark = pytest.mark.slow

# more than one commit of the walk, with one activity a page
PAGES = COMMIT_PAGES + 30


@pytest.fixture
def strava():
    with Simulator(seed=7, activities=PAGES, limits=NO_LIMITS) as simulator:
        yield simulator


def killed(process):
    process.kill()
    assert process.wait().code == -signal.SIGKILL, "it had ended before"


def assert_whole(athlete, strava):
    for path in athlete.shards():
        pq.ParquetFile(path).close()
    assert sorted(ids(athlete)) == sorted(all_ids(strava))
    assert athlete.sql("select count(*), count(distinct id) from staging.activities") == [(strava.count, strava.count)]


@pytest.mark.parametrize(
    "moment",
    deep_but(
        2,
        "warehouse/.state/dlt/strava_bronze/normalize/**/*.parquet",
        "warehouse/strava.duckdb",
        "warehouse/.state/dlt/strava_bronze/load/**/*.parquet",
        "data/activities/*.parquet",
    ),
    ids=["extracted", "while staging", "normalized", "landed"],
)
def test_a_run_killed_between_fetching_and_staging_loses_and_doubles_nothing(athlete, run, strava, moment):
    process = athlete.fork("pull")
    until(lambda: any(athlete.home.glob(moment)))
    killed(process)
    held = athlete.shards()
    ran = run("pull")
    assert ran.code == 0, ran.err
    assert set(held) <= set(athlete.shards())
    assert_whole(athlete, strava)
    assert len(list((athlete.home / "output").iterdir())) >= 1


def test_a_run_killed_before_dlt_forgets_what_it_has_normalized_is_completed(athlete, run, strava):
    work = athlete.home / "warehouse/.state/dlt/strava_bronze"
    extracted = work / "normalize/extracted"
    process = athlete.fork("pull")
    until(lambda: any(extracted.glob("*/new_jobs/*.parquet")))
    process.signal(signal.SIGSTOP)
    shutil.copytree(extracted, athlete.home / "copy")
    process.signal(signal.SIGCONT)
    until(lambda: any((work / "load/normalized").glob("*")))
    killed(process)
    shutil.copytree(athlete.home / "copy", extracted, dirs_exist_ok=True)
    assert run("pull").code == 0
    assert_whole(athlete, strava)


def test_a_run_killed_in_mid_pull_goes_on_from_its_last_commit(athlete, run, strava):
    strava.fault("slow", path=LIST, after=COMMIT_PAGES + 10, seconds=20)
    process = athlete.fork("pull", "--per-page", "1")
    until(lambda: len(athlete.requests(LIST)) == COMMIT_PAGES + 10 and athlete.shards())
    killed(process)
    held = athlete.shards()
    # nine windows have begun with the last activity of the one before
    assert len(ids(athlete)) == COMMIT_PAGES - 9
    strava.clear_faults()
    strava.clear_requests()
    assert run("pull", "--per-page", "1", "--lookback-days", "0").code == 0
    # those since the commit, the cursor's own again, the empty page
    assert len(athlete.requests(LIST)) <= PAGES - (COMMIT_PAGES - 9) + 2
    assert set(held) <= set(athlete.shards())
    assert_whole(athlete, strava)


def test_a_run_killed_in_mid_enrich_is_completed_by_the_next(athlete, run, strava):
    run("pull")
    strava.fault("slow", path=DETAIL, after=5, seconds=20)
    process = athlete.fork(ENRICH_LIMIT="10")
    until(lambda: len(details_asked(athlete)) == 5)
    killed(process)
    strava.clear_faults()
    assert run(ENRICH_LIMIT="10").code == 0
    assert ids(athlete, "activity_details") == [activity["id"] for activity in strava.activities()[:10]]
    assert athlete.sql("select count(*) from staging.activity_details") == [(10,)]


@pytest.mark.deep
def test_a_machine_that_goes_down_during_dbt_build_is_as_if_it_had_not(athlete, run, strava):
    process = athlete.fork("flow", ENRICH_LIMIT="2")
    log = athlete.home / "warehouse" / ".state" / "dbt" / "logs" / "dbt.log"
    until(lambda: log.exists() and "START sql incremental model" in log.read_text())
    children = process.stop()
    assert len(children) == 1
    killed(process)
    for child in children:
        os.kill(child, signal.SIGKILL)
        until(lambda child=child: not open_files(child))
    ran = run("flow", ENRICH_LIMIT="2")
    assert ran.code == 0, ran.err
    assert_whole(athlete, strava)
    assert athlete.sql("select count(*), count(distinct id) from strava.activities") == [(PAGES, PAGES)]
    assert athlete.sql("select count(*) from strava.activity_details") == [(4,)]


@pytest.mark.parametrize("number", deep_but(1, signal.SIGTERM, signal.SIGINT), ids=["SIGTERM", "SIGINT"])
def test_a_signal_stops_a_pull_with_all_that_was_fetched_landed(athlete, run, strava, number):
    strava.fault("slow", path=LIST, after=20, seconds=0.5)
    process = athlete.fork("pull", "--per-page", "1")
    until(lambda: len(athlete.requests(LIST)) == 20)
    process.signal(number)
    stopped = process.wait()
    assert stopped.code == 130
    assert stopped.err.splitlines()[-1] == "Stopped. What was fetched has landed; the next run goes on from there."
    fetched = len(athlete.requests(LIST))
    assert len(ids(athlete)) == fetched < PAGES
    assert athlete.sql("select count(*) from staging.activities") == [(fetched,)]
    assert run("pull").code == 0
    assert_whole(athlete, strava)


def test_a_second_signal_stops_at_once_and_the_next_run_completes(athlete, run, strava):
    strava.fault("slow", path=LIST, after=20, seconds=3)
    process = athlete.fork("pull", "--per-page", "1")
    until(lambda: len(athlete.requests(LIST)) == 20)
    process.signal(signal.SIGINT)
    process.signal(signal.SIGTERM)
    stopped = process.wait()
    # without a wait for the request that is under way, and for what is landed after it
    assert (stopped.code, stopped.err.splitlines()[-1]) == (130, "Stopped at once."), stopped.err
    assert "Traceback" not in stopped.err
    assert run("pull").code == 0
    assert_whole(athlete, strava)
