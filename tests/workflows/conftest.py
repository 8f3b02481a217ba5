"""What the tests of the workflows share."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from forge import PASSPHRASE, Forge
from home import REPO

from simulator import Simulator

SPARK_VENV = REPO / ".venv-spark"


@pytest.fixture(scope="session")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment as a run sets it up, taken from the one in which the tests run: that saves a minute a run."""
    return copied(Path(sys.prefix), tmp_path_factory.mktemp("shared") / "venv", ".runtime", ".dev")


@pytest.fixture(scope="session")
def spark_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with Spark, as `make spark-packages` sets it up."""
    if not SPARK_VENV.exists() or not shutil.which("java"):
        pytest.skip("there is no Spark or no Java: the job `spark` of ci.yml was not run")
    return copied(SPARK_VENV.resolve(), tmp_path_factory.mktemp("shared") / "venv-spark", ".installed")


def copied(venv: Path, copy: Path, *marks: str) -> Path:
    """A copy of an environment that make takes for new."""
    subprocess.run(["cp", "--archive", "--link", str(venv), str(copy)], check=True)
    for mark in marks:
        (copy / mark).unlink(missing_ok=True)
        (copy / mark).touch()
        # newer than any checkout
        os.utime(copy / mark, (time.time() + 86_400,) * 2)
    return copy


@pytest.fixture
def forge(tmp_path: Path, strava: Simulator) -> Iterator[Forge]:
    """A private repository that is set up as docs/guides/github-actions.md says."""
    folder = tmp_path / "forge"
    folder.mkdir()
    forge = Forge(folder)
    forge.secrets = {
        "GITHUB_TOKEN": "a-token-of-the-forge",
        "STRAVA_CLIENT_SECRET": strava.client_secret,
        "STRAVA_REFRESH_TOKEN": strava.issue_refresh_token(),
        "STRAVA_STATE_PASSPHRASE": PASSPHRASE,
    }
    forge.variables = {
        "STRAVA_API_URL": strava.api_url,
        "STRAVA_CLIENT_ID": strava.client_id,
        "STRAVA_OAUTH_URL": strava.oauth_url,
        "ENRICH_LIMIT": "2",
    }
    yield forge
    shutil.rmtree(forge.home / ".cache", ignore_errors=True)
