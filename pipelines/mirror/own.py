"""The athlete's own data: profile, zones and gear, which no activity contains, and routes if they are wanted.

They are requested after a complete sweep, so at most once a day, and within a share of the day's requests.
"""

from collections.abc import Iterator
from itertools import islice

from pipelines.bronze.liveness import VERSION_ORDER, with_live
from pipelines.bronze.store import READABLE, Bronze
from pipelines.bronze.tables import ACTIVITIES
from pipelines.ground.errors import ActivityNotFound, BudgetSpent, NotAuthorised, StravaUnavailable
from pipelines.ground.progress import Report
from pipelines.ground.resources import ATHLETE, ATHLETE_ZONES, GEAR, ROUTES
from pipelines.ground.settings import StravaSettings
from pipelines.mirror.access import Access
from pipelines.mirror.landing import NewVersions, Notes, rows_of
from pipelines.mirror.looked_at import LookedAt
from pipelines.sources.strava_api.budget import DAY_S
from pipelines.sources.strava_api.details import ask, whole
from pipelines.sources.strava_api.endpoint import Endpoint
from pipelines.sources.strava_api.payloads import Payload, read_json

PROFILE = "profile:read_all"
# of the thousand that Strava allows a day
OWN_PER_DAY = 20
# requests of each window that stay free for activities
LEAST_LEFT = 2 * OWN_PER_DAY
DAYS = 7
# retired gear is hardly ever renamed
DAYS_RETIRED = 28


class Own:
    """Lands the athlete's own."""

    def __init__(self, access: Access, bronze: Bronze, notes: Notes, settings: StravaSettings, report: Report) -> None:
        self._access = access
        self._bronze = bronze
        self._notes = notes
        self._wants_routes = "routes" in settings.wanted_resources
        self._report = report
        self._athlete_id = access.athlete_id()
        self._looked_at = LookedAt(settings.state_path / "looked_at_own.json")
        now = access.budget.now()
        self._now_s = now.timestamp()
        self._today_s = now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()

    def run(self) -> None:
        """Land what is due. What Strava does not answer now is requested after the next sweep.

        Raises:
            NotAuthorised, StorageFailed, Interrupted: as everywhere.
        """
        swept = self._bronze.last_sweep(self._athlete_id, complete=True)
        if swept is None or self._is_fresh(sweep := f"sweep {swept[0].isoformat()}", DAYS_RETIRED):
            return
        if swept[0] < self._notes.began_at and not self._looked_at.since(0, self._now_s):
            # a home of an earlier version, which comes up to date without another request
            self._looked_at.note([sweep], self._now_s, self._forget_before_s)
            return
        if any(window.left < LEAST_LEFT for window in self._access.budget.windows()):
            # the rest is for activities; the next run tries again
            return
        answers: dict[Endpoint, dict[str, Payload]] = {}
        looked_at: list[str] = []
        try:
            with self._access.sparing(), self._report.task("Athlete"):
                for key, endpoint, payload in self._answers():
                    looked_at.append(key)
                    if payload is not None:
                        answers.setdefault(endpoint, {})[key] = payload
            looked_at.append(sweep)
        except BudgetSpent:
            # what came lands; the next run requests the rest
            pass
        except StravaUnavailable as error:
            self._report.warn(f"{error} The athlete's profile and gear are unchanged.")
        for endpoint, payloads in answers.items():
            self._land(endpoint, payloads)
        # once they have landed
        self._looked_at.note(looked_at, self._now_s, self._forget_before_s)

    def _answers(self) -> Iterator[tuple[str, Endpoint, Payload | None]]:
        """What is due, within the day's share: the key of its note, its endpoint, and Strava's answer, if any."""
        # the profile itself does not count: the rest depends on it
        yield _key(ATHLETE, self._athlete_id), ATHLETE, self._access.athlete()
        left = OWN_PER_DAY - len(self._looked_at.since(self._today_s, self._now_s))
        due = (
            (endpoint, id_) for endpoint, id_, days in self._wanted() if not self._is_fresh(_key(endpoint, id_), days)
        )
        for endpoint, id_ in islice(due, max(left, 0)):
            yield _key(endpoint, id_), endpoint, self._answer(endpoint, id_)

    def _wanted(self) -> Iterator[tuple[Endpoint, int | str, int]]:
        """What is wanted besides the profile, and how many days old it may be."""
        scopes = self._access.scopes
        if scopes is None or PROFILE in scopes:
            yield ATHLETE_ZONES, self._athlete_id, DAYS
        if self._wants_routes:
            yield ROUTES, self._athlete_id, DAYS
        for gear_id, days in self._gear_to_ask_for():
            yield GEAR, gear_id, days

    def _answer(self, endpoint: Endpoint, id_: int | str) -> Payload | None:
        """Strava's answer at `endpoint` for `id_`; None if there is nothing, or nothing for this token."""
        number = id_ if isinstance(id_, int) else key_of_gear(id_)
        try:
            return whole(endpoint, number, ask(self._access.client, endpoint, id_))._replace(id=number)
        except ActivityNotFound:
            # the gear was deleted, or belongs to another athlete
            return None
        except NotAuthorised:
            # a scope is missing without a note of it: everything else of the athlete has come
            if endpoint is not ATHLETE_ZONES:
                raise
            return None

    @property
    def _forget_before_s(self) -> float:
        return self._now_s - DAYS_RETIRED * DAY_S

    def _is_fresh(self, key: str, days: float) -> bool:
        return key in self._looked_at.since(self._now_s - days * DAY_S, self._now_s)

    def _land(self, endpoint: Endpoint, payloads: dict[str, Payload]) -> None:
        landed = self._bronze.landed(endpoint.name)
        for key, payload in payloads.items():
            if endpoint is GEAR and not self._is_fresh(key, DAYS_RETIRED) and payload.id is not None:
                # the profile may have differed in between, so it lands, changed or not
                landed.hashes.pop(payload.id, None)
        versions = NewVersions(endpoint.name, landed, self._athlete_id, self._notes.began_at, self._bronze.waiting_path)
        self._bronze.land(rows_of([list(payloads.values())], versions))

    def _gear_to_ask_for(self) -> Iterator[tuple[str, int]]:
        """Ids of gear whose state neither the profile nor newer details show, each with its maximum age in days."""
        rows = self._bronze.query(
            f"""
            {with_live()},
            worn as (
                select try(json_extract_string({READABLE}, '$.gear_id')) as gear_id, live.start_date
                from {{{ACTIVITIES}}} inner join live using (id, fetched_at)
            )
            select gear_id from worn where gear_id is not null and gear_id != ''
            group by 1 order by max(start_date) desc
            """,
            athlete_id=self._athlete_id,
        )
        listed = _listed_gear(self._access.athlete())
        retired = {
            id_
            for (id_,) in self._bronze.query(
                f"""
                select id from {{{GEAR.name}}} group by id
                having max_by(try(json_extract_string({READABLE}, '$.retired')), {VERSION_ORDER}) = 'true'
                """
            )
        }
        # gear that comes back and is retired again is requested at once
        self._looked_at.forget(_key(GEAR, id_) for id_ in listed)
        for (gear_id,) in rows:
            if gear_id not in listed:
                yield gear_id, DAYS_RETIRED if key_of_gear(gear_id) in retired else DAYS


def _key(endpoint: Endpoint, id_: int | str) -> str:
    return f"{endpoint.name} {id_}"


def key_of_gear(gear_id: str) -> int:
    """The number under which bronze has the versions of gear: even for bikes (`b12`), odd for shoes (`g12`)."""
    digits = "".join(filter(str.isdecimal, gear_id))[:18]
    return 2 * int(digits or 0) + (not gear_id.startswith("b"))


def _listed_gear(athlete: Payload) -> set[str]:
    """Ids of the gear in the profile, which lists what is in use; none if the token may not see it."""
    profile = read_json(athlete.text)
    if not isinstance(profile, dict):
        return set()
    listed = [gear for kind in ("bikes", "shoes") for gear in profile.get(kind) or ()]
    return {str(gear.get("id")) for gear in listed if isinstance(gear, dict)}
