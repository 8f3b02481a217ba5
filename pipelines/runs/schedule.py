"""The scheduler: `flow` by a cron expression, one at a time, and at once if one was missed while it was down."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from pipelines.ground.durable import locked, read_whole, written_whole
from pipelines.ground.errors import BadSetting, Interrupted, StravaError
from pipelines.ground.settings import REPO, SETTINGS, StravaSettings
from pipelines.ground.stop import StopFlag
from pipelines.sources.strava_api.auth import TokenFile

# sleep of the machine, or a clock that was set forward, is noticed within this time
LOOK_EVERY_S = 20
# a flow needs no passphrase
NOT_FOR_A_FLOW = (*SETTINGS["state_passphrase"].names, "SOURCES__STRAVA__STATE_PASSPHRASE")
FLOW = [sys.executable, str(REPO / "pipelines" / "strava.py"), "flow"]


class Schedule:
    """The times when a flow is due: a cron expression on the clock of a time zone, with its daylight saving time.

    Raises:
        BadSetting: STRAVA_SCHEDULE is not a cron expression, or TZ not a time zone.
    """

    def __init__(self, expression: str, time_zone: str) -> None:
        self._expression = expression
        try:
            self.zone = ZoneInfo(time_zone)
        except (ValueError, OSError, KeyError):
            raise BadSetting(f"TZ is {time_zone!r}: it must be a time zone like Europe/Berlin.") from None
        self.after(datetime.now(UTC))

    def after(self, instant: datetime) -> datetime:
        """The first time after `instant`, on the zone's clock."""
        try:
            return next(CronSim(self._expression, instant.astimezone(self.zone)))
        except StopIteration:
            raise BadSetting(f"STRAVA_SCHEDULE is {self._expression!r}: such a day never comes.") from None
        except (CronSimError, ValueError) as error:
            raise BadSetting(
                f"STRAVA_SCHEDULE is {self._expression!r}: it must be a cron expression like '7 * * * *' ({error})."
            ) from None


def run_on_schedule(settings: StravaSettings, show: Callable[[str], None], stop: StopFlag) -> None:
    """Run flows when they are due until a signal comes; a running flow then ends cleanly first.

    One flow makes up for all that were missed while no scheduler ran. A time that falls due while a flow runs is
    skipped, because that flow has just asked Strava. A flow that was stopped counts as missed, one that failed as done.

    Raises:
        BadSetting: the expression or the time zone is invalid.
        StorageFailed: the time of the last flow cannot be noted.
    """
    schedule = Schedule(settings.schedule, settings.time_zone)
    if settings.schedule == StravaSettings.schedule:
        show(f"The schedule is the default, {settings.schedule!r}: each hour at minute 7. STRAVA_SCHEDULE changes it.")
    _warn_of_failure(settings, show)
    note = settings.state_path / "schedule.json"
    lock = settings.state_path / "schedule.lock"
    try:
        with locked(lock, stop.wait, lambda: show("Another scheduler serves this warehouse; waiting for it to end.")):
            done_until = _read(note)
            if done_until is None:
                # a scheduler that never ran here has missed nothing
                done_until = _write(note)
            while True:
                # a clock that was set back must not make this wait for the time that it showed before
                due = schedule.after(min(done_until, datetime.now(UTC)))
                if due > datetime.now(UTC):
                    show(f"Next flow: {due:%Y-%m-%d %H:%M:%S %Z}.")
                else:
                    show(f"A flow was due at {due:%Y-%m-%d %H:%M:%S %Z}; it runs now.")
                while (left := due - datetime.now(UTC)) > timedelta(0):
                    stop.wait(min(left.total_seconds(), LOOK_EVERY_S))
                code = _flow(stop)
                show("The flow is done." if code == 0 else f"The flow ended with exit code {code}.")
                done_until = _write(note)
    except Interrupted:
        show("Stopped.")


def _warn_of_failure(settings: StravaSettings, show: Callable[[str], None]) -> None:
    """Show it if each flow would fail as things are."""
    try:
        settings.credentials()
        TokenFile(settings.token_path).load()
    except StravaError as error:
        show(f"warning: {error} Until then each flow ends with exit code {error.exit_code}.")


def _write(note: Path) -> datetime:
    """Note that nothing was missed until now; returns the time noted."""
    now = datetime.now(UTC)
    with written_whole(note) as file:
        file.write(json.dumps({"done_until": now.isoformat()}).encode())
    return now


def _read(note: Path) -> datetime | None:
    """The time noted, None if there is none."""
    try:
        return datetime.fromisoformat(json.loads(read_whole(note))["done_until"]).astimezone(UTC)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        # it is unreadable: better one flow too many than one too few
        return datetime.fromtimestamp(0, UTC)


def _flow(stop: StopFlag) -> int:
    """Run a flow to its end; returns its exit code.

    Raises:
        Interrupted: a signal came. The flow got it too, and has ended.
    """
    environment = {name: value for name, value in os.environ.items() if name not in NOT_FOR_A_FLOW}
    with subprocess.Popen(  # noqa: S603 - our own command
        FLOW,
        env=environment,
        stderr=subprocess.STDOUT,
        # in a session of its own: a terminal's Ctrl-C reaches it only through us, so only once
        start_new_session=True,
    ) as flow:
        try:
            while flow.poll() is None:
                stop.wait(0.2)
        except Interrupted:
            flow.terminate()
            try:
                flow.wait()
            except KeyboardInterrupt:
                # the second signal
                flow.terminate()
            raise
        return flow.returncode
