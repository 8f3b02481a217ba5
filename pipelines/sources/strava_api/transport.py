"""Sending requests: paced, within the budget, retried when Strava fails; and turning refusals into typed errors."""

import logging
import time
from typing import Any

import requests
from dlt.common import logger
from requests.adapters import HTTPAdapter

from .budget import Budget, Ticket
from .errors import ActivityNotFound, BadSetting, BudgetSpent, NotAuthorised, StravaError, StravaUnavailable
from .network import FAILURES, Route
from .pause import Pause
from .settings import CALLED
from .terminal import one_line

TRIES = 4
TIMEOUT_S = (10, 60)
LOOK_AGAIN_S = 1


class StravaAdapter(HTTPAdapter):
    """Sends a request with retries, never into a spent window (it may wait for a new one), and never after a signal.

    dlt's own retrying session is not used: it repeats a 429, and refused calls count toward the day.
    """

    def __init__(
        self, stop: Pause, budget: Budget | None = None, retry_wait_s: float = 1.0, waits: bool = False
    ) -> None:
        super().__init__()
        self._waits = waits
        self._stop = stop
        self._budget = budget
        self._retry_wait_s = retry_wait_s
        self._next_at_s = 0.0
        self.min_interval_s = 0.0
        # requests of the day that are left to other runs
        self.reserve = 0
        self.requests_sent = 0

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """The first complete answer in JSON that is not a 5xx.

        Raises:
            BudgetSpent: before a request that Strava would refuse, or because it did.
            ReserveTooLarge: the day's limit is no larger than what is left to others.
            What `Pause.wait` raises: a signal came.
            BadSetting: a proxy, a file of certificates or an address is wrong, which another try cannot fix.
            StravaUnavailable: every try failed, or one in a way that another try cannot fix; or it was a redirect.
        """
        while True:
            try:
                return self._send_until_answered(request, args, kwargs)
            except BudgetSpent as spent:
                if not self._waits or self._budget is None:
                    raise
                logger.warning(f"{spent} Waiting until then.")
                # the machine may sleep meanwhile
                while (left_s := spent.opens_at_s - self._budget.now().timestamp()) > 0:
                    self._stop.wait(min(left_s, LOOK_AGAIN_S))

    def _send_until_answered(
        self, request: requests.PreparedRequest, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> requests.Response:
        kwargs["timeout"] = kwargs.get("timeout") or TIMEOUT_S
        route = Route(str(request.url), kwargs.get("proxies"), kwargs.get("verify"))
        trouble = ""
        for attempt in range(TRIES):
            if attempt:
                self._stop.wait(self._retry_wait_s * 2 ** (attempt - 1))
            answer = self._send_once(request, route, args, kwargs)
            if isinstance(answer, requests.Response):
                return answer
            trouble = answer
        raise StravaUnavailable(
            f"Strava ({route.host}) could not be used after {TRIES} tries: {trouble}. {CALLED['later']}"
        )

    def _send_once(
        self, request: requests.PreparedRequest, route: Route, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> requests.Response | str:
        """The answer, or why it is worth another try."""
        ticket = self._wait_for_turn()
        try:
            response = super().send(request, *args, **kwargs)
            # read here, so that a body that is cut short is retried too
            body = response.content
        except FAILURES as error:
            if self._budget is not None and ticket is not None:
                self._budget.answered(ticket, {})
            failed = route.failed(error)
            if isinstance(failed, StravaError):
                raise failed from None
            return failed
        if self._budget is not None and ticket is not None:
            self._budget.answered(ticket, response.headers)
            if response.status_code == requests.codes.too_many_requests:
                raise self._budget.refused(ticket, self.reserve)
        if (refusal := route.refusal(response)) is not None:
            raise refusal
        return _trouble_with(response, body, request.method == "POST") or response

    def _wait_for_turn(self) -> Ticket | None:
        self._stop.wait(self._next_at_s - time.monotonic())
        ticket = self._budget.take(self.reserve) if self._budget is not None else None
        self._next_at_s = time.monotonic() + self.min_interval_s
        self.requests_sent += 1
        return ticket


class _Session(requests.Session):
    """Reads proxies and certificates from the environment once per server; `requests` would do so for each request."""

    def __init__(self) -> None:
        super().__init__()
        self._environment: dict[str, Any] = {}
        # otherwise requests replaces our header by what ~/.netrc has for this host, or for any
        self.auth = _as_it_is

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        if (proxies, stream, verify, cert) != ({}, None, None, None):
            return super().merge_environment_settings(url, proxies, stream, verify, cert)
        server = "/".join(url.split("/", 3)[:3])
        if server not in self._environment:
            self._environment[server] = super().merge_environment_settings(url, proxies, stream, verify, cert)
        return dict(self._environment[server])


def open_session(adapter: StravaAdapter) -> requests.Session:
    """A session whose every request goes through `adapter`."""
    # for an invalid header it would print a traceback, and then do as we do
    logging.getLogger("urllib3.connection").setLevel(logging.ERROR)
    session = _Session()
    session.headers["User-Agent"] = "strava-stats"
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _trouble_with(response: requests.Response, body: bytes, may_be_empty: bool) -> str:
    """Why an answer is worth another try; empty if it is Strava's answer, yes or no."""
    status = response.status_code
    if requests.codes.bad_request <= status < requests.codes.internal_server_error:
        return ""
    if status >= requests.codes.multiple_choices:
        return f"it answered {status}"
    # the answer to a revocation is empty (RFC 7009)
    sound = _looks_like_json(body) or (may_be_empty and not body)
    return "" if sound else f"it answered {status} with something other than JSON"


def _looks_like_json(body: bytes) -> bool:
    """Whether `body` begins and ends like JSON; it is parsed later, and once is enough."""
    return (body.lstrip()[:1], body.rstrip()[-1:]) in ((b"[", b"]"), (b"{", b"}"))


def raise_for_refusal(response: requests.Response, *_args: Any, **_kwargs: Any) -> None:
    """A hook for `requests`: turns a refusal (4xx) into a typed error.

    Raises:
        NotAuthorised: 401 (token or scope) and 403 (the app's status).
        ActivityNotFound: 404.
        BadSetting: any other 4xx; the text has Strava's reason.
    """
    if response.ok:
        return
    errors = refusals(response)
    match response.status_code:
        case requests.codes.unauthorized if scopes := missing_scopes(response):
            scope = one_line(scopes[0])
            raise NotAuthorised(f"The token lacks the scope {scope}. Run {CALLED['auth']} and leave its box ticked.")
        case requests.codes.unauthorized:
            raise NotAuthorised(f"Strava does not accept the access token, even a fresh one. Run {CALLED['auth']}.")
        case requests.codes.forbidden if ("Application", "Status", "Inactive") in errors:
            raise NotAuthorised(
                "Strava answers 403 Inactive: the owner of the app needs a Strava subscription (since 2026-06-30). "
                "See https://www.strava.com/settings/api."
            )
        case requests.codes.forbidden:
            raise NotAuthorised("Strava answers 403 Forbidden: this app or athlete may not read that.")
        case requests.codes.not_found:
            raise ActivityNotFound("Strava answers 404: deleted, or not visible to this token.")
        case status:
            reason = one_line(", ".join("/".join(error) for error in errors)) or "no reason given"
            raise BadSetting(f"Strava refused the request with {status}: {reason}.")


def missing_scopes(response: requests.Response) -> list[str]:
    """The scopes that an error body says the token lacks."""
    return [field.removesuffix("_permission") for _, field, _ in refusals(response) if field.endswith("_permission")]


def refusals(response: requests.Response) -> list[tuple[str, str, str]]:
    """(resource, field, code) of each entry of an error body; empty if the body is something else."""
    try:
        errors = response.json()["errors"]
        return [(str(e["resource"]), str(e["field"]), str(e["code"])) for e in errors]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
