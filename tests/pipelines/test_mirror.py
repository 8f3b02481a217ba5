"""Whatever happened, one quiet flow later the warehouse equals Strava: random histories, see `soak.mirror`."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from soak.mirror import Mirror
from soak.processes import Launcher


@pytest.fixture(autouse=True, scope="module")
def launcher(tmp_path_factory):
    Mirror.launcher = Launcher()
    Mirror.folder = tmp_path_factory.mktemp("mirror")
    yield
    Mirror.launcher.close()


# no shrinking: an example takes seconds, and the sequence that is printed can be read as it is
Mirror.TestCase.settings = settings(
    max_examples=6,
    stateful_step_count=10,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
TestMirror = pytest.mark.slow(Mirror.TestCase)
