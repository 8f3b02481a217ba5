"""Plain HTTP sessions: of an app that an athlete has authorised, and of anyone."""

from dataclasses import dataclass, field
from typing import Any

import requests

from simulator import Simulator

ANYONE = requests.Session()
ALL_SCOPES = "read,activity:read,activity:read_all,profile:read_all"


@dataclass
class App:
    """An app that an athlete has authorised: it asks the API with a live access token."""

    strava: Simulator
    scope: str = ALL_SCOPES
    http: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        answer = self.token(grant_type="refresh_token", refresh_token=self.strava.issue_refresh_token(self.scope))
        self.tokens: dict[str, Any] = answer.json()
        self.http.headers["Authorization"] = f"Bearer {self.tokens['access_token']}"

    def token(self, **fields: str) -> requests.Response:
        client = {"client_id": self.strava.client_id, "client_secret": self.strava.client_secret}
        return self.http.post(f"{self.strava.oauth_url}/token", data=client | fields)

    def get(self, path: str, **query: Any) -> requests.Response:
        return self.http.get(self.strava.api_url + path, params=query)

    def page(self, **query: Any) -> list[dict[str, Any]]:
        answer = self.get("/athlete/activities", **query)
        assert answer.status_code == 200, answer.text
        page: list[dict[str, Any]] = answer.json()
        return page

    def walk(self, **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        number = 1
        while page := self.page(page=number, **query):
            found += page
            number += 1
        return found
