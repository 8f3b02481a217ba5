"""The page of marts that were exported as Parquet equals the page of the warehouse that they came from."""

import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from home import REPO, Athlete, Ran

from pipelines.ground.engine import quoted
from spark.session import BESIDE_MARTS

pytestmark = pytest.mark.spark
# numbers and goals, which the page shows, and details with laps, efforts and zones
SETTINGS = {"STRAVA_MAX_HR": "187", "STRAVA_UNITS": "mi", "STRAVA_GOALS": "Run 1000 km/year"}


def export(warehouse: Path, folder: Path) -> None:
    """What `python -m spark export` writes of Spark's marts, written of DuckDB's."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        marts = connection.execute("select table_name from information_schema.tables where table_schema = 'main'")
        for name in (*(name for (name,) in marts.fetchall()), *BESIDE_MARTS):
            (folder / name).mkdir(parents=True)
            rows = name if "." in name else f"strava.{name}"
            connection.execute(f"copy (from {rows}) to {quoted(folder / name / 'part-0.parquet')} (format parquet)")


def make_page(athlete: Athlete, *arguments: str) -> Ran:
    ran = subprocess.run(
        [sys.executable, "-m", "spark", "page", *arguments],
        cwd=REPO,
        env=athlete.environment(**SETTINGS),
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)


@pytest.fixture
def exported(settled: Athlete, run, tmp_path: Path) -> Path:
    """The exported marts of a home whose page is there."""
    assert run("page", **SETTINGS).code == 0
    assert run("page", "--public", **SETTINGS).code == 0
    folder = tmp_path / "marts [of] athlete's"
    export(settled.warehouse, folder)
    # what else is there is nobody's mart
    (folder / "empty").mkdir()
    shutil.copytree(folder / "goals", folder / "goals.old")
    return folder


@pytest.mark.slow
def test_the_page_of_exported_marts_is_that_of_the_warehouse_byte_for_byte(settled, exported, tmp_path):
    for options, page in (([], "index.html"), (["--public"], "public/index.html")):
        ran = make_page(settled, str(exported), *options, "--out", str(tmp_path / "other.html"))
        assert (ran.code, ran.out) == (0, ""), ran.err
        made = (tmp_path / "other.html").read_bytes()
        assert b"187" in made or options
        assert made == (settled.home / "site" / page).read_bytes()


@pytest.mark.slow
def test_it_needs_no_warehouse_and_goes_into_the_site(settled, exported):
    page = settled.home / "site" / "index.html"
    shown = page.read_bytes()
    page.unlink()
    settled.warehouse.unlink()
    ran = make_page(settled, str(exported))
    assert (ran.code, ran.out) == (0, ""), ran.err
    assert page.read_bytes() == shown
    assert not settled.warehouse.exists()


@pytest.mark.slow
def test_a_folder_without_what_the_page_reads_is_named_with_what_it_lacks(settled, exported):
    (exported / "staging.goals").rename(exported / "other")
    ran = make_page(settled, str(exported))
    assert (ran.code, ran.err) == (
        2,
        f"error: {exported} is not a folder that `make spark-export` wrote: it has no staging.goals.\n",
    )


@pytest.mark.slow
def test_marts_of_another_version_are_refused_with_the_next_step(settled, exported):
    (exported / "zone_bounds").rename(exported / "other")
    ran = make_page(settled, str(exported))
    assert ran.code == 2
    assert ran.err.startswith("error: The exported marts are of another version, without what the page shows. Build ")
    assert len(ran.err.splitlines()) == 1
