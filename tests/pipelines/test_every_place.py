"""A purge finds what it erases in every place that was ever written to, and names what is out of its reach."""

import json
import re
import secrets
import shutil
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from home import Athlete
from said import assert_said

from simulator import Simulator

pytestmark = pytest.mark.slow

NAME = f"Secret {secrets.token_hex(8)}"
PASSPHRASE = {"STRAVA_STATE_PASSPHRASE": "correct horse battery staple"}
# what stays of an activity that is purged: a tombstone, and walks that missed it
STAYS = re.compile(r"tombstones|sweeps|deleted|buried")


@pytest.fixture(scope="module")
def strava():
    with Simulator(seed=7, activities=40) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def gone(strava):
    """The id of an activity with a name that nothing else bears."""
    id_ = strava.activities()[3]["id"]
    strava.edit(id_, name=NAME)
    return id_


@pytest.fixture(scope="module")
def past(tmp_path_factory, strava, gone):
    """A home with everything: details, a page, a published copy."""
    user = Athlete(tmp_path_factory.mktemp("past"), strava)
    user.authorise()
    ran = user.spawn("flow", "--limit", "5", STRAVA_PAGE="true", STRAVA_PUBLISH="first/strava.duckdb")
    assert ran.code == 0, ran.err
    return user.home


@pytest.fixture
def athlete(tmp_path, strava, past):
    """A user with such a home of their own."""
    home = tmp_path / "home"
    shutil.copytree(past, home, symlinks=True)
    user = Athlete(home, strava)
    user.authorise()
    return user


def texts(path: Path) -> list[str]:
    """All that can be read in the file at `path`: its bytes, and what is compressed in Parquet and DuckDB."""
    content = path.read_bytes()
    found = [content.decode(errors="replace")]
    if content.startswith(b"PAR1"):
        found += [repr(row) for row in pq.read_table(path).to_pylist()]
    if content[8:12] == b"DUCK":
        # free blocks hold what was deleted: the bytes above; and the tables, whatever their compression
        found = [found[0]] if NAME in found[0] else []
        with duckdb.connect(str(path), read_only=True) as connection:
            tables = connection.execute("select schema_name, table_name from duckdb_tables() where not internal")
            for schema, table in tables.fetchall():
                if not STAYS.search(table):
                    found += [repr(row) for row in connection.execute(f'from "{schema}"."{table}"').fetchall()]
    return found


def mentions(folder: Path, id_: int) -> set[str]:
    """The files below `folder` that hold the name, or the id where it may not stay."""
    needle = re.compile(rf"{NAME}|(?<!\d){id_}(?!\d)")
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not STAYS.search(str(path.relative_to(folder))) and any(map(needle.search, texts(path)))
    }


def killed(launcher, athlete, at, *arguments, **settings):
    """A command that is killed before a change of a file, see `launcher`."""
    ran = launcher.start(*arguments, environment=athlete.environment(SOAK_KILL_AT=at, **settings)).wait()
    assert ran.code == -9, ran.err


@pytest.mark.deep
def test_a_purge_finds_all_copies_links_and_leftovers_and_names_what_it_cannot_reach(
    athlete, run, launcher, strava, gone, tmp_path
):
    home = athlete.home
    # a page behind a link, one somewhere else, one whose folder is away
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (home / "site" / "index.html").rename(elsewhere / "linked.html")
    (home / "site" / "index.html").symlink_to(elsewhere / "linked.html")
    # written through the link, its target is a place of its own
    assert run("page").code == 0
    assert run("page", "--out", str(elsewhere / "page.html")).code == 0
    assert run("page", "--out", str(tmp_path / "stick" / "page.html")).code == 0
    (tmp_path / "stick").rename(tmp_path / "pulled out")
    # an earlier STRAVA_PUBLISH, an earlier STRAVA_WAREHOUSE, an earlier STRAVA_BRONZE_URL
    settings = {"STRAVA_PUBLISH": str(elsewhere / "strava.duckdb")}
    assert "Published" in run("flow", ENRICH_LIMIT="0", **settings).err
    assert run("pull", STRAVA_WAREHOUSE="cache/strava.duckdb").code == 0
    assert run("pull", "--all", STRAVA_BRONZE_URL="other-data").code == 0
    bundle = elsewhere / "strava.bundle"
    assert run("backup", str(bundle), **PASSPHRASE).code == 0
    # killed in the middle of each kind of file
    for at, *command in (
        (r"os\.rename .*/\.page\.html\..*", "page", "--out", str(elsewhere / "page.html"), "--public"),
        (r"os\.rename .*/\.strava\.bundle\..*", "backup", str(bundle)),
        (r"os\.rename .*/\.told_activities\.parquet\..*", "enrich", "--limit", "1"),
        (r"os\.rename .*/\.strava\.duckdb\..*", "flow", "--limit", "0"),
    ):
        (home / "warehouse" / ".state" / "told_activities.parquet").unlink(missing_ok=True)
        killed(launcher, athlete, at, *command, STRAVA_PUBLISH=str(tmp_path / "new" / "strava.duckdb"), **PASSPHRASE)
        (left,) = [path for path in tmp_path.rglob(".*.tmp") if re.fullmatch(at, f"os.rename {path}")]
        assert left.stat().st_size > 1000
    (home / "output" / "notes.txt").write_text("mine")

    strava.delete(gone)
    assert run("pull", "--all").code == 0
    assert list(tmp_path.rglob(".*.tmp")) == [], "any run cleans up"
    before = mentions(tmp_path, gone)
    assert {path for path in before if not path.startswith("home/warehouse/.state")} >= {
        "elsewhere/linked.html",
        "elsewhere/page.html",
        "elsewhere/strava.duckdb",
        "home/cache/strava.duckdb",
        "home/first/strava.duckdb",
        "home/warehouse/strava.duckdb",
        "pulled out/page.html",
    }
    assert {path.split("/")[1] for path in before if path.startswith("home/")} >= {"data", "other-data", "output"}

    torn = home / "other-data" / "activities" / "strava_17_20260101T000000Z.parquet"
    torn.write_bytes(b"PAR1, torn")

    ran = run("purge", STRAVA_PUBLISH="")
    assert ran.code == 0, ran.err
    assert f"{torn} cannot be read: it may hold" in ran.err
    torn.unlink()
    assert mentions(tmp_path, gone) == {"pulled out/page.html"}
    said = " ".join(line for line in ran.err.splitlines() if line.startswith("warning: "))
    assert str(tmp_path / "stick" / "page.html") in said
    assert f"{bundle}: made before this purge" in said
    assert (home / "site" / "index.html").readlink() == elsewhere / "linked.html"
    assert (home / "output" / "notes.txt").read_text() == "mine"
    assert run("page").code == 0
    assert (elsewhere / "linked.html").stat().st_size > 100_000
    # a second one has nothing to do, and still says what is out of reach until that is seen to
    ran = run("purge")
    assert ("nothing to erase" in ran.err, str(bundle) in ran.err) == (True, True)
    assert run("backup", str(bundle), **PASSPHRASE).code == 0
    ran = run("purge")
    assert (ran.code, str(bundle) in ran.err) == (0, False), ran.err


@pytest.fixture
def purge(steps):
    """A purge without the build that follows."""
    return lambda: steps.run("purge", "stage")


@pytest.mark.deep
def test_what_is_not_ours_any_more_at_a_place_of_ours_is_left_alone(athlete, run, purge, strava, tmp_path):
    page, copy = tmp_path / "page.html", athlete.home / "first" / "strava.duckdb"
    assert run("page", "--out", str(page)).code == 0
    page.write_text("my own page now")
    copy.unlink()
    with duckdb.connect(str(copy)) as connection:
        connection.execute("create table mine as select 1")
    own = copy.read_bytes()
    id_ = strava.activities()[7]["id"]
    strava.delete(id_)
    assert run("pull", "--all").code == 0
    assert "erased from" in purge()
    assert (page.read_text(), copy.read_bytes()) == ("my own page now", own)


def test_a_purge_of_a_linked_warehouse_empties_what_the_link_leads_to(athlete, run, purge, strava, tmp_path):
    target = tmp_path / "disk" / "strava.duckdb"
    target.parent.mkdir()
    athlete.warehouse.rename(target)
    athlete.warehouse.symlink_to(target)
    id_ = strava.activities()[8]["id"]
    strava.delete(id_)
    assert run("pull", "--all").code == 0
    assert "made anew" in purge()
    assert athlete.warehouse.readlink() == target
    assert not list(tmp_path.rglob("*.wal"))
    assert athlete.sql("select count(*) from staging.activities where id = ?", id_) == [(0,)]
    assert athlete.sql("select count(*) > 30 from staging.activities") == [(True,)]

    target.unlink()
    for command in ("page", "pull"):
        assert_said(run(command), 6, f"{athlete.warehouse} is a link to {target}, which is not there")
    assert not target.exists()


def test_the_note_of_places_outlives_a_change_of_either_place_it_stands_in(athlete, run, tmp_path):
    known = {"first/strava.duckdb"}
    note = athlete.home / "warehouse" / ".state" / "places.json"
    assert known <= set(json.loads(note.read_bytes())["copy"])
    shutil.rmtree(athlete.home / "warehouse")
    assert run("pull", STRAVA_WAREHOUSE=str(tmp_path / "w" / "strava.duckdb")).code == 0
    moved = json.loads((tmp_path / "w" / ".state" / "places.json").read_bytes())
    assert known <= set(moved["copy"])
    assert {"warehouse/strava.duckdb", str(tmp_path / "w" / "strava.duckdb")} <= set(moved["warehouse"])
