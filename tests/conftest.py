"""What the tests share: a simulated Strava over real HTTP, a home of its own, and the command as a user calls it."""

import fcntl
import gc
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from home import OUR_SETTINGS, Athlete, Ran, copy_home
from processes import Launcher, dbt_by, doing_only
from processes import launcher as the_launcher

from simulator import Simulator
from simulator.limits import Limits

if TYPE_CHECKING:
    from imports import Steps

pytest_plugins = ["parts", "times"]

# what a test of a window takes on a busy machine
MOST_OF_A_TEST_S = 20

# what stays is not looked through again and again while tests run: a fifteenth of their time
gc.set_threshold(50_000, 20, 100)


@pytest.fixture(autouse=True)
def within_a_window(request: pytest.FixtureRequest) -> None:
    """No test of a Strava begins when a window of its limits is about to end: what waits for it would not wait."""
    left_s = Limits(time.time).ends_at_s("15min") - time.time()
    if "strava" in request.fixturenames and left_s < MOST_OF_A_TEST_S:
        time.sleep(left_s)


@pytest.fixture
def strava() -> Iterator[Simulator]:
    """A simulated Strava with 60 activities."""
    with Simulator(seed=7, activities=60) as simulator:
        yield simulator


@pytest.fixture
def athlete(tmp_path: Path, strava: Simulator) -> Athlete:
    """A user who has authorised this program at `strava` and never run it."""
    user = Athlete(tmp_path, strava)
    user.authorise()
    return user


@pytest.fixture(scope="session")
def built_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after a flow, to be copied only: of a Strava that is the same as `strava`, with three details.

    The first of the workers that needs it makes it, for all of them.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    home, whole = folder / "built", folder / "built is whole"
    with (folder / "built.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            with Simulator(seed=7, activities=60) as simulator:
                user = Athlete(home, simulator)
                user.authorise()
                ran = user.spawn("flow", ENRICH_LIMIT="3")
            assert ran.code == 0, ran.err
            whole.touch()
    return home


@pytest.fixture
def settled(athlete: Athlete, built_home: Path) -> Athlete:
    """`athlete`, for whom a flow has done its work: all activities have landed and are built."""
    copy_home(built_home, athlete.home)
    return athlete


@pytest.fixture(scope="session")
def launcher() -> Launcher:
    """What forks commands and dbt, for all tests of this process."""
    return the_launcher()


@pytest.fixture
def steps(athlete: Athlete, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> "Steps":
    """Steps of a command in this process, where nothing is asserted of what dbt makes: steps.run("purge", "stage")."""
    from imports import Steps

    return Steps(athlete, monkeypatch, capfd)


@pytest.fixture
def pull(run: Callable[..., Ran]) -> Callable[..., Ran]:
    """A pull without the load into staging, where what was asked for and has landed is all that is looked at."""
    return partial(run, "pull", SOAK_STEPS="pull")


@pytest.fixture
def run(athlete: Athlete, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """The command in this process (no second of start-up): run("pull", "--all", PER_PAGE="50").

    SOAK_STEPS="pull,enrich" leaves out the command's other steps, as in the launcher.
    """
    from pipelines.ground.stop import SIGNALS
    from pipelines.runs import flow
    from pipelines.strava import main
    from pipelines.warehouse import dbt_process

    # nor the seconds of dbt's
    forking = dbt_by(lambda *command, **how: the_launcher().dbt(*command, **how))

    def run_command(*arguments: str, **settings: str) -> Ran:
        with monkeypatch.context() as patch:
            for name in [name for name in os.environ if name.startswith(OUR_SETTINGS)]:
                patch.delenv(name)
            for name, value in (athlete.settings | settings).items():
                patch.setenv(name, value)
            patch.setattr(dbt_process, "subprocess", forking)
            if only := settings.get("SOAK_STEPS"):
                patch.setattr(flow, "run_steps", doing_only(only, flow.run_steps))
            capfd.readouterr()
            before = {number: signal.getsignal(number) for number in SIGNALS}
            try:
                code = main(list(arguments))
            except SystemExit as exit_:
                code = int(exit_.code or 0)
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
            out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run_command
