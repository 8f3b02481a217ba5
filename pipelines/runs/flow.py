"""The flow: pull → enrich → stage → build, as one run on one warehouse, one run at a time."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property, partial
from typing import Literal

from pipelines.bronze.store import ACTIVITY_DETAILS, TOMBSTONES, Landed, open_bronze
from pipelines.bronze.sweep import utc_now
from pipelines.ground.durable import locked
from pipelines.ground.errors import (
    ActivityNotFound,
    BadSetting,
    BudgetSpent,
    BuildFailed,
    Interrupted,
    StorageFailed,
    StravaStatsError,
    StravaUnavailable,
    WarehouseBusy,
)
from pipelines.ground.memory import give_back_what_is_free
from pipelines.ground.payloads import Payload
from pipelines.ground.progress import ANOTHER_RUN, Report, Task, details_left
from pipelines.ground.settings import StravaSettings
from pipelines.ground.stop import StopFlag
from pipelines.ground.written_places import Places
from pipelines.mirror.burial import Burial
from pipelines.mirror.fields import FieldsSeen
from pipelines.mirror.fingerprints import Told
from pipelines.mirror.freshness import PATHS, to_fetch_again
from pipelines.mirror.landing import NewVersions, activity_details, notes
from pipelines.mirror.pull import Pull, PullChoice, Pulled, days_before
from pipelines.mirror.quarantine import Quarantine
from pipelines.mirror.refresh import Refresh
from pipelines.mirror.waiting import wait_for_window
from pipelines.page.html import make_page, page_is_current
from pipelines.runs.backup import finish_restore
from pipelines.runs.last_run import Done, RunRecord
from pipelines.runs.purge import Purge, remove_leftovers
from pipelines.sources.strava_api.auth import RefreshTokenAuth, TokenFile, open_app
from pipelines.sources.strava_api.budget import Budget
from pipelines.sources.strava_api.client import StravaClient
from pipelines.sources.strava_api.details import DetailFetch
from pipelines.sources.strava_api.transport import StravaAdapter, open_session, raise_for_refusal
from pipelines.warehouse.athlete_settings import write_athlete_settings
from pipelines.warehouse.build import build, build_is_needed
from pipelines.warehouse.publish import publish
from pipelines.warehouse.staging import load_staging, staged_rows

# waits for a Strava that is down, in a backfill: 60 times that of one request, each twice as long as the one before
OUTAGES = 8
OUTAGE_WAITS = 60
LONGEST_OUTAGE_WAIT_S = 3600

Step = Literal["pull", "enrich", "purge", "purge_if_wanted", "stage", "build", "build_if_needed", "page_if_wanted"]


@dataclass(frozen=True)
class DetailChoice:
    """Which details to fetch: `ids` if given, else at most `limit` (None: all) missing ones between local dates."""

    limit: int | None
    ids: tuple[int, ...] = ()
    since: date | None = None
    until: date | None = None


class Run:
    """One run of a command that talks to Strava or writes the warehouse."""

    def __init__(
        self, settings: StravaSettings, report: Report, stop: StopFlag, done: Done, budget: Budget, backfill: bool
    ) -> None:
        self._settings = settings
        self._report = report
        self._done = done
        self._budget = budget
        self._backfill = backfill
        self._adapter = StravaAdapter(stop, self._budget, settings.retry_wait_s)
        self._sent_before_wait = 0
        self._not_found: set[int] = set()
        self._refused_ids: set[int] = set()
        self._details_left: int | None = None
        self._bronze = open_bronze(settings, report, partial(staged_rows, settings.warehouse_path))
        self._quarantine = Quarantine(settings.state_path / "quarantine.json")
        self._token_file = TokenFile(settings.token_path)
        self._started_at = utc_now()
        self._stop = stop

    @property
    def requests_sent(self) -> int:
        """Requests of this run so far."""
        return self._adapter.requests_sent

    @cached_property
    def _client(self) -> StravaClient:
        """The way to Strava; a run that stays at home needs no credentials."""
        settings = self._settings
        auth = RefreshTokenAuth(open_app(settings, self._stop), self._token_file, self._stop)
        return StravaClient(settings.api_url, auth=auth, session=open_session(self._adapter))

    def require_authorisation(self) -> None:
        """Look whether Strava can be asked at all; a newcomer is told of the credentials before the token file.

        Raises:
            NotAuthorised: the credentials, or the tokens, are missing.
        """
        self._settings.credentials()
        self._token_file.load()

    def put_back(self) -> None:
        """Put shards back that were set aside, where that is possible by now."""
        self._bronze.put_back()

    def pull(self, choice: PullChoice) -> None:
        """Land new and changed activities, and bury what is gone; see `Pull.run`.

        Raises:
            StravaStatsError: what stopped the walk; all pages before it have landed.
        """
        self._done.listed, self._done.listed_on = 0, ""
        self._bronze.finish_pending()
        athlete_id = self._athlete_id()
        pulled = Pulled()
        burial = self._burial(athlete_id)
        pull = Pull(
            athlete_id,
            self._client,
            self._bronze,
            burial,
            self._land_notes,
            self._settings,
            self._budget,
            self._report,
            self._wait_for_list,
            pulled,
            self._started_at,
        )
        try:
            pull.run(choice)
        finally:
            self._done.listed += pulled.listed
            self._done.activities_landed += pulled.landed
            self._done.activities_buried += burial.count
        self._done.listed_on = f"{self._budget.now():%Y-%m-%d}"

    def _burial(self, athlete_id: int) -> Burial:
        scopes = self._token_file.load().scopes
        return Burial(athlete_id, scopes, self._client, self._bronze, self._report, self._land_notes)

    def _land_notes(
        self, table: str, payloads: list[Payload], newest: datetime | None, athlete_id: int | None = None
    ) -> None:
        """Land in `table` what the pipeline itself has to say of an athlete (None: this one), later than `newest`."""
        athlete_id, landed = athlete_id or self._athlete_id(), Landed({}, newest)
        versions = NewVersions(table, landed, athlete_id, self._started_at, self._bronze.waiting_path)
        self._bronze.land(notes(payloads, versions))

    def enrich(self, choice: DetailChoice) -> None:
        """Land the details of activities that have none, newest first, then today's share of old ones; or the chosen.

        Raises:
            BadSetting: an id that is not in the history.
            StravaStatsError: what stopped the fetching; all details before it have landed.
        """
        self._bronze.finish_pending()
        if choice.limit == 0 and not choice.ids:
            return
        athlete_id = self._athlete_id()
        wanted = self._wanted(choice, athlete_id)
        refresh = self._refresh()
        old = [] if choice.ids else self._old(refresh, wanted, choice, athlete_id)
        ids = [*wanted, *old] if choice.limit is None or choice.ids else [*wanted, *old][: choice.limit]
        if not ids:
            self._details_left = 0
            self._report.say("Details: nothing missing.")
            return
        landed = self._bronze.landed(ACTIVITY_DETAILS)
        for id_ in () if choice.ids else wanted:
            # what was asked for lands, changed or not: it says what the summary was when it was fetched
            landed.hashes.pop(id_, None)
        versions = NewVersions(ACTIVITY_DETAILS, landed, athlete_id, self._started_at, self._bronze.waiting_path)
        fetched: set[int] = set()
        self._adapter.min_interval_s = self._settings.enrich_sleep_ms / 1000
        self._adapter.reserve = self._settings.reserve
        self._refused_ids.clear()
        try:
            with self._report.task("Details") as task:

                def on_detail(id_: int) -> None:
                    fetched.add(id_)
                    task.tell(f"{len(fetched):,} of {len(ids):,}", len(fetched) / len(ids), self._budget.left)

                fetch = DetailFetch(self._client, ids, on_detail, self._refused)
                while not fetch.finished:
                    self._bronze.land(activity_details(fetch, versions))
                    if fetch.waits_for is not None and fetched.issuperset(wanted):
                        # what is only looked at again can wait for another run
                        break
                    if fetch.waits_for is not None:
                        # a backfill builds first, and lets others run meanwhile: it waits between two rounds
                        longest_s = 0 if self._backfill else self._settings.max_wait_s
                        fetch.go_on(self._wait(fetch.waits_for, longest_s, task))
        finally:
            self._done.details_landed += versions.count
            refresh.note(fetched.intersection(old))
            self._details_left = len(set(wanted) - fetched - self._refused_ids)
            self._adapter.min_interval_s = 0
            self._adapter.reserve = 0
        self._quarantine.release(fetched)
        if fetch.error is None:
            self._bury_not_found(athlete_id)
        left = len(set(wanted) - fetched)
        self._report.say(f"Details: {len(fetched):,} fetched, {versions.count:,} new or changed, {left:,} left.")
        if fetch.error is not None:
            raise fetch.error

    def _bury_not_found(self, athlete_id: int) -> None:
        """A 404 counts as a deletion only where the list says so too."""
        burial = self._burial(athlete_id)
        gone = burial.unlisted(self._not_found)
        if burial.bury(gone, "detail") is None:
            self._quarantine.release(gone)
        self._done.activities_buried += burial.count

    def _wait_for_list(self, spent: BudgetSpent, task: Task) -> StravaStatsError | None:
        """As `_wait`; a list is better walked in one go: a backfill waits here too, however long."""
        return self._wait(spent, math.inf if self._backfill else self._settings.max_wait_s, task)

    def _wait(self, spent: BudgetSpent, longest_s: float, task: Task) -> StravaStatsError | None:
        """Wait for the window to open again; what ends the run instead: `spent` itself where that takes too long."""
        wait_s = spent.opens_at_s - self._budget.now().timestamp()
        # refused again at once after a wait: somebody else uses all there is
        in_vain = not self._backfill and 0 < self._sent_before_wait >= self.requests_sent - 1
        if wait_s > longest_s or (spent.of_day and longest_s < math.inf) or in_vain:
            return spent
        self._sent_before_wait = self.requests_sent
        try:
            wait_for_window(spent, self._budget, self._adapter.reserve, self._stop, task)
        except StravaStatsError as error:
            return error
        return None

    def can_build_later(self, stopped: StravaStatsError | None, error: StravaStatsError) -> bool:
        """Whether `error` may wait for the next round of a backfill; says so."""
        if not (self._backfill and isinstance(stopped, BudgetSpent) and isinstance(error, WarehouseBusy | BuildFailed)):
            return False
        self._report.warn(f"{error} The backfill goes on.")
        return True

    def say_what_is_left(self, spent: BudgetSpent | None, choice: DetailChoice, steps: Sequence[Step]) -> None:
        """The last lines of a run that Strava's limits, or ENRICH_LIMIT, cut short."""
        if spent is not None:
            self._report.say(str(spent))
            if "pull" in steps and not self._done.listed_on:
                self._report.say("The list is not complete: the next run goes on from where it stands.")
        if "enrich" not in steps or choice.limit == 0:
            return
        if self._details_left is None:
            known = self._token_file.load().athlete_id
            self._details_left = 0 if known is None else len(self._wanted(choice, known))
        if self._details_left:
            pace_s = self._settings.enrich_sleep_ms / 1000
            done_at = self._budget.done_at(self._details_left, self._settings.reserve, pace_s)
            limit = None if choice.ids else choice.limit
            self._report.say(details_left(self._details_left, done_at, self._budget.now(), limit, self._backfill))

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
        """Ids of activities whose details are to be fetched again, because their summary says something else."""
        kudos_since = days_before(utc_now(), self._settings.lookback_days)
        told_otherwise = Told(self._bronze, self._settings.state_path, PATHS).otherwise(athlete_id)
        sweeps = self._bronze.sweeps_begun(athlete_id) if told_otherwise else []
        stale = to_fetch_again(told_otherwise, sweeps, kudos_since)
        in_range = self._bronze.ids(athlete_id, choice.since, choice.until) if stale else set()
        return [id_ for id_ in stale if id_ in in_range]

    def _refresh(self) -> Refresh:
        settings = self._settings
        path = settings.state_path / "refreshed.json"
        return Refresh(self._bronze, path, settings.details_days, self._budget.now())

    def _old(self, refresh: Refresh, wanted: list[int], choice: DetailChoice, athlete_id: int) -> list[int]:
        """Ids of activities whose details are old and due today, beside those that are `wanted` anyway."""
        due = refresh.due(athlete_id)
        in_range = self._bronze.ids(athlete_id, choice.since, choice.until) if due else set()
        return [id_ for id_ in due if id_ in in_range - set(wanted) and not self._quarantine.waits(id_)]

    def _refused(self, id_: int, error: StravaStatsError) -> None:
        self._quarantine.add(id_, str(error))
        self._refused_ids.add(id_)
        if isinstance(error, ActivityNotFound):
            self._not_found.add(id_)
        self._done.details_refused += 1
        self._report.warn(f"Activity {id_} has no details for now: {error} The others go on; it is tried again later.")

    def purge(self) -> None:
        """Erase what was deleted at Strava from bronze and the warehouse, which the next steps make anew."""
        self._bronze.finish_pending()
        purge = self._purge()
        self._forget(purge.intend())
        if not purge.erase():
            self._report.say("Purge: nothing to erase.")
            # what an earlier version left behind
            purge.look_again()

    def purge_if_wanted(self) -> None:
        """As `purge` where the settings say so; else only what an earlier purge was killed in."""
        purge = self._purge()
        if self._settings.purge_deleted:
            self._forget(purge.intend())
        purge.erase()

    def _forget(self, ids: set[int]) -> None:
        """Drop what is noted beside the data of activities that are erased."""
        self._quarantine.release(ids)
        self._refresh().forget(ids)

    def _purge(self) -> Purge:
        def land(athlete_id: int, payloads: list[Payload], newest: datetime | None) -> None:
            self._land_notes(TOMBSTONES, payloads, newest, athlete_id)

        return Purge(self._bronze, self._settings, self._report, land)

    def stage(self) -> None:
        """Bring staging up to the shards, and to what the settings say of the athlete."""
        give_back_what_is_free()
        with self._report.task("Staging"):
            loaded = load_staging(self._bronze, self._settings.warehouse_path, self._settings.state_path / "dlt")
            write_athlete_settings(self._settings)
            FieldsSeen(self._bronze, self._settings.state_path).look()
        if loaded:
            self._report.say(f"Staging: {loaded:,} shard{'s' if loaded > 1 else ''} loaded.")

    def build_if_needed(self) -> None:
        """`dbt build`, unless nothing has landed since the last one."""
        if build_is_needed(self._settings):
            self.build()
        else:
            self._report.say("dbt: nothing landed since the last build.")
            self._publish()

    def build(self) -> None:
        """`dbt build`."""
        began_at_s = time.monotonic()
        with self._report.task("dbt build"):
            told = build(self._settings)
        self._report.say(f"dbt: {told} in {time.monotonic() - began_at_s:.1f} s.")
        self._publish()

    def page_if_wanted(self) -> None:
        """The page, where the settings ask for one, unless it is there and would be the same."""
        if self._settings.page and not page_is_current(self._settings, self._token_file.athlete_id):
            make_page(self._settings, self._report, self._token_file.athlete_id)

    def _publish(self) -> None:
        """Bring the read-only copy up to the build, where the settings ask for one."""
        copy = self._settings.publish_path
        if copy is not None and publish(self._settings.warehouse_path, copy, Places(self._settings)):
            self._report.say(f"Published: {copy}.")

    def _athlete_id(self) -> int:
        """Whose history this is: from the token file, else asked for once and noted there."""
        known = self._token_file.load().athlete_id
        if known is not None:
            return known
        with self._report.task("Athlete") as task:
            while True:
                try:
                    athlete = self._client.get("athlete", hooks={"response": [raise_for_refusal]}).json()
                    break
                except BudgetSpent as spent:
                    if (error := self._wait_for_list(spent, task)) is not None:
                        raise error from None
        if not isinstance(athlete, dict) or not isinstance(athlete.get("id"), int):
            raise StravaUnavailable("Strava did not say whose token this is. Run again later.")
        with self._token_file.locked(self._stop):
            self._token_file.save(replace(self._token_file.load(), athlete_id=athlete["id"]))
        return int(athlete["id"])


def run_steps(
    settings: StravaSettings,
    report: Report,
    stop: StopFlag,
    command: str,
    steps: Sequence[Step],
    pull_choice: PullChoice,
    choice: DetailChoice,
    backfill: bool = False,
) -> None:
    """Do `steps` in their order, one run at a time, and note for `status` what was done.

    A run that Strava's limits cut short ends well; one that is to `backfill` waits and goes on until nothing is left.

    Raises:
        StravaStatsError: the first thing that stopped a step.
    """
    record = RunRecord(settings, command)
    done = record.done
    budget = Budget(settings.state_path / "budget.json", stop=stop)
    outages = 0
    while True:
        # once a day is enough for what is new; the rest of the requests is for details
        steps_now = [step for step in steps if step != "pull" or done.listed_on != f"{budget.now():%Y-%m-%d}"]
        down: StravaUnavailable | None = None
        with locked(settings.lock_path, stop.wait, lambda: report.say(ANOTHER_RUN)):
            finish_restore(settings)
            with record.round():
                _note_places(settings)
                remove_leftovers(settings, report)
                run = Run(settings, report, stop, done, budget, backfill)
                try:
                    spent = _round(run, done, steps_now, pull_choice, choice)
                    done.message = str(spent or "")
                except StravaUnavailable as error:
                    if not backfill or outages == OUTAGES:
                        raise
                    down = error
                if backfill and (why := down or spent) is not None:
                    record.waits(str(why))
        with record.wait():
            if down is not None:
                wait_s = min(settings.retry_wait_s * OUTAGE_WAITS * 2**outages, LONGEST_OUTAGE_WAIT_S)
                outages += 1
                report.warn(f"{down} Trying again in {timedelta(seconds=math.ceil(wait_s))}.")
                stop.wait(wait_s)
                continue
            if spent is None or not backfill:
                return
            outages = 0
            # the lock is free meanwhile: a daily flow can use what is reserved for it
            with report.task("Backfill") as task:
                wait_for_window(spent, budget, settings.reserve, stop, task)


def _note_places(settings: StravaSettings) -> None:
    """Note where this run may write."""
    places = Places(settings)
    places.note("shards", settings.bronze_path)
    places.note("output", settings.output_path)
    places.note("warehouse", settings.warehouse_path)
    if settings.bronze_store is not None:
        places.note("bucket", settings.bronze_store)


def _round(
    run: Run, done: Done, steps: Sequence[Step], pull_choice: PullChoice, choice: DetailChoice
) -> BudgetSpent | None:
    """Do `steps` once; what cut them short, if that was Strava's limits."""
    began_at_s = time.monotonic()
    try:
        return _do(steps, run, pull_choice, choice)
    finally:
        done.requests += run.requests_sent
        done.seconds += time.monotonic() - began_at_s


def _do(steps: Sequence[Step], run: Run, pull_choice: PullChoice, choice: DetailChoice) -> BudgetSpent | None:
    actions: dict[Step, Callable[[], None]] = {
        "pull": lambda: run.pull(pull_choice),
        "enrich": lambda: run.enrich(choice),
        "purge": run.purge,
        "purge_if_wanted": run.purge_if_wanted,
        "stage": run.stage,
        "build": run.build,
        "build_if_needed": run.build_if_needed,
        "page_if_wanted": run.page_if_wanted,
    }
    if "pull" in steps or "enrich" in steps:
        # before anything is begun: a build would only keep a newcomer waiting for the news
        run.require_authorisation()
    run.put_back()
    stopped: StravaStatsError | None = None
    for step in steps:
        # what stops Strava's side does not keep what has landed from being staged and built, unless somebody wants out
        if (stopped and step == "enrich") or (
            isinstance(stopped, Interrupted) and step in ("purge_if_wanted", "build_if_needed", "page_if_wanted")
        ):
            continue
        try:
            actions[step]()
        except StravaStatsError as error:
            if run.can_build_later(stopped, error):
                continue
            if step not in ("pull", "enrich") or isinstance(error, BadSetting | StorageFailed):
                raise
            stopped = error
    if stopped is not None and not isinstance(stopped, BudgetSpent):
        raise stopped
    run.say_what_is_left(stopped, choice, steps)
    return stopped
