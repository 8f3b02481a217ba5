"""The one-time authorisation: a page to open, the redirect received or pasted, the tokens saved."""

import os
import re
import secrets
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TextIO
from urllib.parse import parse_qs, urlencode, urlsplit

from pipelines.ground.errors import NotAuthorised
from pipelines.ground.loopback import SLOWEST_S, LoopbackServer, host_named
from pipelines.ground.stop import StopFlag
from pipelines.sources.strava_api.auth import OAuthApp, TokenFile, Tokens
from pipelines.sources.strava_api.terminal import one_line

LOOPBACK = ("localhost", "127.0.0.1", "::1")
# what surrounds an address that was copied from a chat, a terminal or a text
WRAPPING = "".join(
    (
        " \t\r\n\u00a0\ufeff\u200b\u200e\u200f",
        "\"'`\u00b4\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a",
        "<>()[]{}*,;",
    )
)
SCOPE = re.compile(r"[a-z][a-z0-9_]*(:[a-z0-9_]+)*")
CODE = re.compile(r"[\x21-\x7e]+")
READ_AT_ONCE = 1 << 16
PAGE = "<!doctype html><meta charset=utf-8><title>Strava Stats</title><p>Done. You can close this tab.</p>"

# shown before the athlete decides
TERMS = (
    "Strava's API Policy, as developers quote it, restricts what data from the API may be used for: shown to their own "
    "athlete only, kept seven days at most, no archive, no analytics, no AI. Whether it applies to your own data on "
    "your own machine is for you to judge; an export of your data is free of it. See docs/privacy.md.\n"
)


@dataclass(frozen=True)
class Redirect:
    """The content of the redirect's address: a code, or an error, with the state and the granted scopes."""

    code: str | None
    scope: str | None
    state: str | None
    error: str | None

    def answers(self, state: str) -> bool:
        """Whether it has the `state` of this run, and so comes from Strava."""
        return secrets.compare_digest((self.state or "").encode(), state.encode())

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing: Strava puts the scopes last, so an address that was cut lacks them."""
        return self.error is not None or self.state is None or (self.code is not None and self.scope is not None)


def authorisation_url(app: OAuthApp, redirect_uri: str, scope: str, state: str) -> str:
    """The address of the page where the athlete decides; `state` returns with the redirect and proves its origin."""
    asked = {
        "client_id": app.client_id,
        "redirect_uri": redirect_uri,
        "response_type": "code",
        "approval_prompt": "force",
        "scope": scope,
        "state": state,
    }
    return f"{app.oauth_url}/authorize?{urlencode(asked)}"


def authorise(
    app: OAuthApp,
    file: TokenFile,
    redirect_uri: str,
    scope: str,
    show: Callable[[str], None],
    stop: StopFlag,
    typed: TextIO | None,
) -> tuple[Tokens, set[str]]:
    """Guide the athlete through the authorisation, save the tokens, and return them and the scopes not granted.

    `show` shows a text, `typed` is the stream with the athlete's answer.

    Raises:
        NotAuthorised: denied, wrong state, wrong code.
        Interrupted: Ctrl-C.
    """
    state = secrets.token_urlsafe(24)
    asked = scope.replace(",", " ").split()
    with _catcher(redirect_uri, state) as caught:
        url = authorisation_url(app, redirect_uri, ",".join(asked), state)
        show(TERMS)
        show(f"Open this page in your browser and press Authorize:\n\n  {url}\n")
        show(
            "Waiting for the browser. If the page it ends on does not load, paste its address (or the code in it) here:"
            if caught is not None
            else "The browser then shows a page that does not load. Paste its address (or the code in it) here:"
        )
        redirect = _wait_for_redirect(caught, typed, show, stop)
    if redirect.state is not None and not redirect.answers(state):
        raise NotAuthorised(
            "The state in that address is not that of this run: it belongs to another `auth`. Run it again."
        )
    if redirect.error is not None:
        raise NotAuthorised(f"Strava says: {one_line(redirect.error)}. Nothing was authorised; run `make auth` again.")
    if not redirect.code:
        raise NotAuthorised("There is no code in that address. Run `make auth` again and paste the whole address.")
    if not CODE.fullmatch(redirect.code) or not all(map(SCOPE.fullmatch, _scopes(redirect.scope))):
        raise NotAuthorised(
            "That address is not as Strava made it: its code or its scopes have characters that they never have. "
            "Run `make auth` again and paste the address as the browser shows it."
        )
    # a code works only once: nothing may wait between the exchange and the file
    with file.locked(stop):
        tokens = app.exchange_code(redirect.code, redirect.scope)
        file.save(tokens)
    granted = tokens.scopes
    return tokens, set() if granted is None else set(asked) - granted


def _scopes(text: str | None) -> list[str]:
    return (text or "").replace(",", " ").split()


def read_redirect(pasted: str) -> Redirect:
    """The redirect in a pasted address, whatever surrounds it, or in a bare code."""
    # a terminal or an e-mail may have broken it into lines
    pasted = re.sub(r"\s*[\r\n]\s*", "", pasted.strip(WRAPPING)).replace("&amp;", "&")
    if "=" not in pasted and "/" not in pasted:
        return Redirect(pasted or None, None, None, None)
    pasted = pasted.partition("#")[0]
    try:
        found = parse_qs(urlsplit(pasted).query or pasted.lstrip("?"))
    except ValueError:
        # not an address: it contains nothing
        found = {}
    first = {name: values[0].strip(WRAPPING) for name, values in found.items()}
    # an address without a state must not pass for one with the right state
    return Redirect(first.get("code"), first.get("scope"), first.get("state", ""), first.get("error"))


class _Catcher(LoopbackServer):
    """A server for the one request that the browser makes after the decision.

    Any web page can make a browser send requests here. Only Strava knows the `state`: a request without it gets an
    answer and is ignored. In threads, because browsers open connections in advance that they then do not use.
    """

    redirect: Redirect | None = None

    def __init__(self, address: tuple[str, int], path: str, state: str, family: socket.AddressFamily) -> None:
        self.address_family = family
        self.path = path
        self.state = state
        self.wake, self.woken = socket.socketpair()
        super().__init__(address, _CatchHandler)

    def redirect_in(self, path: str, host: str | None) -> Redirect | None:
        """The content of Strava's redirect, if the request for `path` at `host` is that."""
        try:
            parts = urlsplit(path)
        except ValueError:
            return None
        if parts.path != self.path or host_named(host) not in LOOPBACK:
            return None
        redirect = read_redirect(path)
        return redirect if redirect.answers(self.state) and (redirect.code or redirect.error) else None


class _CatchHandler(BaseHTTPRequestHandler):
    server: _Catcher
    server_version = "strava-stats"
    sys_version = ""
    timeout = SLOWEST_S

    def do_GET(self) -> None:
        redirect = self.server.redirect_in(self.path, self.headers.get("Host"))
        if redirect is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(PAGE.encode())
        self.server.redirect = redirect
        self.server.wake.send(b"!")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing: the request line contains the code."""


@contextmanager
def _catcher(redirect_uri: str, state: str) -> Iterator[_Catcher | None]:
    """A server for the redirect with `state`; None unless `redirect_uri` is a loopback address with a free port."""
    parts = urlsplit(redirect_uri)
    server: _Catcher | None = None
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        family = socket.AF_INET6 if parts.hostname == "::1" else socket.AF_INET
        host = "::1" if parts.hostname == "::1" else "127.0.0.1"
        try:
            server = _Catcher((host, parts.port or 80), parts.path or "/", state, family)
        except OSError:
            # the port is taken, or below 1024 and not allowed: the address is pasted instead
            server = None
    if server is None:
        yield None
        return
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def _wait_for_redirect(
    caught: _Catcher | None, typed: TextIO | None, show: Callable[[str], None], stop: StopFlag
) -> Redirect:
    """The redirect from the browser or from a pasted address; further lines may complete an address that was cut.

    Raises:
        NotAuthorised: the input ended without an address, and there is no browser to wait for.
        Interrupted: Ctrl-C.
    """
    sources: list[int | socket.socket] = [] if typed is None else [typed.fileno()]
    terminal = typed is not None and typed.isatty()
    if caught is not None:
        sources.append(caught.woken)
    pasted = ""
    while sources:
        stop.wait(0)
        ready, _, _ = select.select(sources, [], [], 0.2)
        if caught is not None and caught.redirect is not None:
            return caught.redirect
        if typed is None or typed.fileno() not in ready:
            continue
        # not through `typed`: select would not see what that has read ahead
        read = os.read(typed.fileno(), READ_AT_ONCE).decode(errors="replace")
        pasted += read
        if read and not pasted.endswith("\n"):
            continue
        redirect = read_redirect(pasted)
        # the end of the input, or an empty line: nothing more will come
        if pasted.strip() and (redirect.is_whole or not read.strip()):
            return redirect
        if pasted.strip():
            show("That is not all of the address. Paste the rest, or press Enter if there is none:")
        # without a browser to wait for, nothing more will come
        elif not terminal or not read:
            sources.remove(typed.fileno())
            if caught is None:
                break
    raise NotAuthorised("No address was pasted. Run `make auth` again.")
