"""The reads of `/api/v3`: which path gives what, to whom.

The same paths are answered without `/api/v3` in front, as Strava's new API host does from January 2027.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from simulator import detail
from simulator.answers import Answer, Fault, Refusal, bad_request, not_found, ok, too_many, unauthorized
from simulator.world import MAX_PER_PAGE, World


@dataclass(frozen=True)
class Request:
    """A request as the API sees it: path without `/api/v3`, last value of each query parameter, caller's scopes."""

    path: str
    query: dict[str, str]
    scopes: frozenset[str]
    faults: tuple[Fault, ...] = ()

    @property
    def only_me(self) -> bool:
        """Whether the caller sees activities of visibility only-me."""
        return "activity:read_all" in self.scopes

    def number(self, name: str, default: int | None = None) -> int | None:
        """Return a whole number from the query; raises Refusal for anything else."""
        text = self.query.get(name) or ""
        if not text:
            return default
        if not re.fullmatch(r"-?\d{1,12}", text):
            raise bad_request("Application", name, "invalid")
        return int(text)

    def paging(self) -> tuple[int, int]:
        """Return page and per_page, the latter cut to Strava's 200; raises Refusal for numbers below 1."""
        page, per_page = self.number("page", 1) or 0, self.number("per_page", 30) or 0
        for name, value in (("page", page), ("per_page", per_page)):
            if value < 1:
                raise bad_request("Application", name, "invalid")
        return page, min(per_page, MAX_PER_PAGE)


Endpoint = Callable[[World, Request, str], Answer]


def _activity_list(world: World, request: Request, _: str) -> Answer:
    before, after = request.number("before"), request.number("after")
    if after is not None and after > world.now_s():
        raise bad_request("Application", "after", "future")
    page, per_page = request.paging()
    items = world.page(before, after, page, per_page, only_me=request.only_me)
    for fault in request.faults:
        if fault.kind == "short_page" and items:
            world.dig_holes(items, fault.options.get("missing", 3))
            items = world.page(before, after, page, per_page, only_me=request.only_me)
    answer = Answer(200, b"[" + b",".join(world.texts(items)) + b"]")
    for fault in request.faults:
        if fault.kind == "shift" and items:
            world.shift(items, fault)
    return answer


def _activity(world: World, request: Request, key: str) -> Answer:
    all_efforts = request.query.get("include_all_efforts", "").lower() in ("true", "1")
    return ok(world.detail(_visible(world, request, key), include_all_efforts=all_efforts))


def _visible(world: World, request: Request, key: str) -> int:
    if not world.visible(int(key), only_me=request.only_me):
        raise not_found()
    return int(key)


def _streams(world: World, request: Request, key: str) -> Answer:
    asked = (request.query.get("keys") or ",".join(detail.STREAM_KEYS)).split(",")
    by_type = detail.streams(world.summary(_visible(world, request, key)), asked)
    if not by_type:
        raise not_found("Stream")
    if request.query.get("key_by_type", "").lower() in ("true", "1"):
        return ok(by_type)
    return ok([{"type": name, **stream} for name, stream in by_type.items()])


def _laps(world: World, request: Request, key: str) -> Answer:
    return ok(detail.laps(world.summary(_visible(world, request, key))))


def _zones(world: World, request: Request, key: str) -> Answer:
    return ok(detail.zones(world.summary(_visible(world, request, key))))


def _kudos(world: World, request: Request, key: str) -> Answer:
    page, per_page = request.paging()
    given = detail.kudos(world.summary(_visible(world, request, key)))
    return ok(given[(page - 1) * per_page : page * per_page])


def _comments(world: World, request: Request, key: str) -> Answer:
    page, per_page = request.paging()
    written = detail.comments(world.summary(_visible(world, request, key)))
    return ok(written[(page - 1) * per_page : page * per_page])


def _photos(world: World, request: Request, key: str) -> Answer:
    size = request.number("size", 600) or 600
    return ok(detail.photos(world.summary(_visible(world, request, key)), size))


def _routes(world: World, request: Request, key: str) -> Answer:
    if int(key) != world.athlete_id:
        raise Refusal(403, "Forbidden")
    page, per_page = request.paging()
    mine = [route for route in world.routes() if "read_all" in request.scopes or not route["private"]]
    return ok(mine[(page - 1) * per_page : page * per_page])


def _athlete(world: World, request: Request, _: str) -> Answer:
    athlete = world.profile()
    if "profile:read_all" not in request.scopes:
        private = ("weight", "ftp", "bikes", "shoes", "clubs", "date_preference", "measurement_preference")
        athlete = {name: value for name, value in athlete.items() if name not in private} | {"resource_state": 2}
    return ok(athlete)


def _athlete_zones(_world: World, _request: Request, _: str) -> Answer:
    return ok(detail.athlete_zones())


def _stats(world: World, _request: Request, key: str) -> Answer:
    if int(key) != world.athlete_id:
        raise Refusal(403, "Forbidden")
    return ok(world.stats())


def _gear(world: World, _request: Request, key: str) -> Answer:
    try:
        return ok(world.gear(key))
    except KeyError:
        raise not_found("Gear") from None


_ACTIVITY_READ: Final = ("activity:read", "activity:read_all")
_ENDPOINTS: Final[tuple[tuple[str, Endpoint, tuple[str, ...]], ...]] = (
    # path, what answers it, the scopes of which one is needed
    (r"/athlete/activities()", _activity_list, _ACTIVITY_READ),
    (r"/activities/(\d{1,20})", _activity, _ACTIVITY_READ),
    (r"/activities/(\d{1,20})/streams", _streams, _ACTIVITY_READ),
    (r"/activities/(\d{1,20})/laps", _laps, _ACTIVITY_READ),
    (r"/activities/(\d{1,20})/zones", _zones, _ACTIVITY_READ),
    (r"/activities/(\d{1,20})/kudos", _kudos, _ACTIVITY_READ),
    (r"/activities/(\d{1,20})/comments", _comments, _ACTIVITY_READ),
    (r"/activities/(\d{1,20})/photos", _photos, _ACTIVITY_READ),
    (r"/athlete()", _athlete, ()),
    (r"/athlete/zones()", _athlete_zones, ("profile:read_all",)),
    (r"/athletes/(\d{1,20})/stats", _stats, ()),
    (r"/athletes/(\d{1,20})/routes", _routes, ()),
    (r"/gear/(\w{1,40})", _gear, ()),
)


def answer(world: World, method: str, request: Request) -> Answer:
    """Answer an authorised request: counts it, then looks at limits, scopes and the path.

    Raises Refusal with Strava's error.
    """
    with world.lock:
        admitted = world.limits.admit(read=method == "GET")
    if not admitted:
        raise too_many()
    for pattern, endpoint, scopes in _ENDPOINTS:
        match = re.fullmatch(pattern, request.path)
        if match and method == "GET":
            if scopes and not request.scopes & set(scopes):
                raise unauthorized("AccessToken", f"{scopes[0]}_permission", "missing")
            return endpoint(world, request, match[1])
    raise Refusal(404, "Record Not Found", ("resource", "path", "invalid"))
