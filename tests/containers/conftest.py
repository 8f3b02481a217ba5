"""What the tests of the containers share: an engine, an image built in a clone, a user of it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from clone import Clone, new_clone, new_folder
from home import Athlete

from simulator import Simulator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever lies in this folder needs an engine."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.container)


@pytest.fixture(scope="session")
def engine() -> None:
    """Fail where there is none: these tests are only asked for where there should be one."""
    answer = subprocess.run(
        ["docker", "info", "--format", "{{.ServerVersion}}"], capture_output=True, text=True, check=False
    )
    if answer.returncode or not answer.stdout.strip():
        pytest.fail("no container engine answers `docker info`: start one, or leave `make test-container` out")


@pytest.fixture(scope="session")
def built(engine: None) -> Iterator[Clone]:
    """A clone in which `make build` has been run."""
    clone = new_clone()
    ran = clone.make("build")
    assert ran.code == 0, ran.err
    yield clone
    shutil.rmtree(clone.folder.parent)


@pytest.fixture
def athlete(built: Clone, strava: Simulator) -> Iterator[Athlete]:
    """A user with an empty home who has authorised this program at `strava`."""
    above, uid, gid = new_folder()
    user = Athlete(above / "home", strava)
    user.authorise()
    for path in (user.home, *user.home.rglob("*")):
        os.chown(path, uid, gid)
    yield user
    shutil.rmtree(above)


@pytest.fixture
def clone(built: Clone, athlete: Athlete) -> Clone:
    """The clone, with the athlete's settings in its caller's environment."""
    return Clone(built.folder, built.uid, built.gid, athlete.settings)
