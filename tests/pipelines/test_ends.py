"""How a run ends: by a signal, while it waits for another process, by a crash; and what is known of that afterwards."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from deep import deep_but
from home import REPO
from landed import LIST, all_ids, ids, until
from said import assert_said

from pipelines.ground.durable import locked
from pipelines.ground.settings import read_settings
from pipelines.ground.stop import StopFlag
from pipelines.runs.last_run import RunRecord

PASSPHRASE = {"STRAVA_STATE_PASSPHRASE": "correct horse battery staple"}
HOLD = """
import fcntl, sys
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""
# a signal before each line of Python that a wait has, one after the other; a wait that hangs ends the program
SIGNALLED_AT_EACH_LINE = """
import faulthandler, os, signal, sys
from pipelines.ground.errors import Interrupted
from pipelines.ground.stop import StopFlag

class Signalled:
    def __init__(self, at_line):
        self.left = at_line
        stop = StopFlag()
        stop.install()
        self.is_noticed = False
        sys.settrace(self.trace)
        try:
            stop.wait(0.05)
            sys.settrace(None)
            stop.wait(0)
        except Interrupted:
            self.is_noticed = True
        sys.settrace(None)

    def trace(self, _frame, event, _argument):
        if event == "line":
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGTERM)
        return self.trace

faulthandler.dump_traceback_later(60, exit=True)
lines = 0
while (wait := Signalled(lines + 1)).left <= 0:
    assert wait.is_noticed, f"not at line {lines + 1}"
    lines += 1
print(lines)
"""
SOON_S = 5


def state_file(athlete, name):
    path = athlete.home / "warehouse" / ".state" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def last_run(run):
    """What `status` says of the last run, as JSON and as a line."""
    reported = json.loads(run("status", "--json").out)["last_run"]
    (line,) = [line for line in run("status").out.splitlines() if line.startswith("Last run")]
    return reported, line


@contextmanager
def holder(path):
    """Another process that has the lock at `path`."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as it:
        assert it.stdout.readline()
        yield
        it.communicate()


@contextmanager
def signalled(number=signal.SIGTERM):
    """Once the command inside has taken its signals and works, it gets this one."""

    def send():
        until(lambda: isinstance(getattr(signal.getsignal(number), "__self__", None), StopFlag))
        time.sleep(0.3)
        os.kill(os.getpid(), number)

    # should it come too late, it is no end of the tests
    before = signal.signal(number, lambda *_: None)
    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    yield
    thread.join(SOON_S)
    signal.signal(number, before)


# --- signals


@pytest.mark.parametrize(
    ("command", "next_step"),
    [
        (["build"], "Run `make compact` again: it continues."),
        (["purge"], "Run `make purge` again: it continues."),
        (["withdraw", "--door", "api", "--yes"], "Run the same withdrawal again: it continues."),
        (["pull"], "What was fetched has landed; the next run goes on from there."),
    ],
)
def test_a_command_that_is_stopped_says_its_own_next_step(athlete, command, next_step):
    with locked(athlete.home / "warehouse" / ".state" / "run.lock", time.sleep):
        waiting = athlete.fork(*command)
        assert "Another run is going on" in next(waiting.lines())
        waiting.signal(signal.SIGTERM)
        ran = waiting.wait()
    assert (ran.code, ran.err.splitlines()[-1]) == (130, f"Stopped. {next_step}")


def test_a_signal_is_noticed_wherever_a_wait_is_at_that_moment():
    program = [sys.executable, "-c", SIGNALLED_AT_EACH_LINE]
    ran = subprocess.run(program, cwd=REPO, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 3


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGXCPU, signal.SIGUSR1], ids=str)
def test_a_signal_that_would_kill_ends_a_run_between_two_requests_with_all_landed(athlete, run, strava, number):
    strava.fault("slow", path=LIST, times=None, seconds=0.5)
    process = athlete.start("pull", PER_PAGE="10", STRAVA_SWEEP_HOURS="0")
    until(lambda: len(athlete.requests(LIST)) >= 2)
    # a closing terminal is told of twice, by the kernel and by the shell
    process.send_signal(number)
    time.sleep(0.1)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "Stopped. What was fetched has landed" in err) == (130, True), err
    answered = len(athlete.requests(LIST))
    assert 0 < len(ids(athlete)) < 60
    strava.clear_faults()
    assert run("pull", PER_PAGE="10").code == 0
    assert sorted(ids(athlete)) == sorted(all_ids(strava))
    # nothing that was fetched is fetched again, but for what overlaps
    assert len(athlete.requests(LIST)) <= 60 / 10 + 3, answered


@pytest.mark.slow
def test_a_run_under_nohup_outlives_its_terminal(athlete, strava):
    strava.fault("slow", path=LIST, times=1, seconds=1)
    command = f"trap '' HUP; exec {sys.executable} {REPO}/pipelines/strava.py pull"
    with subprocess.Popen(["sh", "-c", command], env=athlete.environment(), stderr=subprocess.PIPE) as process:
        until(lambda: athlete.requests(LIST))
        process.send_signal(signal.SIGHUP)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert sorted(ids(athlete)) == sorted(all_ids(strava))


# --- waiting for a lock


@pytest.mark.parametrize(
    ("command", "lock"),
    [
        (("backup", "{home}/../b"), "warehouse/.state/run.lock"),
        (("backup", "{home}/../b"), "secrets/.strava_token.json.lock"),
        (("restore", "{home}/b"), "warehouse/.state/run.lock"),
        (("page",), "warehouse/.state/run.lock"),
        (("purge",), "warehouse/.state/run.lock"),
        (("build",), "warehouse/.state/run.lock"),
        (("flow",), "warehouse/.state/run.lock"),
        (("pull",), "secrets/.strava_token.json.lock"),
        (("revoke",), "secrets/.strava_token.json.lock"),
        (("schedule",), "warehouse/.state/schedule.lock"),
        (("pull",), "warehouse/.state/budget.json"),
        (("status",), "warehouse/.state/budget.json"),
    ],
    ids=lambda each: each if isinstance(each, str) else each[0],
)
def test_a_process_that_waits_for_another_ends_at_the_first_signal(athlete, run, strava, command, lock):
    state_file(athlete, "of this folder")
    athlete.warehouse.touch()
    (athlete.home / "b").write_bytes(b"")
    began_at_s = time.monotonic()
    with holder(athlete.home / lock), signalled():
        ran = run(*(part.format(home=athlete.home) for part in command), **PASSPHRASE)
    assert ("Another command is changing the tokens" in ran.err) == ("token" in lock and command != ("pull",))
    # a scheduler's end is what a service's end is
    assert ran.code == (0 if command == ("schedule",) else 130), ran.err
    assert "Stopped" in ran.out + ran.err
    assert time.monotonic() - began_at_s < 30
    assert strava.requests == []
    assert athlete.token_file.exists()


@pytest.mark.slow
def test_auth_that_waits_for_the_token_file_ends_at_the_first_signal_and_its_code_stays_good(athlete, strava):
    with holder(athlete.home / "secrets" / ".strava_token.json.lock"):
        process = athlete.start("auth", STRAVA_REDIRECT_URI="https://example.invalid/")
        until(lambda: process.stdout.readline().startswith("The browser"))
        process.stdin.write("some-code\n")
        process.stdin.flush()
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SOON_S * 4)
    assert process.returncode == 130
    assert strava.requests == []


def test_a_restore_leaves_the_lock_of_a_scheduler_that_runs_here_in_its_place(athlete, run, tmp_path):
    lock = state_file(athlete, "schedule.lock")
    state_file(athlete, "budget.json").write_text("{}")
    assert run("backup", str(tmp_path / "b"), **PASSPHRASE).code == 0
    with holder(lock):
        ran = run("restore", str(tmp_path / "b"), "--force", **PASSPHRASE)
        assert ran.code == 0, ran.err
        with signalled(), holder(state_file(athlete, "run.lock")):
            assert "Another scheduler serves this warehouse" in run("schedule").out


# --- passphrases


@pytest.mark.parametrize(
    "passphrase",
    ["  blanks at both ends \t", "x" * 16_384, "p\udce4ssw\udcf6rter sind lang", "-" * 16, "#'\"$(id)`id`\\ {}"],
    ids=["blanks", "longest", "no UTF-8", "dashes", "shell"],
)
def test_a_passphrase_of_any_characters_works(athlete, run, tmp_path, passphrase):
    file = tmp_path / "b.bundle"
    ran = run("backup", str(file), STRAVA_STATE_PASSPHRASE=passphrase)
    assert ran.code == 0, ran.err
    tokens = athlete.token_file.read_bytes()
    athlete.token_file.unlink()
    assert_said(run("restore", str(file), STRAVA_STATE_PASSPHRASE=passphrase.strip()[:-1] + "?"), 2, "not the one")
    ran = run("restore", str(file), STRAVA_STATE_PASSPHRASE=passphrase)
    assert ran.code == 0, ran.err
    assert athlete.token_file.read_bytes() == tokens


@pytest.mark.parametrize("length", deep_but(2, 16_385, 65_536, 65_535, 100_000))
def test_a_passphrase_that_gnupg_cannot_take_is_refused_at_once(athlete, run, tmp_path, length):
    ran = run("backup", str(tmp_path / "b"), STRAVA_STATE_PASSPHRASE="x" * length)
    assert_said(ran, 2, "STRAVA_STATE_PASSPHRASE", f"{length:,} bytes")
    assert "xxx" not in ran.err
    assert not (tmp_path / "b").exists()


# --- what is known of the last run


@pytest.mark.slow
def test_a_run_is_known_to_be_running_and_to_have_been_killed(athlete, run):
    with holder(athlete.home / "secrets" / ".strava_token.json.lock"):
        process = athlete.start("pull")
        until(state_file(athlete, "last_run.json").exists)
        reported, line = last_run(run)
        assert (reported["outcome"], reported["exit_code"], reported["pid"]) == ("running", None, process.pid)
        assert f"is still running (process {process.pid})" in line
        process.kill()
        process.communicate()
    reported, line = last_run(run)
    assert (reported["outcome"], reported["exit_code"]) == ("unfinished", None)
    assert "did not end" in line
    assert run("pull").code == 0
    reported, line = last_run(run)
    assert (reported["outcome"], reported["exit_code"], reported["activities_landed"]) == ("done", 0, 60)
    assert "60 activities and 0 details landed" in line


def test_another_process_with_the_same_number_is_not_the_run(athlete, run):
    settings = {"command": "flow", "started_at": "2026-03-01T07:00:00+00:00", "outcome": "running", "pid": os.getpid()}
    state_file(athlete, "last_run.json").write_text(json.dumps(settings))
    # its lock is free
    assert last_run(run)[0]["outcome"] == "unfinished"
    with holder(state_file(athlete, "run.lock")):
        assert last_run(run)[0]["outcome"] == "running"


def test_a_crash_is_recorded_by_kind_and_place_without_a_secret(athlete, run, monkeypatch):
    for name, value in athlete.settings.items():
        monkeypatch.setenv(name, value)
    record = RunRecord(read_settings(), "flow")
    with pytest.raises(RuntimeError), record.round():
        raise RuntimeError("Bearer s3cret")
    reported, line = last_run(run)
    assert (reported["outcome"], reported["exit_code"]) == ("crashed", 1)
    assert "RuntimeError in tests/pipelines/test_ends.py, line" in line
    assert "s3cret" not in json.dumps(reported)


def test_how_a_run_failed_or_was_stopped_is_known_by_its_code(athlete, run):
    assert_said(run("flow", STRAVA_CLIENT_SECRET=""), 3)
    reported, _ = last_run(run)
    assert (reported["outcome"], reported["exit_code"], reported["ended_at"] >= reported["started_at"]) == (
        "failed",
        3,
        True,
    )
    with holder(athlete.home / "secrets" / ".strava_token.json.lock"), signalled(signal.SIGHUP):
        assert run("pull").code == 130
    reported, _ = last_run(run)
    assert (reported["outcome"], reported["exit_code"]) == ("stopped", 130)


@pytest.mark.parametrize(("code", "outcome"), [(0, "done"), (4, "failed"), (130, "stopped")])
def test_the_record_of_an_older_version_is_read_as_it_was_meant(athlete, run, code, outcome):
    counts = dict.fromkeys(("listed", "activities_landed", "details_landed", "details_refused", "requests"), 3)
    older = {"command": "flow", "started_at": "2026-03-01T07:00:00+00:00", "seconds": 1.5, "message": "It is so."}
    state_file(athlete, "last_run.json").write_text(json.dumps(older | counts | {"exit_code": code}))
    reported, line = last_run(run)
    assert (reported["outcome"], reported["exit_code"]) == (outcome, code)
    assert line.endswith("3 activities and 3 details landed, 3 requests, 1.5 s. It is so.")


@pytest.mark.parametrize(
    "stored",
    ["", "{}", "[]", "[" * 5000, '{"command": 7, "started_at": null}', '{"command": "", "started_at": "", "pid": "x"}'],
)
def test_a_record_that_makes_no_sense_stops_no_status(athlete, run, stored):
    state_file(athlete, "last_run.json").write_text(stored)
    assert (run("status").code, run("status", "--json").code) == (0, 0)
