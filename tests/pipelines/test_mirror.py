"""Whatever happened, one quiet flow later the warehouse equals Strava: random histories, see `soak.mirror`."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from soak.batch import Batch
from soak.mirror import LongMirror, Mirror

pytestmark = pytest.mark.slow


@pytest.fixture
def mirror(tmp_path, launcher):
    Mirror.launcher = launcher
    Mirror.folder = tmp_path
    Mirror.batch = Batch(tmp_path / "batch", Mirror.launcher)
    Mirror.tally.examples = 0
    return Mirror


def histories(count, steps):
    # no shrinking: an example takes seconds, and the sequence that is printed can be read as it is
    return settings(
        max_examples=count,
        stateful_step_count=steps,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


# more of them: `make soak`
@pytest.mark.deep
def test_whatever_happened_one_quiet_flow_later_the_warehouse_equals_strava(mirror):
    run_state_machine_as_test(mirror, settings=histories(40, 8))
    assert mirror.tally.examples >= 39
    mirror.batch.settle()
    assert mirror.batch.differences == []


@pytest.mark.parametrize(("count", "steps"), [(1, 4), pytest.param(4, 8, marks=pytest.mark.deep)])
def test_flows_that_purge_publish_and_are_killed_while_they_build_end_in_the_same_warehouse(mirror, count, steps):
    run_state_machine_as_test(LongMirror, settings=histories(count, steps))
    assert mirror.tally.examples == count
