"""Pulling the list: new and changed activities land, and what Strava no longer lists is buried."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pipelines.bronze.liveness import live_at
from pipelines.bronze.store import Bronze
from pipelines.bronze.sweep import RollCall, Sweep, continued, sweep_to_do, utc_now
from pipelines.bronze.tables import ACTIVITIES, SWEEPS
from pipelines.ground.errors import StravaError
from pipelines.ground.progress import Report, Task
from pipelines.ground.settings import StravaSettings
from pipelines.mirror.access import Access
from pipelines.mirror.burial import Burial
from pipelines.mirror.commits import ListInCommits
from pipelines.mirror.flapping import Flapping
from pipelines.mirror.landing import NewVersions, Notes, activities
from pipelines.sources.strava_api.payloads import EPOCH, Payload


@dataclass(frozen=True)
class PullChoice:
    """How to pull: the whole list even if no sweep is due (`everything`), any number of deletions `confirmed`."""

    everything: bool = False
    confirmed: bool = False


@dataclass
class Pulled:
    """What a pull did: activities listed, landed and buried."""

    listed: int = 0
    landed: int = 0
    buried: int = 0


class Pull:
    """One pull of the athlete's list; `pulled` says how far it got, also after an error."""

    def __init__(self, access: Access, bronze: Bronze, notes: Notes, settings: StravaSettings, report: Report) -> None:
        self._access = access
        self._athlete_id = access.athlete_id()
        self._bronze = bronze
        self._burial = Burial(self._athlete_id, access, bronze, notes, report)
        self._notes = notes
        self._settings = settings
        self._report = report
        # that of the run: the names of its files contain the same second
        self._began_at = notes.began_at
        self.pulled = Pulled()

    def run(self, choice: PullChoice) -> None:
        """Walk what is due: the lookback window, or the whole list once a day or on demand.

        Raises:
            StravaError: what stopped the walk; all pages before it have landed.
        """
        sweep = self._sweep_to_do(choice.everything or choice.confirmed)
        try:
            if not self._walk(sweep, choice.confirmed) and sweep is None:
                # the window is not enough: something moved out of it, or it is empty
                self._walk(Sweep.begin(utc_now()), choice.confirmed)
        finally:
            self.pulled.buried = self._burial.count

    def _sweep_to_do(self, everything: bool) -> Sweep | None:
        if everything:
            return Sweep.begin(self._began_at)
        if self._bronze.cursor(self._athlete_id) is None:
            # nothing has landed, or the shards are lost, even if a sweep has seen them
            return Sweep.begin(self._began_at)
        known = self._bronze.last_sweep(self._athlete_id)
        last = Sweep.read(known[1]) if known else None
        return sweep_to_do(last, self._began_at, self._settings.sweep_hours)

    def _walk(self, sweep: Sweep | None, confirmed: bool) -> bool:
        """Walk the list from where `sweep` stopped, or the lookback; False if only a sweep can show what is gone."""
        self._noted = start = sweep.reached if sweep is not None else self._lookback_start()
        landed = self._bronze.landed(ACTIVITIES)
        versions = NewVersions(
            ACTIVITIES,
            landed,
            self._athlete_id,
            self._began_at,
            self._bronze.waiting_path,
            Flapping(self._bronze).returned,
        )
        roll = RollCall(self._burial.expected(start), start, sweep.gone if sweep is not None else ())
        counted = self._counted(sweep) if sweep is not None and sweep.reached > EPOCH else set()
        try:
            with self._report.task("Activities") as task:
                walked = _Span(self._began_at)
                walk = ListInCommits(self._access.client, self._settings.per_page)
                while not walk.finished:
                    pages = self._called(walk, start, roll, walked, task)
                    self._bronze.land(activities(pages, versions, start))
                    if sweep is not None and not walk.finished:
                        self._record_progress(sweep, walk, versions, roll, counted)
                    if walk.waits_for is not None:
                        walk.go_on(self._access.wait_for_list(walk.waits_for, task))
        finally:
            # dlt keeps the last resource in memory, and everything it refers to
            landed.hashes.clear()
            self.pulled.listed += walk.listed
            self.pulled.landed += versions.count
        self._bronze.write_outputs(self._settings.output_path, versions.pull)
        new = f"{versions.count:,} new or changed" if versions.count else "nothing new"
        since = "" if start == EPOCH else f" since {start:%Y-%m-%d}"
        so_far = "" if walk.error is None else " so far"
        self._report.say(f"Activities: {walk.listed:,} listed{since}{so_far}, {new}.")
        try:
            if walk.error is not None:
                raise walk.error
            absent = roll.absent()
            gone = self._burial.unknown_by_id(absent)
        except StravaError:
            if sweep is not None:
                self._record_progress(sweep, walk, versions, roll, counted)
            raise
        if sweep is None:
            if gone != absent or (gone and not walk.listed):
                return False
            self._burial.bury(gone, "lookback", confirmed)
            return True
        reason = self._burial.bury(gone, "sweep", confirmed)
        kept = len(absent & self._bronze.live_at_api(self._athlete_id).keys()) if absent else 0
        listed = roll.met() - self._counted_wrongly(counted, roll)
        done = continued(sweep, reached=walk.reached, listed=listed, landed=versions.count, gone=gone)
        self._record(replace(done, complete=True, reason=reason, kept=kept))
        return True

    def _called(
        self, walk: ListInCommits, start: datetime, roll: RollCall, walked: "_Span", task: Task
    ) -> Iterator[list[Payload]]:
        """The pages of the next commit of `walk`; notes their activities in the roll call and shows the progress."""
        for page in walk.next_commit(start):
            roll.answer(page)
            walked.extend(page)
            so_far = f"{walk.listed:,} listed, up to {walked.newest:%Y-%m-%d}"
            task.show(so_far, walked.share(), self._access.budget.left)
            yield page

    def _counted(self, sweep: Sweep) -> set[int]:
        """Ids that the earlier parts of `sweep` listed."""
        known = self._bronze.last_sweep(self._athlete_id)
        if known is None:
            return set()
        tombstones = [tombstone for tombstone in self._bronze.tombstones() if tombstone[0] == self._athlete_id]
        starts = live_at(known[0], self._bronze.seen(self._athlete_id, known[0]), tombstones)
        return {id_ for id_, start in starts.items() if (start or EPOCH) < sweep.reached} - set(sweep.gone)

    def _counted_wrongly(self, counted: set[int], roll: RollCall) -> int:
        """How many activities that earlier parts of a sweep have `counted` moved into this part, or are gone."""
        live = self._bronze.live(self._athlete_id).keys() if counted else set()
        return len(roll.met_again(counted) | (counted - live))

    def _lookback_start(self) -> datetime:
        cursor = self._bronze.cursor(self._athlete_id)
        return EPOCH if cursor is None else days_before(cursor, self._settings.lookback_days)

    def _record_progress(
        self,
        sweep: Sweep,
        walk: ListInCommits,
        versions: NewVersions,
        roll: RollCall,
        counted: set[int],
    ) -> None:
        """Note, once, how far an unfinished sweep got; with the newest first, that is nowhere before its end."""
        if walk.reached > self._noted and walk.oldest_first:
            self._noted = walk.reached
            absent = roll.absent(until=walk.reached)
            listed = roll.met(until=walk.reached) - self._counted_wrongly(counted, roll)
            self._record(continued(sweep, reached=walk.reached, listed=listed, landed=versions.count, gone=absent))

    def _record(self, sweep: Sweep) -> None:
        # later than everything that it describes: `status` counts what came after it
        self._notes.land(SWEEPS, [sweep.payload(self._athlete_id)], self._bronze.newest_fetched_at(), self._athlete_id)


class _Span:
    """The share of time that a walk has covered, from the first activity it met until now."""

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


def days_before(instant: datetime, days: int) -> datetime:
    """`instant` minus `days`, but not before 1970, however many days are given."""
    return EPOCH if days >= (instant - EPOCH).days else instant - timedelta(days=days)
