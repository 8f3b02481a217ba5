"""Authorisation over HTTP: consent, codes, rotation, scopes, revocation."""

from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from simulated_app import ANYONE, App

from simulator import Simulator

REDIRECT = "http://localhost:8123/exchange_token"


def authorize(strava: Simulator, **query: str) -> requests.Response:
    asked = {
        "client_id": strava.client_id,
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": "read,activity:read,activity:read_all",
        "state": "s1",
    }
    return ANYONE.get(f"{strava.oauth_url}/authorize", params=asked | query, allow_redirects=False)


def redirected(answer: requests.Response) -> dict[str, str]:
    assert answer.status_code == 302, answer.text
    assert answer.headers["Location"].startswith(REDIRECT)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def error_of(answer: requests.Response) -> tuple[int, str]:
    error = answer.json()["errors"][0]
    return answer.status_code, "/".join(error[key] for key in ("resource", "field", "code"))


def test_the_consent_page_offers_a_box_per_scope(strava: Simulator) -> None:
    page = authorize(strava, state='"><script>')
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.text.count('type="checkbox"') == 3
    assert "<script>" not in page.text


def test_an_unticked_scope_is_missing_in_the_redirect_and_in_what_the_token_may(strava: Simulator, app: App) -> None:
    granted = redirected(authorize(strava, _decision="approve", _scope="read", approval_prompt="force"))
    assert (granted["scope"], granted["state"]) == ("read", "s1")
    tokens = app.token(grant_type="authorization_code", code=granted["code"]).json()
    answer = ANYONE.get(
        f"{strava.api_url}/athlete/activities", headers={"Authorization": f"Bearer {tokens['access_token']}"}
    )
    assert error_of(answer) == (401, "AccessToken/activity:read_permission/missing")


def test_a_denial_comes_back_as_access_denied(strava: Simulator) -> None:
    assert redirected(authorize(strava, _decision="deny")) == {"state": "s1", "error": "access_denied"}


def test_a_code_works_once_and_brings_the_athlete(strava: Simulator, app: App) -> None:
    code = redirected(authorize(strava, _decision="approve"))["code"]
    tokens = app.token(grant_type="authorization_code", code=code).json()
    assert tokens["athlete"]["id"] == strava.athlete_id
    assert tokens["expires_in"] == pytest.approx(6 * 3600, abs=2)
    again = app.token(grant_type="authorization_code", code=code)
    assert again.json()["message"] == "Bad Request"
    assert error_of(again) == (400, "AuthorizationCode/code/invalid")


def test_an_athlete_who_has_authorised_before_is_not_asked_again_unless_forced(strava: Simulator) -> None:
    strava.issue_refresh_token()
    assert "code" in redirected(authorize(strava, approval_prompt="auto"))
    assert authorize(strava, approval_prompt="force").status_code == 200


def test_auto_authorize_completes_the_flow_without_a_browser() -> None:
    with Simulator(activities=3, auto_authorize=True) as strava:
        assert redirected(authorize(strava))["scope"] == "read,activity:read,activity:read_all"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"client_id": "1"}, "Application/client_id/invalid"),
        ({"redirect_uri": "https://example.com/"}, "Application/redirect_uri/invalid"),
        ({"scope": "read,everything"}, "Authorize/scope/invalid"),
    ],
)
def test_a_wrong_authorisation_request_is_a_400(strava: Simulator, wrong: dict[str, str], error: str) -> None:
    assert error_of(authorize(strava, **wrong)) == (400, error)


def test_the_same_access_token_comes_again_while_more_than_an_hour_is_left(strava: Simulator, app: App) -> None:
    strava.advance(4 * 3600)
    again = app.token(grant_type="refresh_token", refresh_token=app.tokens["refresh_token"]).json()
    assert again["access_token"] == app.tokens["access_token"]
    assert again["refresh_token"] == app.tokens["refresh_token"]
    assert "athlete" not in again


def test_a_new_access_token_rotates_the_refresh_token_and_the_old_one_dies(strava: Simulator, app: App) -> None:
    strava.advance(5 * 3600 + 1)
    new = app.token(grant_type="refresh_token", refresh_token=app.tokens["refresh_token"]).json()
    assert new["access_token"] != app.tokens["access_token"]
    assert new["refresh_token"] != app.tokens["refresh_token"]
    answer = app.token(grant_type="refresh_token", refresh_token=app.tokens["refresh_token"])
    assert error_of(answer) == (400, "RefreshToken/refresh_token/invalid")
    assert strava.accepts_refresh_token(new["refresh_token"])
    assert not strava.accepts_refresh_token(app.tokens["refresh_token"])
    assert app.get("/athlete").status_code == 200  # the old access token lives out its hours


def test_without_rotation_the_refresh_token_stays() -> None:
    with Simulator(activities=3, token_rotates=False) as strava:
        app = App(strava)
        strava.expire_access_tokens()
        new = app.token(grant_type="refresh_token", refresh_token=app.tokens["refresh_token"]).json()
        assert new["refresh_token"] == app.tokens["refresh_token"]
        assert new["access_token"] != app.tokens["access_token"]


def test_an_access_token_dies_after_six_hours(strava: Simulator, app: App) -> None:
    strava.advance(6 * 3600 - 5)
    assert app.get("/athlete").status_code == 200
    strava.advance(6)
    answer = app.get("/athlete")
    assert error_of(answer) == (401, "Athlete/access_token/invalid")
    assert not [name for name in answer.headers if "ratelimit" in name.lower()]


def test_tokens_can_be_asked_for_as_json_and_under_the_api_path(strava: Simulator) -> None:
    body = {
        "client_id": int(strava.client_id),
        "client_secret": strava.client_secret,
        "grant_type": "refresh_token",
        "refresh_token": strava.issue_refresh_token(),
    }
    assert ANYONE.post(f"{strava.api_url}/oauth/token", json=body).json()["token_type"] == "Bearer"


def test_a_wrong_secret_is_a_401(strava: Simulator, app: App) -> None:
    answer = app.token(grant_type="refresh_token", refresh_token="x", client_secret="wrong")
    assert answer.json()["message"] == "Authorization Error"
    assert error_of(answer) == (401, "Application//invalid")


def test_a_token_in_the_query_is_refused(strava: Simulator, app: App) -> None:
    answer = ANYONE.get(f"{strava.api_url}/athlete", params={"access_token": app.tokens["access_token"]})
    assert answer.status_code == 401


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_revoking_either_token_ends_both(strava: Simulator, app: App, kind: str) -> None:
    url, client = f"{strava.oauth_url}/revoke", (strava.client_id, strava.client_secret)
    assert ANYONE.post(url, data={"token": app.tokens[kind]}, auth=(strava.client_id, "no")).status_code == 401
    assert app.get("/athlete").status_code == 200
    assert ANYONE.post(url, data={"token": app.tokens[kind]}, auth=client).status_code == 200
    assert app.get("/athlete").status_code == 401
    assert app.token(grant_type="refresh_token", refresh_token=app.tokens["refresh_token"]).status_code == 400


def test_deauthorize_ends_the_grant(strava: Simulator, app: App) -> None:
    assert app.http.post(f"{strava.oauth_url}/deauthorize").status_code == 200
    assert app.get("/athlete").status_code == 401


def test_zones_need_the_scope_for_the_profile(strava: Simulator, app: App) -> None:
    assert app.get("/athlete/zones").json()["heart_rate"]["zones"]
    assert error_of(App(strava, scope="read").get("/athlete/zones"))[0] == 401
