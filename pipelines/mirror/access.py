"""Strava as a run may ask it: in the athlete's name, within the budget, waiting for a window where that is wanted."""

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
    """One run's access to Strava, which waits for a window of the list: in a `backfill` however long."""

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
        """The way to Strava; a run that stays at home needs no credentials."""
        settings = self._settings
        auth = RefreshTokenAuth(app_of(settings, self._stop), self._token_file, self._stop)
        return StravaClient(settings.api_url, auth=auth, session=open_session(self._adapter))

    def require_authorisation(self) -> None:
        """Look whether Strava can be asked at all; a newcomer hears of the credentials before the token file.

        Raises:
            NotAuthorised: the credentials, or the tokens, are missing.
        """
        self._settings.credentials()
        self._token_file.load()

    @property
    def scopes(self) -> set[str] | None:
        """What the athlete granted; None where that is not known."""
        return self._token_file.load().scopes

    def known_athlete_id(self) -> int | None:
        """Whose history this is, by the token file alone; None where it does not say or is not there."""
        return self._token_file.athlete_id()

    def athlete_id(self) -> int:
        """Whose history this is: from the token file, else asked for once and noted there."""
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
        """The profile of the athlete, asked for once a run.

        Raises:
            StravaUnavailable: what came is none.
        """
        if self._athlete is None:
            payloads = ask(self.client, ATHLETE)
            if len(payloads) != 1 or payloads[0].id is None:
                raise StravaUnavailable("Strava did not say whose token this is. Run again later.")
            self._athlete = payloads[0]
        return self._athlete

    @contextmanager
    def sparing(self) -> Iterator[None]:
        """Requests meanwhile are as far apart, and leave as much of the day to others, as the settings say."""
        self._adapter.min_interval_s = self._settings.enrich_sleep_ms / 1000
        self._adapter.reserve = self._settings.reserve
        try:
            yield
        finally:
            self._adapter.min_interval_s = 0
            self._adapter.reserve = 0

    def wait_for_list(self, spent: BudgetSpent, task: Task) -> StravaError | None:
        """Wait for the window to open again; what ends the run instead, if so.

        A list is better walked in one go. Whoever wants details waits between two rounds: see `run_steps`.
        """
        # refused again at once after a wait: somebody else uses all there is
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
