"""The simulated Strava's HTTP side: a server in threads of this process."""

import socket
import sys
import time
from datetime import datetime
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from simulator import api, control, oauth
from simulator.answers import Answer, Fault, Refusal, unauthorized
from simulator.json_text import dump, parse
from simulator.world import RequestRecord, World

_API: Final = "/api/v3"
_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}


class Simulator(World):
    """A Strava on localhost: `with Simulator(seed=7, activities=300) as strava: requests.get(strava.api_url + …)`.

    Takes what `World` takes, and: `port` (0: a free one), `host`, `latency_s` of every API and OAuth request,
    `auto_authorize` (the consent page approves by itself), `lower_case_headers` (another spelling of the rate headers).
    All methods of `World` work while it serves.
    """

    def __init__(
        self,
        seed: int = 7,
        activities: int = 300,
        *,
        account: Path | None = None,
        clock: datetime | None = None,
        drawn_at: datetime | None = None,
        after_inclusive: bool = False,
        token_rotates: bool = True,
        limits: dict[str, int] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        latency_s: float = 0.0,
        auto_authorize: bool = False,
        lower_case_headers: bool = False,
    ) -> None:
        super().__init__(
            seed,
            activities,
            account=account,
            clock=clock,
            drawn_at=drawn_at,
            after_inclusive=after_inclusive,
            token_rotates=token_rotates,
            limits=limits,
        )
        self.latency_s = latency_s
        self.auto_authorize = auto_authorize
        self.lower_case_headers = lower_case_headers
        self._address = (host, port)
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self._server = _Server(self._address, self)
        self._address = (self._address[0], self._server.server_port)  # it comes back where it was
        Thread(target=self._server.serve_forever, args=(0.05,), name="simulator", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server, self._server = self._server, None
        if server:
            server.shutdown()
            server.server_close()
            server.close_connections()

    @property
    def url(self) -> str:
        """Where it serves (or did, outside its `with` block): `http://127.0.0.1:PORT`."""
        return "http://{}:{}".format(*self._address)

    @property
    def api_url(self) -> str:
        """The API's address, as STRAVA_API_URL wants it."""
        return self.url + _API

    @property
    def oauth_url(self) -> str:
        """The address of OAuth, as STRAVA_OAUTH_URL wants it."""
        return self.url + "/oauth"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], simulator: Simulator) -> None:
        self.simulator = simulator
        self._connections: set[socket.socket] = set()
        self._connections_lock = Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """End connections that clients keep alive: a Strava that is down answers nobody."""
        with self._connections_lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the client was faster

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that hang up (tests kill them in mid-request), about nothing else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names that http.server calls

    def _serve(self) -> None:
        simulator, url = self.server.simulator, urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if url.path.startswith("/_control/"):
            self._send(self._control(url.path.removeprefix("/_control/"), url.query, body))
            return
        query = parse_qs(url.query, keep_blank_values=True)
        if simulator.latency_s:
            time.sleep(simulator.latency_s)
        faults = simulator.striking(url.path)
        is_oauth = url.path.removeprefix(_API).startswith("/oauth/")
        scopes = None if is_oauth else self._scopes()
        try:
            answer = self._faulty(faults, counted=scopes is not None)
            if answer is None and is_oauth:
                answer = self._oauth(url.path.removeprefix(_API), query, body)
            elif answer is None:
                answer = self._api(url.path, query, scopes, faults)
        except Refusal as refusal:
            answer = refusal.answer
        for fault in faults:
            answer = fault.spoil(answer)
        authorised = scopes is not None or (is_oauth and answer.status < 400)
        last = {name: values[-1] for name, values in query.items()}
        simulator.record(RequestRecord(self.command, url.path, last, answer.status, simulator.now(), authorised))
        if answer.rate_headers and not is_oauth:
            with simulator.lock:
                rates = simulator.limits.headers(answer.exhausted)
            if simulator.lower_case_headers:
                rates = {name.lower(): value for name, value in rates.items()}
            self._send(answer, rates)
        else:
            self._send(answer)

    def _faulty(self, faults: list[Fault], *, counted: bool) -> Answer | None:
        """Return the answer of a fault that takes Strava's place, if one struck. Such requests count too."""
        for fault in faults:
            if fault.instead:
                with self.server.simulator.lock:
                    if counted:
                        self.server.simulator.limits.admit(read=self.command == "GET")
                return fault.instead
        return None

    def _scopes(self) -> frozenset[str] | None:
        """Return the scopes of the token in the header, the only place where one is accepted."""
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        with self.server.simulator.lock:
            return self.server.simulator.tokens.scopes_of(token) if kind.lower() == "bearer" else None

    def _api(
        self, path: str, query: dict[str, list[str]], scopes: frozenset[str] | None, faults: list[Fault]
    ) -> Answer:
        if scopes is None:
            raise unauthorized("Athlete", "access_token", "invalid")
        last = {name: values[-1] for name, values in query.items()}
        request = api.Request(path.removeprefix(_API), last, scopes, tuple(faults))
        return api.answer(self.server.simulator, self.command, request)

    def _oauth(self, path: str, query: dict[str, list[str]], body: bytes) -> Answer:
        simulator, authorization = self.server.simulator, self.headers.get("Authorization", "")
        if (self.command, path) == ("GET", "/oauth/authorize"):
            return oauth.authorize(simulator, query, at_once=simulator.auto_authorize)
        form = {name: values[-1] for name, values in query.items()} | self._form(body)
        if (self.command, path) == ("POST", "/oauth/token"):
            return oauth.token(simulator, form)
        if (self.command, path) == ("POST", "/oauth/revoke"):
            return oauth.revoke(simulator, form, authorization)
        if (self.command, path) == ("POST", "/oauth/deauthorize"):
            return oauth.deauthorize(simulator, form, authorization)
        raise Refusal(404, "Record Not Found", ("resource", "path", "invalid"))

    def _form(self, body: bytes) -> dict[str, str]:
        if "json" in self.headers.get("Content-Type", ""):
            try:
                fields = parse(body or b"{}")
            except ValueError:
                raise Refusal(400, "Bad Request", ("Application", "body", "invalid")) from None
            return {name: str(value) for name, value in fields.items()} if isinstance(fields, dict) else {}
        return {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}

    def _control(self, name: str, query: str, body: bytes) -> Answer:
        try:
            arguments = parse(body) if body else {key: v[-1] for key, v in parse_qs(query).items()}
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict):
            return Answer(400, dump({"message": "the body must be a JSON object"}))
        return control.answer(self.server.simulator, self.command, name, arguments)

    def _send(self, answer: Answer, rate_headers: dict[str, str] | None = None) -> None:
        if answer.dropped:
            self.close_connection = True
            return
        headers = {
            "Date": formatdate(self.server.simulator.now_s(), usegmt=True),
            "Content-Type": answer.content_type,
            "Content-Length": str(len(answer.body)),
            **answer.headers,
            **(rate_headers or {}),
        }
        reason = _REASONS.get(answer.status, "Unknown")
        head = f"HTTP/1.1 {answer.status} {reason}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        # One write: a head that waits for the client's delayed ACK before the body may follow costs 40 ms.
        if answer.sent is None:
            self.wfile.write(head.encode() + b"\r\n" + answer.body)
        else:
            self.close_connection = True
            self.wfile.write(head.encode() + b"\r\n" + answer.body[: answer.sent])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in http.server
        """Keep quiet: `Simulator.requests` tells what was received."""
