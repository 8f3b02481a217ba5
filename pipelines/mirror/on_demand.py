"""What else an activity has at Strava, if STRAVA_RESOURCES names it: kudos, comments, photos, laps, zones.

Each is requested once per activity that has any, and again when the list shows that it has changed. Strava's answer
lands as a whole, one row per activity and request.
"""

from collections.abc import Iterator

from pipelines.bronze.liveness import VERSION_ORDER, with_live
from pipelines.bronze.store import READABLE, Bronze, Landed
from pipelines.bronze.tables import ACTIVITIES, TABLES
from pipelines.ground.errors import StravaError
from pipelines.ground.progress import Report, Task
from pipelines.ground.resources import ON_DEMAND
from pipelines.ground.settings import StravaSettings
from pipelines.mirror.access import Access
from pipelines.mirror.commits import AnswersInCommits
from pipelines.mirror.landing import NewVersions, Notes, rows_of
from pipelines.mirror.quarantine import Quarantine
from pipelines.sources.strava_api.endpoint import Endpoint
from pipelines.sources.strava_api.payloads import Payload


class OnDemand:
    """Lands what is wanted; `asked` counts the requests."""

    def __init__(self, access: Access, bronze: Bronze, notes: Notes, settings: StravaSettings, report: Report) -> None:
        self._access = access
        self._bronze = bronze
        self._notes = notes
        self._settings = settings
        self._report = report
        wanted = {name: ON_DEMAND[name] for name in settings.wanted_resources}
        self._wanted = {name: each for name, each in wanted.items() if TABLES[each.name].is_of_activity}
        self.asked = 0

    def run(self, limit: int | None) -> None:
        """Land what is missing or has changed, newest activities first, with at most `limit` requests (None: all).

        Raises:
            StravaError: what stopped the fetching; all before it has landed.
        """
        for name, endpoint in self._wanted.items():
            self._fetch(name, endpoint, None if limit is None else max(limit - self.asked, 0))

    def _fetch(self, name: str, endpoint: Endpoint, limit: int | None) -> None:
        athlete_id = self._access.athlete_id()
        quarantine = Quarantine(self._settings.state_path / f"quarantine_{endpoint.name}.json")
        due = [id_ for id_ in self._due(endpoint, athlete_id) if not quarantine.waits(id_)]
        ids = due[:limit]
        if not ids:
            return
        # what was requested lands, changed or not: it shows what the list said at that time
        landed = Landed({}, self._bronze.newest_fetched_at())
        versions = NewVersions(endpoint.name, landed, athlete_id, self._notes.began_at, self._bronze.waiting_path)
        fetch = AnswersInCommits(self._access.client, endpoint, ids)
        asked_before = self.asked
        with self._access.sparing(), self._report.task(name.capitalize()) as task:
            while not fetch.finished and fetch.waits_for is None:
                answers = self._answered(fetch, quarantine, task, asked_before, len(ids))
                self._bronze.land(rows_of(answers, versions))
        left = len(due) - (self.asked - asked_before)
        self._report.say(f"{name.capitalize()}: of {versions.count:,} activities fetched, {left:,} left.")
        if (stopped_by := fetch.error or fetch.waits_for) is not None:
            raise stopped_by

    def _answered(
        self, fetch: AnswersInCommits, quarantine: Quarantine, task: Task, asked_before: int, wanted: int
    ) -> Iterator[list[Payload]]:
        for id_, answer in fetch.next_commit():
            self.asked += 1
            done = self.asked - asked_before
            task.show(f"{done:,} of {wanted:,}", done / wanted, self._access.budget.left)
            if isinstance(answer, StravaError):
                quarantine.add(id_, str(answer))
            else:
                yield [answer]

    def _due(self, endpoint: Endpoint, athlete_id: int) -> list[int]:
        """Ids of live activities whose newest summary shows more than was fetched, newest first."""
        fields = (endpoint.count,) if endpoint.count else endpoint.changes_with
        has_any = "coalesce(try_cast(latest.said[1] as double), 0) > 0" if endpoint.count else "true"
        rows = self._bronze.query(
            f"""
            {with_live()},
            summaries as (
                select id, fetched_at, payload_hash, try(cast(json_extract({READABLE}, $paths) as varchar[])) as said
                from {{{ACTIVITIES}}} where id in (select id from live)
            ),
            latest as (select id, max_by(said, {VERSION_ORDER}) as said from summaries group by id),
            asked as (select id, max(fetched_at) as asked_at from {{{endpoint.name}}} group by id),
            before as (
                select id, max_by(said, {VERSION_ORDER}) as said
                from summaries inner join asked using (id) where fetched_at <= asked_at group by id
            )
            select latest.id from latest
            inner join live using (id)
            left join asked using (id)
            left join before using (id)
            where case when asked_at is null then {has_any} else latest.said is distinct from before.said end
            order by live.start_date desc nulls last, latest.id desc
            """,
            athlete_id=athlete_id,
            paths=[f"$.{field}" for field in fields],
        )
        return [id_ for (id_,) in rows]
