"""Whatever a folder or a file is called: it is worked with letter by letter, or refused before anything is done."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from home import REPO, Athlete
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from landed import LIST, NO_LIMITS, contents
from said import assert_said

from pipelines.settings import catalog_of, why_no_path
from simulator import Simulator

N = 12
# what shells, URLs, patterns, jinja, SQL, hives and DuckDB's own catalogs make something of
FOLDER = "id=5 #ab 'c' \"d\" *e[f]{{ 1 }}$HOME;ä\n~"
FILE = "my-'strava'#1%s.x.duckdb"
SHARDS = "100%?*[s]"
FILES = ("main", "temp", "system", "memory", "information_schema", "123", "warehouse", "strava", ".hidden", "select")


@dataclass(frozen=True)
class Built:
    """A home with a history that was built, and the Strava that it is of."""

    athlete: Athlete
    strava: Simulator


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    with Simulator(seed=7, activities=N, limits=NO_LIMITS) as strava:
        athlete = Athlete(tmp_path_factory.mktemp("odd") / FOLDER, strava)
        athlete.home.mkdir()
        athlete.authorise()
        athlete.settings |= {"STRAVA_WAREHOUSE": FILE, "STRAVA_BRONZE_URL": SHARDS}
        ran = athlete.spawn("flow", "--limit", "3")
        assert ran.code == 0, ran.err
        yield Built(athlete, strava)


@pytest.fixture
def athlete(built):
    return built.athlete


@pytest.mark.slow
def test_a_flow_runs_in_a_folder_and_a_file_of_the_oddest_names(built):
    file = built.athlete.home / FILE
    with duckdb.connect(str(file), read_only=True) as connection:
        for table in ("activities", "activities_history", "int_activities__dated"):
            schema = "staging" if table.startswith("int_") else "strava"
            assert connection.execute(f"select count(*) from {schema}.{table}").fetchone() == (N,)
        assert connection.execute("select count(*) from strava.activity_details").fetchone() == (3,)
    assert len(list((built.athlete.home / SHARDS / "activities").glob("*.parquet"))) == 1
    # nothing went elsewhere
    assert [path.name for path in built.athlete.home.parent.iterdir()] == [FOLDER]


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=30).filter(
    lambda name: name not in {".", ".."}
)
ODD = st.sampled_from("%?*[]#'\"\\{}$;:=~ \n-.")
NAME = st.one_of(NAMES, st.text(st.one_of(ODD, st.sampled_from("ab")), min_size=1, max_size=12)).filter(
    lambda name: name not in {".", ".."}
)


@pytest.mark.slow
@settings(
    max_examples=4, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(folder=NAME, file=NAME)
@example(folder="a#b", file="memory.duckdb")
@example(folder="shard=x", file="temp.duckdb")
def test_random_legal_names_go_through_every_command(built, run, tmp_path_factory, folder, file):
    root = tmp_path_factory.mktemp("any")
    home, file_path = root / folder, root / folder / file
    shutil.copytree(built.athlete.home, home)
    shutil.move(home / FILE, file_path)
    publish = f"copy/{file}"
    ours = {"STRAVA_HOME": str(home), "STRAVA_WAREHOUSE": file, "STRAVA_PUBLISH": publish}
    commands = [["flow", "--limit", "0"], ["status"], ["page"], ["sql", "select count(*) from strava.activities"]]
    built.strava.clear_requests()
    if why_no_path(file_path) or "%" in str(home) or "?" in str(file_path) or catalog_of(file_path).lower() in ("staging", "strava"):
        before = sorted(root.rglob("*"))
        assert_said(run("flow", **ours), 2)
        assert (built.strava.requests, sorted(root.rglob("*"))) == ([], before)
        return
    for command in commands:
        ran = run(*command, **ours)
        assert (command, ran.code) == (command, 0), ran.err
    assert str(N) in ran.out
    assert len(built.strava.requests) <= 3
    assert (home / "site" / "index.html").exists()
    bundle = root / "b" / file
    bundle.parent.mkdir()
    assert run("backup", "--unencrypted", "--", str(bundle), **ours).code == 0
    restored = root / "b" / folder
    there = ours | {"STRAVA_HOME": str(restored)}
    if restored != bundle:
        assert run("restore", "--unencrypted", "--", str(bundle), **there).code == 0
        assert run("status", **there).code == 0
    for copy in (home / publish, restored / file):
        if copy.exists():
            with duckdb.connect(str(copy), read_only=True) as connection:
                assert connection.execute("select count(*) from strava.activities_history").fetchone() == (N,)
