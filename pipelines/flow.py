"""The flow: pull → enrich → stage → build, as one run on one warehouse, one run at a time."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Literal

from pipelines.auth import RefreshTokenAuth, TokenFile, open_app
from pipelines.bronze import ACTIVITIES, ACTIVITY_DETAILS, Bronze
from pipelines.budget import Budget
from pipelines.build import build, build_is_needed
from pipelines.bundle import finish_restore
from pipelines.durable import locked, written_whole
from pipelines.errors import BadSetting, Interrupted, StorageFailed, StravaStatsError, StravaUnavailable
from pipelines.memory import give_back_what_is_free
from pipelines.progress import Report
from pipelines.quarantine import Quarantine
from pipelines.settings import StravaSettings
from pipelines.source import (
    EPOCH,
    ActivityWalk,
    DetailFetch,
    NewVersions,
    Payload,
    StravaClient,
    activities,
    activity_details,
)
from pipelines.staging import load_staging
from pipelines.stop import StopFlag
from pipelines.transport import StravaAdapter, open_session, raise_for_refusal

Step = Literal["pull", "enrich", "stage", "build", "build_if_needed"]


@dataclass
class Done:
    """What a run did; `status` shows the last one."""

    command: str
    started_at: str
    listed: int = 0
    activities_landed: int = 0
    details_landed: int = 0
    details_refused: int = 0
    requests: int = 0
    seconds: float = 0.0
    exit_code: int = 0
    message: str = ""


@dataclass(frozen=True)
class DetailChoice:
    """Which details to fetch: `ids` if given, else at most `limit` (None: all) missing ones between local dates."""

    limit: int | None
    ids: tuple[int, ...] = ()
    since: date | None = None
    until: date | None = None


class Run:
    """One run of a command that talks to Strava or writes the warehouse."""

    def __init__(self, settings: StravaSettings, report: Report, stop: StopFlag, done: Done) -> None:
        self._settings = settings
        self._report = report
        self._done = done
        self._budget = Budget(settings.state_path / "budget.json")
        self._adapter = StravaAdapter(stop, self._budget, settings.retry_wait_s)
        self._bronze = Bronze(settings.bronze_path, settings.state_path / "dlt", report.warn)
        self._quarantine = Quarantine(settings.state_path / "quarantine.json")
        self._token_file = TokenFile(settings.token_path)
        self._started_at = datetime.now(UTC)
        self._stop = stop

    @cached_property
    def _client(self) -> StravaClient:
        """The way to Strava; a run that stays at home needs no credentials."""
        settings = self._settings
        auth = RefreshTokenAuth(open_app(settings, self._stop), self._token_file)
        return StravaClient(settings.api_url, auth=auth, session=open_session(self._adapter))

    def require_authorisation(self) -> None:
        """Look whether Strava can be asked at all; a newcomer is told of the credentials before the token file.

        Raises:
            NotAuthorised: the credentials, or the tokens, are missing.
        """
        self._settings.credentials()
        self._token_file.load()

    def pull(self, everything: bool = False) -> None:
        """Land new and changed activities from the cursor on, less the lookback; `everything` ignores the cursor.

        Raises:
            StravaStatsError: what stopped the walk; all pages before it have landed.
        """
        self._bronze.finish_pending()
        athlete_id = self._athlete_id()
        cursor = None if everything else self._bronze.cursor(athlete_id)
        after = EPOCH if cursor is None else _days_before(cursor, self._settings.lookback_days)
        landed = self._bronze.landed(ACTIVITIES)
        versions = NewVersions(ACTIVITIES, landed, athlete_id, self._started_at)
        try:
            with self._report.task("Activities") as task:
                walked = _Span(self._started_at.replace(tzinfo=None))

                def on_page(page: list[Payload]) -> None:
                    self._done.listed += len(page)
                    walked.extend(page)
                    told = f"{self._done.listed:,} listed, up to {walked.newest:%Y-%m-%d}"
                    task.tell(told, walked.share(), self._budget.windows())

                walk = ActivityWalk(self._client, self._settings.per_page, on_page)
                while not walk.finished:
                    self._bronze.land(activities(walk, versions, after))
        finally:
            # dlt keeps the last resource, and what hangs on it, alive
            landed.hashes.clear()
            self._done.activities_landed += versions.count
            self._done.requests = self._adapter.requests_sent
        self._bronze.write_outputs(self._settings.output_path, versions.pull)
        new = f"{versions.count:,} new or changed" if versions.count else "nothing new"
        since = "" if after == EPOCH else f" since {after:%Y-%m-%d}"
        self._report.say(f"Activities: {self._done.listed:,} listed{since}, {new}.")
        if walk.error is not None:
            raise walk.error

    def enrich(self, choice: DetailChoice) -> None:
        """Land the details of activities that have none, newest first, or of the chosen ones.

        Raises:
            BadSetting: an id that is not in the history.
            StravaStatsError: what stopped the fetching; all details before it have landed.
        """
        self._bronze.finish_pending()
        if choice.limit == 0 and not choice.ids:
            return
        athlete_id = self._athlete_id()
        wanted = self._wanted(choice, athlete_id)
        ids = wanted if choice.limit is None or choice.ids else wanted[: choice.limit]
        if not ids:
            self._report.say("Details: nothing missing.")
            return
        versions = NewVersions(ACTIVITY_DETAILS, self._bronze.landed(ACTIVITY_DETAILS), athlete_id, self._started_at)
        fetched: set[int] = set()
        self._adapter.min_interval_s = self._settings.enrich_sleep_ms / 1000
        try:
            with self._report.task("Details") as task:

                def on_detail(id_: int) -> None:
                    fetched.add(id_)
                    task.tell(f"{len(fetched):,} of {len(ids):,}", len(fetched) / len(ids), self._budget.windows())

                fetch = DetailFetch(self._client, ids, on_detail, self._refused)
                while not fetch.finished:
                    self._bronze.land(activity_details(fetch, versions))
        finally:
            self._done.details_landed += versions.count
            self._done.requests = self._adapter.requests_sent
            self._adapter.min_interval_s = 0
        self._quarantine.release(fetched)
        left = len(wanted) - len(fetched)
        self._report.say(f"Details: {len(fetched):,} fetched, {versions.count:,} new or changed, {left:,} left.")
        if fetch.error is not None:
            raise fetch.error

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
        return [id_ for id_ in missing if not self._quarantine.waits(id_)]

    def _refused(self, id_: int, error: StravaStatsError) -> None:
        self._quarantine.add(id_, str(error))
        self._done.details_refused += 1
        self._report.warn(f"Activity {id_} has no details for now: {error} The others go on; it is tried again later.")

    def stage(self) -> None:
        """Bring staging up to the shards."""
        give_back_what_is_free()
        with self._report.task("Staging"):
            loaded = load_staging(self._bronze, self._settings.warehouse_path, self._settings.state_path / "dlt")
        if loaded:
            self._report.say(f"Staging: {loaded:,} shard{'s' if loaded > 1 else ''} loaded.")

    def build_if_needed(self) -> None:
        """`dbt build`, unless nothing has landed since the last one."""
        if build_is_needed(self._settings):
            self.build()
        else:
            self._report.say("dbt: nothing landed since the last build.")

    def build(self) -> None:
        """`dbt build`."""
        began_at_s = time.monotonic()
        with self._report.task("dbt build"):
            told = build(self._settings)
        self._report.say(f"dbt: {told} in {time.monotonic() - began_at_s:.1f} s.")

    def _athlete_id(self) -> int:
        """Whose history this is: from the token file, else asked for once and noted there."""
        known = self._token_file.load().athlete_id
        if known is not None:
            return known
        athlete = self._client.get("athlete", hooks={"response": [raise_for_refusal]}).json()
        if not isinstance(athlete, dict) or not isinstance(athlete.get("id"), int):
            raise StravaUnavailable("Strava did not say whose token this is. Run again later.")
        with self._token_file.locked():
            self._token_file.save(replace(self._token_file.load(), athlete_id=athlete["id"]))
        return int(athlete["id"])


class _Span:
    """The time a walk has covered: from the first activity it met towards now, as a share."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._oldest = now
        self.newest = EPOCH

    def extend(self, page: list[Payload]) -> None:
        """Cover the activities of `page`."""
        dates = [payload.start_date for payload in page if payload.start_date]
        self._oldest = min([self._oldest, *dates])
        self.newest = max([self.newest, *dates])

    def share(self) -> float:
        """From 0 to 1."""
        return min((self.newest - self._oldest) / max(self._now - self._oldest, timedelta(seconds=1)), 1.0)


def _days_before(instant: datetime, days: int) -> datetime:
    """`instant` less `days`, but not before 1970, however many days somebody asks for."""
    return EPOCH if days >= (instant - EPOCH).days else instant - timedelta(days=days)


def run_steps(
    settings: StravaSettings,
    report: Report,
    stop: StopFlag,
    command: str,
    steps: Sequence[Step],
    everything: bool,
    choice: DetailChoice,
) -> None:
    """Do `steps` in their order, one run at a time, and note for `status` what was done.

    Raises:
        StravaStatsError: the first thing that stopped a step.
    """
    done = Done(command, datetime.now(UTC).isoformat())
    began_at_s = time.monotonic()
    with locked(settings.state_path / "run.lock", lambda: report.say("Another run is going on; waiting for its end.")):
        finish_restore(settings)
        try:
            _do(steps, Run(settings, report, stop, done), everything, choice)
        except StravaStatsError as error:
            done.exit_code, done.message = error.exit_code, str(error)
            raise
        finally:
            done.seconds = time.monotonic() - began_at_s
            with written_whole(settings.state_path / "last_run.json") as file:
                file.write(json.dumps(asdict(done), indent=1).encode())


def _do(steps: Sequence[Step], run: Run, everything: bool, choice: DetailChoice) -> None:
    actions: dict[Step, Callable[[], None]] = {
        "pull": lambda: run.pull(everything),
        "enrich": lambda: run.enrich(choice),
        "stage": run.stage,
        "build": run.build,
        "build_if_needed": run.build_if_needed,
    }
    if "pull" in steps or "enrich" in steps:
        # before anything is begun: a build would only keep a newcomer waiting for the news
        run.require_authorisation()
    stopped: StravaStatsError | None = None
    for step in steps:
        # what stops Strava's side does not keep what has landed from being staged and built, unless somebody wants out
        if (stopped and step == "enrich") or (isinstance(stopped, Interrupted) and step == "build_if_needed"):
            continue
        try:
            actions[step]()
        except StravaStatsError as error:
            if step not in ("pull", "enrich") or isinstance(error, BadSetting | StorageFailed):
                raise
            stopped = error
    if stopped is not None:
        raise stopped
