"""A Strava on localhost: for demos, for tests, and for anyone who builds against Strava.

    from simulator import Simulator

    with Simulator(seed=7, activities=300) as strava:
        strava.api_url, strava.oauth_url, strava.client_id, strava.client_secret, strava.issue_refresh_token()

`README.md` beside this file says what it can do; `python -m simulator --help` starts it from a shell.
"""

from simulator.export import write_export
from simulator.server import Simulator
from simulator.world import RequestRecord, World

__all__ = ["RequestRecord", "Simulator", "World", "write_export"]
