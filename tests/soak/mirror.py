"""The state machine: an athlete, a Strava that stumbles, commands that are killed; in the end the mirror is exact."""

import io
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping, Set
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pyarrow.parquet as pq
from home import Athlete, Ran
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from landed import NO_LIMITS, until
from processes import Command, Launcher

from soak.batch import Batch, Ended
from soak.strava import ALL, CHANGES, LESS, Change, Strava
from soak.truth import (
    Rows,
    Warehouse,
    bronze_rows,
    kept_though_flapped,
    list_differences,
    live_in_bronze,
    staging_differences,
)

FAULTS = (
    *("500", "502", "503", "429", "401", "403", "cut", "drop", "html", "nonsense", "bad_utf8", "empty404"),
    *("errors_string", "no_rate_headers", "late_in_window", "short_page", "shift"),
)
PATHS = (None, "/athlete/activities", "/api/v3/activities/", "/oauth/token")
DAY_S = 86400
CLOCKS_S = (0, 0, -400 * DAY_S, -2 * DAY_S, -3600, 3600, 2 * DAY_S, 400 * DAY_S)
# how a shard is torn: what is left of its bytes
TEARS: dict[str, Callable[[bytes], bytes]] = {
    "nothing of it": lambda _whole: b"",
    "half of it": lambda whole: whole[: len(whole) // 2],
    "all but its end": lambda whole: whole[:-4],
    "another end": lambda whole: whole[:-40] + bytes(255 - byte for byte in whole[-40:]),
}
# what a run may end with while something is wrong at Strava: well, refused by it, not authorised, down
CODES_IN_TROUBLE = {0, 2, 3, 4}
KILLED = -9
BUSY = 5
MONTH_S = 31 * 86400
PARSED = Path("warehouse/.state/dbt/target/partial_parse.msgpack")

CHANGE = st.builds(Change, st.sampled_from(CHANGES), st.integers(0, 10**6))
# no dbt in these: it takes 5 s, and has no say in what is fetched
COMMAND = st.sampled_from([("pull",), ("pull",), ("pull", "--all"), ()])
ERASED_FROM = ("activities", "activity_details")
# a first pull changes files so often; others, half as often
CHANGES_OF_FILES = 330
SWEEP_HOURS = st.sampled_from(["24", "24", "0"])


@dataclass
class Tally:
    """What was done, over all examples."""

    examples: int = 0
    steps: int = 0
    changes: int = 0
    faults: int = 0
    runs: int = 0
    kills: int = 0
    requests: int = 0
    quiet_pulls: int = 0
    purges: int = 0
    torn: int = 0
    held_back: int = 0
    locked_out: int = 0
    differences: list[str] = field(default_factory=list)


def is_too_much(known: Set[int], there: Set[int]) -> bool:
    """Whether a walk that finds `there` of the activities `known` is not to be believed: a tenth and over 5, or all."""
    gone, live = known - there, known | there
    return bool(gone) and (gone == live or (len(gone) > 5 and len(gone) * 10 > len(live)))


class Mirror(RuleBasedStateMachine):
    """One athlete's history. Each rule is something that happens to it; `teardown` compares."""

    launcher: ClassVar[Launcher]
    folder: ClassVar[Path]
    batch: ClassVar[Batch]
    name: ClassVar[str] = "a history"
    tally: ClassVar[Tally] = Tally()
    tell: ClassVar[Callable[[str], None]] = staticmethod(lambda _reported: None)

    @initialize(
        seed=st.integers(0, 2**31 - 1),
        activities=st.integers(20, 40),
        per_page=st.sampled_from(["3", "7", "20", "200"]),
        compacts_above=st.sampled_from(["1", "3", "16"]),
    )
    def authorise(self, seed: int, activities: int, per_page: str, compacts_above: str) -> None:
        # hypothesis begins with the simplest example of all, which is always the same: not worth its seconds
        assume(seed)
        self.home = self.folder / "home"
        self.kept = self.folder / "parsed"
        if self.kept.exists():
            (self.home / PARSED).parent.mkdir(parents=True)
            shutil.copyfile(self.kept, self.home / PARSED)
        self.strava = Strava(seed, activities).__enter__()
        self.athlete = Athlete(self.home, self.strava)
        self.athlete.settings |= {"PER_PAGE": per_page, "STRAVA_RETRY_WAIT_S": "0.001", "ENRICH_LIMIT": "10"}
        # from every few changes on, and never: as young as a history is
        self.athlete.settings["SOAK_COMPACTS_ABOVE"] = compacts_above
        self.athlete.authorise(scope=ALL)
        self.commands: list[Command] = []
        self.seen: set[tuple[int, str]] = set()
        self.shards: dict[Path, bytes] = {}
        # (table, name of a shard) -> its rows, whichever file they are in
        self.landed: dict[tuple[str, str], Rows] = {}
        self.torn: set[Path] = set()
        self.was_torn = False
        self.published = self.home / "shared" / "strava.duckdb"
        self.in_trouble = False
        self.may_wait_to_land = False
        self.steps = 0
        self._step(f"an athlete of seed {seed} with {activities} activities, {per_page} a page")

    # --- what the athlete, Strava and time do

    @rule(changes=st.lists(CHANGE, min_size=1, max_size=4))
    def change(self, changes: list[Change]) -> None:
        self._step(f"at Strava: {', '.join(map(str, changes))}")
        for change in changes:
            self._suffer(change)

    @rule(
        kind=st.sampled_from(FAULTS),
        path=st.sampled_from(PATHS),
        after=st.integers(0, 8),
        times=st.sampled_from([1, 1, 2, 6]),
    )
    def go_wrong(self, kind: str, path: str | None, after: int, times: int) -> None:
        self._step(f"fault {kind} at {path}, {times} times after {after}")
        self.strava.fault(kind, times=times, path=path, after=after)
        self.in_trouble = True
        self.tally.faults += 1

    @rule(left=st.integers(0, 15))
    def spend(self, left: int) -> None:
        self._step(f"{left} requests left in this quarter of an hour")
        self.strava.set_limits(read_15min=100)
        self.strava.set_usage(read_15min=100 - left)

    @rule(seconds=st.sampled_from([60, 900, 4 * 3600, 86400, 8 * 86400]))
    def wait(self, seconds: int) -> None:
        self._step(f"{timedelta(seconds=seconds)} pass")
        self._let_pass(seconds)

    @rule(wrong_by_s=st.sampled_from(CLOCKS_S))
    def set_the_clock(self, wrong_by_s: int) -> None:
        self._step(f"this machine's clock is wrong by {timedelta(seconds=wrong_by_s)}")
        self.athlete.settings["SOAK_CLOCK_S"] = str(wrong_by_s)

    @rule(number=st.integers(0, 10**6), how=st.sampled_from(sorted(TEARS)))
    def tear(self, number: int, how: str) -> None:
        shards = sorted(self.shards.keys() - self.torn)
        if not shards:
            return
        path = shards[number % len(shards)]
        self._step(f"of the shard {path.name} there is {how}")
        self.tally.torn += 1
        self.torn.add(path)
        self.was_torn = True
        # what only it kept of the past is lost, unless the warehouse has it; what is still at Strava has to come back
        for key in _landed({path: self.shards[path]}):
            self.landed.pop(key, None)
        if path.parent.name == "activities":
            self.seen -= {(row["id"], row["payload_hash"]) for row in _rows(self.shards[path])}
        path.write_bytes(TEARS[how](self.shards[path]))

    @rule()
    def expire(self) -> None:
        self._step("all access tokens die")
        self.strava.expire_access_tokens()

    @rule(less=st.booleans())
    def authorise_again(self, less: bool) -> None:
        self.strava.scope = LESS if less else ALL
        self._step(f"authorised anew, for {self.strava.scope}")
        athlete_id = self._stored_athlete_id()
        self.athlete.authorise(scope=self.strava.scope, **({"athlete_id": athlete_id} if athlete_id else {}))

    @rule(state_too=st.booleans())
    def lose_the_warehouse(self, state_too: bool) -> None:
        self._step(f"the warehouse is deleted{', its state too' if state_too else ''}")
        warehouse = self.home / "warehouse"
        if state_too:
            # what waits in there unlanded may be lost, and so may what is known of limits
            shutil.rmtree(warehouse, ignore_errors=True)
        self._forget_the_warehouse()

    def _forget_the_warehouse(self) -> None:
        for path in (self.home / "warehouse").glob("strava.duckdb*"):
            path.unlink()

    # --- commands

    @rule(command=COMMAND, sweep_hours=SWEEP_HOURS)
    def run(self, command: tuple[str, ...], sweep_hours: str) -> None:
        self._step(f"run {_words(command)}, sweep after {sweep_hours} h")
        self._check(self._start(*command, STRAVA_SWEEP_HOURS=sweep_hours).wait())

    @rule(
        command=COMMAND,
        sweep_hours=SWEEP_HOURS,
        changes=st.lists(st.tuples(st.integers(1, 25), CHANGE), min_size=1, max_size=5),
    )
    def run_while_the_list_moves(
        self, command: tuple[str, ...], sweep_hours: str, changes: list[tuple[int, Change]]
    ) -> None:
        at = ", ".join(f"{change} at request {number}" for number, change in changes)
        self._step(f"run {_words(command)}, sweep after {sweep_hours} h, with {at}")
        for number, change in changes:
            self.strava.at_request(number, lambda change=change: self._suffer(change))  # type: ignore[misc]
        ran = self._start(*command, STRAVA_SWEEP_HOURS=sweep_hours).wait()
        self.strava.forget_happenings()
        self._check(ran)

    @rule(command=COMMAND, sweep_hours=SWEEP_HOURS, number=st.integers(1, 40))
    def kill_at_a_request(self, command: tuple[str, ...], sweep_hours: str, number: int) -> None:
        self._step(f"kill {_words(command)}, sweep after {sweep_hours} h, at request {number}")
        started = self._start(*command, STRAVA_SWEEP_HOURS=sweep_hours)
        # a tenth of a second before its first request
        self.strava.at_request(number, started.kill)
        ran = started.wait()
        self.strava.forget_happenings()
        self._check(ran, may_be_killed=True)

    @rule(command=COMMAND, sweep_hours=SWEEP_HOURS, delay_ms=st.integers(20, 1200))
    def kill_after(self, command: tuple[str, ...], sweep_hours: str, delay_ms: int) -> None:
        self._step(f"kill {_words(command)}, sweep after {sweep_hours} h, after {delay_ms} ms")
        started = self._start(*command, STRAVA_SWEEP_HOURS=sweep_hours)
        time.sleep(delay_ms / 1000)
        started.kill()
        self._check(started.wait(), may_be_killed=True)

    @rule(command=COMMAND, sweep_hours=SWEEP_HOURS, number=st.integers(1, CHANGES_OF_FILES))
    def kill_at_a_file(self, command: tuple[str, ...], sweep_hours: str, number: int) -> None:
        self._step(f"kill {_words(command)}, sweep after {sweep_hours} h, at change {number} of a file")
        ran = self._start(*command, STRAVA_SWEEP_HOURS=sweep_hours, SOAK_KILL_AT=str(number)).wait()
        self._check(ran, may_be_killed=True)

    @rule(commands=st.tuples(COMMAND, COMMAND), sweep_hours=SWEEP_HOURS)
    def two_at_once(self, commands: tuple[tuple[str, ...], tuple[str, ...]], sweep_hours: str) -> None:
        self._step(f"run {_words(commands[0])} and {_words(commands[1])} at once, sweep after {sweep_hours} h")
        started = [self._start(*command, STRAVA_SWEEP_HOURS=sweep_hours) for command in commands]
        for ran in [command.wait() for command in started]:
            self._check(ran)

    @rule(command=COMMAND, sweep_hours=SWEEP_HOURS)
    def run_while_somebody_reads(self, command: tuple[str, ...], sweep_hours: str) -> None:
        self._step(f"run {_words(command)}, sweep after {sweep_hours} h, while somebody holds the warehouse open")
        stored = self.athlete.warehouse.exists()
        with duckdb.connect(str(self.athlete.warehouse), read_only=True) if stored else nullcontext():
            ran = self._start(*command, STRAVA_SWEEP_HOURS=sweep_hours).wait()
        self._check(ran, may_be={BUSY} if stored else set())
        assert ran.code != BUSY or f"process {os.getpid()}" in ran.err, ran.err

    @rule()
    def pull_in_peace(self) -> None:
        self._step("a quiet pull")
        self._let_all_be_well()
        self._pull_in_peace()

    # --- the end

    def teardown(self) -> None:
        if not hasattr(self, "strava"):
            return
        failure = sys.exception()
        try:
            # a step that failed is told by itself
            if failure is None:
                self._step("faults stop; one flow")
                self._compare()
        except Exception as error:
            failure = error
            raise
        finally:
            if isinstance(failure, Exception):
                self.tally.differences.append(f"{type(failure).__name__}: {failure}")
            self._clear_away()

    def _clear_away(self) -> None:
        for command in self.commands:
            command.end()
        self.strava.__exit__(None, None, None)
        self.tally.examples += 1
        self.tally.requests += self.strava.requests_seen
        parsed = self.home / PARSED
        if parsed.exists():
            # dbt's own cache of the project, as a user's second build finds it: 2 s of 10
            shutil.copyfile(parsed, self.kept)
        shutil.rmtree(self.home)

    def _compare(self) -> None:
        """A quiet pull and all details; bronze and staging are compared at once, `strava.*` with the batch."""
        self._let_all_be_well()
        if self.may_wait_to_land or self._is_too_much_gone():
            self._pull_in_peace()
        if self._is_too_much_gone():
            self._check(self._start("pull", "--confirm-deletions", STRAVA_SWEEP_HOURS="0").wait())
        ran = self._start(STRAVA_SWEEP_HOURS="0", ENRICH_LIMIT="all").wait()
        self._check(ran)
        self._assert_none(self._differences_in_bronze(), ran)
        self.batch.add(self._ended(), self.home / "data")

    def _assert_none(self, differences: list[str], ran: Ran) -> None:
        assert differences == [], "\n".join([f"{len(differences)} differences:", *differences[:20], ran.err])

    def _differences_in_bronze(self) -> list[str]:
        data = self.home / "data"
        return list_differences(data, self.strava.truth()) + staging_differences(self.athlete.warehouse, data)

    def _ended(self) -> Ended:
        truth, tombstones = self.strava.truth(), bronze_rows(self.home / "data", "tombstones")
        last = {row["id"]: json.loads(row["payload"]) for row in tombstones}
        return Ended(
            self.name,
            self.strava.athlete_id,
            truth | kept_though_flapped(self.home / "data", truth),
            {id_: self.strava.detail(id_) for id_ in truth},
            self.strava.versions,
            self.seen,
            {id_ for id_, tombstone in last.items() if tombstone["purged"]} - truth.keys(),
            self.was_torn,
            {(row["id"], row["fetched_at"]) for row in tombstones},
        )

    def _is_too_much_gone(self) -> bool:
        """Whether a complete walk has to hold back."""
        return is_too_much(live_in_bronze(self.home / "data").keys(), self.strava.truth().keys())

    def _pull_in_peace(self) -> None:
        """A sweep: bronze and staging are exact, or all is kept because too much is gone at once."""
        data, truth = self.home / "data", self.strava.truth()
        buried = bronze_rows(data, "tombstones")
        # with details: what is asked for by id must not be buried either while the list is not believed
        ran = self._start(*([] if self._is_too_much_gone() else ["pull"]), STRAVA_SWEEP_HOURS="0").wait()
        self._check(ran)
        # with what a killed run had fetched, which has landed by now
        known = live_in_bronze(data, buried).keys()
        too_much = is_too_much(known, truth.keys())
        assert ("--confirm-deletions" in ran.err) == too_much, ran.err
        self.seen |= self.strava.versions_of(truth | kept_though_flapped(data, truth))
        self.tally.quiet_pulls += 1
        if too_much:
            self.tally.held_back += 1
            removed = known - live_in_bronze(data).keys()
            assert not removed, f"not confirmed, and yet {len(removed)} of {len(known - truth.keys())} removed"
        else:
            assert list_differences(data, truth) == []
        assert staging_differences(self.athlete.warehouse, data) == []

    # --- how

    def _step(self, reported: str) -> None:
        self.steps += 1
        self.tally.steps += 1
        self.tell(f"  {self.steps}. {reported}")

    def _suffer(self, change: Change) -> None:
        self.tally.changes += 1
        self.strava.suffer(change)

    def _start(self, *arguments: str, **settings: str) -> Command:
        self.tally.runs += 1
        self.commands.append(self.launcher.start(*arguments, environment=self.athlete.environment(**settings)))
        return self.commands[-1]

    def _check(self, ran: Ran, may_be_killed: bool = False, may_be: Set[int] = frozenset()) -> None:
        """No traceback, a documented exit code, no shard touched that was there before, but for what is purged."""
        self.may_wait_to_land = may_be_killed and ran.code == KILLED
        if self.may_wait_to_land:
            self.tally.kills += 1
            self._authorise_if_locked_out()
        else:
            assert ran.code in may_be | (CODES_IN_TROUBLE if self.in_trouble else {0}), (ran.code, ran.err)
        assert "Traceback" not in ran.out + ran.err, ran.err
        present = {path: path.read_bytes() for path in (self.home / "data").rglob("*.parquet")}
        for path in self.torn & present.keys():
            if (rows := _rows_if_whole(present[path])) is None:
                # nothing had to read it yet
                del present[path]
                continue
            # from the warehouse, with all that it kept
            self.torn.discard(path)
            if path.parent.name == "activities":
                self.seen |= {(row["id"], row["payload_hash"]) for row in rows}
        for path in present.keys() - self.shards.keys():
            pq.ParquetFile(path).close()
        landed = _landed(present)
        purged_at = self._purged_at() if landed != self.landed else {}
        for (table, name), rows in self.landed.items():
            left = landed.get((table, name), [])
            assert all(row in rows for row in left), f"{table}: {name} was written anew"
            erased = [row for row in rows if row not in left]
            for row in erased:
                is_purged = row["fetched_at"] <= purged_at.get(row["id"], datetime.min)
                assert is_purged, f"{table}: {name} has lost a version of {row['id']}"
            self.seen -= {(row["id"], row["payload_hash"]) for row in erased}
        self.shards, self.landed = present, landed

    def _authorise_if_locked_out(self) -> None:
        """A kill while Strava's answer with a new token was under way: the old one is dead, nobody has the new one."""
        stored = json.loads(self.athlete.token_file.read_bytes())
        if not self.strava.knows(stored["refresh_token"]):
            self.tally.locked_out += 1
            self.athlete.authorise(scope=self.strava.scope, athlete_id=stored.get("athlete_id"))

    def _purged_at(self) -> dict[int, datetime]:
        """Ids of what was ever purged, each with the last instant."""
        tombstones = bronze_rows(self.home / "data", "tombstones", but=self.torn)
        return {row["id"]: row["fetched_at"] for row in tombstones if json.loads(row["payload"])["purged"]}

    def _let_all_be_well(self) -> None:
        self.strava.clear_faults()
        self.strava.set_limits(**NO_LIMITS)
        self.strava.set_usage(**dict.fromkeys(NO_LIMITS, 0))
        self.in_trouble = False
        self.athlete.settings["SOAK_CLOCK_S"] = "0"
        if any(path.exists() for path in self.torn):
            self._check(self._start("pull", "--all").wait())
        if self.torn:
            # as `status` says of shards that staging has and bronze has not
            self._forget_the_warehouse()
        # windows open again, and what was refused may be asked for
        self._let_pass(MONTH_S)

    def _let_pass(self, seconds: int) -> None:
        state = self.home / "warehouse" / ".state"
        if (state / "budget.json").exists():
            self.athlete.sleep(seconds)
        else:
            self.strava.advance(seconds)
        refused = state / "quarantine.json"
        if refused.exists():
            stored: dict[str, dict[str, Any]] = json.loads(refused.read_bytes())
            for refusal in stored.values():
                refusal["next_try_at_s"] -= seconds
            refused.write_text(json.dumps(stored))

    def _stored_athlete_id(self) -> int | None:
        stored: dict[str, int | None] = json.loads(self.athlete.token_file.read_bytes())
        return stored.get("athlete_id")


def _landed(files: Mapping[Path, bytes]) -> dict[tuple[str, str], Rows]:
    """The rows in these files, by table and shard; those of a shard once, though a kill left it in two files."""
    landed: dict[tuple[str, str], Rows] = {}
    for path, content in files.items():
        for row in _rows(content):
            rows = landed.setdefault((path.parent.name, row["shard"]), [])
            if row not in rows:
                rows.append(row)
    return landed


@lru_cache(maxsize=500)
def _rows(shard: bytes) -> Rows:
    with pq.ParquetFile(io.BytesIO(shard)) as file:
        rows: Rows = file.read().to_pylist()
    return rows


def _rows_if_whole(shard: bytes) -> Rows | None:
    try:
        return _rows(shard)
    except (OSError, ValueError):
        return None


def _words(command: tuple[str, ...]) -> str:
    return " ".join(command) or "pull, enrich"


class LongMirror(Mirror):
    """The same with purges, kills during `dbt build` and a whole flow at the end, which take their time."""

    def _compare(self) -> None:
        """A quiet flow, which publishes and in a third of the histories purges, and all there is compared."""
        self._let_all_be_well()
        if self.may_wait_to_land or self._is_too_much_gone():
            self._pull_in_peace()
        confirmed = ["--confirm-deletions"] if self._is_too_much_gone() else []
        settings = {"STRAVA_PUBLISH": str(self.published), "STRAVA_PURGE_DELETED": str(self.steps % 3 == 0).lower()}
        started = self._start("flow", *confirmed, STRAVA_SWEEP_HOURS="0", ENRICH_LIMIT="all", **settings)
        self._read_the_copy()
        ran = started.wait()
        self._check(ran)
        warehouse, ended = Warehouse(self.athlete.warehouse), self._ended()
        differences = [
            *self._differences_in_bronze(),
            *ended.differences(warehouse),
            *(f"{id_} is purged and still in bronze" for id_ in ended.purged & self._in_bronze()),
            *([] if Warehouse(self.published) == warehouse else ["the published copy is another warehouse"]),
        ]
        self._assert_none(differences, ran)

    def _in_bronze(self) -> set[int]:
        return {row["id"] for table in ERASED_FROM for row in bronze_rows(self.home / "data", table)}

    def _read_the_copy(self) -> None:
        """As a dashboard does while a flow runs: whatever there is can be read, and makes sense."""
        if self.published.exists():
            with duckdb.connect(str(self.published), read_only=True) as connection:
                merged = connection.execute("select count(*) from strava.activities").fetchone()
                summed = connection.execute("select coalesce(sum(activities), 0) from strava.activities_yearly")
                assert merged == summed.fetchone()

    @rule()
    def purge(self) -> None:
        self._step("purge")
        self.tally.purges += 1
        self._check(self._start("purge").wait())
        purged_at = self._purged_at()
        for table in ERASED_FROM:
            for row in bronze_rows(self.home / "data", table, but=self.torn):
                assert row["fetched_at"] > purged_at.get(row["id"], datetime.min), f"{row['id']} is not erased"

    @rule(delay_ms=st.integers(500, 9000), machine_too=st.booleans(), purges=st.booleans())
    def kill_a_flow(self, delay_ms: int, machine_too: bool, purges: bool) -> None:
        purge_deleted = str(purges).lower()
        self._step(f"kill flow after {delay_ms} ms{', dbt too' if machine_too else ''}, purge deleted {purge_deleted}")
        started = self._start("flow", STRAVA_PUBLISH=str(self.published), STRAVA_PURGE_DELETED=purge_deleted)
        self._read_the_copy()
        time.sleep(delay_ms / 1000)
        children = started.stop()
        started.kill()
        for child in children if machine_too else ():
            os.kill(child, signal.SIGKILL)
        self._check(started.wait(), may_be_killed=True)
        # a build that outlives its flow holds the warehouse; it is none of what is tried here
        until(lambda: not any(_is_alive(child) for child in children))


def _is_alive(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
