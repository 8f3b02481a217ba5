"""Commands that read leave every byte as it was, whatever a disk or a kill has left; those that write repair it."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from home import Athlete

from simulator import Simulator

pytestmark = pytest.mark.slow

STATE = Path("warehouse", ".state")
# what a page leaves behind: itself, what it was made from, where it went
OF_PAGE = {"site/index.html", str(STATE / "page.json"), str(STATE / "routes.json"), str(STATE / "places.json")}
KILLED_WHILE_WRITING = """
import duckdb, os, signal, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("pragma disable_checkpoint_on_shutdown; create table staging.begun as select 1 as n")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def strava():
    with Simulator(seed=7, activities=20) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def built(strava, tmp_path_factory):
    """A home with rows in all tables but for tombstones, built, with a page."""
    athlete = Athlete(tmp_path_factory.mktemp("built"), strava)
    athlete.settings |= {"ENRICH_LIMIT": "4", "STRAVA_PAGE": "true"}
    athlete.authorise()
    assert athlete.spawn("pull", "--per-page", "7").code == 0
    strava.add(name="later")
    ran = athlete.spawn("flow")
    assert ran.code == 0, ran.err
    assert len(athlete.shards()) > 1
    return athlete


@pytest.fixture
def athlete(built, strava, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(built.home, home)
    copied = Athlete(home, strava)
    copied.settings |= built.settings | {"STRAVA_HOME": str(home)}
    return copied


def damage(home: Path) -> Path:
    """What a disk and kills leave behind, all at once; the shard that is only in a half-made package is returned."""
    fetched, torn = sorted((home / "data" / "activities").glob("*.parquet"))[:2]
    package = home / STATE / "dlt" / "strava_bronze" / "normalize" / "extracted" / "1700000000.1" / "new_jobs"
    package.mkdir(parents=True)
    fetched.rename(package / "activities.0123456789.0.parquet")
    torn.write_bytes(torn.read_bytes()[:-100])
    (details,) = (home / "data" / "activity_details").glob("*.parquet")
    details.rename(details.with_name(f"{details.name}.torn"))
    for half in ("data/activities/.new.parquet.1.tmp", "output/.strava_x.json.1.tmp", STATE / ".budget.json.1.tmp"):
        (home / half).write_bytes(b"half")
    (home / STATE / "dlt" / "waiting").mkdir(exist_ok=True)
    (home / STATE / "dlt" / "waiting" / "x.parquet").write_bytes(b"half")
    (home / STATE / "budget.json").write_bytes(b"{")
    warehouse = str(home / "warehouse" / "strava.duckdb")
    subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, warehouse], check=False)
    assert (home / "warehouse" / "strava.duckdb.wal").stat().st_size
    return fetched


def contents(home: Path) -> dict[str, tuple[bytes, int, int]]:
    """Every file by its path: bytes, time and inode."""
    return {
        str(path.relative_to(home)): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
        for path in home.rglob("*")
        if path.is_file()
    }


def served(athlete: Athlete) -> None:
    """Serve the page, look at it, stop."""
    with athlete.start("serve", "--port", "0") as process:
        address = next(word for word in process.stdout.readline().split() if word.startswith("http"))
        assert "Strava Stats" in requests.get(address, timeout=10).text
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.parametrize("is_damaged", [False, True], ids=["healthy", "damaged"])
def test_status_sql_page_and_serve_leave_every_byte_unchanged(athlete, run, is_damaged):
    if is_damaged:
        damage(athlete.home)
    before = contents(athlete.home)
    expected = 1 if is_damaged else 0
    assert run("status").code == expected
    assert run("status", "--json").code == expected
    assert run("sql", "select count(*) from strava.activities").code == 0
    assert run("sql", "create table strava.more as select 1").code == 2
    served(athlete)
    assert contents(athlete.home) == before
    assert run("page").code == 0
    after = contents(athlete.home)
    assert {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)} <= OF_PAGE


@pytest.mark.deep
def test_a_command_that_writes_repairs_all_of_it_whichever_it_is(athlete, run):
    fetched, before = damage(athlete.home), contents(athlete.home)
    ran = run("build")
    assert ran.code == 0, ran.err
    assert fetched.exists()
    after = contents(athlete.home)
    assert not [path for path in after if path.endswith(".tmp")]
    assert not list((athlete.home / STATE / "dlt" / "strava_bronze" / "normalize" / "extracted").iterdir())
    assert len(athlete.shards("activity_details")) == 1
    # the damaged shard is kept aside, and whole again from the warehouse
    (torn,) = (path for path in after if path.endswith(".torn"))
    assert after[torn][0] == before[torn.removesuffix(".torn")][0]
    assert run("status").code == 0
    assert athlete.sql("select count(*) from strava.activities") == [(athlete.strava.count,)]
