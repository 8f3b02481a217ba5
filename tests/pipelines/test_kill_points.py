"""Killed before a certain change of a file: dlt's bookkeeping is half made, and the next run completes all the same."""

import pyarrow.parquet as pq
import pytest
from deep import deep_but
from home import Athlete
from landed import NO_LIMITS, all_ids, ids

from simulator import Simulator

pytestmark = pytest.mark.slow

WORK = "warehouse/.state/dlt/strava_bronze"


@pytest.fixture(scope="module")
def strava():
    with Simulator(seed=7, activities=30, limits=NO_LIMITS) as simulator:
        yield simulator


def kill(launcher, athlete, at):
    """A pull that is killed at `at` (see `launcher`)."""
    ran = launcher.start("pull", environment=athlete.environment(SOAK_KILL_AT=str(at), PER_PAGE="7")).wait()
    assert ran.code == -9, ran.err


def pull(launcher, athlete):
    ran = launcher.start("pull", environment=athlete.environment(PER_PAGE="7")).wait()
    assert "Traceback" not in ran.err
    return ran


def assert_whole(athlete, strava):
    assert sorted(ids(athlete)) == sorted(all_ids(strava))
    assert athlete.sql("select count(*), count(distinct id) from staging.activities") == [(strava.count, strava.count)]


@pytest.mark.parametrize(
    "at",
    deep_but(
        1,
        "open .*/schemas/[0-9a-f]{16}",
        "os.rename .*/load/new/[0-9a-f]{16}",
        "os.rename .*/load/normalized/[0-9.]+",
    ),
    ids=[
        "with a package of a table that is not noted",
        "with a file among the packages",
        "with a package that is done and not moved",
    ],
)
def test_a_pull_killed_while_dlt_writes_its_records_is_completed_and_no_version_lands_twice(
    athlete, launcher, strava, at
):
    kill(launcher, athlete, at)
    ran = pull(launcher, athlete)
    assert ran.code == 0, ran.err
    assert "damaged" not in ran.err
    assert_whole(athlete, strava)


def test_a_pull_killed_while_it_lands_what_a_killed_one_had_fetched_is_completed(athlete, launcher, strava):
    kill(launcher, athlete, "os.mkdir .*/load/new")
    for at in ("os.rename .*/extracted/.*", "os.rmdir .*", "os.mkdir .*/load/new", "os.remove .*[.]parquet"):
        kill(launcher, athlete, at)
    assert pull(launcher, athlete).code == 0
    assert_whole(athlete, strava)


@pytest.mark.parametrize("file", deep_but(1, "state.json", "schemas/strava_bronze.schema.json"))
def test_after_a_power_cut_that_emptied_a_file_of_dlts_what_was_fetched_lands(athlete, launcher, strava, file):
    kill(launcher, athlete, "os.mkdir .*/load/new")
    [fetched] = (athlete.home / WORK).glob("normalize/extracted/*/new_jobs/*.parquet")
    [name] = set(pq.read_table(fetched)["shard"].to_pylist())
    (athlete.home / WORK / file).write_bytes(b"")
    ran = pull(launcher, athlete)
    assert ran.code == 0, ran.err
    assert [path.stem for path in athlete.shards()] == [name]
    assert_whole(athlete, strava)


def test_what_a_power_cut_tore_before_it_landed_is_reported_and_fetched_again(athlete, launcher, strava):
    kill(launcher, athlete, "os.mkdir .*/load/new")
    [fetched] = (athlete.home / WORK).glob("normalize/extracted/*/new_jobs/*.parquet")
    fetched.write_bytes(fetched.read_bytes()[:-100])
    ran = pull(launcher, athlete)
    assert ran.code == 0, ran.err
    assert "What a killed run had fetched but not landed is damaged; it will be fetched again." in ran.err
    assert_whole(athlete, strava)


# all of them take six minutes
@pytest.mark.deep
@pytest.mark.parametrize("step", [67, 7])
def test_a_first_pull_killed_at_any_change_of_a_file_is_completed_by_the_next(tmp_path, launcher, strava, step):
    killed = 0
    for number in range(1, 400, step):
        athlete = Athlete(tmp_path / str(number), strava)
        athlete.authorise()
        ran = launcher.start("pull", environment=athlete.environment(SOAK_KILL_AT=str(number), PER_PAGE="7")).wait()
        if ran.code == 0:
            break
        assert ran.code == -9, ran.err
        killed += 1
        ran = pull(launcher, athlete)
        if ran.code == 3:
            # before the new refresh token was kept; nobody has it
            athlete.authorise()
            ran = pull(launcher, athlete)
        assert ran.code == 0, ran.err
        assert_whole(athlete, strava)
    assert killed > 280 // step
