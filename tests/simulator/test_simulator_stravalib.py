"""A client nobody here wrote, stravalib, against the simulator."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from stravalib import Client

from simulator import Simulator


class ToTheSimulator(HTTPAdapter):
    """Sends what is meant for www.strava.com to the simulator."""

    def __init__(self, strava: Simulator) -> None:
        super().__init__()
        self._url = strava.url

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = str(request.url).replace("https://www.strava.com", self._url, 1)
        return super().send(request, *args, **kwargs)


@pytest.fixture
def client(strava: Simulator) -> Iterator[Client]:
    with requests.Session() as session:
        session.mount("https://www.strava.com", ToTheSimulator(strava))
        client = Client(requests_session=session)
        tokens = client.refresh_access_token(
            client_id=int(strava.client_id),
            client_secret=strava.client_secret,
            refresh_token=strava.issue_refresh_token("read,activity:read,activity:read_all,profile:read_all"),
        )
        client.access_token = tokens["access_token"]
        yield client


def test_stravalib_lists_every_activity(strava: Simulator, client: Client) -> None:
    truth = strava.activities()
    listed = list(client.get_activities())
    assert [activity.id for activity in listed] == [activity["id"] for activity in truth]
    assert [float(activity.distance or 0) for activity in listed] == [activity["distance"] for activity in truth]
    assert [activity.name for activity in listed] == [activity["name"] for activity in truth]


def test_stravalib_reads_every_detail(strava: Simulator, client: Client) -> None:
    for truth in strava.activities()[::4]:
        activity = client.get_activity(truth["id"], include_all_efforts=True)
        assert activity.moving_time == truth["moving_time"]
        assert len(activity.laps or []) == len(strava.detail(truth["id"]).get("laps", []))


def test_stravalib_reads_streams(strava: Simulator, client: Client) -> None:
    truth = next(activity for activity in strava.activities() if activity["start_latlng"])
    streams = client.get_activity_streams(truth["id"], types=["time", "distance", "latlng", "altitude"])
    assert streams["time"].data is not None
    assert streams["time"].data[-1] == max(truth["elapsed_time"], truth["moving_time"])
    assert len(streams["latlng"].data or []) == streams["latlng"].original_size


def test_stravalib_refreshes_and_the_refresh_token_rotates(strava: Simulator, client: Client) -> None:
    first = strava.issue_refresh_token()
    tokens = client.refresh_access_token(
        client_id=int(strava.client_id), client_secret=strava.client_secret, refresh_token=first
    )
    assert tokens["refresh_token"] != first
    client.access_token = tokens["access_token"]
    assert client.get_athlete().id == strava.athlete_id


def test_stravalib_exchanges_a_code(strava: Simulator, client: Client) -> None:
    url = client.authorization_url(int(strava.client_id), "http://localhost/exchange", scope=["read", "activity:read"])
    with client.protocol.rsession as session:
        answer = session.get(f"{url}&_decision=approve", allow_redirects=False)
        code = answer.headers["Location"].split("code=")[1].split("&")[0]
        tokens = client.exchange_code_for_token(int(strava.client_id), strava.client_secret, code)
    assert "access_token" in tokens


def test_stravalib_reads_athlete_gear_zones_laps_kudos_and_comments(strava: Simulator, client: Client) -> None:
    athlete = client.get_athlete()
    assert athlete.id == strava.athlete_id
    gear_id = next(activity["gear_id"] for activity in strava.activities() if activity["gear_id"])
    assert client.get_gear(gear_id).id == gear_id
    truth = next(a for a in strava.activities() if a["kudos_count"] and a["comment_count"])
    assert len(list(client.get_activity_kudos(truth["id"]))) == truth["kudos_count"]
    assert len(list(client.get_activity_comments(truth["id"]))) == truth["comment_count"]
    assert list(client.get_activity_laps(truth["id"]))
    assert client.get_athlete_stats(strava.athlete_id).all_run_totals is not None
