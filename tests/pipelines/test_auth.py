"""Tokens: refreshed in time, rotated without loss, kept to one file, shown to nobody."""

import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from said import assert_said

from pipelines.ground.errors import StorageFailed
from pipelines.ground.stop import StopFlag
from pipelines.sources.strava_api.auth import OAuthApp, RefreshTokenAuth, TokenFile

LIST = "/athlete/activities"
TOKEN = "/oauth/token"


def stored(athlete):
    return json.loads(athlete.token_file.read_bytes())


def rewrite(athlete, **changed):
    athlete.token_file.write_text(json.dumps(stored(athlete) | changed))


def mode(path):
    return path.stat().st_mode & 0o777


def auth_of(athlete):
    app = OAuthApp(
        athlete.strava.oauth_url, (athlete.strava.client_id, athlete.strava.client_secret), requests.Session()
    )
    return RefreshTokenAuth(app, TokenFile(athlete.token_file), StopFlag())


def ask(athlete, auth):
    return requests.get(f"{athlete.strava.api_url}/athlete", auth=auth, timeout=10).status_code


def test_no_token_is_requested_while_the_stored_one_is_valid(athlete, pull):
    pull()
    athlete.strava.clear_requests()
    assert pull().code == 0
    assert athlete.requests(TOKEN) == []


@pytest.mark.parametrize("left_s", [-10, 0, 30])
def test_a_token_about_to_expire_is_refreshed_before_it_is_used(athlete, pull, left_s):
    pull()
    rewrite(athlete, expires_at=int(time.time()) + left_s)
    athlete.strava.clear_requests()
    assert pull().code == 0
    assert athlete.requests()[0].path == TOKEN
    assert len(athlete.requests(TOKEN)) == 1
    assert {request.status for request in athlete.requests()} == {200}


@pytest.mark.parametrize("token", ["two\nlines", "\u00fcber"])
def test_a_stored_token_that_no_header_can_carry_is_refreshed(athlete, pull, token):
    assert pull().code == 0
    athlete.strava.clear_requests()
    rewrite(athlete, access_token=token)
    assert pull().code == 0
    assert len(athlete.requests(TOKEN)) == 1
    assert {request.status for request in athlete.requests()} == {200}


def test_a_401_costs_one_refresh_and_one_replay_of_the_same_request(athlete, pull):
    pull()
    athlete.strava.expire_access_tokens()
    athlete.strava.clear_requests()
    assert pull().code == 0
    first, token, replayed, *rest = athlete.requests()
    assert [first.status, token.path, replayed.status] == [401, TOKEN, 200]
    assert (first.path, first.query) == (replayed.path, replayed.query)
    assert {request.status for request in rest} <= {200}


def test_a_401_that_stays_is_reported_after_one_refresh(athlete, pull):
    pull()
    athlete.strava.clear_requests()
    athlete.strava.fault("401", times=None)
    assert_said(pull(), 3, "make auth")
    assert [request.path.removeprefix("/api/v3") for request in athlete.requests()] == [LIST, TOKEN, LIST]
    athlete.strava.clear_faults()
    assert pull().code == 0


def test_a_missing_scope_is_reported_and_not_refreshed(athlete, pull):
    athlete.authorise(refresh_token=athlete.strava.issue_refresh_token(scope="read"))
    assert_said(pull(), 3, "activity:read", "make auth")
    assert len(athlete.requests(TOKEN)) == 1
    assert len(athlete.requests(LIST)) == 1


def test_the_athlete_is_asked_for_once_then_remembered(athlete, pull):
    pull()
    pull()
    assert [request.path for request in athlete.requests()].count("/api/v3/athlete") == 1
    assert stored(athlete)["athlete_id"] == athlete.strava.athlete_id


def test_a_run_that_may_not_ask_for_the_athlete_in_this_window_ends_and_says_when_it_opens(athlete, pull):
    athlete.strava.fault("429", path="/api/v3/athlete", window="15min")
    ran = pull(STRAVA_MAX_WAIT_S="0")
    assert ran.code == 0
    assert "Strava's 15-minute limit is used up (100 of 100 requests); it opens again at" in ran.err
    assert len(athlete.requests()) == 2, "for a token, and for the athlete"
    assert stored(athlete).get("athlete_id") is None
    assert pull(STRAVA_MAX_WAIT_S="0").code == 0
    assert len(athlete.requests()) == 2, "nothing is asked in a window that is spent"


@pytest.mark.parametrize(
    "beside",
    [
        {},
        {"athlete_id": True, "scope": "read,activity:read_all", "saved_at": 1_700_000_000},
        {"athlete_id": "text", "scope": "read,activity:read_all", "saved_at": "2026-01-31T08:00:00Z"},
        {"expires_at": "1700000000", "saved_at": None, "access_token": None, "something": {"else": []}},
        {"expires_at": 4_000_000_000, "access_token": None},
    ],
    ids=["only a refresh token", "numbers", "text", "odd", "alive without an access token"],
)
def test_a_token_file_of_another_tool_is_accepted_and_upgraded(athlete, pull, beside):
    beside = dict(beside)
    if known := beside.get("athlete_id"):
        beside["athlete_id"] = athlete.strava.athlete_id if known is True else str(athlete.strava.athlete_id)
    athlete.authorise(**beside)
    athlete.token_file.chmod(0o644)
    before = stored(athlete)
    ran = pull()
    assert (ran.code, len(athlete.shards())) == (0, 1)
    after = stored(athlete)
    assert after["refresh_token"] != before["refresh_token"]
    assert (after["athlete_id"], after["scope"]) == (athlete.strava.athlete_id, before.get("scope"))
    assert after["expires_at"] > time.time()
    assert abs(after["saved_at"] - time.time()) < 60
    assert mode(athlete.token_file) == 0o600
    asked = [request for request in athlete.requests() if request.path.endswith("/athlete")]
    assert len(asked) == (0 if known else 1)


def test_a_token_file_that_an_editor_marked_as_utf_8_is_read(athlete, pull):
    athlete.token_file.write_bytes(b"\xef\xbb\xbf" + athlete.token_file.read_bytes())
    assert pull().code == 0


BROKEN = [
    b"",
    b"{",
    b"[]",
    b"{}",
    b'{"refresh_token": ""}',
    b'{"refresh_token": 5}',
    b'{"refresh_token": "\xff"}',
    b"\x00" * 100,
    b"[" * 100_000,
]


@pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_token_file_is_reported_and_left_unchanged(athlete, pull, content):
    athlete.token_file.write_bytes(content)
    assert_said(pull(), 3, str(athlete.token_file), "broken", "make auth")
    assert athlete.token_file.read_bytes() == content
    assert athlete.requests() == []


def test_without_a_token_file_it_says_how_to_get_one(athlete, pull):
    athlete.token_file.unlink()
    assert_said(pull(), 3, "no token file", "make auth")
    assert athlete.requests() == []


def test_a_file_that_is_not_a_token_file_is_reported(athlete, pull):
    athlete.token_file.unlink()
    athlete.token_file.mkdir()
    assert_said(pull(), 6, str(athlete.token_file), "could not be read")


@pytest.mark.parametrize(
    ("settings", "stored_tokens", "words"),
    [
        ({}, {"refresh_token": "dead"}, ["invalid_grant", "make auth"]),
        ({"STRAVA_CLIENT_SECRET": "wrong"}, {}, ["STRAVA_CLIENT_SECRET", "settings/api"]),
        ({"STRAVA_CLIENT_ID": "1"}, {}, ["STRAVA_CLIENT_ID", "settings/api"]),
    ],
    ids=["dead refresh token", "wrong secret", "wrong id"],
)
def test_what_strava_does_not_accept_is_named_and_no_token_is_lost(athlete, pull, settings, stored_tokens, words):
    before = stored(athlete)
    rewrite(athlete, **stored_tokens)
    assert_said(pull(**settings), 3, *words)
    assert len(athlete.requests(TOKEN)) == 1
    assert stored(athlete) == before | stored_tokens
    rewrite(athlete, **before)
    assert pull().code == 0


@pytest.mark.parametrize("path", [None, TOKEN], ids=["API", "OAuth"])
def test_an_app_without_subscription_is_reported(athlete, pull, path):
    athlete.strava.fault("403", times=None, path=path)
    assert_said(pull(), 3, "Inactive", "subscription")


def test_an_answer_without_tokens_is_said_and_the_token_that_is_there_stays(athlete, run):
    before = stored(athlete)
    # {}, as JSON
    athlete.strava.fault("empty_streams", times=None, path=TOKEN)
    assert_said(run("pull"), 4, "without tokens", "Try again later")
    assert stored(athlete) == before


def test_a_rotated_token_is_on_disk_before_its_access_token_is_used(athlete, pull, monkeypatch):
    used = []
    scopes_of = athlete.strava.tokens.scopes_of

    def watch(token):
        used.append((token, stored(athlete).get("access_token")))
        return scopes_of(token)

    monkeypatch.setattr(athlete.strava.tokens, "scopes_of", watch)
    pull()
    athlete.strava.expire_access_tokens()
    pull()
    assert len({token for token, _ in used}) == 2
    refused_then_renewed = [(token, on_disk) for token, on_disk in used if token != on_disk]
    assert refused_then_renewed == []


def test_a_process_killed_at_the_first_use_of_a_rotated_token_loses_nothing(athlete, run, monkeypatch):
    before = stored(athlete)
    process = athlete.start("pull")
    scopes_of = athlete.strava.tokens.scopes_of

    def kill(token):
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        return scopes_of(token)

    monkeypatch.setattr(athlete.strava.tokens, "scopes_of", kill)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    monkeypatch.undo()
    assert stored(athlete)["refresh_token"] != before["refresh_token"]
    assert run("pull").code == 0
    assert len(athlete.requests(TOKEN)) == 1
    assert athlete.sql("select count(*) from staging.activities") == [(60,)]


def test_a_first_request_that_fails_after_rotation_loses_nothing(athlete, pull):
    athlete.strava.fault("drop", times=None)
    assert_said(pull(), 4)
    athlete.strava.clear_faults()
    assert pull().code == 0
    assert len(athlete.requests(TOKEN)) == 1


def test_two_processes_at_once_refresh_once(athlete):
    athlete.strava.fault("slow", times=None, path=TOKEN, seconds=1.5)
    second = {"STRAVA_WAREHOUSE": "second/strava.duckdb", "STRAVA_BRONZE_URL": "second/data"}
    with athlete.start("pull") as one, athlete.start("pull", **second) as other:
        assert (one.wait(60), other.wait(60)) == (0, 0)
    assert len(athlete.requests(TOKEN)) == 1


@pytest.mark.parametrize("shared", [True, False], ids=["one session's", "sessions of their own"])
def test_many_threads_refresh_once(athlete, shared):
    athlete.strava.fault("slow", times=None, path=TOKEN, seconds=0.3)
    auths = [auth_of(athlete)] * 8 if shared else [auth_of(athlete) for _ in range(8)]
    for refreshes in (1, 2):
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda auth: ask(athlete, auth), auths)) == {200}
        assert len(athlete.requests(TOKEN)) == refreshes
        athlete.strava.expire_access_tokens()


def test_a_token_that_another_process_rotated_is_taken_over(athlete):
    mine, theirs = auth_of(athlete), auth_of(athlete)
    ask(athlete, mine)
    athlete.strava.expire_access_tokens()
    assert (ask(athlete, theirs), ask(athlete, mine)) == (200, 200)
    assert len(athlete.requests(TOKEN)) == 2


def test_readers_never_see_a_torn_or_open_token_file(athlete):
    auth, done, seen, modes = auth_of(athlete), threading.Event(), set(), set()
    athlete.token_file.parent.chmod(0o755)

    def read():
        while not done.is_set():
            seen.add(stored(athlete)["refresh_token"])
            for path in athlete.token_file.parent.iterdir():
                try:
                    modes.add(mode(path))
                except FileNotFoundError:
                    continue  # a file beside, renamed meanwhile

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        for _ in range(20):
            athlete.strava.expire_access_tokens()
            assert ask(athlete, auth) == 200
        done.set()
        reader.result()
    assert len(seen) > 5
    assert modes == {0o600}


def files_that_hold(secrets, athlete):
    """All files of the user's home but the token file that hold one of `secrets`."""
    files = [path for path in athlete.home.rglob("*") if path.is_file() and path != athlete.token_file]
    assert len(files) > 5
    return [path for path in files for secret in secrets if secret.encode() in path.read_bytes()]


def test_a_token_file_that_cannot_be_removed_is_reported(tmp_path):
    with pytest.raises(StorageFailed, match=str(tmp_path)):
        TokenFile(tmp_path).remove()


@pytest.mark.parametrize("level", [pytest.param("CRITICAL", marks=pytest.mark.slow), "DEBUG"])
def test_secrets_are_nowhere_but_in_the_token_file(athlete, level):
    secrets = {athlete.strava.client_secret, stored(athlete)["refresh_token"]}
    reported = ""
    for command in (["pull"], ["pull", "--all"] if level == "DEBUG" else ["flow", "--limit", "2"]):
        ran = athlete.spawn(*command, RUNTIME__LOG_LEVEL=level, DBT_LOG_LEVEL_FILE="debug")
        assert ran.code == 0, ran.err
        reported += ran.out + ran.err
        secrets |= {stored(athlete)["refresh_token"], stored(athlete)["access_token"]}
        athlete.strava.expire_access_tokens()
    assert len(secrets) == 6
    reported += "".join(str(request.query) for request in athlete.requests())
    assert [secret for secret in secrets if secret in reported] == []
    assert files_that_hold(secrets, athlete) == []


@pytest.mark.parametrize("kind", ["401", "403", "502", "drop", "html", "errors_string"])
def test_errors_contain_no_secret(athlete, pull, kind):
    secrets = {athlete.strava.client_secret, stored(athlete)["refresh_token"]}
    reported = ""
    for path in (TOKEN, LIST):
        athlete.strava.fault(kind, times=None, path=path)
        ran = pull()
        assert ran.code
        reported += ran.out + ran.err
        athlete.strava.clear_faults()
        secrets |= {str(value) for name, value in stored(athlete).items() if name.endswith("_token")}
    assert [secret for secret in secrets if secret in reported] == []
    assert files_that_hold(secrets - {"None"}, athlete) == []
