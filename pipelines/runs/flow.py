"""The flow: pull → enrich → stage → build, as one run on one warehouse, one at a time."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Literal

from pipelines.bronze.store import open_bronze
from pipelines.bronze.sweep import utc_now
from pipelines.ground.durable import locked
from pipelines.ground.errors import (
    BadExport,
    BadSetting,
    BudgetSpent,
    BuildFailed,
    Interrupted,
    StorageFailed,
    StravaError,
    StravaUnavailable,
    WarehouseBusy,
)
from pipelines.ground.memory import give_back_what_is_free
from pipelines.ground.progress import Report
from pipelines.ground.settings import StravaSettings
from pipelines.ground.stop import StopFlag
from pipelines.ground.written_places import Places
from pipelines.mirror.access import Access
from pipelines.mirror.athlete_settings import land_settings
from pipelines.mirror.enrich import DetailChoice, Enrichment
from pipelines.mirror.export_import import Import, ImportChoice
from pipelines.mirror.landing import Notes
from pipelines.mirror.on_demand import OnDemand
from pipelines.mirror.own import Own
from pipelines.mirror.pull import Pull, PullChoice
from pipelines.mirror.takeover import Takeover
from pipelines.mirror.waiting import is_too_long, wait_for_window
from pipelines.mirror.watch import Watch, is_activity_file
from pipelines.runs.backup import finish_restore
from pipelines.runs.last_run import Done, RunRecord, another_run
from pipelines.runs.purge import Purge
from pipelines.runs.repair import repair
from pipelines.runs.withdraw import Withdraw, WithdrawChoice
from pipelines.sources.strava_api.budget import Budget
from pipelines.warehouse.build import build, knows_all_purges, what_to_build
from pipelines.warehouse.dbt_process import Dbt
from pipelines.warehouse.fields import FieldsSeen
from pipelines.warehouse.publish import publish
from pipelines.warehouse.replay import may_replay
from pipelines.warehouse.staging import load_staging, staged_rows

# the waits of a backfill while Strava is down: 60 times that of one request, each twice as long as the one before
OUTAGES = 8
OUTAGE_WAITS = 60
LONGEST_OUTAGE_WAIT_S = 3600

# the steps that ask Strava
FETCHING = ("pull", "enrich")
# an error in one of these does not keep the run from using what landed before
LANDING = (*FETCHING, "import", "watch")

Step = Literal[
    "pull",
    "enrich",
    "import",
    "watch",
    "purge",
    "purge_if_wanted",
    "withdraw",
    "stage",
    "build",
    "build_if_needed",
    "build_after_purge",
    "page_if_wanted",
]


@dataclass(frozen=True)
class Choices:
    """What the steps of a run are to do; by default they fetch no details, and import and withdraw nothing."""

    pull: PullChoice = field(default_factory=PullChoice)
    details: DetailChoice = field(default_factory=lambda: DetailChoice(0))
    exports: ImportChoice = field(default_factory=ImportChoice)
    withdrawal: WithdrawChoice = field(default_factory=WithdrawChoice)


class Run:
    """One round of a command that sends requests or writes the warehouse: its steps, and in `done` what they did."""

    def __init__(
        self, settings: StravaSettings, report: Report, stop: StopFlag, done: Done, budget: Budget, backfill: bool
    ) -> None:
        self._settings = settings
        self._report = report
        self._done = done
        self._stop = stop
        self._backfill = backfill
        # whether an import has landed anything
        self._has_imported = False
        # ids whose details this round has requested
        self.asked: set[int] = set()
        self.asked_on_demand = 0
        self._dbt = Dbt(settings)
        self._landed_before = done.landed
        self._access = Access(settings, report, stop, budget, backfill)
        self._bronze = open_bronze(settings, report, partial(staged_rows, settings.warehouse_path))
        self._notes = Notes(self._bronze, utc_now())
        self._enrichment = Enrichment(self._access, self._bronze, self._notes, settings, report)
        self._on_demand = OnDemand(self._access, self._bronze, self._notes, settings, report)

    @property
    def requests_sent(self) -> int:
        """Requests of this round so far."""
        return self._access.requests_sent

    def require_authorisation(self) -> None:
        """Check that Strava can be asked at all.

        Raises:
            NotAuthorised: the credentials, or the tokens, are missing.
        """
        self._access.require_authorisation()

    def repair(self) -> None:
        """Repair what kills and failing disks have left."""
        repair(self._bronze, self._settings, self._report)

    def pull(self, choice: PullChoice) -> None:
        """Land new and changed activities, and bury what is gone; see `Pull.run`.

        Raises:
            StravaError: what stopped the walk; all pages before it have landed.
        """
        self._done.listed, self._done.listed_on = 0, ""
        pull = Pull(self._access, self._bronze, self._notes, self._settings, self._report)
        try:
            pull.run(choice)
        finally:
            self._done.listed += pull.pulled.listed
            self._done.activities_landed += pull.pulled.landed
            self._done.activities_buried += pull.pulled.buried
        self._done.listed_on = f"{self._access.budget.now():%Y-%m-%d}"

    def enrich(self, choice: DetailChoice) -> None:
        """Land the athlete's own data, details, and what else is wanted of activities.

        See `Own.run`, `Enrichment.run` and `OnDemand.run`.

        Raises:
            BadSetting: an id that is not in the history.
            StravaError: what stopped the fetching; all details before it have landed.
        """
        enriched = self._enrichment.enriched
        try:
            if not choice.ids:
                Own(self._access, self._bronze, self._notes, self._settings, self._report).run()
            self._enrichment.run(choice)
            if not choice.ids:
                self._on_demand.run(choice.without(enriched.asked).limit)
        finally:
            self.asked |= enriched.asked
            self.asked_on_demand = self._on_demand.asked
            self._done.details_landed += enriched.landed
            self._done.details_refused += enriched.refused
            self._done.activities_buried += enriched.buried

    def import_exports(self, choice: ImportChoice) -> None:
        """Land what is new in exports, bury activities that they lack, then import files. See `Import.run`, `Watch`.

        Raises:
            BadExport: one could not be imported; the others have landed.
            StravaError: what stopped the landing; all commits before it have landed.
        """
        importing = Import(
            self._bronze, self._access.known_athlete_id(), self._report, self._stop, self._notes.began_at
        )
        files = [path for path in choice.paths if is_activity_file(path) and not path.is_dir()]
        refused: BadExport | None = None
        try:
            importing.run(replace(choice, paths=tuple(path for path in choice.paths if path not in files)))
        except BadExport as error:
            refused = error
        finally:
            imported = importing.imported
            self._has_imported = imported.has_landed
            self._done.activities_landed += imported.activities
            self._done.files_landed += imported.files
            self._done.activities_buried += imported.buried
        try:
            if files:
                self._take_in(lambda watch: watch.run_files(files))
        except BadExport as error:
            refused = BadExport(f"{refused} {error}") if refused else error
        if refused:
            raise refused

    def watch(self) -> None:
        """Import what is new in the watch folder, if the settings name one; see `Watch.run_folder`.

        A missing folder does not stop the rest: it may be on a disk that is not plugged in.

        Raises:
            Interrupted, StorageFailed: what was imported before has landed.
        """
        folder = self._settings.watch_path
        if folder is None:
            return
        try:
            self._take_in(lambda watch: watch.run_folder(folder))
        except BadExport as error:
            self._report.warn(str(error))

    def _take_in(self, run: Callable[[Watch], None]) -> None:
        # a file without an athlete may now belong to this athlete, and to the same activity
        self._take_over()
        watch = Watch(
            self._bronze,
            self._settings.watch_cache_path,
            self._access.known_athlete_id(),
            self._report,
            self._stop,
            self._notes.began_at,
        )
        try:
            run(watch)
        finally:
            self._has_imported |= watch.taken_in.files > 0
            self._done.files_landed += watch.taken_in.files
            self._done.activities_landed += watch.taken_in.activities

    def is_in_vain(self, error: StravaError) -> bool:
        """Whether nothing is left to do after `error` ended an import, because nothing of it has landed."""
        return isinstance(error, BadExport) and not self._has_imported

    def can_build_later(self, stopped: StravaError | None, error: StravaError) -> bool:
        """Whether `error` can wait for the next round of a backfill; reports it if so."""
        if not (self._backfill and isinstance(stopped, BudgetSpent) and isinstance(error, WarehouseBusy | BuildFailed)):
            return False
        self._report.warn(f"{error} The backfill continues.")
        return True

    def say_what_is_left(self, spent: BudgetSpent | None, choice: DetailChoice, steps: Sequence[Step]) -> None:
        """Print the last lines of a run that Strava's limits, or ENRICH_LIMIT, cut short."""
        if spent is not None:
            self._report.say(str(spent))
            if "pull" in steps and not self._done.listed_on:
                self._report.say("The list is not complete: the next run goes on from where it stands.")
        if "enrich" in steps:
            self._enrichment.say_what_is_left(choice)

    def purge(self) -> None:
        """Erase what was deleted at Strava from bronze and the warehouse, which the next steps build again."""
        purge = self._purge()
        self._enrichment.forget(purge.intend())
        if not purge.erase():
            self._report.say("Purge: nothing to erase.")
            # what an earlier version left behind
            purge.look_again()

    def purge_if_wanted(self) -> None:
        """Like `purge` if the settings say so; otherwise only complete a purge that was killed."""
        purge = self._purge()
        if self._settings.purge_deleted:
            self._enrichment.forget(purge.intend())
        purge.erase()

    def withdraw(self, choice: WithdrawChoice) -> None:
        """Erase what came through a door; see `Withdraw.run`."""
        self._withdraw().run(choice)

    def complete_withdrawal(self) -> None:
        """Complete a withdrawal that was killed: otherwise the steps would build on its rows."""
        if self._withdraw().complete():
            # it knows of activities that are gone
            self._enrichment = Enrichment(self._access, self._bronze, self._notes, self._settings, self._report)

    def _withdraw(self) -> Withdraw:
        return Withdraw(self._bronze, self._notes, self._settings, self._report)

    def _purge(self) -> Purge:
        return Purge(self._bronze, self._notes, self._settings, self._report)

    def stage(self) -> None:
        """Bring staging up to date with the shards.

        Before that, activities that have landed take over their files, and the athlete's settings land.
        """
        give_back_what_is_free()
        settings = self._settings
        self._take_over()
        land_settings(self._bronze, settings, self._report, self._notes.began_at)
        with self._report.task("Staging") as task:
            loaded = load_staging(
                self._bronze,
                settings.warehouse_path,
                settings.state_path / "dlt",
                self._stop,
                task.show,
            )
            give_back_what_is_free()
            FieldsSeen(self._bronze, self._settings.state_path).look()
        if loaded:
            self._report.say(f"Staging: {loaded:,} shard{'s' if loaded > 1 else ''} loaded.")

    def compact_bronze(self) -> None:
        """Compact small shard files; if the disk or the bucket refuses, warn and go on."""
        try:
            if not self._bronze.to_compact():
                return
            with self._report.task("Compaction"):
                compacted = self._bronze.compact(self._stop)
        except StorageFailed as error:
            self._report.warn(f"{error} Small shard files were not compacted; the next run tries again.")
            return
        if compacted:
            self._report.say(f"Bronze: {compacted:,} small shard files compacted.")

    def _take_over(self) -> None:
        """Let activities that have landed take over their files."""
        Takeover(self._bronze, self._access.known_athlete_id(), self._report, self._notes.began_at).run()

    def build_if_needed(self) -> None:
        """`dbt build` for what has landed since the last one; none if nothing has."""
        changed = what_to_build(self._settings)
        if changed is None or changed:
            self.build(changed)
        else:
            self._report.say("dbt: nothing landed since the last build.")
            self._publish()

    def build_after_purge(self) -> None:
        """`dbt build` if the last one was before a purge; it does not care what else has landed.

        Then make again what a purge has removed: the copy and the page, if the settings ask for them.
        """
        if not knows_all_purges(self._settings):
            self.build()
        if what_to_build(self._settings) == frozenset():
            self._publish()
            self.page_if_wanted()

    def get_ready_to_build(self, steps: Sequence[Step]) -> None:
        """Let dbt start beside the next steps if one of `steps`, which are left, is sure to build, and to need dbt."""
        has_news = self._done.landed > self._landed_before or not self._settings.warehouse_path.exists()
        if "build" in steps or ("build_if_needed" in steps and has_news and not may_replay(self._settings)):
            self._dbt.get_ready()

    def end(self) -> None:
        """End what waits for a build that does not come."""
        self._dbt.close()

    def build(self, changed: frozenset[str] | None = None) -> None:
        """`dbt build`: all models, or those that depend on the tables of staging that have `changed`."""
        began_at_s = time.monotonic()
        with self._report.task("dbt build"):
            done = build(self._settings, self._dbt, changed)
        self._report.say(f"dbt: {done} in {time.monotonic() - began_at_s:.1f} s.")
        self._publish()

    def page_if_wanted(self) -> None:
        """Make the page if the settings ask for it, unless it exists and would be the same."""
        if not self._settings.page:
            return
        # its imports take longer than the rest of this
        from pipelines.page.html import make_page, page_is_current  # noqa: PLC0415

        if not page_is_current(self._settings):
            make_page(self._settings, self._report)

    def _publish(self) -> None:
        """Bring the read-only copy up to date with the build, if the settings ask for one."""
        copy = self._settings.publish_path
        if copy is not None and publish(self._settings.warehouse_path, copy, Places(self._settings)):
            self._report.say(f"Published: {copy}.")


def run_steps(
    settings: StravaSettings,
    report: Report,
    stop: StopFlag,
    command: str,
    steps: Sequence[Step],
    choices: Choices,
    backfill: bool = False,
) -> None:
    """Do `steps` in their order, one run at a time, and note for `status` what was done.

    A run that Strava's limits cut short ends without an error. Before that it waits for its details as long as the
    settings say, with what it has by then built; with `backfill` it waits and continues until nothing is left.

    Raises:
        StravaError: the first thing that stopped a step.
    """
    record = RunRecord(settings, command)
    done = record.done
    budget = Budget(settings.state_path / "budget.json", stop=stop)
    outages = 0
    has_waited = False
    rest = choices.details
    while True:
        # once a day is enough for what is new; the rest of the requests is for details
        steps_now = [step for step in steps if step != "pull" or done.listed_on != f"{budget.now():%Y-%m-%d}"]
        down: StravaUnavailable | None = None
        with locked(settings.lock_path, stop.wait, lambda: report.say(another_run(settings))):
            finish_restore(settings)
            with record.round():
                _note_places(settings)
                run = Run(settings, report, stop, done, budget, backfill)
                try:
                    spent = _round(run, done, steps_now, replace(choices, details=rest))
                    done.message = str(spent or "")
                except StravaUnavailable as error:
                    if not backfill or outages == OUTAGES:
                        raise
                    down = error
                rest = rest.without(run.asked, run.asked_on_demand)
                # a walk over the list has waited by itself; if refused again at once, another program uses everything
                in_vain = (has_waited and run.requests_sent <= 1) or ("pull" in steps_now and not done.listed_on)
                waits = backfill or not (in_vain or spent is None or is_too_long(spent, budget, settings.max_wait_s))
                if down is None and (backfill or not waits):
                    run.say_what_is_left(spent, choices.details, steps_now)
                if waits and (why := down or spent) is not None:
                    record.waits(str(why))
        with record.wait():
            if down is not None:
                wait_s = min(settings.retry_wait_s * OUTAGE_WAITS * 2**outages, LONGEST_OUTAGE_WAIT_S)
                outages += 1
                report.warn(f"{down} Trying again in {timedelta(seconds=math.ceil(wait_s))}.")
                stop.wait(wait_s)
                continue
            if spent is None or not waits:
                return
            outages, has_waited = 0, True
            # the lock is free meanwhile, so a daily flow can use its reserve
            with report.task("Backfill" if backfill else "Details") as task:
                wait_for_window(spent, budget, settings.reserve, stop, task)


def _note_places(settings: StravaSettings) -> None:
    """Note where this run may write."""
    places = Places(settings)
    places.note("shards", settings.bronze_path)
    places.note("output", settings.output_path)
    places.note("warehouse", settings.warehouse_path)
    if settings.bronze_store is not None:
        places.note("bucket", settings.bronze_store)


def _round(run: Run, done: Done, steps: Sequence[Step], choices: Choices) -> BudgetSpent | None:
    """Do `steps` once; returns what cut them short, if that was Strava's limits."""
    began_at_s = time.monotonic()
    try:
        return _do(steps, run, choices)
    finally:
        run.end()
        done.requests += run.requests_sent
        done.seconds += time.monotonic() - began_at_s


def _is_left_out(step: Step, stopped: StravaError | None) -> bool:
    """Whether a run leaves out `step` because of what `stopped` an earlier one.

    An error on Strava's side does not keep what has landed from being staged and built, unless a signal came.
    """
    return (stopped is not None and step == "enrich") or (
        isinstance(stopped, Interrupted) and step in ("watch", "purge_if_wanted", "build_if_needed", "page_if_wanted")
    )


def _do(steps: Sequence[Step], run: Run, choices: Choices) -> BudgetSpent | None:
    actions: dict[Step, Callable[[], None]] = {
        "pull": lambda: run.pull(choices.pull),
        "enrich": lambda: run.enrich(choices.details),
        "import": lambda: run.import_exports(choices.exports),
        "watch": run.watch,
        "purge": run.purge,
        "purge_if_wanted": run.purge_if_wanted,
        "withdraw": lambda: run.withdraw(choices.withdrawal),
        "stage": run.stage,
        "build": run.build,
        "build_if_needed": run.build_if_needed,
        "build_after_purge": run.build_after_purge,
        "page_if_wanted": run.page_if_wanted,
    }
    lands = any(step in LANDING for step in steps)
    if any(step in FETCHING for step in steps):
        # before anything begins: a newcomer should not have to wait for a build first
        run.require_authorisation()
    run.repair()
    run.complete_withdrawal()
    # before anything reads them
    run.compact_bronze()
    stopped: StravaError | None = None
    for number, step in enumerate(steps):
        if _is_left_out(step, stopped):
            continue
        run.get_ready_to_build([each for each in steps[number:] if not _is_left_out(each, stopped)])
        try:
            actions[step]()
        except StravaError as error:
            if isinstance(error, Interrupted) and isinstance(stopped, Interrupted):
                # staging ends at the same signal, and the first step to be stopped reports it
                raise stopped from error
            if run.can_build_later(stopped, error):
                continue
            if isinstance(error, WarehouseBusy) and step not in LANDING and lands:
                raise WarehouseBusy(f"{error} What was fetched has landed.") from error
            if step not in LANDING or isinstance(error, BadSetting | StorageFailed) or run.is_in_vain(error):
                raise
            stopped = error
    if stopped is not None and not isinstance(stopped, BudgetSpent):
        raise stopped
    return stopped
