"""`auth` and `revoke`, typed by a person whose browser is this test."""

import json
import os
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests
from home import Ran
from said import assert_said

UNCAUGHT = "https://localhost/exchange_token"
TOKEN = "/oauth/token"


@dataclass
class Person:
    """Somebody in front of a running `auth` who sees `url` and decides in a browser."""

    url: str
    shown: str

    @property
    def asked(self):
        return {name: values[0] for name, values in parse_qs(urlsplit(self.url).query).items()}

    def decide(self, decision="approve", scope=None):
        """The address that Strava sends the browser to."""
        ticked = "" if scope is None else f"&_scope={scope}"
        answer = requests.get(f"{self.url}&_decision={decision}{ticked}", allow_redirects=False, timeout=10)
        return answer.headers["Location"]


def see(shown_by):
    shown = ""
    while "here:" not in shown and (line := shown_by.readline()):
        shown += line
    return Person(next((word for word in shown.split() if "/authorize?" in word), ""), shown)


@pytest.fixture
def auth(run, monkeypatch):
    """Run `auth`, with what `person` does in front of it; they type what it returns, nothing if None."""

    def run_auth(person, **settings):
        stdin, typed = [os.fdopen(end, mode) for end, mode in zip(os.pipe(), "rw", strict=True)]
        shown_by, stdout = [os.fdopen(end, mode) for end, mode in zip(os.pipe(), "rw", strict=True)]

        def act():
            seen = see(shown_by)
            try:
                text = person(seen) if seen.url else None
            except BaseException:
                # nobody is left to answer: end `auth`, so that the test fails instead of waiting
                os.kill(os.getpid(), signal.SIGINT)
                raise
            if text is not None:
                typed.write(text + "\n")
                typed.close()
            return seen.shown + shown_by.read()

        monkeypatch.setattr(sys, "stdin", stdin)
        # a redirect that nobody can catch, unless told otherwise
        settings = {"STRAVA_REDIRECT_URI": UNCAUGHT} | settings
        with ThreadPoolExecutor(1) as pool, redirect_stdout(stdout), stdin, typed, shown_by:
            shown = pool.submit(act)
            ran = run("auth", **settings)
            stdout.close()
            return Ran(ran.code, shown.result(30), ran.err)

    return run_auth


@pytest.fixture
def newcomer(athlete):
    athlete.token_file.unlink()
    return athlete


@pytest.fixture
def redirect_uri():
    with socket.create_server(("127.0.0.1", 0)) as taken_for_a_moment:
        port = taken_for_a_moment.getsockname()[1]
    return f"http://127.0.0.1:{port}/exchange_token"


def stored(athlete):
    return json.loads(athlete.token_file.read_bytes())


def test_the_url_asks_for_the_scopes_with_a_state_of_its_own(newcomer, auth):
    asked = []
    for _ in range(2):
        auth(lambda person: asked.append(person.asked) or "")
    assert asked[0] | {"state": ""} == {
        "client_id": newcomer.strava.client_id,
        "redirect_uri": UNCAUGHT,
        "response_type": "code",
        "approval_prompt": "force",
        "scope": "read,profile:read_all,activity:read,activity:read_all",
        "state": "",
    }
    assert len(asked[0]["state"]) >= 16
    assert asked[0]["state"] != asked[1]["state"]


def test_the_pasted_address_authorises_and_the_next_pull_works(newcomer, auth, run):
    ran = auth(lambda person: f"  {person.decide()} ")
    assert (ran.code, ran.err) == (0, "")
    assert f"athlete {newcomer.strava.athlete_id}" in ran.out
    assert newcomer.token_file.stat().st_mode & 0o777 == 0o600
    assert stored(newcomer)["scope"] == "read,profile:read_all,activity:read,activity:read_all"
    newcomer.strava.clear_requests()
    assert run("pull").code == 0
    assert {request.path for request in newcomer.requests()} == {"/api/v3/athlete/activities"}


@pytest.mark.parametrize("damaged", [b'{"refresh_token": "12', b"{}", b""], ids=["cut", "nothing in it", "empty"])
def test_a_damaged_token_file_is_replaced(athlete, auth, damaged):
    athlete.token_file.write_bytes(damaged)
    ran = auth(lambda person: person.decide())
    assert ran.code == 0, ran.err
    assert stored(athlete)["athlete_id"] == athlete.strava.athlete_id


def test_the_bare_code_authorises(newcomer, auth):
    ran = auth(lambda person: parse_qs(urlsplit(person.decide()).query)["code"][0])
    assert (ran.code, stored(newcomer)["athlete_id"]) == (0, newcomer.strava.athlete_id)


def test_the_redirect_is_caught_and_nothing_need_be_typed(newcomer, auth, redirect_uri):
    newcomer.strava.auto_authorize = True
    pages = []

    def press_authorize(person):
        # a browser opens connections that it does not use, and asks for an icon first
        with socket.create_connection(("127.0.0.1", urlsplit(redirect_uri).port)):
            pages.append(requests.get(redirect_uri.replace("exchange_token", "favicon.ico"), timeout=5))
            pages.append(requests.get(person.url, timeout=5))

    ran = auth(press_authorize, STRAVA_REDIRECT_URI=redirect_uri)
    assert (ran.code, stored(newcomer)["athlete_id"]) == (0, newcomer.strava.athlete_id)
    assert [page.status_code for page in pages] == [404, 200]
    assert pages[1].url.startswith(redirect_uri)
    assert "close this tab" in pages[1].text
    assert "code=" not in ran.out + ran.err


def test_the_address_may_also_be_pasted_while_auth_listens(newcomer, auth, redirect_uri):
    assert auth(lambda person: person.decide(), STRAVA_REDIRECT_URI=redirect_uri).code == 0


def test_a_taken_port_leaves_pasting(newcomer, auth):
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        taken = f"http://127.0.0.1:{somebody.getsockname()[1]}/exchange_token"
        ran = auth(lambda person: person.decide(), STRAVA_REDIRECT_URI=taken)
    assert (ran.code, "page that does not load" in ran.out) == (0, True)


@pytest.mark.parametrize("state", ["stolen", "%C3%BC", "", None], ids=["another", "not ASCII", "empty", "none"])
def test_an_address_without_this_runs_state_is_refused(newcomer, auth, state):
    other = "" if state is None else f"state={state}"
    ran = auth(lambda person: person.decide().replace(f"state={quote(person.asked['state'])}", other))
    assert_said(ran, 3, "state")
    assert not newcomer.token_file.exists()
    assert newcomer.requests(TOKEN) == []


def raw(uri, request):
    """What the catcher answers to bytes that no browser would send; all of it, or nothing where it hangs up."""
    with socket.create_connection(("127.0.0.1", urlsplit(uri).port), timeout=5) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(1 << 16), b""))


def test_what_does_not_come_from_strava_is_answered_and_forgotten(newcomer, auth, redirect_uri):
    newcomer.strava.auto_authorize = True
    answers = []

    def browse_meanwhile(person):
        state = person.asked["state"]
        # somebody connects and says half a word, for as long as this continues
        with socket.create_connection(("127.0.0.1", urlsplit(redirect_uri).port)) as slow:
            slow.sendall(b"GET /exch")
            queries = (
                "state=stolen&code=stolen",
                "error=%1b%5d0;pwned%07",
                f"state={state[:-1]}&error=access_denied",
                f"state={state}",
                "",
            )
            answers.extend(requests.get(f"{redirect_uri}?{query}", timeout=5) for query in queries)
            ours = f"{redirect_uri}?state={state}&error=access_denied"
            answers.append(requests.get(ours, headers={"Host": "evil.example"}, timeout=5))
            answers.append(requests.get(ours.replace("exchange_token", "else"), timeout=5))
            answers.extend(getattr(requests, method)(ours, timeout=5) for method in ("head", "post", "options"))
            path = f"/exchange_token?state={state}&error=access_denied"
            for request in (
                b"GET //[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
                f"GET {path} HTTP/1.1\r\n\r\n".encode(),
                b"\x00\xff\r\n\r\n",
                b"",
            ):
                raw(redirect_uri, request)
            requests.get(person.url, timeout=5)

    ran = auth(browse_meanwhile, STRAVA_REDIRECT_URI=redirect_uri)
    assert (ran.code, ran.err, stored(newcomer)["athlete_id"]) == (0, "", newcomer.strava.athlete_id)
    assert {answer.status_code for answer in answers} == {404, 501}
    assert "\x1b" not in ran.out


def test_what_strava_says_is_shown_without_its_control_characters(newcomer, auth, redirect_uri):
    def get_something_odd(person):
        odd = quote("no\x1b]0;pwned\x07\nerror: \u202e" + "x" * 999)
        requests.get(f"{redirect_uri}?state={person.asked['state']}&error={odd}", timeout=5)

    ran = auth(get_something_odd, STRAVA_REDIRECT_URI=redirect_uri)
    assert_said(ran, 3, r"no\x1b]0;pwned\x07\nerror: \u202exxx", "make auth")
    assert len(ran.err) < 400


ADDRESS = UNCAUGHT + "?state={state}&code={code}&scope=read,profile:read_all,activity:read,activity:read_all"


@pytest.mark.parametrize(
    "pasted",
    [
        '"' + ADDRESS + '"',
        "'" + ADDRESS + "',",
        "<" + ADDRESS + ">",
        "(“" + ADDRESS + "”)",
        "\ufeff\u00a0" + ADDRESS + "#_=_",
        ADDRESS.replace("&code", "&\n   code").replace("&scope", "\r\n&scope"),
        ADDRESS.replace("&", "&amp;"),
        ADDRESS.partition("?")[2],
        ADDRESS.partition("exchange")[2],
        "{code}",
        '"{code}"',
        "`{code}` ",
    ],
)
def test_an_address_is_understood_whatever_surrounds_it(newcomer, auth, pasted):
    def paste(person):
        answer = {name: values[0] for name, values in parse_qs(urlsplit(person.decide()).query).items()}
        return pasted.format(**answer)

    ran = auth(paste)
    assert (ran.code, ran.err) == (0, "")
    granted = stored(newcomer)["scope"]
    assert granted == ("read,profile:read_all,activity:read,activity:read_all" if "scope" in pasted else None)


def test_auth_waits_for_all_lines_of_an_address(newcomer):
    with newcomer.start("auth", STRAVA_REDIRECT_URI=UNCAUGHT) as process:
        address = see(process.stdout).decide()
        process.stdin.write(address[:90] + "\n")
        process.stdin.flush()
        assert "Paste the rest" in process.stdout.readline()
        process.stdin.write(address[90:] + "\n")
        process.stdin.flush()
        assert process.wait(20) == 0
    assert stored(newcomer)["scope"] == "read,profile:read_all,activity:read,activity:read_all"


@pytest.mark.parametrize("wrong", ["scope=read%22,activity:read_all", "scope=read%1b[2J", "scope=Read"])
def test_an_invalid_scope_is_refused_before_the_code_is_used(newcomer, auth, wrong):
    ran = auth(lambda person: person.decide().partition("scope=")[0] + wrong + "&x=y")
    assert_said(ran, 3, "not as Strava made it", "make auth")
    assert newcomer.requests(TOKEN) == []
    assert not newcomer.token_file.exists()


def test_auth_without_any_input_says_so(newcomer):
    with newcomer.start("auth", STRAVA_REDIRECT_URI=UNCAUGHT) as process:
        process.stdin.close()
        assert process.wait(20) == 3
        assert "No address was pasted" in process.stderr.read()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("0123456789abcdef", ["code", "make auth"]),
        (UNCAUGHT + "?state={state}&code=wrong", ["code", "make auth"]),
        (UNCAUGHT + "?state={state}", ["no code"]),
        ("https://[localhost/exchange_token?code=x", ["address"]),
        ("", ["No address"]),
    ],
    ids=["wrong code", "wrong code in an address", "no code", "no address", "nothing"],
)
def test_a_wrong_code_is_reported_and_the_token_file_stays(athlete, auth, typed, words):
    before = athlete.token_file.read_bytes()
    assert_said(auth(lambda person: typed.format(state=person.asked["state"])), 3, *words)
    assert athlete.token_file.read_bytes() == before


def test_a_code_works_once(newcomer, auth):
    used = []
    auth(lambda person: used.append(parse_qs(urlsplit(person.decide()).query)["code"][0]) or used[0])
    before = stored(newcomer)
    assert_said(auth(lambda _person: used[0]), 3, "used before", "make auth")
    assert stored(newcomer) == before


def test_a_denial_is_reported(newcomer, auth):
    assert_said(auth(lambda person: person.decide("deny")), 3, "access_denied", "make auth")
    assert not newcomer.token_file.exists()


@pytest.mark.parametrize(
    ("ticked", "warned"),
    [
        ("read,activity:read", ["activity:read_all", "only you can see"]),
        ("read,activity:read_all", ["activity:read"]),
        ("read", ["activity:read, activity:read_all", "nothing can be pulled"]),
    ],
)
def test_unticked_scopes_are_reported(newcomer, auth, ticked, warned):
    ran = auth(lambda person: person.decide(scope=ticked))
    assert (ran.code, stored(newcomer)["scope"]) == (0, ticked)
    assert ran.err.startswith("warning: Not granted: ")
    assert not [word for word in warned if word not in ran.err]


def test_spaces_between_scopes_do_not_matter(newcomer, auth):
    ran = auth(lambda person: person.decide(), STRAVA_SCOPE="read, activity:read_all")
    assert (ran.code, ran.err, stored(newcomer)["scope"]) == (0, "", "read,activity:read_all")


@pytest.mark.parametrize("wrong", ["STRAVA_CLIENT_ID", "STRAVA_CLIENT_SECRET"])
def test_a_wrong_app_is_reported(newcomer, auth, wrong):
    ran = auth(lambda _person: "0123456789abcdef", **{wrong: "1"})
    assert_said(ran, 3, "STRAVA_CLIENT_ID", "STRAVA_CLIENT_SECRET", "settings/api")
    assert newcomer.strava.client_secret not in ran.out + ran.err


def test_auth_while_strava_is_down_is_reported(newcomer, auth):
    newcomer.strava.fault("502", times=None, path=TOKEN)
    assert_said(auth(lambda person: person.decide()), 4, "run again later")
    assert not newcomer.token_file.exists()


@pytest.mark.parametrize("command", ["auth", "pull", "enrich", "flow", "revoke"])
def test_without_credentials_it_says_how_to_get_them_and_that_the_demo_needs_none(athlete, run, command):
    ran = run(command, STRAVA_CLIENT_ID="", STRAVA_CLIENT_SECRET="")
    assert_said(ran, 3, "STRAVA_CLIENT_ID", "STRAVA_CLIENT_SECRET", "settings/api", ".env", "make demo")
    assert_said(run(command, STRAVA_CLIENT_SECRET=""), 3, "STRAVA_CLIENT_SECRET is not set", "make demo")
    assert athlete.requests() == []


def test_ctrl_c_leaves_auth(newcomer):
    with newcomer.start("auth", STRAVA_REDIRECT_URI=UNCAUGHT) as process:
        assert see(process.stdout).url
        process.send_signal(signal.SIGINT)
        process.wait(10)
        _, err = process.communicate()
    assert (process.returncode, "Traceback" in err) == (130, False)
    assert err.splitlines()[-1] == "Stopped. Nothing has changed: run `make auth` again."


def test_revoke_withdraws_at_strava_and_removes_the_token_and_no_data(athlete, run):
    run("pull")
    bearer = {"Authorization": f"Bearer {stored(athlete)['access_token']}"}
    ran = run("revoke")
    assert (ran.code, "Revoked at Strava" in ran.out) == (0, True)
    assert not athlete.token_file.exists()
    assert len(athlete.shards()) == 1
    assert requests.get(f"{athlete.strava.api_url}/athlete", headers=bearer, timeout=5).status_code == 401
    assert_said(run("pull"), 3, "make auth")


def test_revoke_removes_a_token_that_is_dead_already(athlete, run):
    athlete.authorise(refresh_token="dead")
    assert run("revoke").code == 0
    assert not athlete.token_file.exists()
    assert_said(run("revoke"), 3, "no token file")


@pytest.mark.parametrize(("kind", "code"), [("503", 4), ("drop", 4), ("429", 4), ("403", 3), ("401", 3)])
def test_a_revocation_that_strava_does_not_confirm_keeps_the_token(athlete, run, kind, code):
    athlete.strava.fault(kind, times=None, path="/oauth/revoke")
    assert_said(run("revoke"), code)
    assert athlete.token_file.exists()
    athlete.strava.clear_faults()
    assert run("revoke").code == 0


def test_revoke_with_a_wrong_secret_keeps_the_token(athlete, run):
    assert_said(run("revoke", STRAVA_CLIENT_SECRET="wrong"), 3, "STRAVA_CLIENT_SECRET")
    assert athlete.token_file.exists()


def test_no_secret_travels_in_an_address(athlete, auth, run):
    auth(lambda person: person.decide())
    secrets = [
        athlete.strava.client_secret,
        *(str(stored(athlete)[name]) for name in ("refresh_token", "access_token")),
    ]
    run("pull")
    run("revoke")
    assert len(athlete.requests()) >= 4
    addresses = "".join(f"{request.path}{request.query}" for request in athlete.requests())
    assert [secret for secret in secrets if secret in addresses] == []
