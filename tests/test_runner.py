"""Where `make` runs the pipeline when no engine is of help; with one: tests/containers."""

import csv
import os
import re
import shutil
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from home import REPO, Ran

pytestmark = pytest.mark.slow

ENGINES = {
    "that is down": "exit 1",
    "that tells nothing": "exit 0",
    "that never answers": "exec sleep 60",
    "whose client is another program": "echo Usage: docker; exit 0",
    "that cannot build": 'case $1 in info) echo "26.1 []" ;; *) echo "no such registry" >&2; exit 1 ;; esac',
}


@pytest.fixture
def make(athlete, tmp_path):
    """`make …` on a machine whose docker and podman are the given script."""

    def call(script, *arguments, folder=REPO, stderr=subprocess.PIPE, **settings):
        programs = tmp_path / "bin"
        programs.mkdir(exist_ok=True)
        for name in ("docker", "podman"):
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)
        inherited = {name: value for name, value in athlete.environment().items() if not name.startswith("MAKE")}
        for name in [
            name for name in inherited if name == "RUNNER" or name.endswith(("_BUNDLE", "_CERT_FILE", "_PROXY"))
        ]:
            inherited.pop(name)
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        ran = subprocess.run(
            ["make", *arguments],
            cwd=folder,
            env=inherited | {"PATH": path} | settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            check=False,
            timeout=60,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr or "")

    return call


@pytest.mark.parametrize("engine", ENGINES)
def test_with_an_engine_that_does_not_work_the_pipeline_runs_in_venv_and_says_so(make, engine):
    began_at_s = time.monotonic()
    ran = make(ENGINES[engine], "status")
    assert ran.code == 0, ran.err
    assert time.monotonic() - began_at_s < 30
    assert ran.out.startswith("Athlete"), "what is said of the runner is not part of the answer"
    assert ran.err.splitlines()[-1].startswith("In .venv: "), ran.err


@pytest.mark.parametrize("engine", ENGINES)
def test_a_container_that_was_asked_for_but_cannot_start_is_one_sentence(make, engine):
    ran = make(ENGINES[engine], "status", RUNNER="container")
    assert ran.code != 0
    assert ran.out == ""
    [error] = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert "RUNNER=venv" in error


def test_venv_that_was_asked_for_asks_no_engine(make, tmp_path):
    ran = make(f"touch {tmp_path}/asked", "status", RUNNER="venv")
    assert (ran.code, ran.err) == (0, "In .venv.\n")
    assert not (tmp_path / "asked").exists()


def test_an_unknown_runner_is_one_sentence(make):
    ran = make("exit 1", "status", RUNNER="kubernetes")
    assert "error: RUNNER is 'kubernetes': it must be container or venv." in ran.err
    assert ran.code != 0


def test_an_image_without_an_engine_is_one_sentence(make):
    ran = make("exit 1", "build")
    assert "error: no container engine answers" in ran.err
    assert ran.code != 0


# an engine that runs the module which asks for the settings here, and shows what else it is asked to run
SHOWS = f"""
case $1 in info) echo "26.1 []" ;; image) [ $2 = prune ] ;; build) echo "$@" >> "$(dirname "$0")/builds" ;; run)
  case "$*" in
    *\\ -m\\ pipelines.places\\ *) PYTHONPATH=. exec {sys.executable} -m pipelines.places "$PWD" ;;
    *) printf '%s\\n' "$@" ;;
  esac ;;
esac
"""
NO_STRAVA_HERE = {"STRAVA_API_URL": "https://strava.test/api", "STRAVA_OAUTH_URL": "https://strava.test/oauth"}


def mounts(ran):
    """What is shown to the container: path here → path there, or path there and how."""
    lines = ran.out.splitlines()
    assert ran.code == 0, ran.err
    shown = [next(csv.reader([line])) for before, line in pairwise(lines) if before == "--mount"]
    assert [kind for kind, *_ in shown] == ["type=bind"] * len(shown)
    return {source.partition("=")[2]: ",".join([target.partition("=")[2], *how]) for _, source, target, *how in shown}


def variables(ran):
    """What the container gets as variables: by value, or None for those of the caller's environment."""
    lines = ran.out.splitlines()
    given = [line.partition("=") for before, line in pairwise(lines) if before == "--env"]
    return {name: value if equals else None for name, equals, value in given}


@pytest.fixture(scope="module")
def cloned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cloned") / "a clone, of mine"
    folder.mkdir()
    for name in ("pipelines", ".dlt"):
        shutil.copytree(REPO / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "secrets.toml"))
    for name in ("Makefile", "runner.sh", "Dockerfile", ".dockerignore", "pyproject.toml"):
        shutil.copy(REPO / name, folder / name)
    # links, so that make does not take .venv for older than what it is made from
    for name in ("requirements.txt", "profiles.yml", "simulator", "dbt_project", ".venv"):
        (folder / name).symlink_to(REPO / name)
    return folder


@pytest.fixture
def clone(cloned):
    """A clone whose `.env` may be written."""
    (cloned / ".env").unlink(missing_ok=True)
    return cloned


def test_in_a_container_the_page_goes_to_site_and_only_serve_uses_the_machines_own_network(make, athlete):
    page = make(SHOWS, "page", "PUBLIC=1", **NO_STRAVA_HERE)
    assert page.out.splitlines()[-3:] == ["strava-stats", "page", "--public"], page
    assert mounts(page)[f"{athlete.home}/site"] == f"{athlete.home}/site"
    assert "--network" not in page.out
    serve = make(SHOWS, "serve", "PORT=8123", **NO_STRAVA_HERE)
    assert serve.out.splitlines()[-3:] == ["strava-stats", "serve", "--port=8123"], serve
    assert "\n--network\nhost\n" in serve.out
    assert "--publish" not in serve.out


def test_the_export_to_import_is_mounted_in_the_container_and_nothing_beside_it(make, tmp_path):
    (tmp_path / "of mine, new").mkdir()
    export = tmp_path / "of mine, new" / "export_1.zip"
    export.touch()
    ran = make(SHOWS, "import", "FILE=~/of mine, new/export_1.zip", HOME=str(tmp_path), **NO_STRAVA_HERE)
    assert ran.out.splitlines()[-3:] == ["import", "--", str(export)], ran
    assert mounts(ran)[str(export)] == f"{export},readonly"
    watched = make(SHOWS, "import", "WATCH=~/of mine, new", HOME=str(tmp_path), **NO_STRAVA_HERE)
    assert watched.out.splitlines()[-3:] == ["import", "--watch", str(export.parent)]
    assert mounts(watched)[str(export.parent)] == f"{export.parent},readonly"
    # STRAVA_WATCH may name what there is to import; whether it does is the command's to say
    assert make(SHOWS, "import", **NO_STRAVA_HERE).out.splitlines()[-1] == "import"


@pytest.mark.parametrize(
    "line",
    [
        "\ufeffexport STRAVA_HOME='{home} #1, \"x\"'   # a comment\r",
        'STRAVA_HOME=beside/it\nSTRAVA_HOME = "~/of \\u00e9"',
        "STRAVA_HOME=../above # a comment",
    ],
)
def test_runner_and_python_read_the_same_home_out_of_env(make, clone, tmp_path, line):
    (clone / ".env").write_text(line.format(home=tmp_path / "home") + "\n", newline="", encoding="utf-8")
    unset = {"STRAVA_HOME": "", "HOME": str(tmp_path / "me")} | NO_STRAVA_HERE
    venv = make("exit 1", "status", RUNNER="venv", folder=clone, **unset)
    assert venv.code == 0, venv.err
    [home] = re.findall(r"Warehouse +(.*)/warehouse/strava.duckdb \(not there yet\)", venv.out)
    container = make(SHOWS, "status", folder=clone, **unset)
    assert variables(container)["STRAVA_HOME"] == home
    assert mounts(container)[f"{home}/secrets"] == f"{home}/secrets"
    assert (Path(home) / "secrets").is_dir()


@pytest.mark.parametrize(("runner", "name"), [("container", "STRAVA_HOME"), ("venv", "STRAVA_PUBLISH")])
def test_a_variable_in_a_path_of_env_is_refused_and_makes_no_folder(make, clone, name, runner):
    (clone / ".env").write_text(f'{name}="$HOME/strava.duckdb"\n')
    ran = make(SHOWS, "status", folder=clone, RUNNER=runner, **{name: ""})
    assert f"error: {name} is '$HOME/strava.duckdb': $HOME is not replaced here." in ran.err
    assert (ran.code, ran.out) == (2, "")
    assert [path for path in clone.rglob("*") if "$" in path.name] == []


def test_every_path_in_a_setting_is_mounted_in_the_container(make, clone, athlete, tmp_path):
    linked = tmp_path / "linked, too"
    linked.mkdir()
    (athlete.home / "watch").mkdir()
    (athlete.home / "dashboards").mkdir()
    (athlete.home / "dashboards" / "w.published.duckdb").symlink_to(linked / "w.duckdb")
    for name in ("ca.pem", "aws.ini"):
        (tmp_path / name).touch()
    (clone / ".env").write_text(
        "STRAVA_PUBLISH=dashboards/w.published.duckdb\nSTRAVA_WATCH=watch\nSTRAVA_BRONZE_URL='~/shards'\n"
        f"STRAVA_TOKEN_FILE={tmp_path}/tokens/t.json\nSTRAVA_WAREHOUSE=w/w.duckdb\n"
    )
    named = {"HOME": str(tmp_path / "me"), "REQUESTS_CA_BUNDLE": str(tmp_path / "ca.pem")}
    named |= {"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "CURL_CA_BUNDLE": "/not/there", "AWS_CA_BUNDLE": ""}
    ran = make(SHOWS, "flow", folder=clone, AWS_CONFIG_FILE=str(tmp_path / "aws.ini"), **named, **NO_STRAVA_HERE)
    home = athlete.home
    folders = (home / "output", home / "site", home / "w", home / "dashboards", tmp_path / "tokens", linked)
    assert mounts(ran) == {str(folder): str(folder) for folder in (*folders, tmp_path / "me" / "shards")} | {
        f"{clone}/.env": "/app/.env,readonly",
        f"{clone}/.dlt/config.toml": "/app/.dlt/config.toml,readonly",
        f"{tmp_path}/ca.pem": f"{tmp_path}/ca.pem,readonly",
        f"{tmp_path}/aws.ini": f"{tmp_path}/aws.ini,readonly",
        f"{home}/watch": f"{home}/watch,readonly",
    }
    given = variables(ran)
    assert given["STRAVA_PUBLISH"] == f"{home}/dashboards/w.published.duckdb"
    assert given["STRAVA_WATCH"] == f"{home}/watch"
    assert given["STRAVA_BRONZE_URL"] == f"{tmp_path}/me/shards"
    assert given["STRAVA_TOKEN_FILE"] == f"{tmp_path}/tokens/t.json"
    assert (given["SSL_CERT_FILE"], given["CURL_CA_BUNDLE"]) == (f"{tmp_path}/ca.pem", "/not/there")


def test_proxies_reach_the_container_and_its_build_and_one_on_this_machine_is_reached(make, clone, tmp_path):
    far = {"HTTPS_PROXY": "http://me:pass@proxy.test:3128", "no_proxy": "localhost", "ALL_PROXY": "socks5h://s.test"}
    ran = make(SHOWS, "flow", folder=clone, **far, **NO_STRAVA_HERE)
    assert {name: variables(ran).get(name, "missing") for name in far} == dict.fromkeys(far)
    assert "me:pass" not in ran.out, "by name, so that the process list does not show it"
    assert "--network" not in ran.out
    assert set(far) <= set((tmp_path / "bin" / "builds").read_text().split())
    near = make(SHOWS, "flow", folder=clone, https_proxy="127.0.0.1:3128", **NO_STRAVA_HERE)
    assert "\n--network\nhost\n" in near.out


@pytest.mark.parametrize(("where", "code"), [("| head -n 1", 0), ("> /dev/full", 6), ("| cat >&2", 3)])
def test_an_answer_from_a_container_into_a_closed_pipe_is_no_error_and_a_lost_one_is(
    make, athlete, tmp_path, where, code
):
    # as an engine's client does: it says that its reader is gone, and ends with a code of its own
    client = "trap '' PIPE; seq 100000 || exit 1; exit 3" if code == 3 else "trap '' PIPE; seq 100000 || exit 1"
    script = SHOWS.replace("""printf '%s\\n' "$@" ;;""", f"{client} ;;")
    assert script != SHOWS
    make(script, "help")
    environment = athlete.environment(PATH=f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}", **NO_STRAVA_HERE)
    shell = f"./runner.sh sql 'select 1' {where}; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(
        ["bash", "-c", shell], cwd=REPO, env=environment | {"RUNNER": ""}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == code, ran.stderr
    assert ("rror" in ran.stderr) == (code == 6)


@pytest.mark.parametrize("stderr", ["full", "unread"])
def test_a_standard_error_that_cannot_be_written_does_not_stop_the_run(make, athlete, stderr):
    ours, theirs = os.pipe() if stderr == "unread" else (None, os.open("/dev/full", os.O_WRONLY))
    if ours is not None:
        os.close(ours)
    ran = make("exit 1", "status", RUNNER="venv", stderr=theirs)
    os.close(theirs)
    assert (ran.code, ran.out.startswith("Athlete")) == (0, True)
