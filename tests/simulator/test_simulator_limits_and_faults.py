"""Rate limits, and what goes wrong on demand."""

import threading
import time
from datetime import UTC, datetime

import pytest
import requests
from simulated_app import ANYONE, App

from simulator import Simulator

LIST = "/athlete/activities"


def test_every_answer_has_limits_and_usage(strava: Simulator, app: App) -> None:
    headers = app.get(LIST).headers
    assert headers["X-RateLimit-Limit"] == "200,2000"
    assert headers["X-ReadRateLimit-Limit"] == "100,1000"
    assert headers["X-RateLimit-Usage"] == headers["X-ReadRateLimit-Usage"] == "1,1"


def test_refused_requests_count_toward_the_day_and_the_quarter_brings_new_ones() -> None:
    with Simulator(activities=3, clock=datetime(2026, 5, 1, 12, 14, 50, tzinfo=UTC)) as strava:
        app = App(strava)
        strava.set_limits(read_15min=2, read_day=10)
        assert [app.get("/athlete").status_code for _ in range(4)] == [200, 200, 429, 429]
        refused = app.get("/athlete")
        assert refused.json() == {
            "message": "Rate Limit Exceeded",
            "errors": [{"resource": "Application", "field": "overall rate limit", "code": "exceeded"}],
        }
        assert "Retry-After" not in refused.headers
        strava.set_clock(datetime(2026, 5, 1, 12, 15, tzinfo=UTC))
        renewed = app.get("/athlete")
        assert renewed.status_code == 200
        assert renewed.headers["X-ReadRateLimit-Usage"] == "1,6"


def test_the_day_begins_at_midnight_utc() -> None:
    with Simulator(activities=3, clock=datetime(2026, 5, 1, 23, 59, 50, tzinfo=UTC)) as strava:
        app = App(strava)
        strava.set_usage(read_day=1000)
        assert app.get("/athlete").status_code == 429
        strava.advance(11)
        assert app.get("/athlete").headers["X-ReadRateLimit-Usage"] == "1,1"


def test_tokens_and_controls_do_not_count(strava: Simulator, app: App) -> None:
    app.token(grant_type="refresh_token", refresh_token=app.tokens["refresh_token"])
    ANYONE.get(f"{strava.url}/_control/state")
    assert app.get("/athlete").headers["X-RateLimit-Usage"] == "1,1"
    assert [record.path for record in strava.requests][-1] == "/api/v3/athlete"
    assert not [record for record in strava.requests if "_control" in record.path]


def test_rate_headers_come_in_another_case_or_not_at_all() -> None:
    with Simulator(activities=3, lower_case_headers=True) as strava:
        app = App(strava)
        assert "x-ratelimit-limit" in list(app.get("/athlete").headers)
        strava.fault("no_rate_headers", times=None, path="/streams")
        key = next(a["id"] for a in strava.activities() if not a["manual"])
        assert "x-ratelimit-limit" not in app.get(f"/activities/{key}/streams").headers
        assert "x-ratelimit-limit" in app.get(f"/activities/{key}").headers


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("500", 500, b'{"message":"error"}'),
        ("502", 502, b"<html>"),
        ("503", 503, b"<html>"),
        ("429", 429, b"Rate Limit Exceeded"),
        ("401", 401, b"access_token"),
        ("403", 403, b'"field":"Status","code":"Inactive"'),
        ("html", 200, b"<html>"),
        ("empty404", 404, b""),
        ("errors_string", 400, b'"errors":"Something is wrong"'),
        ("empty_streams", 200, b"{}"),
    ],
)
def test_a_fault_strikes_once_and_then_all_is_well(
    strava: Simulator, app: App, kind: str, status: int, body: bytes
) -> None:
    strava.fault(kind)
    struck = app.get(LIST)
    assert struck.status_code == status
    assert body in struck.content
    assert app.page() == strava.activities()[:30]


def test_a_forced_429_shows_a_window_as_used_up(strava: Simulator, app: App) -> None:
    strava.fault("429")
    strava.fault("429", window="day", after=1)
    assert app.get("/athlete").headers["X-ReadRateLimit-Usage"].split(",")[0] == "100"
    assert app.get("/athlete").headers["X-ReadRateLimit-Usage"].split(",")[1] == "1000"


def test_a_cut_body_breaks_off(strava: Simulator, app: App) -> None:
    strava.fault("cut")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        app.get(LIST)
    assert app.page()


def test_a_dropped_connection_answers_nothing(strava: Simulator, app: App) -> None:
    strava.fault("drop", times=2)
    with pytest.raises(requests.exceptions.ConnectionError):
        app.get(LIST)
    assert strava.requests[-1].status == 0


def test_nonsense_is_no_json_but_has_the_right_length(strava: Simulator, app: App) -> None:
    strava.fault("nonsense")
    answer = app.get(LIST)
    assert len(answer.content) == int(answer.headers["Content-Length"])
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_bad_utf8_cannot_be_decoded(strava: Simulator, app: App) -> None:
    strava.fault("bad_utf8")
    with pytest.raises(UnicodeDecodeError):
        app.get(LIST).content.decode()


def test_a_slow_answer_takes_its_seconds(strava: Simulator, app: App) -> None:
    strava.fault("slow", seconds=0.2)
    start = time.monotonic()
    app.get(LIST)
    assert time.monotonic() - start >= 0.2


def test_a_corrupt_activity_fails_for_ever_and_alone(strava: Simulator, app: App) -> None:
    bad, good = (activity["id"] for activity in strava.activities()[:2])
    strava.fault("500", id=bad)
    assert [app.get(f"/activities/{bad}").status_code for _ in range(3)] == [500, 500, 500]
    assert app.get(f"/activities/{good}").status_code == 200
    strava.clear_faults()
    assert app.get(f"/activities/{bad}").status_code == 200


def test_a_fault_waits_for_its_path_and_its_turn(strava: Simulator, app: App) -> None:
    strava.fault("502", times=2, path=LIST, after=1)
    assert app.get("/athlete").status_code == 200
    assert [app.get(LIST).status_code for _ in range(4)] == [200, 502, 502, 200]


def test_oauth_is_spared_unless_named(strava: Simulator, app: App) -> None:
    strava.fault("500", times=None)
    refresh = {"grant_type": "refresh_token", "refresh_token": app.tokens["refresh_token"]}
    assert app.token(**refresh).status_code == 200
    strava.fault("503", path="/oauth/token")
    assert app.token(**refresh).status_code == 503


def test_an_unknown_fault_or_option_is_an_error(strava: Simulator) -> None:
    with pytest.raises(ValueError, match="unknown fault"):
        strava.fault("bogus")
    with pytest.raises(ValueError, match="no option"):
        strava.fault("slow", minutes=1)


def test_requests_are_recorded_with_query_status_and_authorisation(strava: Simulator, app: App) -> None:
    strava.clear_requests()
    app.page(page=2, per_page=5)
    ANYONE.get(f"{strava.api_url}{LIST}")
    first, second = strava.requests
    assert (first.method, first.path, first.query) == (
        "GET",
        "/api/v3/athlete/activities",
        {"page": "2", "per_page": "5"},
    )
    assert (first.status, first.authorised) == (200, True)
    assert (second.status, second.authorised) == (401, False)


def test_a_simulator_that_has_ended_answers_nobody_and_comes_back_where_it_was(strava: Simulator) -> None:
    with Simulator(activities=3) as other:
        app, url = App(other), other.url
        assert app.get("/athlete").status_code == 200
    with pytest.raises(requests.exceptions.ConnectionError):
        app.get("/athlete")
    with other:
        assert other.url == url
        assert app.get("/athlete").status_code == 200


def test_threads_are_served_and_counted_side_by_side(strava: Simulator, app: App) -> None:
    def work() -> None:
        with requests.Session() as session:
            session.headers.update(app.http.headers)
            for _ in range(10):
                assert session.get(strava.api_url + LIST).status_code == 200

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert app.get("/athlete").headers["X-RateLimit-Usage"] == "41,41"
