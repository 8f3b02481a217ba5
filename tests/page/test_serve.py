"""`serve`: the page for this machine's own browsers, and nothing for anybody else."""

import http.client
import re
import signal
import socket
import struct
from contextlib import contextmanager

import pytest
from said import assert_said


@contextmanager
def serving(athlete, *options):
    """The command with a page to serve, and the port it says."""
    (athlete.home / "site").mkdir(exist_ok=True)
    (athlete.home / "site" / "index.html").write_text("<!doctype html><title>a page</title>")
    with athlete.start("serve", "--port", "0", *options) as process:
        reported = process.stdout.readline()
        try:
            yield process, int(re.search(r"http://127\.0\.0\.1:(\d+)/", reported)[1])
        finally:
            process.kill()


def get(port, path, host=None, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers={} if host is None else {"Host": host})
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers


def test_the_page_is_served_on_the_loopback_address_and_on_no_other(athlete):
    with serving(athlete) as (_, port):
        status, body, headers = get(port, "/")
        assert (status, body) == (200, b"<!doctype html><title>a page</title>")
        assert headers["Cache-Control"] == "no-store"
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.2", port), timeout=10):
            pass


def test_what_is_not_the_page_is_not_served(athlete):
    (athlete.home / "site").mkdir(exist_ok=True)
    (athlete.home / "site" / ".index.html.7.tmp").write_text("half a page")
    (athlete.home / "site" / "screenshots").mkdir()
    (athlete.home / "site" / "screenshots" / "light.png").write_bytes(b"png")
    with serving(athlete) as (_, port):
        for path in (
            "/screenshots/",
            "/.index.html.7.tmp",
            "/%2eindex.html.7.tmp",
            "/../secrets/strava_token.json",
            "/%2e%2e/secrets/strava_token.json",
            "/..%2fsecrets%2fstrava_token.json",
            "//etc/passwd",
        ):
            status, body, _ = get(port, path)
            assert (status, b"refresh_token" in body, b"light.png" in body) == (404, False, False), path
        assert get(port, "/screenshots/light.png")[:2] == (200, b"png")
        assert get(port, "/", method="POST")[0] == 501


def test_no_request_makes_it_show_a_traceback(athlete):
    """Asked for what no file can be called, and by clients that hang up, it says 400 or 404, or nothing."""
    with serving(athlete) as (process, port):
        asked = {
            "/%00": 400,
            "/index.html%00.png": 400,
            "/%ed%a0%80": 400,
            "/%ff%fe": 404,
            "/%2e%2e/%2e%2e/etc/passwd": 404,
            "/" + "a" * 5000: 404,
            "/" + "a/" * 5000: 404,
            "/?" + "%00" * 100: 200,
            "//[": 404,
            "/index.html/": 404,
        }
        assert {path: get(port, path)[0] for path in asked} == asked
        assert get(port, "/%00", method="HEAD")[:2] == (400, b"")
        assert get(port, "/", method="HEAD")[:2] == (200, b"")
        assert get(port, "/", host="[::1")[0] == 421
        assert {get(port, "/", method=method)[0] for method in ("PUT", "DELETE", "OPTIONS", "BREW")} == {501}
        for request in (
            b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nRange: bytes=5-,-\r\nIf-Modified-Since: \xff\r\n\r\n",
            b"GET /\xff\x80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET /\r\n\r\n",
            b"\x00\r\n\r\n",
            b"GE",
        ):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(request)
                # reset, not closed: the answer finds nobody
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert get(port, "/")[0] == 200
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20)[1] == ""


def test_a_page_elsewhere_cannot_read_it_by_a_name_that_leads_here(athlete):
    with serving(athlete) as (_, port):
        assert get(port, "/", host=f"evil.example:{port}")[0] == 421
        assert get(port, "/", host="")[0] == 421
        assert get(port, "/", host=f"localhost:{port}")[0] == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_cleanly(athlete, number):
    with serving(athlete) as (process, port):
        assert get(port, "/")[0] == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "Stopped.\n", "")


def test_without_a_page_it_says_how_to_make_one(athlete, run):
    assert_said(run("serve"), 2, "There is no page in", "Run `make page`")


def test_a_port_that_is_taken_is_reported(athlete, run):
    (athlete.home / "site").mkdir()
    (athlete.home / "site" / "index.html").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert_said(run("serve", "--port", str(taken.getsockname()[1])), 2, "cannot be used", "--port")
    for port in ("70000", "-1", "eighty"):
        assert run("serve", "--port", port).code == 2, port
