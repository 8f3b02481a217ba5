"""A run's access to Strava: in the athlete's name, within the budget, waiting for a window if that is wanted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property

from pipelines.ground.errors import BudgetSpent, StravaError, StravaUnavailable
from pipelines.ground.progress import Report, Task
from pipelines.ground.resources import ATHLETE
from pipelines.ground.settings import StravaSettings
from pipelines.ground.stop import StopFlag
from pipelines.mirror.waiting import is_too_long, wait_for_window
from pipelines.sources.strava_api.auth import OAuthApp, RefreshTokenAuth, TokenFile, open_app
from pipelines.sources.strava_api.budget import Budget
from pipelines.sources.strava_api.client import StravaClient
from pipelines.sources.strava_api.details import ask
from pipelines.sources.strava_api.payloads import Payload
from pipelines.sources.strava_api.transport import StravaAdapter, open_session


class Access:
    """One run's access to Strava, which waits for a window while it walks the list: in a `backfill` however long."""

    def __init__(
        self, settings: StravaSettings, report: Report, stop: StopFlag, budget: Budget, backfill: bool
    ) -> None:
        self.budget = budget
        self.backfill = backfill
        self._settings = settings
        self._report = report
        self._stop = stop
        self._adapter = StravaAdapter(stop, budget, settings.retry_wait_s)
        self._token_file = TokenFile(settings.token_path)
        self._sent_before_wait = 0
        self._athlete: Payload | None = None

    @property
    def requests_sent(self) -> int:
        """Requests of this run so far."""
        return self._adapter.requests_sent

    @cached_property
    def client(self) -> StravaClient:
        """The client for Strava; a run that sends no requests needs no credentials."""
        settings = self._settings
        auth = RefreshTokenAuth(app_of(settings, self._stop), self._token_file, self._stop)
        return StravaClient(settings.api_url, auth=auth, session=open_session(self._adapter))

    def require_authorisation(self) -> None:
        """Check that Strava can be asked at all: first the credentials, then the token file.

        Raises:
            NotAuthorised: the credentials, or the tokens, are missing.
        """
        self._settings.credentials()
        self._token_file.load()

    @property
    def scopes(self) -> set[str] | None:
        """What the athlete granted; None if unknown."""
        return self._token_file.load().scopes

    def known_athlete_id(self) -> int | None:
        """The athlete of this history according to the token file; None if it does not say or is missing."""
        return self._token_file.athlete_id()

    def athlete_id(self) -> int:
        """The athlete of this history: from the token file, otherwise requested once and noted there."""
        known = self._token_file.load().athlete_id
        if known is not None:
            return known
        with self._report.task("Athlete") as task:
            while True:
                try:
                    athlete_id = int(self.athlete().id or 0)
                    break
                except BudgetSpent as spent:
                    if (error := self.wait_for_list(spent, task)) is not None:
                        raise error from None
        with self._token_file.locked(self._stop):
            self._token_file.save(replace(self._token_file.load(), athlete_id=athlete_id))
        return athlete_id

    def athlete(self) -> Payload:
        """The profile of the athlete, requested once per run.

        Raises:
            StravaUnavailable: the answer is not a profile.
        """
        if self._athlete is None:
            payloads = ask(self.client, ATHLETE)
            if len(payloads) != 1 or payloads[0].id is None:
                raise StravaUnavailable("Strava did not say to whom this token belongs. Run again later.")
            self._athlete = payloads[0]
        return self._athlete

    @contextmanager
    def sparing(self) -> Iterator[None]:
        """In this block, requests keep the distance and the daily reserve of the settings."""
        self._adapter.min_interval_s = self._settings.enrich_sleep_ms / 1000
        self._adapter.reserve = self._settings.reserve
        try:
            yield
        finally:
            self._adapter.min_interval_s = 0
            self._adapter.reserve = 0

    def wait_for_list(self, spent: BudgetSpent, task: Task) -> StravaError | None:
        """Wait for the window to open again; returns what ends the run instead, if anything.

        A list is better walked in one go. For details, a run waits between two rounds: see `run_steps`.
        """
        # refused again right after a wait: another program uses everything
        in_vain = 0 < self._sent_before_wait >= self.requests_sent - 1
        if not self.backfill and (in_vain or is_too_long(spent, self.budget, self._settings.max_wait_s)):
            return spent
        self._sent_before_wait = self.requests_sent
        try:
            wait_for_window(spent, self.budget, self._adapter.reserve, self._stop, task)
        except StravaError as error:
            return error
        return None


def app_of(settings: StravaSettings, stop: StopFlag) -> OAuthApp:
    """The app of these settings.

    Raises:
        NotAuthorised: the credentials are missing.
    """
    return open_app(settings.oauth_url, settings.credentials(), settings.retry_wait_s, stop)
