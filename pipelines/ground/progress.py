"""What a person sees during a run: a bar on a terminal, plain lines elsewhere; always on standard error."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from pipelines.ground.errors import Interrupted, StravaError
from pipelines.ground.output import BestEffort
from pipelines.sources.strava_api.terminal import printable

TOKENS_IN_USE = "Another command is changing the tokens (auth, revoke or a run); waiting for it to end."
PLAIN_EVERY_S = 10
BUDGET_EVERY_S = 0.2


class Task:
    """A task in progress: how far it is, in words and as a share, and how much of the budget is left."""

    def __init__(self, report: "Report", name: str, bar: Progress | None) -> None:
        self._report = report
        self._name = name
        self._bar = bar
        self._shown_at_s = time.monotonic()
        self._asked_at_s = 0.0
        self._id = bar.add_task(name, total=None, text="", budget="") if bar else None

    def show(self, text: str, done: float | None, budget_left: Callable[[], str] = lambda: "") -> None:
        """Show `text`; `done` is the share from 0 to 1 if it is known. `budget_left` is called when it is shown.

        A task without requests has no budget.
        """
        now_s, text = time.monotonic(), printable(text)
        if self._bar is not None and self._id is not None:
            if now_s - self._asked_at_s >= BUDGET_EVERY_S:
                self._asked_at_s = now_s
                self._bar.update(self._id, budget=budget_left())
            total = None if done is None else 1.0
            self._bar.update(self._id, total=total, completed=done or 0.0, text=text)
        elif now_s - self._shown_at_s >= PLAIN_EVERY_S:
            self._shown_at_s = now_s
            left = budget_left()
            share = "" if done is None else f" ({done:.0%})"
            self._report.say(f"{self._name}: {text}{share}{', ' + left if left else ''}")

    def announce_wait(self, why: str) -> None:
        """Say that the run waits, if there is no bar that counts down."""
        if self._bar is None:
            self._report.say(f"{why} Waiting until then.")

    def count_down(self, seconds: float, why: str) -> None:
        """Show how long the run still waits."""
        if self._bar is not None and self._id is not None:
            left = timedelta(seconds=math.ceil(seconds))
            self._bar.update(self._id, text=f"waiting {left}", budget=why)


class Report:
    """Where progress, results and warnings go."""

    def __init__(self, console: Console | None = None) -> None:
        # output on the way never decides how a run ends
        self._console = console or Console(
            file=cast(TextIO, BestEffort(sys.stderr)), highlight=False, soft_wrap=True, emoji=False
        )

    def say(self, text: str) -> None:
        """A plain line."""
        self._console.print(printable(text), markup=False)

    def warn(self, text: str) -> None:
        """A line that asks for attention."""
        self._console.print(f"warning: {printable(text)}", markup=False, style="yellow")

    def end(self, error: StravaError | KeyboardInterrupt) -> int:
        """Say in one sentence why a command ends; returns its exit code."""
        if isinstance(error, KeyboardInterrupt):
            self.say(Interrupted.at_once)
            return Interrupted.exit_code
        self.say(f"{'' if isinstance(error, Interrupted) else 'error: '}{error}")
        return error.exit_code

    @contextmanager
    def task(self, name: str) -> Iterator[Task]:
        """Show `name` as a task in progress."""
        if not self._console.is_terminal:
            yield Task(self, name, None)
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("[dim]{task.fields[budget]}"),
        )
        with Progress(*columns, console=self._console, transient=True) as bar:
            yield Task(self, name, bar)


def counted(number: int, noun: str) -> str:
    """`number` with `noun` in the right form: `1 row`, `2,000 rows`, `2 activities`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {f'{noun[:-1]}ies' if noun.endswith('y') else f'{noun}s'}"


def details_left(left: int, done_at: datetime | None, now: datetime, limit: int | None, backfill: bool) -> str:
    """How many details are left, what they cost and when they will be fetched; `limit` is how many a run fetches."""
    needs = f"{left:,} detail{'s' if left > 1 else ''} left: {left:,} request{'s' if left > 1 else ''}"
    done = f"done {moment(done_at, now)}" if done_at else "done when Strava's limits allow"
    if limit is not None and limit < left:
        return f"{needs}; the next run fetches {limit:,} (ENRICH_LIMIT), `flow --backfill` all, {done}."
    return f"{needs}, {done}{'' if backfill or limit else ' with `flow --backfill`'}."


def moment(at: datetime, now: datetime) -> str:
    """`at`, rounded up to the minute, as a person would say it at `now`."""
    at = at + timedelta(seconds=-at.timestamp() % 60)
    day = {0: "today", 1: "tomorrow"}.get((at.date() - now.date()).days, f"{at:%Y-%m-%d}")
    return f"{day} {at:%H:%M} UTC"
