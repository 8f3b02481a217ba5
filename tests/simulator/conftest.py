"""A simulated Strava, and an app that is authorised at it."""

from collections.abc import Iterator

import pytest
from simulated_app import App

from simulator import Simulator


@pytest.fixture
def strava() -> Iterator[Simulator]:
    with Simulator(seed=7, activities=60) as simulator:
        yield simulator


@pytest.fixture
def app(strava: Simulator) -> App:
    return App(strava)
