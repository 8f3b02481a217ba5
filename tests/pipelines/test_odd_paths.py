"""Whatever a folder or a file is called: it is worked with letter by letter, or refused before anything is done."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from deep import deep_but
from home import REPO, Athlete
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from landed import NO_LIMITS
from said import assert_said

from pipelines.ground.settings import catalog_of
from simulator import Simulator

pytestmark = pytest.mark.slow

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


@pytest.mark.deep
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


def goes_through_every_command(built, run, root, folder, file):
    """Whether it does; else it is refused at once, with the reason, and nothing is done."""
    home = root / folder
    shutil.copytree(built.athlete.home, home)
    shutil.move(home / FILE, home / file)
    publish = f"copy/{file}"
    ours = built.athlete.settings | {"STRAVA_HOME": str(home), "STRAVA_WAREHOUSE": file, "STRAVA_PUBLISH": publish}
    built.strava.clear_requests()
    before = sorted(root.rglob("*"))
    ran = run("flow", "--limit", "0", **ours)
    if ran.code == 2:
        # misunderstood by DuckDB, dlt or the settings
        assert_said(ran, 2)
        assert (built.strava.requests, sorted(root.rglob("*"))) == ([], before)
        return False
    assert ran.code == 0, ran.err
    for command in (["status"], ["page"], ["sql", "select count(*) from strava.activities"]):
        ran = run(*command, **ours)
        assert (command, ran.code) == (command, 0), ran.err
    assert str(N) in ran.out
    assert len(built.strava.requests) <= 3
    assert (home / "site" / "index.html").exists()
    bundle, restored = root / "b" / file, root / "r" / folder
    bundle.parent.mkdir()
    assert run("backup", "--unencrypted", "--", str(bundle), **ours).code == 0
    there = ours | {"STRAVA_HOME": str(restored)}
    assert run("restore", "--unencrypted", "--", str(bundle), **there).code == 0
    assert run("status", **there).code == 0
    for copy in (home / publish, restored / file):
        with duckdb.connect(str(copy), read_only=True) as connection:
            assert connection.execute("select count(*) from strava.activities_history").fetchone() == (N,)
    return True


@pytest.mark.parametrize(("folder", "file"), deep_but(1, ("a#b", "memory.duckdb"), ("shard=x", "temp.duckdb")))
def test_odd_names_go_through_every_command(built, run, tmp_path, folder, file):
    assert goes_through_every_command(built, run, tmp_path / "any", folder, file)


@pytest.mark.deep
@settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(folder=NAME, file=NAME)
def test_random_legal_names_go_through_every_command_or_are_refused(built, run, tmp_path_factory, folder, file):
    # in a catalog strava the models are in main: such a file is built so, not renamed to be so
    assume(catalog_of(Path(file)).lower() != "strava")
    goes_through_every_command(built, run, tmp_path_factory.mktemp("any"), folder, file)


@pytest.mark.parametrize("project", [REPO, REPO / "dbt_project"])
def test_plain_dbt_finds_the_file_whatever_it_is_called(tmp_path, project):
    from dbt.adapters.duckdb.credentials import DuckDBCredentials
    from dbt.adapters.duckdb.environments.local import LocalEnvironment
    from dbt.config.profile import Profile, read_profile
    from dbt.config.renderer import ProfileRenderer
    from dbt_common.context import set_invocation_context

    for name in (*FILES, FILE, FOLDER, "md:x", "STRAVA.old.db"):
        for home in (tmp_path, os.path.relpath(tmp_path), "md:x"):
            file = tmp_path / f"{name}.duckdb" if home == "md:x" else Path(f"{name}.duckdb")
            path = tmp_path / file
            duckdb.connect(str(path)).close()
            set_invocation_context({"STRAVA_HOME": str(home), "STRAVA_WAREHOUSE": str(file)})
            raw = read_profile(str(project))["strava_stats"]
            _, rendered = Profile.render_profile(raw, "strava_stats", None, ProfileRenderer({}))
            assert rendered.pop("type") == "duckdb"
            credentials = DuckDBCredentials.from_dict(DuckDBCredentials.translate_aliases(rendered))
            environment = LocalEnvironment(credentials)
            cursor = environment.handle().cursor()
            [(database, opened)] = cursor.execute(
                "select database_name, path from duckdb_databases() where database_name = current_database()"
            ).fetchall()
            environment.close()
            assert Path(opened).resolve() == path
            assert database == credentials.database
            # in a catalog strava the models are in main, or strava.activities could be either
            assert (database == "strava") == (catalog_of(path).lower() == "strava")


def test_the_name_that_duckdb_gives_a_file_is_known(tmp_path):
    for name in (*(f"{each}.duckdb" for each in FILES), FILE, "a?b.duckdb", "..a.b", ".duckdb", "plain"):
        with duckdb.connect(str(tmp_path / name)) as connection:
            [(database,)] = connection.execute("select current_database()").fetchall()
        # DuckDB keeps some names for itself
        assert database.removesuffix("_db") == catalog_of(tmp_path / name)


@pytest.mark.parametrize(
    "odd",
    [
        {"STRAVA_WAREHOUSE": "staging.duckdb"},
        {"STRAVA_WAREHOUSE": "what?.duckdb"},
        {"STRAVA_WAREHOUSE": "100%/x.duckdb"},
        {"STRAVA_WAREHOUSE": "x" * 230 + ".duckdb"},
        {"STRAVA_WAREHOUSE": os.fsdecode(b"\xff.duckdb")},
        {"STRAVA_BRONZE_URL": "\\*"},
        {"STRAVA_BRONZE_URL": "/".join(["long"] * 900)},
        {"STRAVA_HOME": os.fsdecode(b"/tmp/\xff")},
    ],
)
def test_what_duckdb_or_dlt_would_misunderstand_is_refused_before_anything_is_done(tmp_path, run, strava, odd):
    before = sorted(tmp_path.rglob("*"))
    for command in ("flow", "status", "page"):
        ran = run(command, **odd)
        assert_said(ran, 2)
    assert (strava.requests, sorted(tmp_path.rglob("*"))) == ([], before)


def test_a_tilde_is_the_callers_home_only_where_a_shell_would_say_so(monkeypatch, tmp_path):
    from pipelines.ground.settings import StravaSettings

    monkeypatch.setenv("HOME", str(tmp_path))
    for text, path in (("~", tmp_path), ("~/x", tmp_path / "x"), ("./~", REPO / "~"), ("./~x", REPO / "~x")):
        assert StravaSettings(home=text).home_path == path
