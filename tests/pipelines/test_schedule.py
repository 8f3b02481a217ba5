import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from home import REPO
from landed import LIST, all_ids, ids, until
from processes import Command, Ran
from said import assert_said

from pipelines.ground.durable import locked
from pipelines.ground.errors import Interrupted
from pipelines.ground.stop import StopFlag
from pipelines.runs.schedule import LOOK_EVERY_S, Schedule, run_on_schedule

EVERY_SECOND = "* * * * * *"
HOURLY = "0 * * * *"
SETTINGS = {"TZ": "Europe/Berlin", "ENRICH_LIMIT": "0"}


@dataclass
class Scheduler:
    """A scheduler as a real process, and what it has said so far."""

    command: Command
    ran: Ran | None = None

    @property
    def lines(self):
        return (self.ran.out if self.ran else self.command.out_so_far).splitlines()

    def said(self, text):
        return sum(text in line for line in self.lines)

    def stop(self, number=signal.SIGTERM):
        self.command.signal(number)
        assert self.command.has_ended(30)
        self.ran = self.command.wait()
        return self.ran.code


class Started:
    """The same, started by a fresh interpreter at a terminal, whose Ctrl-C goes to all that were started there."""

    def __init__(self, athlete, **settings):
        self.process = subprocess.Popen(
            [sys.executable, str(REPO / "pipelines" / "strava.py"), "schedule"],
            env=athlete.environment(**SETTINGS | settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=athlete.home,
            start_new_session=True,
        )

    def flows(self):
        """The process ids of its flows."""
        return [
            int(id_) for id_ in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def press_ctrl_c(self):
        """What it has said, and how it ended."""
        os.killpg(self.process.pid, signal.SIGINT)
        out, _ = self.process.communicate(timeout=30)
        return out, self.process.returncode


@pytest.fixture
def schedule(athlete):
    started = []

    def start(expression, **settings):
        command = athlete.fork("schedule", **SETTINGS | {"STRAVA_SCHEDULE": expression} | settings)
        started.append(command)
        return Scheduler(command)

    yield start
    for command in started:
        command.signal(signal.SIGTERM)
        command.wait()


def note(athlete):
    return athlete.home / "warehouse" / ".state" / "schedule.json"


def was_there_until(athlete, instant):
    note(athlete).parent.mkdir(parents=True, exist_ok=True)
    note(athlete).write_text(json.dumps({"done_until": instant.isoformat()}))


@pytest.mark.slow
def test_flows_run_when_they_are_due_and_never_two_at_a_time_however_long_they_take(athlete, strava, schedule):
    strava.fault("slow", path=LIST, seconds=2)
    scheduler = schedule(EVERY_SECOND, SOAK_STEPS="pull")
    until(lambda: scheduler.said("The flow is done.") == 2)
    assert scheduler.stop() == 0
    reported = [line for line in scheduler.lines if "Next flow" in line or "The flow is done" in line]
    assert all(("Next flow" in line) == (number % 2 == 0) for number, line in enumerate(reported)), scheduler.lines
    assert not scheduler.said("Another run is going on")
    assert not scheduler.said("was due"), "what fell due while a flow ran is no reason for another one"
    assert scheduler.said("Activities: 60 listed") >= 1, "what the flow says is in the scheduler's log"
    assert sorted(ids(athlete)) == sorted(all_ids(strava))


@pytest.mark.slow
def test_what_was_missed_while_it_was_down_is_made_up_for_by_one_flow_at_once(athlete, schedule):
    was_there_until(athlete, datetime.now(UTC) - timedelta(hours=5))
    scheduler = schedule(HOURLY, SOAK_STEPS="pull")
    until(lambda: scheduler.said("Next flow"))
    assert (scheduler.said("A flow was due"), scheduler.said("The flow is done.")) == (1, 1)
    assert scheduler.stop() == 0
    assert scheduler.lines[-1].endswith("Stopped.")
    again = schedule(HOURLY)
    until(lambda: again.said("Next flow"))
    assert again.stop() == 0
    assert again.said("The flow is done.") == 0, "that flow is remembered"


def test_a_first_start_waits_for_its_time_and_remembers_since_when_it_is_there(athlete, schedule):
    began_at = datetime.now(UTC)
    scheduler = schedule(HOURLY)
    until(lambda: scheduler.said("Next flow"))
    assert began_at <= datetime.fromisoformat(json.loads(note(athlete).read_text())["done_until"]) <= datetime.now(UTC)
    assert scheduler.stop(signal.SIGINT) == 0
    assert athlete.requests() == []


@pytest.mark.deep
def test_a_signal_ends_the_flow_under_way_cleanly_and_the_next_start_makes_up_for_it(athlete, strava, schedule):
    since = datetime.now(UTC) - timedelta(hours=5)
    was_there_until(athlete, since)
    strava.fault("slow", path=LIST, after=2, seconds=3)
    started = Started(athlete, STRAVA_SCHEDULE=HOURLY, PER_PAGE="10", STRAVA_STATE_PASSPHRASE="a long one, over 16")
    until(lambda: len(athlete.requests(LIST)) == 2)
    [flow] = started.flows()
    assert b"PASSPHRASE" not in Path(f"/proc/{flow}/environ").read_bytes(), "a flow makes no bundles"
    out, code = started.press_ctrl_c()
    assert code == 0
    assert not Path(f"/proc/{flow}").exists()
    assert out.count("What was fetched has landed") == 1
    assert len(ids(athlete)) == 10 * len(athlete.requests(LIST)) < strava.count
    assert json.loads(note(athlete).read_text()) == {"done_until": since.isoformat()}
    strava.clear_faults()
    again = schedule(HOURLY, SOAK_STEPS="pull")
    until(lambda: again.said("The flow is done."))
    assert sorted(ids(athlete)) == sorted(all_ids(strava))


@pytest.mark.slow
def test_a_second_signal_ends_the_flow_under_way_at_once(athlete, strava, schedule):
    was_there_until(athlete, datetime.now(UTC) - timedelta(hours=5))
    strava.fault("slow", path=LIST, after=1, seconds=60)
    started = Started(athlete, STRAVA_SCHEDULE=HOURLY, PER_PAGE="10")
    until(lambda: len(athlete.requests(LIST)) == 1)
    [flow] = started.flows()
    for _ in range(2):
        time.sleep(1)
        started.process.send_signal(signal.SIGTERM)
    out, _ = started.process.communicate(timeout=30)
    assert not Path(f"/proc/{flow}").exists()
    assert "Stopped at once." in out


class Sleeper(StopFlag):
    """Notes how long it is to wait, and says that a signal came."""

    def __init__(self):
        super().__init__()
        self.waits_s = []

    def wait(self, seconds):
        self.waits_s.append(seconds)
        raise Interrupted("a signal")


def test_a_wait_of_hours_looks_at_the_clock_in_between_as_a_machine_that_slept_needs(athlete):
    said, sleeper = [], Sleeper()
    settings = SimpleNamespace(
        schedule="0 0 1 1 *",
        time_zone="Europe/Berlin",
        state_path=athlete.home,
        credentials=lambda: ("1", "secret"),
        token_path=athlete.token_file,
    )
    run_on_schedule(settings, said.append, sleeper)
    assert sleeper.waits_s == [LOOK_EVERY_S]
    assert [line.partition(":")[0] for line in said] == ["Next flow", "Stopped."]


def test_a_flow_that_fails_is_told_and_the_next_one_runs_when_it_is_due(athlete, schedule):
    athlete.token_file.unlink()
    scheduler = schedule(EVERY_SECOND)
    until(lambda: scheduler.said("The flow ended with exit code 3.") == 2)
    assert scheduler.said("error: There is no token file") >= 2
    assert scheduler.stop() == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"STRAVA_CLIENT_ID": ""}, "STRAVA_CLIENT_ID is not set"), ({}, "There is no token file")],
    ids=["credentials", "token"],
)
def test_a_start_without_credentials_or_token_warns_before_it_waits(athlete, schedule, settings, words):
    athlete.token_file.unlink()
    scheduler = schedule(HOURLY, **settings)
    until(lambda: scheduler.said("Next flow"))
    [warning] = [line for line in scheduler.lines if "warning: " in line]
    assert words in warning
    assert warning.endswith("Until then each flow ends with exit code 3.")
    assert not scheduler.said("The schedule is the default")


def test_without_an_expression_it_names_the_default(athlete, schedule):
    scheduler = schedule("7 * * * *")
    until(lambda: scheduler.said("Next flow"))
    assert scheduler.said("The schedule is the default, '7 * * * *': each hour at minute 7.") == 1
    assert not scheduler.said("warning: ")


def test_a_second_scheduler_of_the_same_warehouse_waits_until_the_first_has_gone(athlete, schedule):
    first = schedule(HOURLY)
    until(lambda: first.said("Next flow"))
    second = schedule(HOURLY)
    until(lambda: second.said("Another scheduler serves this warehouse"))
    third = schedule(HOURLY)
    until(lambda: third.said("Another scheduler serves this warehouse"))
    assert third.stop() == 0, "one that waits can be stopped, too"
    assert first.stop() == 0
    until(lambda: second.said("Next flow"))


@pytest.mark.deep
def test_a_run_that_waits_for_another_ends_at_the_first_signal(athlete):
    with locked(athlete.home / "warehouse" / ".state" / "run.lock", time.sleep):
        process = athlete.fork("pull")
        assert "Another run is going on" in next(process.lines())
        process.signal(signal.SIGTERM)
        assert process.wait().code == 130


@pytest.mark.deep
def test_a_clock_that_was_set_back_does_not_keep_the_flow_waiting(athlete, schedule):
    was_there_until(athlete, datetime.now(UTC) + timedelta(days=300))
    athlete.token_file.unlink()
    scheduler = schedule(EVERY_SECOND)
    until(lambda: scheduler.said("The flow ended"), 30)


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"done_until": "yesterday"}', '{"done_until": 5}'])
def test_a_note_that_nobody_can_read_costs_one_flow_too_many(athlete, schedule, damaged):
    was_there_until(athlete, datetime.now(UTC))
    note(athlete).write_text(damaged)
    athlete.token_file.unlink()
    scheduler = schedule(HOURLY)
    until(lambda: scheduler.said("Next flow"))
    assert scheduler.said("The flow ended") == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"STRAVA_SCHEDULE": "hourly"}, ["STRAVA_SCHEDULE", "hourly", "cron expression"]),
        ({"STRAVA_SCHEDULE": "* * * *"}, ["STRAVA_SCHEDULE", "cron expression"]),
        ({"STRAVA_SCHEDULE": "61 * * * *"}, ["STRAVA_SCHEDULE", "minute"]),
        ({"STRAVA_SCHEDULE": "*/0 * * * *"}, ["STRAVA_SCHEDULE", "minute"]),
        ({"STRAVA_SCHEDULE": "0 0 31 2 *"}, ["STRAVA_SCHEDULE"]),
        ({"STRAVA_SCHEDULE": "0 0 */20 2 1L"}, ["STRAVA_SCHEDULE", "never"]),
        ({"STRAVA_SCHEDULE": "9" * 5000 + " * * * *"}, ["STRAVA_SCHEDULE"]),
        ({"TZ": "Mars/Olympus"}, ["TZ", "Mars/Olympus", "Europe/Berlin"]),
        ({"TZ": "../../etc/passwd"}, ["TZ"]),
        ({"TZ": "/etc/localtime"}, ["TZ"]),
    ],
    ids=str,
)
def test_a_wrong_expression_or_time_zone_is_one_sentence(athlete, run, settings, words):
    assert_said(run("schedule", **settings), 2, *words)
    assert not note(athlete).exists()


@pytest.mark.parametrize(
    ("expression", "after", "due"),
    [
        # 02:30 does not exist on that day: it runs when the clock has jumped
        ("30 2 * * *", "2026-03-29T00:00+01:00", "2026-03-29T03:00+02:00"),
        ("30 2 * * *", "2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"),
        # 02:30 comes twice on that day, the flow once
        ("30 2 * * *", "2026-10-25T00:00+02:00", "2026-10-25T02:30+02:00"),
        ("30 2 * * *", "2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"),
        ("30 2 * * *", "2026-10-25T02:30+01:00", "2026-10-26T02:30+01:00"),
        # each hour of either day has its flow
        ("7 * * * *", "2026-03-29T01:07+01:00", "2026-03-29T03:07+02:00"),
        ("7 * * * *", "2026-10-25T02:07+02:00", "2026-10-25T02:07+01:00"),
        ("0 6 * * 1-5", "2026-01-02T06:00+01:00", "2026-01-05T06:00+01:00"),
    ],
)
def test_a_schedule_keeps_its_zones_clock_through_summer_time(expression, after, due):
    at = Schedule(expression, "Europe/Berlin").after(datetime.fromisoformat(after))
    assert at.astimezone(UTC) == datetime.fromisoformat(due).astimezone(UTC)
