"""`Budget` itself: whatever headers say, whatever the clocks do, however many processes share the file."""

import json
import multiprocessing
import os
import resource
import tempfile
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from pipelines.ground.errors import BudgetSpent, ReserveTooLarge, StorageFailed
from pipelines.sources.strava_api.budget import DAY_S, QUARTER_S, Budget
from pipelines.sources.strava_api.clock import MachineClock

# requests that processes share in the test of the lock: enough to overlap for a second
SHARED = 3000
NOON_S = datetime(2026, 3, 4, 12, 5, tzinfo=UTC).timestamp()


class Clocks:
    """Strava's clock, and this machine's: the one on the wall can be set, the one since boot cannot."""

    def __init__(self, boot="b"):
        self.strava_s = NOON_S
        self.wall_s = NOON_S
        self.running_s = 1000.0
        self.machine = MachineClock(lambda: self.wall_s, lambda: self.running_s, boot)

    def pass_time(self, seconds):
        self.strava_s += seconds
        self.wall_s += seconds
        self.running_s += seconds


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def budget(tmp_path, clocks):
    return Budget(tmp_path / "budget.json", clocks.machine)


def answer(budget, headers, clocks, reserve=0):
    ticket = budget.take(reserve)
    budget.answered(ticket, {"Date": formatdate(clocks.strava_s, usegmt=True)} | headers)


def rates(limit, usage, kind="ReadRateLimit"):
    return {f"X-{kind}-Limit": limit, f"X-{kind}-Usage": usage}


def shown(budget):
    return [(window.name, window.used, window.limit) for window in budget.windows()]


# --- headers


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (rates("100,1000", "3,40"), [("15-minute", 3, 100), ("daily", 40, 1000)]),
        (rates(" 100 , 1000 ", "3, 40"), [("15-minute", 3, 100), ("daily", 40, 1000)]),
        ({"x-readratelimit-limit": "1,2", "X-READRATELIMIT-USAGE": "0,1"}, [("15-minute", 0, 1), ("daily", 1, 2)]),
        (rates("200,2000", "5,6", "RateLimit"), [("15-minute", 5, 200), ("daily", 6, 2000)]),
        (rates("200,2000", "5,6", "RateLimit") | rates("7,8", "1,2"), [("15-minute", 1, 7), ("daily", 2, 8)]),
        (rates("600,30000", "0,0"), [("15-minute", 0, 600), ("daily", 0, 30000)]),
        (rates("100", "3"), [("15-minute", 3, 100)]),
        (rates("100,1000", "3"), [("15-minute", 3, 100)]),
        (rates("100,1000,20000", "3,40,50"), [("15-minute", 3, 100), ("daily", 40, 1000)]),
        (rates("100,many", "3,40"), [("15-minute", 3, 100)]),
        (rates("-1,1000", "3,40"), [("daily", 40, 1000)]),
        (rates("1e3,1000", "3,40"), [("daily", 40, 1000)]),
        (rates("9" * 5000, "1"), []),
        (rates("", ""), []),
        (rates("100,1000", ""), []),
        ({"X-ReadRateLimit-Limit": "100,1000"}, []),
        ({}, []),
    ],
)
def test_headers_are_read_in_any_case_and_number_and_otherwise_left_alone(budget, clocks, headers, expected):
    answer(budget, headers, clocks)
    assert shown(budget) == expected


def test_a_limit_of_zero_shuts_its_window_and_the_next_one_is_tried(budget, clocks):
    answer(budget, rates("0,1000", "0,5"), clocks)
    with pytest.raises(BudgetSpent, match="15-minute limit is used up"):
        budget.take()
    # known to be nothing: also in the window after that
    clocks.pass_time(QUARTER_S)
    with pytest.raises(BudgetSpent):
        budget.take()


def test_requests_without_headers_count_until_headers_include_them(budget, clocks):
    answer(budget, rates("10,1000", "5,5"), clocks)
    for _ in range(3):
        answer(budget, {}, clocks)
    assert shown(budget)[0] == ("15-minute", 8, 10)
    # of the three one never arrived at Strava
    answer(budget, rates("10,1000", "8,8"), clocks)
    assert shown(budget)[0] == ("15-minute", 8, 10)


def test_without_headers_in_a_new_window_its_limit_is_the_one_known(budget, clocks):
    answer(budget, rates("3,1000", "1,1"), clocks)
    clocks.pass_time(QUARTER_S)
    for _ in range(3):
        answer(budget, {}, clocks)
    with pytest.raises(BudgetSpent, match="3 of 3 requests"):
        budget.take()


def test_an_answer_that_comes_late_does_not_turn_usage_back(budget, clocks):
    early, late = budget.take(), budget.take()
    date = {"Date": formatdate(clocks.strava_s, usegmt=True)}
    budget.answered(late, date | rates("10,100", "10,10"))
    budget.answered(early, date | rates("10,100", "9,9"))
    assert shown(budget)[0] == ("15-minute", 10, 10)


def test_answers_to_requests_of_the_window_before_do_not_shut_the_new_one(budget, clocks):
    answer(budget, rates("4,100", "1,1"), clocks)
    clocks.pass_time(10 * 60 - 0.5)
    sent = [budget.take(), budget.take()]
    clocks.pass_time(10)
    date = {"Date": formatdate(clocks.strava_s, usegmt=True)}
    for used, ticket in zip(("3,3", "4,4"), sent, strict=True):
        budget.answered(ticket, date | rates("4,100", used))
    assert shown(budget) == [("15-minute", 0, 4), ("daily", 4, 100)]


def test_a_request_of_a_killed_process_counts_until_headers_include_it(budget, clocks):
    answer(budget, rates("10,1000", "1,1"), clocks)
    budget.take()
    assert shown(budget)[0][1] == 2
    # nobody waits for its answer any more
    clocks.pass_time(200)
    answer(budget, {}, clocks)
    assert shown(budget)[0][1] == 3
    answer(budget, rates("10,1000", "4,4"), clocks)
    assert shown(budget)[0][1] == 4
    clocks.pass_time(QUARTER_S)
    assert [used for _, used, _ in shown(budget)] == [0, 4]


def test_a_refusal_at_the_turn_of_a_window_does_not_shut_the_new_one(budget, clocks):
    clocks.pass_time(10 * 60 - 0.2)
    ticket = budget.take()
    clocks.pass_time(1)
    budget.answered(ticket, {"Date": formatdate(clocks.strava_s, usegmt=True)})
    budget.refused(ticket)
    clocks.pass_time(6)
    assert budget.spent() is None


@pytest.mark.parametrize(("into_the_window_s", "opens_after_s"), [(0.2, 5), (1.2, QUARTER_S - 1.2)])
def test_a_refusal_in_the_first_second_may_be_of_the_window_before(budget, clocks, into_the_window_s, opens_after_s):
    answer(budget, rates("5,100", "5,5"), clocks)
    clocks.pass_time(10 * 60 + into_the_window_s)
    ticket = budget.take()
    # a counter that lags behind Strava's clock
    budget.answered(ticket, {"Date": formatdate(clocks.strava_s, usegmt=True)})
    spent = budget.refused(ticket)
    assert spent.opens_at_s - clocks.strava_s == pytest.approx(opens_after_s)


def test_an_answer_from_the_window_before_does_not_open_the_new_one(budget, clocks):
    answer(budget, rates("5,100", "1,1"), clocks)
    clocks.pass_time(10 * 60 - 0.5)
    late, date = budget.take(), formatdate(clocks.strava_s, usegmt=True)
    clocks.pass_time(5)
    answer(budget, rates("5,100", "5,7"), clocks)
    budget.answered(late, {"Date": date} | rates("5,100", "2,2"))
    assert shown(budget) == [("15-minute", 5, 5), ("daily", 7, 100)]
    with pytest.raises(BudgetSpent, match="5 of 5 requests"):
        budget.take()


def test_silent_requests_that_later_headers_include_are_not_counted_again_after_a_late_answer(budget, clocks):
    answer(budget, rates("10,100", "1,1"), clocks)
    budget.answered(budget.take(), {})
    early = budget.take()
    budget.answered(budget.take(), {})
    answer(budget, rates("10,100", "5,5"), clocks)
    budget.answered(early, {"Date": formatdate(clocks.strava_s, usegmt=True)} | rates("10,100", "3,3"))
    assert shown(budget)[0] == ("15-minute", 5, 10)


@pytest.mark.parametrize(
    "stored", [b"", b"[]", b"\xff", b'{"anchor":', b'{"read":[[100,100]],"seen_at_s":9e99}', b"[" * 9999]
)
def test_a_file_that_cannot_be_read_stops_nothing(budget, clocks, tmp_path, stored):
    (tmp_path / "budget.json").write_bytes(stored)
    answer(budget, rates("100,1000", "3,40"), clocks)
    assert shown(budget)[0] == ("15-minute", 3, 100)


# --- the file, which others write too


@pytest.fixture
def path(tmp_path):
    return tmp_path / "budget.json"


@contextmanager
def nothing_writable():
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_another_budget_writes_is_seen_at_once(budget, clocks, path):
    other = Budget(path, clocks.machine)
    answer(budget, rates("10,100", "1,1"), clocks)
    answer(other, rates("10,100", "5,5"), clocks)
    assert shown(budget)[0] == ("15-minute", 5, 10)
    ticket = other.take()
    assert shown(budget)[0][1] == 6
    answer(budget, rates("10,100", "6,6"), clocks)
    other.answered(ticket, {})
    assert shown(budget) == shown(other) == [("15-minute", 7, 10), ("daily", 7, 100)]


def test_a_file_that_was_replaced_counts_even_if_it_is_as_old_and_as_long(budget, clocks, path):
    answer(budget, rates("10,100", "1,1"), clocks)
    before, stored = path.stat(), path.read_bytes()
    beside = path.with_name("beside")
    beside.write_bytes(stored.replace(b'"used":1,', b'"used":9,'))
    os.utime(beside, ns=(before.st_atime_ns, before.st_mtime_ns))
    beside.replace(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    budget.take()
    with pytest.raises(BudgetSpent, match="10 of 10 requests"):
        budget.take()
    assert len(json.loads(path.read_bytes())["in_flight"]) == 1


def test_a_file_that_was_deleted_is_forgotten_and_made_again(budget, clocks, path):
    answer(budget, rates("1,100", "1,1"), clocks)
    path.unlink()
    assert budget.windows() == []
    assert not path.exists()
    ticket = budget.take()
    assert list(json.loads(path.read_bytes())["in_flight"]) == [ticket.id]


def test_a_request_that_could_not_be_counted_may_not_be_sent_and_does_not_count(budget, clocks, path):
    answer(budget, rates("10,100", "1,1"), clocks)
    stored = path.read_bytes()
    with nothing_writable(), pytest.raises(StorageFailed):
        budget.take()
    assert shown(budget)[0] == ("15-minute", 1, 10)
    assert path.read_bytes() == stored


# --- the reserve and the plan


def test_the_reserve_is_of_the_day_alone(budget, clocks):
    answer(budget, rates("10,100", "9,79"), clocks)
    answer(budget, rates("10,100", "10,80"), clocks, reserve=20)
    clocks.pass_time(QUARTER_S)
    with pytest.raises(BudgetSpent, match="the last 20 are kept for pulls") as spent:
        budget.take(reserve=20)
    assert spent.value.of_day
    budget.take()


def test_a_reserve_as_large_as_the_day_is_an_error_of_its_own(budget, clocks):
    answer(budget, rates("10,20", "0,0"), clocks)
    with pytest.raises(ReserveTooLarge, match="is 20, but Strava admits 20"):
        budget.take(reserve=20)


@pytest.mark.parametrize(
    ("requests", "reserve", "done"),
    [
        (7, 0, "2026-03-04 12:05"),
        (8, 0, "2026-03-04 12:15"),
        (18, 0, "2026-03-04 12:30"),
        # the day has 30 left: 7, 10, 10, 3; then the next
        (30, 0, "2026-03-04 12:45"),
        (31, 0, "2026-03-05 00:00"),
        (31 + 10, 0, "2026-03-05 00:15"),
        (26, 5, "2026-03-05 00:00"),
        (30 + 50 * 40, 0, "2026-04-13 01:00"),
        (10**6, 49, None),
    ],
)
def test_when_requests_will_be_done_follows_from_windows_limits_and_reserve(budget, clocks, requests, reserve, done):
    answer(budget, rates("10,50", "3,20"), clocks)
    at = budget.done_at(requests, reserve)
    assert (at and f"{at:%Y-%m-%d %H:%M}") == done


def test_requests_that_are_paced_take_their_time(budget, clocks):
    answer(budget, rates("1000,10000", "0,0"), clocks)
    assert f"{budget.done_at(30, pace_s=60):%H:%M}" == "12:35"


# --- processes


def take_all(path, all_there, taken):
    """Take what there is to take, once all processes are there; more than there is ends too."""
    budget = Budget(path)
    all_there.wait(60)
    with suppress(BudgetSpent):
        for _ in range(2 * SHARED):
            ticket = budget.take()
            with taken.get_lock():
                taken.value += 1
            budget.answered(ticket, {})


def test_processes_at_once_do_not_overrun_a_window_together(tmp_path):
    path = tmp_path / "budget.json"
    budget = Budget(path)
    budget.answered(budget.take(), rates(f"100000,{SHARED + 100}", "1,100"))
    context = multiprocessing.get_context("spawn")
    taken, all_there = context.Value("i", 0), context.Barrier(3)
    workers = [context.Process(target=take_all, args=(path, all_there, taken)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        worker.kill()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert taken.value == SHARED
    assert json.loads(path.read_bytes())["in_flight"] == {}


# --- clocks


@pytest.mark.parametrize("jump_s", [-400 * DAY_S, -3600, 3600, 400 * DAY_S])
def test_setting_the_clock_on_the_wall_neither_opens_nor_shuts_a_window(budget, clocks, jump_s):
    answer(budget, rates("5,100", "5,5"), clocks)
    clocks.wall_s += jump_s
    clocks.pass_time(9 * 60)
    with pytest.raises(BudgetSpent):
        budget.take()
    clocks.pass_time(2 * 60)
    budget.take()


@pytest.mark.parametrize("jump_s", [-400 * DAY_S, -3600])
def test_a_reboot_into_the_past_shuts_a_window_for_its_own_length_at_most(tmp_path, clocks, jump_s):
    answer(Budget(tmp_path / "b", clocks.machine), rates("5,100", "5,5"), clocks)
    after = Clocks(boot="another")
    after.wall_s += jump_s
    after.running_s = 5.0
    budget = Budget(tmp_path / "b", after.machine)
    with pytest.raises(BudgetSpent):
        budget.take()
    after.pass_time(QUARTER_S)
    budget.take()


def test_days_after_a_reboot_are_days_however_short_the_machine_has_run(tmp_path, clocks):
    answer(Budget(tmp_path / "b", clocks.machine), rates("5,100", "5,5"), clocks)
    after = Clocks(boot="another")
    after.pass_time(3 * DAY_S)
    after.running_s = clocks.running_s + 60
    budget = Budget(tmp_path / "b", after.machine)
    assert abs(budget.now().timestamp() - after.strava_s) <= 1
    assert shown(budget) == [("15-minute", 0, 5), ("daily", 0, 100)]
    assert budget.spent() is None


@pytest.mark.parametrize("wrong_s", [-400 * DAY_S, 400 * DAY_S])
def test_one_answer_with_a_wrong_date_does_not_last(budget, clocks, wrong_s):
    budget.answered(budget.take(), {"Date": formatdate(clocks.strava_s + wrong_s)} | rates("5,100", "5,100"))
    clocks.pass_time(DAY_S)
    answer(budget, rates("5,100", "1,1"), clocks)
    answer(budget, rates("5,100", "2,2"), clocks)
    assert abs(budget.now().timestamp() - clocks.strava_s) <= 1
    assert shown(budget) == [("15-minute", 2, 5), ("daily", 2, 100)]


LIMITS = {QUARTER_S: 4, DAY_S: 9}


class SharedBudget(RuleBasedStateMachine):
    """Two budgets on one file and a Strava that counts; time passes, the clock on the wall jumps, answers come late.

    What is known of a window: the largest usage that headers told of it, in answers to requests that lay wholly inside
    it, and every request sent of which they do not tell.
    """

    @initialize(clock_s=st.floats(0, DAY_S), wrong_s=st.sampled_from([0, -3600, DAY_S]))
    def begin(self, clock_s, wrong_s):
        self.folder = tempfile.TemporaryDirectory()
        self.clocks = Clocks()
        self.clocks.strava_s += clock_s
        self.clocks.wall_s = self.clocks.strava_s + wrong_s
        path = Path(self.folder.name, "budget.json")
        self.budgets = [Budget(path, self.clocks.machine) for _ in range(2)]
        self.used = {}
        self.reported = {}
        self.said = {}
        self.sent = []
        self.in_flight = []
        # from here on Strava's time is known
        self.send(0, arrives=True)
        self.answer_to(self.in_flight.pop(), "all")

    def window(self, length_s, at_s=None):
        return length_s, int(self.clocks.strava_s if at_s is None else at_s) // length_s

    def strava_counts(self):
        for length_s in LIMITS:
            key = self.window(length_s)
            self.used[key] = self.used.get(key, 0) + 1

    def known_used(self, length_s):
        """How many requests of this window headers told of, and how many were sent besides."""
        key = self.window(length_s)
        reported, reported_of = self.reported.get(key, (0, set()))
        sent = {n for n, (at_s, _) in enumerate(self.sent) if self.window(length_s, at_s) == key}
        return reported, len(sent - reported_of)

    def may_be_spent(self, length_s):
        """Whether what was sent besides, and the largest usage that headers said of this window, make up its limit.

        An answer to a request of the first two seconds may be believed, though nobody can be sure that it was of them.
        """
        said = self.said.get(self.window(length_s), 0)
        known, besides = self.known_used(length_s)
        return max(known, said) + besides >= LIMITS[length_s]

    @rule(which=st.integers(0, 1), arrives=st.booleans())
    def send(self, which, arrives):
        shut = [length_s for length_s in LIMITS if self.may_be_spent(length_s)]
        # by the second that `Date` leaves out our clock may lag, and a request may seem to be of the window before
        turned = min(self.clocks.strava_s % length_s for length_s in LIMITS) < 2
        try:
            ticket = self.budgets[which].take()
        except BudgetSpent:
            assert shut or turned, "refused though the window is known to be open"
            return
        if self.sent:
            assert not [n for n in LIMITS if self.known_used(n)[0] >= LIMITS[n]], "sent into a window known to be spent"
            sure = [n for n in LIMITS if sum(self.known_used(n)) >= LIMITS[n] and self.all_sent_inside(n)]
            assert not sure, "sent more requests than the window admits"
        came_back = {n for n, (_, back) in enumerate(self.sent) if back}
        self.sent.append((self.clocks.strava_s, False))
        if arrives:
            self.strava_counts()
        self.in_flight.append(
            (which, ticket, len(self.sent) - 1, arrives, self.clocks.strava_s, dict(self.used), came_back)
        )

    def all_sent_inside(self, length_s):
        """Whether no request lay so near the turn of this window that ours may have counted it for another one."""
        key = self.window(length_s)
        near = [at_s for at_s, _ in self.sent if self.window(length_s, at_s) == key]
        return all(self.window(length_s, at_s - 2) == key for at_s in near)

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), headers=st.sampled_from(["all", "all", "all", "none", "no date"]))
    def come_back(self, data, headers):
        self.answer_to(self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1))), headers)

    def answer_to(self, request, headers):
        which, ticket, number, arrived, sent_s, used, came_back = request
        self.sent[number] = (sent_s, True)
        if not arrived or headers == "none":
            self.budgets[which].answered(ticket, {})
            return
        usage = [used[self.window(length_s, sent_s)] for length_s in LIMITS]
        reported = rates(",".join(map(str, LIMITS.values())), ",".join(map(str, usage)))
        if headers == "all":
            reported |= {"date": formatdate(self.clocks.strava_s, usegmt=True)}
        self.budgets[which].answered(ticket, reported)
        for length_s, count in zip(LIMITS, usage, strict=True):
            sent_in = self.window(length_s, sent_s)
            self.said[sent_in] = max(count, self.said.get(sent_in, 0))
            if self.window(length_s, sent_s - 2) == self.window(length_s):
                key = self.window(length_s)
                before, reported_of = self.reported.get(key, (0, set()))
                self.reported[key] = (max(before, count), reported_of | came_back | {number})

    @rule(seconds=st.sampled_from([0.3, 1, 2, 2, 10, 899, 3600, 40_000]))
    def pass_time(self, seconds):
        # requests do not stay away that long
        if seconds <= 30 or not self.in_flight:
            self.clocks.pass_time(seconds)

    @rule(left_s=st.sampled_from([0.5, 1.5, 5]))
    def come_near_the_turn_of_a_window(self, left_s):
        seconds = QUARTER_S - self.clocks.strava_s % QUARTER_S - left_s
        if seconds > 0 and not self.in_flight:
            self.clocks.pass_time(seconds)

    @rule(seconds=st.floats(-400 * DAY_S, 400 * DAY_S))
    def set_the_clock_on_the_wall(self, seconds):
        self.clocks.wall_s += seconds

    @rule()
    def somebody_else_sends(self):
        self.strava_counts()

    def teardown(self):
        if hasattr(self, "folder"):
            self.folder.cleanup()


SharedBudget.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
test_two_budgets_on_one_file_keep_to_what_is_known = SharedBudget.TestCase
