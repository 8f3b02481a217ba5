"""The command line: its helps, its exit codes, where it may be called from, what it leaves on a terminal."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from home import REPO, Ran
from said import assert_said

from pipelines.ground.errors import exit_codes
from pipelines.strava import COMMANDS, make_parser
from pipelines.warehouse import dbt_process

NAMES = [command.name for command in COMMANDS]


@pytest.mark.parametrize("command", NAMES)
def test_every_command_has_a_help_with_an_example_of_its_own(athlete, run, command):
    ran = run(command, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert f"usage: strava.py {command}" in ran.out
    assert re.search(rf"example:\n  python pipelines/strava.py {command}\b", ran.out)


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_the_example_of_a_help_is_accepted(command):
    words = shlex.split(command.example)
    assert words[:2] == ["python", "pipelines/strava.py"]
    assert make_parser().parse_args(words[2:]).command == command.name


def test_the_help_lists_the_commands_and_what_each_exit_code_means(run):
    ran = run("--help")
    assert ran.code == 0
    assert "Without a command: pull, then enrich" in ran.out
    for command in COMMANDS:
        assert re.search(rf"^ +{command.name} ", ran.out, re.MULTILINE)
    for code, meaning in exit_codes().items():
        assert re.search(rf"^ +{code}  {re.escape(meaning)}$", ran.out, re.MULTILINE)
    assert set(exit_codes()) == {0, 1, 2, 3, 4, 5, 6, 7, 8, 130}


@pytest.mark.parametrize(
    "arguments",
    [["fetch"], ["pull", "--fast"], ["pull", "now"], ["pull", "--per-page"], ["status", "--all"], ["--all"]],
)
def test_an_unknown_command_or_option_shows_the_usage(athlete, run, arguments):
    ran = run(*arguments)
    assert ran.code == 2
    assert ran.err.startswith("usage: strava.py")
    assert athlete.requests() == []


def test_without_a_command_it_pulls_then_enriches_into_bronze_and_staging(athlete, run):
    ran = run(ENRICH_LIMIT="3")
    assert (ran.code, ran.out) == (0, "")
    assert athlete.sql("select count(*) from staging.activities") == [(60,)]
    assert athlete.sql("select count(*) from staging.activity_details") == [(3,)]
    assert athlete.sql("select count(*) from duckdb_schemas() where schema_name = 'strava'") == [(0,)]


@pytest.mark.parametrize("called", ["pipelines/strava.py", "-m"])
def test_it_works_from_another_folder(athlete, tmp_path_factory, called):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    script = ["-m", "pipelines.strava"] if called == "-m" else [str(REPO / called)]
    ran = subprocess.run(
        [sys.executable, *script, "pull"],
        env=athlete.environment(PYTHONPATH=str(REPO)),
        cwd=elsewhere,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert len(athlete.shards()) == 1
    assert list(elsewhere.iterdir()) == []


def test_a_python_without_the_packages_is_one_sentence(tmp_path):
    ran = subprocess.run(
        # without its site-packages
        [sys.executable, "-S", str(REPO / "pipelines" / "strava.py"), "status"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert_said(Ran(ran.returncode, ran.stdout, ran.stderr), 2, ".venv/bin/python", "make help")


def test_status_before_anything_was_run_asks_nothing_and_ends_well(athlete, run):
    athlete.token_file.unlink()
    ran = run("status", STRAVA_CLIENT_ID="", STRAVA_CLIENT_SECRET="")
    assert ran.code == 0
    assert re.search(
        r"^Athlete +nothing here yet: `make import FILE=export.zip` or `make auth`$", ran.out, re.MULTILINE
    )
    assert athlete.requests() == []


def test_build_needs_no_credentials_and_no_token(athlete, run):
    # a warehouse that is invalid ends it before dbt would start
    run("pull")
    athlete.token_file.unlink()
    shutil.move(athlete.warehouse, athlete.home / "away")
    athlete.warehouse.write_bytes(b"not a database" * 1000)
    assert_said(run("build", STRAVA_CLIENT_ID="", STRAVA_CLIENT_SECRET=""), 6, "move the file away")


QUERIES = [
    ("select count(*) as found from staging.activities", 0, ["found", "60"]),
    ("select nothing", 2, ["nothing"]),
    ("selec", 2, ["syntax error"]),
    ("select * from strava.no_such_table", 2, ["is not built yet. Run `make compact`.", "no_such_table"]),
    ("drop table staging.activities", 2, ["read-only"]),
    ("select 1; select 2", 0, ["2"]),
]


def test_sql_answers_or_says_what_duckdb_did_not_like(athlete, run):
    run("pull")
    for query, code, words in QUERIES:
        ran = run("sql", query)
        assert (query, ran.code) == (query, code), ran.err
        assert "Traceback" not in ran.err
        assert not [word for word in words if word not in ran.out + ran.err]
    assert athlete.sql("select count(*) from staging.activities") == [(60,)]


def test_sql_without_a_warehouse_says_how_to_get_one(athlete, run):
    assert_said(run("sql", "select 1"), 2, str(athlete.warehouse), "make flow", "make demo")
    assert not athlete.warehouse.exists()


@pytest.mark.deep
def test_a_model_that_fails_is_named_and_what_was_fetched_is_there(athlete, run, monkeypatch, tmp_path_factory):
    copy = tmp_path_factory.mktemp("copy") / "repo"
    shutil.copytree(REPO / "dbt_project", copy / "dbt_project", ignore=shutil.ignore_patterns("target", "logs"))
    for part in ("pipelines", ".dlt"):
        shutil.copytree(REPO / part, copy / part)
    for file in ("profiles.yml", "dbt_project.yml"):
        if (REPO / file).exists():
            shutil.copy(REPO / file, copy)
    broken = copy / "dbt_project" / "models" / "broken.sql"
    # one fails in the database, the other, started as a user starts it, before dbt has a result to tell of
    broken.write_text("select no_such_column from {{ ref('activities') }}")
    monkeypatch.setattr(dbt_process, "PROJECT", copy / "dbt_project")
    in_the_database = run("flow", ENRICH_LIMIT="0")
    broken.write_text("select {{ no end")
    started = subprocess.run(
        [sys.executable, str(copy / "pipelines" / "strava.py"), "build"],
        env=athlete.environment(),
        cwd=Path("/"),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    before_it = Ran(started.returncode, started.stdout, started.stderr)
    for ran, reported in ((in_the_database, "no_such_column"), (before_it, "Compilation Error")):
        assert ran.code == 7, ran.err
        assert "error: dbt build failed." in ran.err
        assert "broken" in ran.err
        assert reported in ran.err
        for ugly in ("Traceback", "\x1b", "Warning"):
            assert ugly not in ran.err
    assert athlete.sql("select count(*) from staging.activities") == [(60,)]
