"""The one-time authorisation: a URL to open, the redirect caught or pasted, the tokens saved."""

import secrets
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TextIO
from urllib.parse import parse_qs, urlencode, urlsplit

from pipelines.auth import OAuthApp, TokenFile, Tokens
from pipelines.errors import NotAuthorised
from pipelines.stop import StopFlag

LOOPBACK = ("localhost", "127.0.0.1", "::1")
PAGE = "<!doctype html><meta charset=utf-8><title>Strava Stats</title><p>Done. You can close this tab.</p>"


@dataclass(frozen=True)
class Redirect:
    """What came back in the browser's address: a code, or an error, with the state and the scopes granted."""

    code: str | None
    scope: str | None
    state: str | None
    error: str | None


def authorisation_url(app: OAuthApp, redirect_uri: str, scope: str, state: str) -> str:
    """The page where the athlete decides; `state` comes back and proves that the redirect answers this question."""
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
    tell: Callable[[str], None],
    stop: StopFlag,
    typed: TextIO,
) -> tuple[Tokens, set[str]]:
    """Lead the athlete through the authorisation and save the tokens; the tokens and the scopes that were unticked.

    `tell` shows a text, `typed` is where the athlete's answer is read from.

    Raises:
        NotAuthorised: denied, wrong state, wrong code.
        Interrupted: Ctrl-C.
    """
    state = secrets.token_urlsafe(24)
    asked = scope.replace(",", " ").split()
    with _catcher(redirect_uri) as caught:
        url = authorisation_url(app, redirect_uri, ",".join(asked), state)
        tell(f"Open this page in your browser and press Authorize:\n\n  {url}\n")
        tell(
            "Waiting for the browser. If the page it ends on does not load, paste its address (or the code in it) here:"
            if caught is not None
            else "The browser then shows a page that does not load. Paste its address (or the code in it) here:"
        )
        redirect = _wait_for_redirect(caught, typed, stop)
    if redirect.error is not None:
        raise NotAuthorised(f"Strava says: {redirect.error}. Nothing was authorised; run `make auth` again.")
    if redirect.state is not None and not secrets.compare_digest(redirect.state.encode(), state.encode()):
        raise NotAuthorised(
            "The state in that address is not the one of this run: it answers another `auth`. Run it again."
        )
    if not redirect.code:
        raise NotAuthorised("There is no code in that address. Run `make auth` again and paste the whole address.")
    tokens = app.exchange_code(redirect.code, redirect.scope)
    with file.locked():
        file.save(tokens)
    granted = tokens.scopes
    return tokens, set() if granted is None else set(asked) - granted


def read_redirect(pasted: str) -> Redirect:
    """A pasted address, or a bare code."""
    pasted = pasted.strip()
    if "=" not in pasted and "/" not in pasted:
        return Redirect(pasted or None, None, None, None)
    try:
        held = parse_qs(urlsplit(pasted).query or pasted.lstrip("?"))
    except ValueError:
        # not even an address: it holds nothing
        held = {}
    first = {name: values[0] for name, values in held.items()}
    # an address without a state is not taken for one whose state is right
    return Redirect(first.get("code"), first.get("scope"), first.get("state", ""), first.get("error"))


class _Catcher(ThreadingHTTPServer):
    """A server for the one request that the browser makes after the decision.

    Threading, because browsers open connections ahead that they then do not use.
    """

    block_on_close = False
    redirect: Redirect | None = None

    def __init__(self, address: tuple[str, int], path: str, family: socket.AddressFamily) -> None:
        self.address_family = family
        self.path = path
        self.wake, self.woken = socket.socketpair()
        super().__init__(address, _CatchHandler)


class _CatchHandler(BaseHTTPRequestHandler):
    server: _Catcher

    def do_GET(self) -> None:
        redirect = read_redirect(self.path)
        ours = urlsplit(self.path).path == self.server.path and (redirect.code or redirect.error)
        self.send_response(200 if ours else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        if ours:
            self.wfile.write(PAGE.encode())
            self.server.redirect = redirect
            self.server.wake.send(b"!")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Stay silent: the request line holds the code."""


@contextmanager
def _catcher(redirect_uri: str) -> Iterator[_Catcher | None]:
    """A server at `redirect_uri` if that is a loopback address with a free port, else None."""
    parts = urlsplit(redirect_uri)
    server: _Catcher | None = None
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        family = socket.AF_INET6 if parts.hostname == "::1" else socket.AF_INET
        host = "::1" if parts.hostname == "::1" else "127.0.0.1"
        try:
            server = _Catcher((host, parts.port or 80), parts.path or "/", family)
        except OSError:
            # taken, or below 1024 and not allowed: the address is pasted instead
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


def _wait_for_redirect(caught: _Catcher | None, typed: TextIO, stop: StopFlag) -> Redirect:
    sources: list[TextIO | socket.socket] = [typed]
    if caught is not None:
        sources.append(caught.woken)
    while sources:
        stop.wait(0)
        ready, _, _ = select.select(sources, [], [], 0.2)
        if caught is not None and caught.redirect is not None:
            return caught.redirect
        if typed in ready:
            if line := typed.readline().strip():
                return read_redirect(line)
            # the end of the input, or an empty line; without a browser to wait for there is nothing more to come
            if not typed.isatty():
                sources.remove(typed)
                if caught is None:
                    break
    raise NotAuthorised("No address was pasted. Run `make auth` again.")
