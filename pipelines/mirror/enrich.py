"""Fetching details: those that are missing or behind their summaries, newest first, then today's share of old ones."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

from pipelines.bronze.store import Bronze
from pipelines.bronze.sweep import utc_now
from pipelines.bronze.tables import ACTIVITY_DETAILS
from pipelines.ground.errors import ActivityNotFound, BadSetting, StravaError
from pipelines.ground.progress import Report, details_left
from pipelines.ground.settings import StravaSettings
from pipelines.mirror.access import Access
from pipelines.mirror.burial import Burial
from pipelines.mirror.commits import AnswersInCommits
from pipelines.mirror.fingerprints import Differing
from pipelines.mirror.freshness import PATHS, to_fetch_again
from pipelines.mirror.landing import NewVersions, Notes, rows_of
from pipelines.mirror.pull import days_before
from pipelines.mirror.quarantine import Quarantine
from pipelines.mirror.refresh import Refresh
from pipelines.sources.strava_api import DETAILS
from pipelines.sources.strava_api.payloads import Payload


@dataclass(frozen=True)
class DetailChoice:
    """Which details to fetch: `ids`, otherwise at most `limit` (None: all) missing ones between local dates."""

    limit: int | None
    ids: tuple[int, ...] = ()
    since: date | None = None
    until: date | None = None

    def without(self, asked: set[int], others: int = 0) -> "DetailChoice":
        """What is left of it once `asked` and `others`, which are not details, have been requested."""
        limit = None if self.limit is None else max(self.limit - len(asked) - others, 0)
        return replace(self, limit=limit, ids=tuple(id_ for id_ in self.ids if id_ not in asked))


@dataclass
class Enriched:
    """What was done: details landed, refusals, activities buried, and the ids that were requested (`asked`)."""

    landed: int = 0
    refused: int = 0
    buried: int = 0
    asked: set[int] = field(default_factory=set)


class Enrichment:
    """Fetches the details of one run's choice; `enriched` says how far it got, also after an error."""

    def __init__(self, access: Access, bronze: Bronze, notes: Notes, settings: StravaSettings, report: Report) -> None:
        self._access = access
        self._bronze = bronze
        self._notes = notes
        self._settings = settings
        self._report = report
        self._quarantine = Quarantine(settings.state_path / "quarantine.json")
        self._not_found: set[int] = set()
        self._refused_ids: set[int] = set()
        self._left: int | None = None
        self.enriched = Enriched()

    @cached_property
    def _refresh(self) -> Refresh:
        settings = self._settings
        path = settings.state_path / "refreshed.json"
        return Refresh(self._bronze, path, settings.details_days, self._access.budget.now())

    def run(self, choice: DetailChoice) -> None:
        """Land the details that are missing, newest first, then today's share of old ones; or the chosen ones.

        Raises:
            BadSetting: an id that is not in the history.
            StravaError: what stopped the fetching; all details before it have landed.
        """
        if choice.limit == 0 and not choice.ids:
            return
        athlete_id = self._access.athlete_id()
        wanted = self._wanted(choice, athlete_id)
        old = [] if choice.ids else self._old(wanted, choice, athlete_id)
        ids = [*wanted, *old] if choice.limit is None or choice.ids else [*wanted, *old][: choice.limit]
        if not ids:
            self._left = 0
            self._report.say("Details: nothing missing.")
            return
        fetched: set[int] = set()
        versions = self._versions([] if choice.ids else wanted, athlete_id)
        try:
            error = self._fetch(ids, wanted, versions, fetched)
        finally:
            self.enriched.landed += versions.count
            self.enriched.asked = fetched | self._refused_ids
            self._refresh.note(fetched.intersection(old))
            self._left = len(set(wanted) - fetched - self._refused_ids)
        self._quarantine.release(fetched)
        if error is None:
            self._bury_not_found(athlete_id)
        left = len(set(wanted) - fetched)
        self._report.say(f"Details: {len(fetched):,} fetched, {versions.count:,} new or changed, {left:,} left.")
        if error is not None:
            raise error

    def _versions(self, asked: list[int], athlete_id: int) -> NewVersions:
        landed = self._bronze.landed(ACTIVITY_DETAILS)
        for id_ in asked:
            # what was requested lands, changed or not: it shows what the summary was at that time
            landed.hashes.pop(id_, None)
        return NewVersions(ACTIVITY_DETAILS, landed, athlete_id, self._notes.began_at, self._bronze.waiting_path)

    def _fetch(self, ids: list[int], wanted: list[int], versions: NewVersions, fetched: set[int]) -> StravaError | None:
        """Land the details of `ids`; returns what ended it early, if anything. `fetched` collects what came.

        A spent window is not an early end if only old details are left: they can wait for another run.
        """
        with self._access.sparing(), self._report.task("Details") as task:

            def payloads(answers: Iterator[tuple[int, Payload | StravaError]]) -> Iterator[list[Payload]]:
                for id_, answer in answers:
                    if isinstance(answer, StravaError):
                        self._note_refusal(id_, answer)
                        continue
                    fetched.add(id_)
                    task.show(f"{len(fetched):,} of {len(ids):,}", len(fetched) / len(ids), self._access.budget.left)
                    yield [answer]

            fetch = AnswersInCommits(self._access.client, DETAILS, ids)
            while not fetch.finished:
                self._bronze.land(rows_of(payloads(fetch.next_commit()), versions))
                if fetch.waits_for is not None:
                    return fetch.waits_for if set(wanted) - fetched - self._refused_ids else None
        return fetch.error

    def say_what_is_left(self, choice: DetailChoice) -> None:
        """Report how many details are left and when they will be fetched, unless none are."""
        if choice.limit == 0:
            return
        if self._left is None:
            known = self._access.known_athlete_id()
            self._left = 0 if known is None else len(self._wanted(choice, known))
        if self._left:
            budget, pace_s = self._access.budget, self._settings.enrich_sleep_ms / 1000
            done_at = budget.done_at(self._left, self._settings.reserve, pace_s)
            limit = None if choice.ids else choice.limit
            self._report.say(details_left(self._left, done_at, budget.now(), limit, self._access.backfill))

    def forget(self, ids: set[int]) -> None:
        """Drop the notes, outside bronze, about activities that are erased."""
        self._quarantine.release(ids)
        self._refresh.forget(ids)

    def _bury_not_found(self, athlete_id: int) -> None:
        """A 404 counts as a deletion only if the list lacks the activity too."""
        burial = Burial(athlete_id, self._access, self._bronze, self._notes, self._report)
        gone = burial.unlisted(self._not_found)
        if burial.bury(gone, "detail") is None:
            self._quarantine.release(gone)
        self.enriched.buried += burial.count

    def _wanted(self, choice: DetailChoice, athlete_id: int) -> list[int]:
        if choice.ids:
            unknown = sorted(set(choice.ids) - self._bronze.ids(athlete_id))
            if unknown:
                raise BadSetting(
                    f"Not in your history: {', '.join(map(str, unknown))}. Pull first, or see the ids with: "
                    "make sql Q='SELECT id, start_date, name FROM strava.activities ORDER BY start_date DESC LIMIT 20'"
                )
            return list(dict.fromkeys(choice.ids))
        missing = self._bronze.without_details(athlete_id, choice.since, choice.until)
        wanted = missing + self._out_of_date(choice, athlete_id)
        return [id_ for id_ in wanted if not self._quarantine.waits(id_)]

    def _out_of_date(self, choice: DetailChoice, athlete_id: int) -> list[int]:
        """Ids of activities whose details are fetched again, because they contradict their summary."""
        kudos_since = days_before(utc_now(), self._settings.lookback_days)
        differing = Differing(self._bronze, self._settings.state_path, PATHS).from_summaries(athlete_id)
        sweeps = self._bronze.sweeps_begun(athlete_id) if differing else []
        stale = to_fetch_again(differing, sweeps, kudos_since)
        in_range = self._bronze.ids(athlete_id, choice.since, choice.until) if stale else set()
        return [id_ for id_ in stale if id_ in in_range]

    def _old(self, wanted: list[int], choice: DetailChoice, athlete_id: int) -> list[int]:
        """Ids of activities whose details are old and due today, besides those that are `wanted` anyway."""
        due = self._refresh.due(athlete_id)
        in_range = self._bronze.ids(athlete_id, choice.since, choice.until) if due else set()
        return [id_ for id_ in due if id_ in in_range - set(wanted) and not self._quarantine.waits(id_)]

    def _note_refusal(self, id_: int, error: StravaError) -> None:
        self._quarantine.add(id_, str(error))
        self._refused_ids.add(id_)
        if isinstance(error, ActivityNotFound):
            self._not_found.add(id_)
        self.enriched.refused += 1
        self._report.warn(
            f"Activity {id_} has no details for now: {error} The others continue; it is tried again later."
        )
