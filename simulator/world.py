"""The state of a simulated Strava: an athlete's activities, the app's tokens and limits, a clock, faults, a record.

Everything that changes does so under one lock, so that threads of a server and of a test can share a world.
"""

import hashlib
import threading
import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from simulator import detail
from simulator.account import read_account
from simulator.answers import ONCE_OR_FOR_EVER, Fault, Faults
from simulator.athlete import SPORTS, Activity, Athlete, Row, epoch_of, profile, text_of
from simulator.census import ALWAYS, SUMMARY
from simulator.json_text import dump, parse
from simulator.limits import Limits
from simulator.polyline import decode, encode
from simulator.tokens import Tokens

MAX_PER_PAGE: Final = 200
MOST_ROUTES: Final = 120
DRAWN_AT: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
DEFAULT_SCOPE: Final = "read,activity:read,activity:read_all"
_HIGHEST_ID: Final = 2**63


@dataclass(frozen=True)
class RequestRecord:
    """A request that the API or OAuth received: `at` is the simulator's time, `status` 0 for a dropped connection."""

    method: str
    path: str
    query: dict[str, str]
    status: int
    at: datetime
    authorised: bool


class World:
    """A Strava without a network.

    `seed` and `activities` make an account, or `account` is a JSON file with an array of SummaryActivities, which are
    handed out as they stand. `clock` is where its own clock starts (default: now); it ticks. The account is made up as
    of `drawn_at` (default: `clock` if there is one, else the same day always) and moved by whole days to `clock`: a
    Strava of now has the same activities on every day. `after_inclusive` is how it reads `after`, `limits` as in
    `set_limits`.

    Raises OSError and ValueError for an account that cannot be read, ValueError for limits that are none.
    """

    def __init__(
        self,
        seed: int = 7,
        activities: int = 300,
        *,
        account: Path | None = None,
        clock: datetime | None = None,
        drawn_at: datetime | None = None,
        after_inclusive: bool = False,
        token_rotates: bool = True,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        self.lock = threading.RLock()
        self._clock_s = 0.0
        self._set_at_s = 0.0
        self.set_clock(clock or datetime.now(UTC))
        self.after_inclusive = after_inclusive
        self.client_id = str(100_000 + seed % 100_000)
        self.client_secret = hashlib.sha1(f"app {seed}".encode()).hexdigest()  # noqa: S324 - made up, looks like one
        self.tokens = Tokens(self.now_s, rotates=token_rotates)
        self.limits = Limits(self.now_s)
        self.limits.set_limits(**(limits or {}))
        self.faults = Faults()
        self._records: list[RequestRecord] = []
        self._athlete = Athlete(seed, self.now(), drawn_at or (self.now() if clock else DRAWN_AT))
        self._rows: dict[int, tuple[int, bytes]] = {}
        self._detail_only: dict[int, Activity] = {}
        self._only_me: set[int] = set()
        self._deleted: dict[int, tuple[bytes, Activity]] = {}
        self._before_crop: dict[int, bytes] = {}
        self._revision = 0
        self._stats: tuple[int, Activity] | None = None
        rows: Iterable[Row] = self._athlete.history(activities) if account is None else self._adopt(account)
        for start_s, activity_id, only_me, text in rows:
            self._rows[activity_id] = (start_s, text)
            if only_me:
                self._only_me.add(activity_id)
        # What a walk goes through: (start, id); a negative id is a hole, an item that is counted but not shown.
        self._order = sorted((start_s, activity_id) for activity_id, (start_s, _) in self._rows.items())

    def _adopt(self, account: Path) -> list[Row]:
        found = read_account(account)
        self._athlete.become(found.athlete_id, found.gear, [row.id for row in found.rows])
        return found.rows

    # --- the clock

    def now_s(self) -> float:
        """Return the simulator's epoch seconds."""
        return self._clock_s + time.monotonic() - self._set_at_s

    def now(self) -> datetime:
        """Return the simulator's time, in UTC."""
        return datetime.fromtimestamp(self.now_s(), UTC)

    def set_clock(self, moment: datetime) -> None:
        """Set the simulator's clock (a time without zone is UTC); it continues ticking."""
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        self._clock_s, self._set_at_s = moment.timestamp(), time.monotonic()

    def advance(self, seconds: float) -> None:
        """Put the simulator's clock forward."""
        self._clock_s += seconds

    def approach(self, window: str = "15min", seconds: float = 2) -> None:
        """Put the clock forward to so many seconds before the end of the limits' window (`15min`, `day`) it is in."""
        self.advance(max(self.limits.ends_at_s(window) - self.now_s() - seconds, 0))

    # --- the app

    def issue_refresh_token(self, scope: str = DEFAULT_SCOPE) -> str:
        """Return a refresh token as if the athlete had just authorised the app with this scope."""
        with self.lock:
            return self.tokens.new_grant(scope).refresh_token

    def accepts_refresh_token(self, refresh_token: str) -> bool:
        """Say whether a refresh token would be exchanged for an access token; it stays as it is."""
        with self.lock:
            return self.tokens.is_live(refresh_token)

    def expire_access_tokens(self) -> None:
        """Let all access tokens die now."""
        with self.lock:
            self.tokens.expire_access_tokens()

    def set_limits(self, **limits: int) -> None:
        """Set `read_15min`, `read_day`, `overall_15min`, `overall_day`; raises ValueError for another name."""
        with self.lock:
            self.limits.set_limits(**limits)

    def set_usage(self, **usage: int) -> None:
        """Set how many requests of the windows are used; names as in `set_limits`."""
        with self.lock:
            self.limits.set_usage(**usage)

    def fault(
        self,
        kind: str,
        times: int | None = ONCE_OR_FOR_EVER,
        path: str | None = None,
        after: int = 0,
        **options: Any,
    ) -> None:
        """Let something go wrong: see `simulator.answers.Fault` and the README for kinds and options.

        Raises ValueError for an unknown kind or option.
        """
        with self.lock:
            self.faults.add(kind, times, path, after, options)

    def striking(self, path: str) -> list[Fault]:
        """Return the faults that strike a request with this path; those of the clock have done so."""
        with self.lock:
            faults = self.faults.striking(path)
            for fault in faults:
                if fault.kind == "late_in_window":
                    self.approach(**fault.options)
            return faults

    def clear_faults(self) -> None:
        """Let all be well again."""
        with self.lock:
            self.faults.clear()

    @property
    def requests(self) -> list[RequestRecord]:
        """All API and OAuth requests received so far, oldest first."""
        with self.lock:
            return list(self._records)

    def clear_requests(self) -> None:
        """Forget the requests received so far."""
        with self.lock:
            self._records.clear()

    def record(self, record: RequestRecord) -> None:
        """Remember a request."""
        with self.lock:
            self._records.append(record)

    # --- the athlete

    @property
    def athlete_id(self) -> int:
        """The athlete's id."""
        return self._athlete.id

    def profile(self) -> Activity:
        """Return Strava's DetailedAthlete."""
        return profile(self._athlete.id, self._athlete.home, self._athlete.gear)

    def gear(self, gear_id: str) -> Activity:
        """Return Strava's DetailedGear, also of retired gear; raises KeyError if there is none."""
        return self._athlete.gear[gear_id].detail(primary=False)

    def gear_ids(self) -> list[str]:
        """Return the ids of all gear, retired or not."""
        return sorted(self._athlete.gear)

    def edit_gear(self, gear_id: str, name: str | None = None, retired: bool | None = None) -> Activity:
        """Rename gear, retire it or take it back into use; returns it; raises KeyError if there is none."""
        with self.lock:
            gear = self._athlete.gear[gear_id]
            gear.name = gear.name if name is None else name
            gear.retired = gear.retired if retired is None else retired
            return gear.detail(primary=False)

    def stats(self) -> Activity:
        """Return Strava's ActivityStats, over what everyone may see."""
        with self.lock:
            if self._stats is None or self._stats[0] != self._revision:
                seen = (parse(text) for key, (_, text) in self._rows.items() if key not in self._only_me)
                self._stats = (self._revision, detail.stats(seen, self.now()))
            return self._stats[1]

    def routes(self) -> list[Activity]:
        """Return Strava's list of the athlete's routes, newest first."""
        athlete = {"id": self._athlete.id, "resource_state": 1}
        repeated = (activity for activity in self.activities() if activity["id"] % 5 == 0)
        return detail.routes(athlete, repeated)[:MOST_ROUTES]

    # --- the activities

    @property
    def count(self) -> int:
        """How many activities there are."""
        return len(self._rows)

    def activities(self) -> list[Activity]:
        """Return all summaries as the list would hand them out to `activity:read_all`, newest first."""
        with self.lock:
            return [parse(self._rows[key][1]) for _, key in reversed(self._order) if key >= 0]

    def summary(self, activity_id: int) -> Activity:
        """Return one summary; raises KeyError if there is none."""
        with self.lock:
            summary: Activity = parse(self._rows[activity_id][1])
            return summary

    def uploaded(self, activity_id: int) -> Activity:
        """Return a summary as its file was uploaded, before any crop; raises KeyError if there is none."""
        with self.lock:
            summary: Activity = parse(self._before_crop.get(activity_id) or self._rows[activity_id][1])
            return summary

    def summary_texts(self) -> dict[int, bytes]:
        """Return the JSON of all summaries by id, byte for byte as the list hands them out to `activity:read_all`."""
        with self.lock:
            return {key: text for key, (_, text) in self._rows.items()}

    def detail(self, activity_id: int, *, include_all_efforts: bool = True) -> Activity:
        """Return one DetailedActivity; raises KeyError if there is none."""
        with self.lock:
            summary, more = self.summary(activity_id), dict(self._detail_only.get(activity_id, {}))
            gear = self._athlete.gear.get(str(summary.get("gear_id")))
        return detail.detail(summary, gear, include_all_efforts=include_all_efforts) | more

    def visible(self, activity_id: int, *, only_me: bool) -> bool:
        """Say whether an activity is there for someone who may or may not see those of visibility only-me."""
        with self.lock:
            return activity_id in self._rows and (only_me or activity_id not in self._only_me)

    def page(
        self, before: int | None, after: int | None, page: int, per_page: int, *, only_me: bool
    ) -> list[tuple[int, int]]:
        """Return the (start, id) of a page: oldest first with `after` alone, else newest first.

        An id below 0 is a hole: counted, not to be shown.
        """
        with self.lock:
            order, low, high = self._order, 0, len(self._order)
            if after is not None:
                low = (
                    bisect_left(order, (after,)) if self.after_inclusive else bisect_right(order, (after, _HIGHEST_ID))
                )
            if before is not None:
                high = bisect_left(order, (before,))
            if not only_me:
                order = [item for item in order[low:high] if item[1] not in self._only_me]
                low, high = 0, len(order)
            skipped = (page - 1) * per_page
            if after is not None and before is None:
                return order[low + skipped : max(low, min(high, low + skipped + per_page))]
            return order[max(low, high - skipped - per_page) : max(low, high - skipped)][::-1]

    def texts(self, items: Iterable[tuple[int, int]]) -> list[bytes]:
        """Return the JSON of the summaries on a page, without the holes."""
        with self.lock:
            return [self._rows[key][1] for _, key in items if key in self._rows]

    def dig_holes(self, items: list[tuple[int, int]], count: int) -> None:
        """Put `count` holes among the items of a page, so that it and the following ones show fewer."""
        with self.lock:
            for start_s, _ in items[: min(count, len(items) // 2)]:
                insort(self._order, (start_s, -1 - len(self._order)))

    def shift(self, items: list[tuple[int, int]], fault: Fault) -> None:
        """Let an activity arrive (option `delete`: go) before the items of a page, so that the next pages shift."""
        with self.lock:
            if self.visible(items[0][1], only_me=True) and fault.options.get("delete"):
                self.delete(items[0][1])
                return
            walks_back = len(items) > 1 and items[0] > items[-1]
            start = fault.options.get("start_date") or text_of(self.now_s() if walks_back else items[0][0])
            self.add(start_date=start)

    def add(self, start_date: datetime | str | None = None, **fields: Any) -> Activity:
        """Add an activity with these fields of its own and return its summary; an old `start_date` is a late upload."""
        with self.lock:
            if isinstance(start_date, str):
                start_date = datetime.fromtimestamp(epoch_of(start_date), UTC)
            elif start_date is None:
                start_date = self.now() - timedelta(hours=1)
            if start_date.tzinfo is None:
                start_date = start_date.replace(tzinfo=UTC)
            summary = self._athlete.activity(start_date, fields.get("sport_type", "Run"))
            key: int = fields.get("id") or summary["id"]
            self._put(key, summary | {"id": key})
            return self.edit(key, **fields)

    def edit(self, activity_id: int, **fields: Any) -> Activity:
        """Change fields of an activity (of its detail, if a summary has no such field) and return its summary.

        `start_date_local`, `type` and `private` follow from `start_date`, `sport_type` and `visibility` unless given.
        Raises KeyError if there is no such activity, ValueError for a date that is invalid.
        """
        with self.lock:
            summary = self.summary(activity_id)
            if isinstance(fields.get("start_date"), datetime):
                fields["start_date"] = text_of(fields["start_date"].timestamp())
            known = summary.keys() | SUMMARY.keys() | ALWAYS
            of_summary = {name: value for name, value in fields.items() if name in known}
            of_detail = {name: value for name, value in fields.items() if name not in of_summary}
            summary.update(of_summary)
            if {"start_date", "utc_offset"} & fields.keys() and "start_date_local" not in fields:
                summary["start_date_local"] = text_of(
                    epoch_of(summary["start_date"]) + (summary.get("utc_offset") or 0)
                )
            if "sport_type" in fields and "type" not in fields and fields["sport_type"] in SPORTS:
                summary["type"] = SPORTS[fields["sport_type"]].type
            if "visibility" in fields and "private" not in fields:
                summary["private"] = fields["visibility"] == "only_me"
            self._put(activity_id, summary)
            if of_detail:
                self._detail_only.setdefault(activity_id, {}).update(of_detail)
            return summary

    def edit_detail(self, activity_id: int, **fields: Any) -> None:
        """Let the detail of an activity say `fields`, whatever its summary says; raises KeyError if there is none."""
        with self.lock:
            if activity_id not in self._rows:
                raise KeyError(activity_id)
            self._detail_only.setdefault(activity_id, {}).update(fields)

    def set_summary(self, activity_id: int, text: bytes) -> None:
        """Let the list serve `text`, which need not be JSON, as the summary of an activity.

        Its place in the list stays. All else that follows from a summary (details, `edit`, `restore`, …) is read from
        the text, so it needs one that is a summary. Raises KeyError if there is no such activity.
        """
        with self.lock:
            self._rows[activity_id] = (self._rows[activity_id][0], text)
            self._revision += 1

    def delete(self, activity_id: int) -> None:
        """Delete an activity: it vanishes from the list; raises KeyError if there is none."""
        with self.lock:
            start_s, text = self._rows.pop(activity_id)
            self._order.remove((start_s, activity_id))
            self._only_me.discard(activity_id)
            self._deleted[activity_id] = text, self._detail_only.pop(activity_id, {})
            self._revision += 1

    def restore(self, activity_id: int) -> Activity:
        """Bring a deleted activity back just as it was and return its summary; raises KeyError if none was deleted."""
        with self.lock:
            text, more = self._deleted.pop(activity_id)
            summary: Activity = parse(text)
            self._put(activity_id, summary, text)
            if more:
                self._detail_only[activity_id] = more
            return summary

    @property
    def deleted_ids(self) -> list[int]:
        """The ids of the activities that can be restored."""
        with self.lock:
            return sorted(self._deleted)

    def hide(self, activity_id: int) -> Activity:
        """Make an activity visible to the athlete only and return its summary; raises KeyError if there is none."""
        return self.edit(activity_id, visibility="only_me")

    def unhide(self, activity_id: int) -> Activity:
        """Make an activity visible to everyone and return its summary; raises KeyError if there is none."""
        return self.edit(activity_id, visibility="everyone")

    def crop(self, activity_id: int) -> Activity:
        """Cut the last tenth off an activity and return its summary; raises KeyError if there is none."""
        with self.lock:
            self._before_crop.setdefault(activity_id, self._rows[activity_id][1])
            summary = detail.complete(self.summary(activity_id))
            line = decode(summary["map"].get("summary_polyline") or "")
            line = line[: max(2, len(line) * 9 // 10)]
            fields: Activity = {
                "distance": round(summary["distance"] * 0.9, 1),
                "moving_time": summary["moving_time"] * 9 // 10,
                "elapsed_time": summary["elapsed_time"] * 9 // 10,
            }
            if line:
                fields["map"] = summary["map"] | {"summary_polyline": encode(line)}
                if summary.get("end_latlng"):
                    fields["end_latlng"] = [line[-1][0] / 1e5, line[-1][1] / 1e5]
            return self.edit(activity_id, **fields)

    def _put(self, activity_id: int, summary: Activity, text: bytes | None = None) -> None:
        start_s = epoch_of(summary["start_date"])
        old = self._rows.get(activity_id)
        if old and old[0] != start_s:
            self._order.remove((old[0], activity_id))
        if not old or old[0] != start_s:
            insort(self._order, (start_s, activity_id))
        self._rows[activity_id] = (start_s, dump(summary) if text is None else text)
        (self._only_me.add if summary.get("visibility") == "only_me" else self._only_me.discard)(activity_id)
        self._revision += 1
