"""Strava's rate limits: what its headers said and what was sent since, shared by all processes on this machine.

Windows are Strava's natural ones, quarters of an hour and days in UTC, by Strava's own clock (`clock.py`).
"""

import errno
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import orjson

from .clock import Anchor, MachineClock
from .errors import BudgetSpent, ReserveTooLarge
from .files import read_whole, storage_error, taken
from .pause import Pause
from .settings import CALLED

QUARTER_S = 15 * 60
DAY_S = 24 * 60 * 60
NAMES = {QUARTER_S: "15-minute", DAY_S: "daily"}
# reads first: a pipeline only reads, and reaches that limit first
KINDS = {"x-readratelimit": "read", "x-ratelimit": "overall"}
DATE_STEP_S = 1
# after this time a request has been answered or has failed; if its process was killed, it still counts as sent
ANSWERED_WITHIN_S = 150
PLANNED_DAYS = 3650
LARGEST = 10**12
LOOK_AGAIN_S = 0.001
PATIENCE_S = 1


class Window(NamedTuple):
    """A limit as last seen: `used` of `limit` requests in the window of `length_s` that ends at `ends_at_s`."""

    length_s: int
    used: int
    limit: int
    ends_at_s: int

    @property
    def name(self) -> str:
        """Strava's name for it."""
        return NAMES[self.length_s]

    @property
    def left(self) -> int:
        """Requests that the window still allows."""
        return max(self.limit - self.used, 0)


@dataclass(frozen=True)
class Ticket:
    """One request that may be sent, from `Budget.take`; return it with `Budget.answered`.

    `sent_at_s` is Strava's time, `running_s` this machine's; `silent` counts the requests that had come back without
    headers by then, which the headers of this one's answer are sure to include.
    """

    id: str
    sent_at_s: float
    running_s: float
    silent: Mapping[str, int]


@dataclass
class _Limit:
    """The latest headers about one limit: `used` in the window that began at `began_s`."""

    began_s: int
    used: int
    limit: int


@dataclass
class _State:
    """What the file contains.

    `limits` has the latest headers, by kind and length. `in_flight` has the tickets that have not come back, with
    Strava's time when they were sent. `silent` counts, by quarter of an hour, requests that came back without headers;
    `heard` of these are included in the headers of later ones.
    """

    anchor: Anchor | None = None
    limits: dict[str, _Limit] = field(default_factory=dict)
    in_flight: dict[str, float] = field(default_factory=dict)
    silent: dict[str, int] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)
    refused_until_s: float = 0.0

    @classmethod
    def read(cls, text: bytes) -> "_State":
        """The state in `text`; empty if unreadable: it is a cache, and the next answer's headers fill it."""
        try:
            kept = orjson.loads(text)
            return cls(
                Anchor(**kept["anchor"]) if kept["anchor"] else None,
                {key: _Limit(**limit) for key, limit in kept["told"].items()},
                {str(id_): float(sent_at_s) for id_, sent_at_s in kept["in_flight"].items()},
                {str(int(quarter_s)): int(count) for quarter_s, count in kept["silent"].items()},
                {str(int(quarter_s)): int(count) for quarter_s, count in kept["heard"].items()},
                float(kept["refused_until_s"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return cls()

    def text(self) -> bytes:
        """The same as JSON, with the names in files of earlier versions."""
        fields = dict(vars(self))
        return orjson.dumps({"told": fields.pop("limits"), **fields})

    def sent_since(self, began_s: int) -> int:
        """Requests sent since `began_s` that no header counts yet."""
        quarters = [quarter_s for quarter_s in self.silent if int(quarter_s) >= began_s]
        came_back = sum(self.silent[quarter_s] - self.heard.get(quarter_s, 0) for quarter_s in quarters)
        return came_back + sum(sent_at_s >= began_s for sent_at_s in self.in_flight.values())

    def add_silent(self, sent_at_s: float) -> None:
        """Count a request that came back without headers."""
        quarter_s = str(_began_s(sent_at_s, QUARTER_S))
        self.silent[quarter_s] = self.silent.get(quarter_s, 0) + 1

    def forget_old(self, now_s: float) -> None:
        """Drop what belongs to another day, and stop waiting for requests whose process was killed."""
        for id_, sent_at_s in list(self.in_flight.items()):
            if not now_s - ANSWERED_WITHIN_S <= sent_at_s <= now_s:
                del self.in_flight[id_]
                self.add_silent(sent_at_s)
        today_s = _began_s(now_s, DAY_S)
        self.silent = {quarter_s: n for quarter_s, n in self.silent.items() if today_s <= int(quarter_s) <= now_s}
        self.heard = {quarter_s: n for quarter_s, n in self.heard.items() if quarter_s in self.silent}


class Budget:
    """The rate limits: every request is counted before it is sent, in a small file under a lock.

    Without a `path`, only this object knows them, and there is no lock. read_only: for commands that only read; the
    file stays unchanged, even if it is damaged.
    """

    def __init__(
        self,
        path: Path | None,
        clock: MachineClock | None = None,
        stop: Pause | None = None,
        read_only: bool = False,
    ) -> None:
        self._path = path
        self._read_only = read_only
        self._stop = stop or Pause()
        self._clock = clock or MachineClock.of_this_machine()
        # the last content of the file, as text and parsed
        self._known: tuple[bytes, _State] | None = None
        self._own = _State()

    # --- requests

    def take(self, reserve: int = 0) -> Ticket:
        """Count a request that is about to be sent, leaving `reserve` requests of the day.

        Raises:
            BudgetSpent: Strava would refuse it; with the window and when it opens.
            ReserveTooLarge: the day's limit is no larger than the reserve.
        """
        with self._locked_state(create=True) as state:
            now_s = self._now_s(state)
            state.forget_old(now_s)
            if (spent := self._spent(state, now_s, reserve)) is not None:
                raise spent
            ticket = Ticket(secrets.token_hex(4), now_s, self._clock.running_s(), dict(state.silent))
            state.in_flight[ticket.id] = now_s
            return ticket

    def answered(self, ticket: Ticket, headers: Mapping[str, str]) -> None:
        """Note the answer to a request; `headers` are empty if there was no answer."""
        lower = {name.lower(): value for name, value in headers.items()}
        with self._locked_state(create=True) as state:
            on_its_way_s = max(self._clock.running_s() - ticket.running_s, 0)
            at_s = self._answered_at_s(state, on_its_way_s, lower)
            # `Date` has whole seconds
            sent_at_s = at_s - on_its_way_s - DATE_STEP_S
            was_in_flight = state.in_flight.pop(ticket.id, None) is not None
            found = {kind: numbers for prefix, kind in KINDS.items() if (numbers := _numbers(lower, prefix))}
            for kind, numbers in found.items():
                for length_s, (used, limit) in numbers.items():
                    _note(state, f"{kind} {length_s}", _Limit(_began_s(at_s, length_s), used, limit), sent_at_s)
            if found:
                state.heard |= {q: max(n, state.heard.get(q, 0)) for q, n in ticket.silent.items() if q in state.silent}
            elif was_in_flight:
                state.add_silent(ticket.sent_at_s)

    def refused(self, ticket: Ticket, reserve: int = 0) -> BudgetSpent:
        """Note a 429 and return it as the error to raise.

        If no header shows which window is spent, it is assumed to be the quarter of an hour of the request.
        """
        with self._locked_state(create=True) as state:
            now_s = self._now_s(state)
            if self._spent(state, now_s, 0) is None:
                # sent at the very end of a quarter, or in the first second of one, which Strava may have counted in the
                # quarter before, it says nothing about the one that has begun
                ends_at_s = _began_s(ticket.sent_at_s - DATE_STEP_S, QUARTER_S) + QUARTER_S
                state.refused_until_s = max(ends_at_s, now_s + 5)
            return self._spent(state, now_s, reserve) or _refusal(state.refused_until_s)

    # --- what is left

    def spent(self, reserve: int = 0) -> BudgetSpent | None:
        """The spent window that keeps a request from being sent now, if any.

        Raises:
            ReserveTooLarge: the day's limit is no larger than the reserve.
        """
        with self._locked_state() as state:
            return self._spent(state, self._now_s(state), reserve)

    def windows(self) -> list[Window]:
        """The read limits (the overall ones if Strava names no others) as they are now; empty if unknown."""
        with self._locked_state() as state:
            now_s = self._now_s(state)
            return next((found for kind in KINDS.values() if (found := _windows(state, kind, now_s))), [])

    def left(self) -> str:
        """What the rate limits still allow, in words; empty if nothing is known."""
        return in_words(self.windows())

    def now(self) -> datetime:
        """Strava's time, UTC."""
        with self._locked_state() as state:
            return datetime.fromtimestamp(self._now_s(state), UTC)

    def done_at(self, requests: int, reserve: int = 0, pace_s: float = 0) -> datetime | None:
        """When so many requests, `pace_s` apart, will have been sent at the earliest; None if the limits are unknown.

        None also if it would take ten years.
        """
        with self._locked_state() as state:
            at_s = self._now_s(state)
            windows = [window for kind in KINDS.values() for window in _windows(state, kind, at_s)]
        quarters = [window for window in windows if window.length_s == QUARTER_S]
        days = [window for window in windows if window.length_s == DAY_S]
        if not windows:
            return None
        left = min((window.left for window in quarters), default=LARGEST)
        left_today = min((window.left - reserve for window in days), default=LARGEST)
        ends_at_s = at_s + PLANNED_DAYS * DAY_S
        while at_s < ends_at_s:
            next_s = _began_s(at_s, QUARTER_S) + QUARTER_S
            paced = int((next_s - at_s) / pace_s) if pace_s else LARGEST
            sent = max(min(requests, left, left_today, paced), 0)
            requests -= sent
            left_today -= sent
            if requests == 0:
                return datetime.fromtimestamp(at_s + sent * pace_s, UTC)
            at_s = next_s if left_today > 0 else _began_s(at_s, DAY_S) + DAY_S
            left = min((window.limit for window in quarters), default=LARGEST)
            if at_s % DAY_S == 0:
                left_today = min((window.limit - reserve for window in days), default=LARGEST)
        return None

    # --- the file

    @contextmanager
    def _locked_state(self, create: bool = False) -> Iterator[_State]:
        """The state in the file, under its lock; changes are written back in place.

        Raises:
            StorageFailed: it cannot be read or written.
            What `Pause.wait` raises: a signal came while a suspended process had the lock.
        """
        path = self._path
        if path is None:
            yield self._own
            return
        try:
            descriptor = _open(path, create)
        except OSError as error:
            if create:
                raise storage_error(path, error) from error
            if isinstance(error, FileNotFoundError):
                # there is no file yet: nothing is known
                yield _State()
                return
            # we may not write it, but maybe read it
            yield _State.read(read_whole(path))
            return
        try:
            began_at_s = time.monotonic()
            while not taken(path, descriptor):
                # its holder takes no time, unless it was suspended: only then does a signal end the wait
                halted = time.monotonic() - began_at_s > PATIENCE_S
                (self._stop.wait if halted else time.sleep)(LOOK_AGAIN_S)
            before = _read(descriptor)
            # compare all of it: time and size may be equal although another process has written it
            known, self._known = self._known, None
            state = known[1] if known is not None and known[0] == before else _State.read(before)
            try:
                yield state
            finally:
                text = state.text().ljust(len(before))
                if text != before and not self._read_only:
                    # one write over the old content, and no flush: a kill leaves one or the other, a power cut loses
                    # little
                    os.pwrite(descriptor, text, 0)
                self._known = text, state
        except OSError as error:
            raise storage_error(path, error) from error
        finally:
            os.close(descriptor)

    # --- Strava's clock

    def _now_s(self, state: _State) -> float:
        """Strava's time, never later than it really is as long as the clocks here are right."""
        anchor = state.anchor
        if anchor is None:
            return self._clock.wall_s()
        elapsed_s = anchor.elapsed_s(self._clock)
        if elapsed_s is None:
            # the wall clock was set back: it cannot be earlier than then, so continue from there. A spent window
            # stays shut for at most its own length, however far the clock was set
            state.anchor = Anchor.at(anchor.strava_s, self._clock)
            return anchor.strava_s
        return anchor.strava_s + elapsed_s

    def _answered_at_s(self, state: _State, on_its_way_s: float, headers: Mapping[str, str]) -> float:
        """When Strava answered, by its own clock; corrects ours if the two cannot both be right."""
        now_s = self._now_s(state)
        date_s = _date_s(headers.get("date", ""))
        if date_s is None:
            return now_s
        if date_s > now_s:
            state.anchor = Anchor.at(date_s, self._clock)
        elif state.anchor is None or now_s > date_s + DATE_STEP_S + on_its_way_s:
            # we are ahead of Strava: drop notes that are later than now
            state.anchor = Anchor.at(date_s, self._clock)
            state.limits = {key: limit for key, limit in state.limits.items() if limit.began_s <= date_s}
        return date_s

    # --- windows

    def _spent(self, state: _State, now_s: float, reserve: int) -> BudgetSpent | None:
        spent = [
            (window, kept)
            for kind in KINDS.values()
            for window in _windows(state, kind, now_s)
            if window.left <= (kept := reserve if window.length_s == DAY_S else 0)
        ]
        if spent:
            window, kept = max(spent, key=lambda found: found[0].ends_at_s)
            if 0 < window.limit <= kept:
                raise ReserveTooLarge(
                    f"{CALLED['reserve']} is {reserve:,}, but Strava admits {window.limit:,} requests a day: "
                    "no details can be fetched. Lower it."
                )
            return _spending(window, kept)
        # at most a quarter ahead: otherwise a wrong clock noted it
        if 0 < state.refused_until_s - now_s <= QUARTER_S:
            return _refusal(state.refused_until_s)
        return None


def _open(path: Path, create: bool) -> int:
    # opened each time: a file that was deleted or replaced is another one, with another lock
    try:
        return os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o644)
    except FileNotFoundError:
        if not create:
            raise
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


def _read(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    content = os.read(descriptor, size)
    if len(content) < size:
        # it would count as damaged, and what other processes have sent would be forgotten
        raise OSError(errno.EIO, f"{len(content):,} of its {size:,} bytes came")
    return content


def _note(state: _State, key: str, new: _Limit, sent_at_s: float) -> None:
    """Replace what was known by what headers said about the same window."""
    known = state.limits.get(key, _Limit(0, 0, 0))
    if known.began_s > new.began_s:
        return
    if sent_at_s < new.began_s:
        # sent before the window began: Strava may have counted it in the spent window before
        new.used = 0
    if known.began_s == new.began_s:
        # answers overtake each other: within a window, usage only grows
        new.used = max(known.used, new.used)
    state.limits[key] = new


def _windows(state: _State, kind: str, now_s: float) -> list[Window]:
    found = []
    for length_s in NAMES:
        known = state.limits.get(f"{kind} {length_s}")
        if known is not None:
            began_s = _began_s(now_s, length_s)
            used = known.used if known.began_s == began_s else 0
            found.append(Window(length_s, used + state.sent_since(began_s), known.limit, began_s + length_s))
    return found


def _spending(window: Window, kept: int) -> BudgetSpent:
    used = f"{window.used:,} of {window.limit:,} requests"
    but = f", and the last {kept:,} are kept for pulls" if kept and window.left else ""
    return BudgetSpent(
        f"Strava's {window.name} limit is used up ({used}{but}); it opens again at {_minute(window.ends_at_s)}.",
        window.ends_at_s,
        of_day=window.length_s == DAY_S,
    )


def _refusal(until_s: float) -> BudgetSpent:
    return BudgetSpent(f"Strava's 15-minute limit is used up; it opens again at {_minute(until_s)}.", until_s)


def _minute(at_s: float) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M} UTC"


def _began_s(at_s: float, length_s: int) -> int:
    return int(at_s) // length_s * length_s


# all answers of one second say the same
@lru_cache(maxsize=1)
def _date_s(text: str) -> float | None:
    with suppress(TypeError, ValueError, OverflowError):
        date = parsedate_to_datetime(text)
        # a `Date` is UTC even if it does not say so
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    return None


def _numbers(headers: Mapping[str, str], prefix: str) -> dict[int, tuple[int, int]]:
    """(used, limit) by length of the window, without those that are absent or unreadable."""
    limits = headers.get(f"{prefix}-limit", "").split(",")
    usages = headers.get(f"{prefix}-usage", "").split(",")
    return {
        length_s: (int(used), int(limit))
        for length_s, used, limit in zip(NAMES, usages, limits, strict=False)
        if _is_count(used) and _is_count(limit)
    }


def _is_count(text: str) -> bool:
    text = text.strip()
    return text.isascii() and text.isdigit() and int(text[:20]) < LARGEST


def in_words(windows: list[Window]) -> str:
    """What `windows` still allow; empty without any."""
    return ", ".join(f"{window.left:,} of {window.limit:,} requests left ({window.name})" for window in windows)
