"""What Strava answers, and what can be wrong with an answer: error bodies and injected faults."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from simulator.json_text import dump

ONCE_OR_FOR_EVER: Final = 0
"""`times` when none is given: once, or for ever for a fault that is bound to one activity."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer.

    `sent` is how many bytes of the body leave before the connection is closed (None: all, and it stays
    open); `exhausted` names a window (`15min`, `day`) that the rate headers are to show as used up.
    """

    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    sent: int | None = None
    dropped: bool = False
    rate_headers: bool = True
    exhausted: str = ""


class Refusal(Exception):
    """An error in Strava's form: `{"message", "errors": [{"resource", "field", "code"}]}`."""

    def __init__(self, status: int, message: str, *errors: tuple[str, str, str], rate_headers: bool = True) -> None:
        super().__init__(message)
        keys = ("resource", "field", "code")
        body = {"message": message, "errors": [dict(zip(keys, error, strict=True)) for error in errors]}
        self.answer = Answer(status, dump(body), rate_headers=rate_headers)


def ok(value: object) -> Answer:
    """Return 200 with a value as JSON."""
    return Answer(200, dump(value))


def bad_request(resource: str, name: str, code: str) -> Refusal:
    """Return Strava's 400."""
    return Refusal(400, "Bad Request", (resource, name, code))


def unauthorized(resource: str, name: str, code: str) -> Refusal:
    """Return Strava's 401, which comes without rate headers."""
    return Refusal(401, "Authorization Error", (resource, name, code), rate_headers=False)


def not_found(resource: str = "Activity") -> Refusal:
    """Return Strava's 404."""
    return Refusal(404, "Resource Not Found", (resource, "id", "not found"))


def too_many() -> Refusal:
    """Return Strava's 429, which has no Retry-After."""
    return Refusal(429, "Rate Limit Exceeded", ("Application", "overall rate limit", "exceeded"))


_CDN_PAGE = (
    b"<html>\r\n<head><title>%s</title></head>\r\n<body>\r\n<center><h1>%s</h1></center>\r\n</body>\r\n</html>\r\n"
)


def _from_the_cdn(status: int, title: bytes) -> Answer:
    return Answer(status, _CDN_PAGE % (title, title), "text/html", rate_headers=False)


# Faults that answer in Strava's place.
_INSTEAD: Final[dict[str, Answer]] = {
    "500": Answer(500, dump({"message": "error"})),
    "502": _from_the_cdn(502, b"502 Bad Gateway"),
    "503": _from_the_cdn(503, b"503 Service Unavailable"),
    "429": too_many().answer,
    "401": unauthorized("Athlete", "access_token", "invalid").answer,
    "403": Refusal(403, "Forbidden", ("Application", "Status", "Inactive")).answer,
    "html": Answer(200, _CDN_PAGE % (b"Strava", b"Back soon"), "text/html; charset=utf-8"),
    "empty404": Answer(404, b"", "text/html"),
    "errors_string": Answer(400, dump({"message": "Bad Request", "errors": "Something is wrong"})),
    "empty_streams": ok({}),
    "drop": Answer(0, b"", dropped=True),
}
# Faults that spoil the right answer, or the list it comes from.
_SPOILING: Final = ("cut", "nonsense", "bad_utf8", "no_rate_headers", "slow", "short_page", "shift", "late_in_window")
KINDS: Final = (*_INSTEAD, *_SPOILING)
_OPTIONS: Final = {
    "slow": {"seconds"},
    "429": {"window"},
    "errors_string": {"status"},
    "short_page": {"missing"},
    "shift": {"delete", "start_date"},
    "late_in_window": {"window", "seconds"},
}


@dataclass
class Fault:
    """Something that goes wrong with the requests it matches.

    `path` is a substring of the request's path (None: any read of the API, but no OAuth request); `id` binds it to the
    detail of one activity. The first `after` matches are spared; then it strikes `times` times (None: for ever).
    """

    kind: str
    times: int | None
    path: str | None
    after: int
    id: int | None
    options: dict[str, Any]

    def strikes(self, path: str) -> bool:
        """Say whether it strikes a request with this path, and count it."""
        if self.times == 0 or not self._matches(path):
            return False
        if self.after:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def _matches(self, path: str) -> bool:
        if self.id is not None:
            return path.endswith(f"/activities/{self.id}")
        return self.path in path if self.path is not None else not path.startswith(("/oauth", "/api/v3/oauth"))

    @property
    def instead(self) -> Answer | None:
        """The answer that comes in place of Strava's, if it is that kind of fault."""
        answer = _INSTEAD.get(self.kind)
        if answer is None:
            return None
        exhausted = self.options.get("window", "15min") if self.kind == "429" else ""
        return replace(answer, status=self.options.get("status", answer.status), exhausted=exhausted)

    def spoil(self, answer: Answer) -> Answer:
        """Return the answer with this fault in it; sleeps for `slow` (option `seconds`, default 1)."""
        body = answer.body
        if self.kind == "slow":
            time.sleep(self.options.get("seconds", 1.0))
        elif self.kind == "cut":
            return replace(answer, sent=len(body) // 2)
        elif self.kind == "nonsense":
            return replace(answer, body=body[: len(body) // 2])
        elif self.kind == "bad_utf8":
            return replace(answer, body=body.replace(b'":"', b'":"\xff\xfe', 1))
        elif self.kind == "no_rate_headers":
            return replace(answer, rate_headers=False)
        return answer


class Faults:
    """The faults that are set. Not locked: `World` calls it under its lock."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, kind: str, times: int | None, path: str | None, after: int, options: dict[str, Any]) -> None:
        """Set a fault; raises ValueError for a kind that is invalid, or an option that it has not."""
        if kind not in KINDS:
            raise ValueError(f"unknown fault: {kind!r}; there are {', '.join(KINDS)}")
        bound_to = options.pop("id", None)
        unknown = options.keys() - _OPTIONS.get(kind, set())
        if unknown:
            raise ValueError(f"the fault {kind} has no option {', '.join(sorted(unknown))}")
        if times == ONCE_OR_FOR_EVER:
            times = None if bound_to is not None else 1
        self._faults.append(Fault(kind, times, path, after, bound_to, options))

    def clear(self) -> None:
        """Let all be well again."""
        self._faults.clear()

    def striking(self, path: str) -> list[Fault]:
        """Return the faults that strike a request with this path, in the order they were set."""
        return [fault for fault in self._faults if fault.strikes(path)]
