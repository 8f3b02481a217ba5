"""Where `make` runs the pipeline when no engine is of help; with one: tests/containers."""

import os
import subprocess
import time

import pytest
from home import REPO, Ran

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

    def call(script, *arguments, **settings):
        programs = tmp_path / "bin"
        programs.mkdir(exist_ok=True)
        for name in ("docker", "podman"):
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)
        inherited = {name: value for name, value in athlete.environment().items() if not name.startswith("MAKE")}
        inherited.pop("RUNNER", None)
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        ran = subprocess.run(
            ["make", *arguments],
            cwd=REPO,
            env=inherited | {"PATH": path} | settings,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    return call


@pytest.mark.parametrize("engine", ENGINES)
def test_with_an_engine_that_is_of_no_help_the_pipeline_runs_in_venv_and_says_so(make, engine):
    began_at_s = time.monotonic()
    ran = make(ENGINES[engine], "status")
    assert ran.code == 0, ran.err
    assert time.monotonic() - began_at_s < 30
    assert ran.out.startswith("Athlete"), "what is said of the runner is not part of the answer"
    assert ran.err.splitlines()[-1].startswith("In .venv: "), ran.err


@pytest.mark.parametrize("engine", ENGINES)
def test_a_container_that_was_asked_for_and_cannot_be_is_one_sentence(make, engine):
    ran = make(ENGINES[engine], "status", RUNNER="container")
    assert ran.code != 0
    assert ran.out == ""
    [error] = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert "RUNNER=venv" in error


def test_venv_that_was_asked_for_asks_no_engine(make, tmp_path):
    ran = make(f"touch {tmp_path}/asked", "status", RUNNER="venv")
    assert (ran.code, ran.err) == (0, "In .venv.\n")
    assert not (tmp_path / "asked").exists()


def test_a_runner_that_there_is_not_is_one_sentence(make):
    ran = make("exit 1", "status", RUNNER="kubernetes")
    assert "error: RUNNER is 'kubernetes': it must be container or venv." in ran.err
    assert ran.code != 0


def test_an_image_without_an_engine_is_one_sentence(make):
    ran = make("exit 1", "build")
    assert "error: no container engine answers" in ran.err
    assert ran.code != 0


def test_in_a_container_the_page_goes_to_site_and_only_serve_uses_the_machines_own_network(make, athlete):
    docker = 'case $1 in info) echo "26.1 []" ;; image) [ $2 = prune ] ;; build) ;; run) echo "$@" ;; esac'
    strava = {"STRAVA_API_URL": "https://strava.test/api", "STRAVA_OAUTH_URL": "https://strava.test/oauth"}
    page = make(docker, "page", "PUBLIC=1", **strava)
    assert page.out.strip().endswith(" strava-stats page --public"), page
    assert f"type=bind,source={athlete.home}/site,target={athlete.home}/site" in page.out
    assert "--network" not in page.out
    serve = make(docker, "serve", "PORT=8123", **strava)
    assert serve.out.strip().endswith(" strava-stats serve --port 8123"), serve
    assert " --network host " in serve.out
    assert "--publish" not in serve.out
