"""What is the athlete's own: the profile, zones and gear, which no activity says, and routes where they are wanted.

They are asked for after a complete sweep, so once a day at most, and within a share of the day's requests.
"""

from collections.abc import Iterator

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
# of a thousand that Strava admits a day
OWN_PER_DAY = 20
# of each window, for what is not as urgent as activities
LEAST_LEFT = 2 * OWN_PER_DAY
DAYS = 7
# what is retired is hardly renamed
DAYS_RETIRED = 28


class Own:
    """Lands the athlete's own."""

    def __init__(self, access: Access, bronze: Bronze, notes: Notes, settings: StravaSettings, report: Report) -> None:
        self._access = access
        self._bronze = bronze
        self._notes = notes
        self._wanted = settings.wanted_resources
        self._report = report
        self._athlete_id = access.athlete_id()
        self._looked_at = LookedAt(settings.state_path / "looked_at_own.json")
        now = access.budget.now()
        self._now_s = now.timestamp()
        today_s = now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        # the profile itself is none of these: it is what the rest depends on
        self._requests_left = OWN_PER_DAY - len(self._looked_at.since(today_s, self._now_s))
        self._without_answer: list[str] = []

    def run(self) -> None:
        """Land what is due. What Strava does not hand out now is asked for after the next sweep.

        Raises:
            NotAuthorised, StorageFailed, Interrupted: as everywhere.
        """
        swept = self._bronze.last_sweep(self._athlete_id, complete=True)
        if swept is None or self._is_fresh(sweep := f"sweep {swept[0].isoformat()}", DAYS_RETIRED):
            return
        if swept[0] < self._notes.began_at and not self._looked_at.since(0, self._now_s):
            # a home of an earlier version, which comes up to date without a request more
            self._looked_at.note([sweep], self._now_s, self._forget_before_s)
            return
        if any(window.left < LEAST_LEFT for window in self._access.budget.windows()):
            # it is for activities; the next run looks again
            return
        answers: dict[Endpoint, dict[str, Payload]] = {}
        try:
            with self._access.sparing(), self._report.task("Athlete"):
                for key, endpoint, payload in self._answers():
                    answers.setdefault(endpoint, {})[key] = payload
        except BudgetSpent:
            sweep = ""
        except StravaUnavailable as error:
            self._report.warn(f"{error} The athlete's profile and gear are as they were.")
            sweep = ""
        for endpoint, payloads in answers.items():
            self._land(endpoint, payloads)
        # once they have landed
        looked_at = [*self._without_answer, *(key for payloads in answers.values() for key in payloads)]
        self._looked_at.note([*looked_at, *([sweep] if sweep else [])], self._now_s, self._forget_before_s)

    def _answers(self) -> Iterator[tuple[str, Endpoint, Payload]]:
        """What is due: what it is noted as, where it is, and what Strava has there."""
        yield self._key(ATHLETE, self._athlete_id), ATHLETE, self._access.athlete()
        yield from self._answer_if_due(ATHLETE_ZONES, self._athlete_id)
        if "routes" in self._wanted:
            yield from self._answer_if_due(ROUTES, self._athlete_id)
        for gear_id, days in self._gear_to_ask_for():
            yield from self._answer_if_due(GEAR, gear_id, days)

    def _answer_if_due(
        self, endpoint: Endpoint, id_: int | str, days: int = DAYS
    ) -> Iterator[tuple[str, Endpoint, Payload]]:
        """What `endpoint` has of `id_`, unless it was looked at these `days`, or the day's share is used."""
        key = self._key(endpoint, id_)
        self._requests_left -= not self._is_fresh(key, days)
        if self._is_fresh(key, days) or self._requests_left < 0:
            return
        if endpoint is ATHLETE_ZONES and (scopes := self._access.scopes) is not None and PROFILE not in scopes:
            return
        number = id_ if isinstance(id_, int) else key_of_gear(id_)
        try:
            payload = whole(endpoint, number, ask(self._access.client, endpoint, id_))
        except ActivityNotFound:
            # gear that was deleted, or is another athlete's
            self._without_answer.append(key)
        except NotAuthorised:
            # a scope that nobody noted is missing: all else of the athlete has come
            if endpoint is not ATHLETE_ZONES:
                raise
            self._without_answer.append(key)
        else:
            yield key, endpoint, payload._replace(id=number)

    def _key(self, endpoint: Endpoint, id_: int | str) -> str:
        return f"{endpoint.name} {id_}"

    @property
    def _forget_before_s(self) -> float:
        return self._now_s - DAYS_RETIRED * DAY_S

    def _is_fresh(self, key: str, days: float) -> bool:
        return key in self._looked_at.since(self._now_s - days * DAY_S, self._now_s)

    def _land(self, endpoint: Endpoint, payloads: dict[str, Payload]) -> None:
        landed = self._bronze.landed(endpoint.name)
        for key, payload in payloads.items():
            if endpoint is GEAR and not self._is_fresh(key, DAYS_RETIRED) and payload.id is not None:
                # the profile may have said something else of it since, so it lands as it is now, changed or not
                landed.hashes.pop(payload.id, None)
        versions = NewVersions(endpoint.name, landed, self._athlete_id, self._notes.began_at, self._bronze.waiting_path)
        self._bronze.land(rows_of([list(payloads.values())], versions))

    def _gear_to_ask_for(self) -> Iterator[tuple[str, int]]:
        """Ids of the gear of which neither the profile nor newer details say how it is now, each with its days."""
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
        # what comes back and is retired once more is asked for at once
        self._looked_at.forget(self._key(GEAR, id_) for id_ in listed)
        for (gear_id,) in rows:
            if gear_id not in listed:
                yield gear_id, DAYS_RETIRED if key_of_gear(gear_id) in retired else DAYS


def key_of_gear(gear_id: str) -> int:
    """The number under which bronze has the versions of gear: of bikes (`b12`) even ones, of shoes (`g12`) odd ones."""
    digits = "".join(filter(str.isdecimal, gear_id))[:18]
    return 2 * int(digits or 0) + (not gear_id.startswith("b"))


def _listed_gear(athlete: Payload) -> set[str]:
    """Ids of the gear in the profile, which has what is in use; none where the token may not see it."""
    profile = read_json(athlete.text)
    if not isinstance(profile, dict):
        return set()
    listed = [gear for kind in ("bikes", "shoes") for gear in profile.get(kind) or ()]
    return {str(gear.get("id")) for gear in listed if isinstance(gear, dict)}
