"""Between us and Strava: proxies, certificates, names and redirects, on real sockets, each with its own message."""

import ipaddress
import json
import os
import re
import socket
import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from said import assert_said

from pipelines.sources.strava_api.budget import Budget
from pipelines.sources.strava_api.pause import Pause
from pipelines.sources.strava_api.transport import StravaAdapter, open_session

PASSWORD = "hunter2-of-the-proxy"
USER = f"somebody:{PASSWORD}"
NOWHERE = "https://strava.invalid/oauth"


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.delenv(name)


def request_of(stream):
    head = b""
    # nothing at all: the client has gone
    while (line := stream.readline()) not in (b"\r\n", b""):
        head += line
    found = re.search(rb"Content-Length: (\d+)", head)
    # read to its end: what is left unread resets the connection before the answer is read
    return head + stream.read(int(found[1]) if found else 0)


@contextmanager
def answering(answer, context=None):
    """A server that answers each connection with the bytes `answer`; (port, what it got)."""
    got = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while True:
                try:
                    client = server.accept()[0]
                except OSError:
                    return
                try:
                    with context.wrap_socket(client, server_side=True) if context else client as stream:
                        got.append(request_of(stream.makefile("rb")))
                        stream.sendall(answer)
                except OSError:
                    continue

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield server.getsockname()[1], got
        finally:
            server.shutdown(socket.SHUT_RDWR)


def http(status, **headers):
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} So\r\nContent-Length: 0\r\nConnection: close\r\n{lines}\r\n".encode()


def assert_no_password(athlete, ran):
    files = [path for path in athlete.home.rglob("*") if path.is_file()]
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []
    assert PASSWORD not in ran.out + ran.err


NO_PROXY_AT_ALL = [
    ("socks5://{user}@127.0.0.1:1080", ["HTTPS_PROXY", "SOCKS", "PySocks"]),
    ("http://{user}@127.0.0.1:port", ["HTTPS_PROXY is not the address of a proxy", "http://host:port"]),
    ("http://{user}@127.0.0.1:99999", ["HTTPS_PROXY is not the address of a proxy"]),
    ("http://{user}@", ["HTTPS_PROXY is not the address of a proxy"]),
    ("http://{user}@[::1", ["HTTPS_PROXY is not the address of a proxy"]),
    ("http://{user}@a..b:80", ["HTTPS_PROXY is not the address of a proxy"]),
    ("ftp://{user}@127.0.0.1:21", ["HTTPS_PROXY is not the address of a proxy"]),
]


@pytest.mark.parametrize(("proxy", "words"), NO_PROXY_AT_ALL)
def test_an_invalid_proxy_is_a_wrong_setting(athlete, run, proxy, words):
    ran = run("revoke", HTTPS_PROXY=proxy.format(user=USER), STRAVA_OAUTH_URL=NOWHERE)
    assert_said(ran, 2, *words)
    assert_no_password(athlete, ran)


@pytest.mark.parametrize("command", ["pull", "revoke"])
def test_whatever_sends_names_the_proxy_that_cannot_be_reached(athlete, run, command):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        host = f"127.0.0.1:{nobody.getsockname()[1]}"
    ran = run(command, all_proxy=f"http://{USER}@{host}", STRAVA_OAUTH_URL=NOWHERE)
    assert_said(ran, 4, f"the proxy {host} (all_proxy) could not be reached", "4 tries", "un again later")
    assert_no_password(athlete, ran)
    assert athlete.token_file.exists()


@pytest.mark.parametrize(("status", "code", "times"), [(407, 2, 1), (403, 4, 1), (502, 4, 4)])
def test_a_proxy_that_refuses_is_named_and_asked_again_only_where_that_may_help(athlete, run, status, code, times):
    with answering(http(status)) as (port, got):
        proxy = {"HTTPS_PROXY": f"http://{USER}@127.0.0.1:{port}"}
        ran = run("revoke", STRAVA_OAUTH_URL=NOWHERE, **proxy)
    assert_said(ran, code, f"proxy 127.0.0.1:{port}", "HTTPS_PROXY", str(status))
    assert len(got) == times
    assert_no_password(athlete, ran)


def test_a_proxy_of_plain_http_that_wants_a_password_is_named(athlete, run):
    with answering(http(407)) as (port, _):
        ran = run("pull", HTTP_PROXY=f"http://{USER}@127.0.0.1:{port}")
    assert_said(ran, 2, "HTTP_PROXY", "407")
    assert_no_password(athlete, ran)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Self-signed ones for a server on this machine: one that is good, one that expired, one of another host."""
    folder = tmp_path_factory.mktemp("certificates")
    now = datetime.now(UTC)

    def make(name, host, days):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = [host] if isinstance(host, x509.GeneralName) else [x509.DNSName(host)]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(key, hashes.SHA256())
        )
        plain = serialization.NoEncryption()
        (folder / name).write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
            + certificate.public_bytes(serialization.Encoding.PEM)
        )

    here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    make("good", here, 30)
    make("expired", here, -1)
    make("other", "strava.example", 30)
    return folder


@contextmanager
def tls(certificate, answer=b""):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with answering(answer, context) as (port, got):
        yield f"https://127.0.0.1:{port}/oauth", got


@pytest.mark.parametrize(
    ("name", "trusted", "words"),
    [
        ("good", False, ["self-signed", "put its certificate into a file", "REQUESTS_CA_BUNDLE"]),
        ("expired", True, ["expired", "REQUESTS_CA_BUNDLE"]),
        ("other", True, ["not valid for '127.0.0.1'", "REQUESTS_CA_BUNDLE"]),
    ],
)
def test_a_certificate_that_cannot_be_verified_is_reported_and_not_tried_again(
    athlete, run, certificates, name, trusted, words
):
    trust = {"REQUESTS_CA_BUNDLE": str(certificates / name)} if trusted else {}
    with tls(certificates / name) as (url, got):
        ran = run("revoke", STRAVA_OAUTH_URL=url, **trust)
    assert_said(ran, 4, "certificate could not be verified", "run again later", *words)
    assert got == []
    assert "tries" not in ran.err


def test_a_certificate_that_is_trusted_is_good(athlete, run, certificates):
    with tls(certificates / "good", http(401)) as (url, got):
        ran = run("revoke", STRAVA_OAUTH_URL=url, CURL_CA_BUNDLE=str(certificates / "good"))
    assert_said(ran, 3, "STRAVA_CLIENT_SECRET")
    assert len(got) == 1


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), (b"", "no certificate"), (b"\xff\x00", "no certificate")],
)
def test_certificates_that_cannot_be_read_are_a_wrong_setting(athlete, run, certificates, name, content, reason):
    path = athlete.home / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with tls(certificates / "good") as (url, got):
        ran = run("revoke", STRAVA_OAUTH_URL=url, **{name: str(path)})
    assert_said(ran, 2, str(path), name, reason)
    assert got == []


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        (NOWHERE, 4, ["strava.invalid", "cannot be resolved"]),
        ("http://a..b/oauth", 2, ["STRAVA_OAUTH_URL is"]),
        ("http://strava.example:99999/oauth", 2, ["STRAVA_OAUTH_URL is"]),
        ("http://strava example/oauth", 2, ["STRAVA_OAUTH_URL is"]),
        ("http://*/oauth", 2, ["STRAVA_OAUTH_URL is"]),
        (f"http://{'a' * 64}.example/oauth", 2, ["STRAVA_OAUTH_URL is"]),
    ],
)
def test_an_address_that_leads_nowhere_is_reported(athlete, run, url, code, words):
    assert_said(run("revoke", STRAVA_OAUTH_URL=url), code, *words)


def test_a_password_in_an_address_is_not_shown(athlete, run):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        host = f"127.0.0.1:{nobody.getsockname()[1]}"
    ran = run("revoke", STRAVA_OAUTH_URL=f"http://{USER}@{host}/oauth")
    assert_said(ran, 4, f"Strava ({host})")
    assert_no_password(athlete, ran)
    ran = run("revoke", STRAVA_OAUTH_URL=f"http://{USER}@a..b/oauth")
    assert_said(ran, 2, "STRAVA_OAUTH_URL is")
    assert_no_password(athlete, ran)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_takes_the_secret_elsewhere(athlete, run, status):
    with (
        answering(http(200)) as (port, stranger),
        answering(http(status, Location=f"http://127.0.0.1:{port}/steal?what=all")) as (strava, got),
    ):
        ran = run("revoke", STRAVA_OAUTH_URL=f"http://127.0.0.1:{strava}/oauth")
    assert_said(ran, 4, f"sent us on to http://127.0.0.1:{port}, ", "not followed", "un again later")
    assert "steal" not in ran.err
    assert (len(got), stranger) == (1, [])
    assert athlete.token_file.exists()


def test_no_redirect_takes_a_token_elsewhere(athlete, pull):
    with (
        answering(http(200)) as (port, stranger),
        answering(http(307, Location=f"http://127.0.0.1:{port}/steal")) as (strava, got),
    ):
        here = f"http://127.0.0.1:{strava}"
        assert_said(pull(STRAVA_OAUTH_URL=f"{here}/oauth"), 4, "not followed")
        assert_said(pull(STRAVA_API_URL=f"{here}/api/v3"), 4, "not followed")
    assert (len(got), stranger) == (2, [])
    assert b"client_secret" in got[0]
    assert b"Bearer" in got[1]


def test_a_redirect_within_strava_or_to_nonsense_is_not_followed_either(athlete, run):
    for location in ("/oauth/elsewhere", "http://[", "\x1b]0;pwned"):
        with answering(http(307, Location=location)) as (port, got):
            ran = run("revoke", STRAVA_OAUTH_URL=f"http://127.0.0.1:{port}/oauth")
        assert_said(ran, 4, "not followed")
        assert "\x1b" not in ran.err
        assert len(got) == 1


def test_an_answer_that_is_neither_yes_nor_no_does_not_count_as_revoked(athlete, run):
    with answering(http(304)) as (port, _):
        assert_said(run("revoke", STRAVA_OAUTH_URL=f"http://127.0.0.1:{port}/oauth"), 4, "304")
    assert athlete.token_file.exists()


def test_a_header_that_cannot_be_read_is_no_traceback_in_the_log_of_who_uses_the_source(caplog):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nneither name nor value\r\n\r\n"
    pause = Pause()
    with answering(head + b"{}") as (port, _):
        adapter = StravaAdapter(pause, Budget(None, stop=pause), 0.01)
        assert open_session(adapter).get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 200
    assert caplog.text == ""


@pytest.mark.parametrize("token", ["line\nbreak", "half \u20ac", "tab\t", "\x7f"])
def test_an_access_token_that_no_header_can_carry_is_replaced_and_not_shown(athlete, pull, token):
    athlete.authorise(access_token=token, expires_at=4_000_000_000)
    ran = pull()
    assert (ran.code, "Traceback" in ran.err) == (0, False)
    assert json.loads(athlete.token_file.read_bytes())["access_token"] != token


def test_credentials_of_netrc_do_not_replace_ours(athlete, run, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    ran = run("revoke")
    assert (ran.code, "Revoked at Strava" in ran.out) == (0, True)
