"""Make up an athlete: a home, sports by season, trends over years, gear that wears out, and any number of activities.

The same seed, size and days give byte-identical activities. How often a field is there, and as which JSON type, is
`census`'s; what is in it is plausible rather than random: distances match times, times of day match the sport.
"""
# ruff: noqa: S311 - a made-up athlete needs no cryptography

import math
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Any, Final, Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from simulator.census import INT_SHARE, SUMMARY, present
from simulator.json_text import dump
from simulator.polyline import encode, loop

Activity = dict[str, Any]
T = TypeVar("T")

ID_STR_SINCE: Final = "2026-06"
MAX_YEARS: Final = 16
_EPOCH: Final = datetime(1970, 1, 1)
_DAY_S: Final = 86400


class Row(NamedTuple):
    """One activity of an account: when it starts in epoch seconds, whether only the athlete sees it, its JSON."""

    start_s: int
    id: int
    only_me: bool
    text: bytes


class _Urn(Generic[T]):
    """Values to draw from by weight.

    `random.choices` sums the weights again each time: too slow for 100,000 activities.
    """

    def __init__(self, weights: Sequence[float], values: Sequence[T]) -> None:
        self._values = values
        self._bounds = [bound / sum(weights) for bound in accumulate(weights)]

    def draw(self, rng: Random) -> T:
        return self._values[bisect(self._bounds, rng.random(), 0, len(self._values) - 1)]


@dataclass(frozen=True)
class Place:
    """Where an athlete is: coordinates in 1e-5 degree, the time zone as Strava spells it (standard offset)."""

    city: str
    state: str
    country: str
    lat: int
    lng: int
    timezone: str
    rules: str
    """The IANA zone whose rules hold: Strava's odd spellings are not in every machine's zone files."""


_HOMES: Final = (
    Place(
        "New York", "New York", "United States", 4072000, -7396000, "(GMT-05:00) America/New_York", "America/New_York"
    ),
    Place("Freiburg", "Baden-Württemberg", "Germany", 4799000, 784000, "(GMT+01:00) Europe/Berlin", "Europe/Berlin"),
    Place("Boulder", "Colorado", "United States", 4001000, -10527000, "(GMT-07:00) America/Denver", "America/Denver"),
    Place("Trondheim", "Trøndelag", "Norway", 6343000, 1039000, "(GMT+01:00) Europe/Oslo", "Europe/Oslo"),
)
_TRIPS: Final = (
    Place("Kathmandu", "Bagmati", "Nepal", 2771000, 8532000, "(GMT+05:45) Asia/Kathmandu", "Asia/Kathmandu"),
    Place("Toronto", "Ontario", "Canada", 4365000, -7938000, "(GMT-05:00) EST5EDT", "America/New_York"),
    Place("La Habana", "", "Cuba", 2313000, -8236000, "(GMT-05:00) Cuba", "America/Havana"),
    Place("Bengaluru", "Karnataka", "India", 1297000, 7759000, "(GMT+05:30) Asia/Kolkata", "Asia/Kolkata"),
    Place("Neiafu", "Tongatapu", "Tonga", -2113000, -17520000, "(GMT+13:00) Pacific/Tongatapu", "Pacific/Tongatapu"),
    Place("Lima", "Lima", "Peru", -1204000, -7703000, "(GMT-05:00) Etc/GMT+5", "America/Lima"),
    Place(
        "Los Angeles",
        "California",
        "United States",
        3405000,
        -11824000,
        "(GMT-08:00) America/Los_Angeles",
        "America/Los_Angeles",
    ),
    Place(
        "Auckland", "Auckland", "New Zealand", -3685000, 17476000, "(GMT+12:00) Pacific/Auckland", "Pacific/Auckland"
    ),
)
_WATOPIA: Final = (-1164000, 16697000)


@dataclass(frozen=True)
class Sport:
    """A sport type, Strava's coarse `type` for it, and what an outing looks like."""

    name: str
    type: str
    months: tuple[int, ...]  # weight in January, ..., December
    typical_m: float = 0
    speed_m_s: float = 0
    climb_m_per_km: float = 0
    indoors: bool = False
    noun: str = ""


_ALL_YEAR: Final = (1,) * 12


def _weights(scale: int, months: tuple[int, ...] = _ALL_YEAR) -> tuple[int, ...]:
    return tuple(scale * month for month in months)


_SUMMER: Final = (1, 1, 2, 4, 5, 5, 5, 5, 4, 3, 1, 1)
_WINTER: Final = (5, 5, 3, 1, 0, 0, 0, 0, 0, 0, 1, 4)
SPORTS: Final = {
    sport.name: sport
    for sport in (
        Sport("Ride", "Ride", _weights(12, _SUMMER), 38000, 7.2, 9),
        Sport("Run", "Run", _weights(24), 9000, 2.95, 8),
        Sport("VirtualRide", "VirtualRide", _weights(10, _WINTER), 30000, 8.6, 8, noun="Virtual Ride"),
        Sport("GravelRide", "Ride", _weights(2, _SUMMER), 52000, 6.1, 13, noun="Gravel Ride"),
        Sport("MountainBikeRide", "Ride", _weights(2, _SUMMER), 24000, 4.3, 26, noun="Mountain Bike Ride"),
        Sport("TrailRun", "Run", _weights(2, _SUMMER), 13000, 2.45, 32, noun="Trail Run"),
        Sport("Hike", "Hike", _weights(1, _SUMMER), 11000, 1.1, 45),
        Sport("Walk", "Walk", _weights(2), 4000, 1.4, 6),
        Sport("NordicSki", "NordicSki", _weights(4, _WINTER), 17000, 3.6, 16, noun="Nordic Ski"),
        Sport("Swim", "Swim", _weights(3), 2000, 0.85, indoors=True),
        Sport("WeightTraining", "WeightTraining", _weights(3), indoors=True, noun="Weight Training"),
        Sport("Yoga", "Yoga", _weights(1), indoors=True),
        # No client knows this one yet: new sport types appear at Strava every year.
        Sport("TidalFoiling", "Workout", _weights(1, _SUMMER), 8000, 3.1, noun="Tidal Foiling"),
    )
}
_RIDES: Final = ("Ride", "VirtualRide", "GravelRide", "MountainBikeRide")
_RUNS: Final = ("Run", "TrailRun")
_OUTDOORS: Final = tuple(s.name for s in SPORTS.values() if not s.indoors and s.name != "VirtualRide")
_INDOORS: Final = tuple(s.name for s in SPORTS.values() if s.indoors)

_BY_MONTH: Final = [_Urn([s.months[month] for s in SPORTS.values()], list(SPORTS.values())) for month in range(12)]
_VISIBILITIES: Final = _Urn((93, 4, 3), ("everyone", "followers_only", "only_me"))
_PHOTOS: Final = _Urn((85, 10, 5), (0, 1, 3))
_PRS: Final = _Urn((70, 15, 10, 5), (0, 1, 2, 5))
_CUPS: Final = _Urn((80, 15, 5), (0, 1, 4))
_COMMENTS: Final = _Urn((80, 12, 6, 2), (0, 1, 2, 6))
_COMPANY: Final = _Urn((80, 12, 5, 3), (1, 2, 3, 12))
_RUN_KINDS: Final = _Urn((85, 5, 5, 5), (0, 1, 2, 3))
_RIDE_KINDS: Final = _Urn((90, 5, 5), (10, 11, 12))

_OWN_NAMES: Final = (
    "Intervals 6 x 800",
    "Long one before the rain",
    "Commute",
    "Recovery",
    "With Ana and Björn",
    "Tempo",
    "Hill repeats",
    "Lunch laps",
    "Park loop",
    "Forgot to stop the watch",
    "New shoes!",
    "Season opener",
    "Coffee ride",
    "Sunrise",
)
HOSTILE_NAMES: Final = (
    "Robert'); DROP TABLE activities;--",
    "<script>alert('kudos')</script>",
    'He said "go", we went',
    "ريح عاتية على الشاطئ",
    "日本語の朝ラン",
    "🏃‍♀️💨 🚴🏽 🏔️",
    "line one\nline two\ttabbed",
    "back\\slash and 'single'",
    "  spaces around  ",
    "2024-01-31",
    "NULL",
    '=HYPERLINK("http://example.com")',
    "\u202eright to left override",
    "e\u0301 combining, é composed",
    "separators \u2028 and \u2029",
    "{{ config() }} {% raw %}",
    "a,b;c|d",
    "1e5",
    "x" * 200,
    "\ufeffBOM",
)
_DEVICES: Final = (
    "Garmin Forerunner 265",
    "Garmin Edge 840",
    "Wahoo ELEMNT BOLT",
    "Apple Watch Series 9",
    "Strava App",
    "COROS PACE 3",
    "Zwift",
)
_SHOES: Final = (("Saucony", "Ride 17"), ("Hoka", "Clifton 9"), ("Brooks", "Ghost 15"), ("adidas", "Boston 12"))
_BIKES: Final = (("Canyon", "Grail"), ("Specialized", "Tarmac"), ("Trek", "Domane"), ("Cube", "Nuroad"))


@dataclass
class Gear:
    """A pair of shoes (`g…`) or a bike (`b…`); `distance_m` grows with every activity it is used in."""

    id: str
    brand: str
    model: str
    distance_m: float = 0.0
    retired: bool = False
    name: str | None = None

    def summary(self, *, primary: bool) -> dict[str, Any]:
        """Return Strava's SummaryGear."""
        km = round(self.distance_m / 1000, 1)
        return {
            "id": self.id,
            "primary": primary,
            "name": self.name or f"{self.brand} {self.model}",
            "nickname": "",
            "resource_state": 2,
            "retired": self.retired,
            "distance": round(self.distance_m),
            "converted_distance": km,
        }

    def detail(self, *, primary: bool) -> dict[str, Any]:
        """Return Strava's DetailedGear: a bike has a frame type and a weight too."""
        detail = self.summary(primary=primary) | {
            "resource_state": 3,
            "brand_name": self.brand,
            "model_name": self.model,
            "description": "",
            "notification_distance": None,
        }
        return detail | ({"frame_type": 3, "weight": 8.4} if self.id.startswith("b") else {})


def text_of(epoch_s: float) -> str:
    """Return seconds since 1970 as Strava's text: `2026-01-31T17:00:00Z`."""
    return (_EPOCH + timedelta(seconds=int(epoch_s))).isoformat() + "Z"


def epoch_of(text: str) -> int:
    """Return the seconds since 1970 of Strava's text.

    Raises ValueError for a text that is no date.
    """
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _last_day(now: datetime) -> int:
    """Return the last day of a history, in days since 1970: whatever the place, it is over."""
    return (int(now.timestamp()) - 36 * 3600) // _DAY_S


def _spread(share: float, total: int, counts: Counter[str], *groups: tuple[str, ...]) -> dict[str, float]:
    """Return per sport the probability that makes `share` of `total` activities, taking the first groups first."""
    wanted = share * total
    chances = {}
    for group in groups:
        there = sum(counts[name] for name in group)
        chance = min(1.0, wanted / there) if there else 1.0
        wanted = max(0.0, wanted - chance * there)
        chances.update(dict.fromkeys(group, chance))
    return chances


@dataclass(slots=True)
class _Plan:
    """One activity to be made: when (local seconds since 1970, as drawn), where, which sport, how far into history."""

    local_s: int
    place: Place
    sport: Sport
    age: float


@dataclass
class _Chances:
    """Per sport the probability of having a field, so that the whole account meets the census."""

    watts: dict[str, float] = field(default_factory=dict)
    cadence: dict[str, float] = field(default_factory=dict)
    temp: dict[str, float] = field(default_factory=dict)
    gear: dict[str, float] = field(default_factory=dict)
    workout: dict[str, float] = field(default_factory=dict)
    no_gps: dict[str, float] = field(default_factory=dict)


class Athlete:
    """A made-up athlete, from a seed. `history` makes the past, `activity` one more.

    The past is made up as of `drawn_at` and moved by whole days to `now`, so that what was done does not depend on now.
    """

    def __init__(self, seed: int, now: datetime, drawn_at: datetime) -> None:
        self._rng = Random(f"athlete {seed}")
        self._seed = seed
        self._now = now
        self._last_drawn_day = _last_day(drawn_at)
        self._moved_s = (_last_day(now) - self._last_drawn_day) * _DAY_S
        self.home = _HOMES[self._rng.randrange(len(_HOMES))]
        self.id = self._rng.randrange(10_000_000, 160_000_000)
        self.gear: dict[str, Gear] = {}
        self._worn: dict[str, list[Gear]] = {"g": [], "b": []}
        self._ids: set[int] = set()
        self._zones: dict[str, ZoneInfo] = {}
        self._chances = _Chances()

    def become(self, athlete_id: int, gear: dict[str, Gear], activity_ids: list[int]) -> None:
        """Take on the id, gear and activities of an athlete from elsewhere; an id of 0 is none."""
        self.id, self.gear = athlete_id or self.id, gear
        self._ids.update(activity_ids)

    def history(self, count: int) -> Iterator[Row]:
        """Yield `count` SummaryActivities as compact JSON, oldest first (but for hours of one day)."""
        plans = list(self._plans(count))
        self._calibrate(plans)
        for plan in plans:
            summary = self._summary(plan)
            only_me = summary["visibility"] == "only_me"
            yield Row(epoch_of(summary["start_date"]), summary["id"], only_me, dump(summary))

    def activity(self, start: datetime | None = None, sport: str = "Run") -> Activity:
        """Return one more SummaryActivity, at home, starting at `start` (default: an hour before the athlete's now)."""
        start = start or self._now - timedelta(hours=1)
        offset_s = self._offset_s(self.home, int(start.timestamp()))
        drawn_s = int(start.timestamp()) + offset_s - self._moved_s
        plan = _Plan(drawn_s, self.home, SPORTS.get(sport, SPORTS["Run"]), 1.0)
        return self._summary(plan)

    # --- the plan: when, where, what

    def _plans(self, count: int) -> Iterator[_Plan]:
        rng = self._rng
        span_days = round(365.25 * min(MAX_YEARS, max(0.25, count / 130)))
        tie_day = self._last_drawn_day
        for i in range(count):
            fraction = (i + rng.random()) / count
            day = self._last_drawn_day - round(span_days * (1 - fraction**0.85))
            # Two activities with a hidden start on one day start in the same second: every 97th pair does.
            hidden = i % 97 in (40, 41)
            if i % 97 == 41:
                day = tie_day
            tie_day = day
            place = self._place(day)
            month = (_EPOCH + timedelta(days=day)).month - 1
            age = (i + 0.5) / count
            sport = _BY_MONTH[month].draw(rng)
            while not self._known(sport, age):
                sport = _BY_MONTH[month].draw(rng)
            local_s = day * _DAY_S + (1 if hidden else self._time_of_day(sport, day))
            yield _Plan(local_s, place, sport, age)

    def _place(self, day: int) -> Place:
        trip, day_of_trip = divmod(day, 61)
        return _TRIPS[(trip + self._seed) % len(_TRIPS)] if day_of_trip < 5 else self.home

    @staticmethod
    def _known(sport: Sport, age: float) -> bool:
        if sport.name == "TidalFoiling":
            return age > 0.9
        return age >= 0.15 or sport.name in _OUTDOORS  # no watch counted lengths or weights in the old days

    def _time_of_day(self, sport: Sport, day: int) -> int:
        rng = self._rng
        if (day + 3) % 7 >= 5:  # 1970-01-01 was a Thursday
            hour = rng.gauss(9.5, 1.5)
        elif sport.indoors or rng.random() < 0.6:
            hour = rng.gauss(18, 1.2)
        else:
            hour = rng.gauss(6.8, 0.7)
        return int(min(21.0, max(4.5, hour)) * 3600)

    def _calibrate(self, plans: list[_Plan]) -> None:
        total = len(plans)
        counts = Counter(plan.sport.name for plan in plans)
        recent = Counter(plan.sport.name for plan in plans if plan.age >= 0.15)
        shares = {name: present(SUMMARY[name]) for name in ("average_watts", "average_cadence", "average_temp")}
        no_gps = (SUMMARY["start_latlng"]["empty"] - 0.7) / 100  # 0.7 % hide the start of a known line
        self._chances = _Chances(
            watts=_spread(shares["average_watts"], total, counts, _RIDES, _RUNS),
            cadence=_spread(shares["average_cadence"], total, counts, _RIDES + _RUNS),
            temp=_spread(shares["average_temp"], total, counts, _OUTDOORS),
            gear=_spread(SUMMARY["gear_id"]["string"] / 100, total, counts, _RIDES + _RUNS),
            workout=_spread(SUMMARY["workout_type"]["int"] / 100, total, counts, _RIDES + _RUNS),
            no_gps=_spread(no_gps, total, recent, _INDOORS, ("Run", "Ride")),
        )

    # --- one activity

    def _summary(self, plan: _Plan) -> Activity:
        rng = self._rng
        legacy = plan.age < 1 - SUMMARY["sport_type"]["string"] / 100
        manual = rng.random() < (0.02 if legacy else 0.0118)
        gps = not (manual and legacy) and rng.random() >= (
            0.0 if legacy else self._chances.no_gps.get(plan.sport.name, 0.0)
        )
        activity_id = self._new_id(plan.age)
        times = self._times(plan)
        effort = self._effort(plan)
        gain = effort["total_elevation_gain"]
        summary: Activity = {
            "resource_state": 2,
            "athlete": {"id": self.id, "resource_state": 1},
            "name": self._name(plan),
            **effort,
            "type": plan.sport.type,
            "sport_type": plan.sport.name,
            "id": activity_id,
            **times,
            **self._whereabouts(plan),
            **self._social(plan),
            **self._line(plan, activity_id, effort["distance"], gain, gps=gps, manual=manual),
            **self._sensors(plan, effort["average_speed"], effort["moving_time"]),
            **self._upload(plan, activity_id, manual=manual),
        }
        if legacy:
            del summary["sport_type"]
        if text_of(plan.local_s) >= ID_STR_SINCE:
            summary["id_str"] = str(activity_id)
        self._wear(plan, summary)
        return summary

    def _new_id(self, age: float) -> int:
        rng = self._rng
        small = SUMMARY["id"]["int"] / 100
        # Some are uploaded long after: ids follow the upload, dates follow the watch.
        if small < age < 0.95 and rng.random() < 0.04:
            age += 0.05 * rng.random()
        if age < small:
            lowest, highest, part = 9_000_000, 2**31 - 3_000_000, age / small
        else:
            lowest, highest, part = 2**31 + 1_000_000, 19_700_000_000, (age - small) / (1 - small)
        activity_id = lowest + int((highest - lowest) * part) + rng.randrange(2_000_000)
        while activity_id in self._ids:
            activity_id += 1 + rng.randrange(1000)
        self._ids.add(activity_id)
        return activity_id

    def _offset_s(self, place: Place, epoch_s: int) -> int:
        zone = self._zones.get(place.rules) or self._zones.setdefault(place.rules, ZoneInfo(place.rules))
        offset = datetime.fromtimestamp(epoch_s, zone).utcoffset() or timedelta()
        return offset.days * _DAY_S + offset.seconds

    def _times(self, plan: _Plan) -> Activity:
        local_s = plan.local_s + self._moved_s
        guess_s = local_s - self._offset_s(plan.place, local_s)
        start_s = local_s - self._offset_s(plan.place, guess_s)
        offset_s = self._offset_s(plan.place, start_s)
        whole = self._rng.random() < INT_SHARE["utc_offset"]
        return {
            "start_date": text_of(start_s),
            "start_date_local": text_of(start_s + offset_s),
            "timezone": plan.place.timezone,
            "utc_offset": offset_s if whole else float(offset_s),
        }

    def _whereabouts(self, plan: _Plan) -> Activity:
        place, shares = plan.place, SUMMARY["location_country"]
        named = plan.age < SUMMARY["location_city"]["string"] / 100
        country: str | None = None
        if plan.age < shares["string"] / 100:
            country = place.country
        elif plan.age < (shares["string"] + shares["empty"]) / 100:
            country = ""
        return {
            "location_city": place.city if named else None,
            "location_state": place.state or place.city if named else None,
            "location_country": country,
        }

    def _name(self, plan: _Plan) -> str:
        rng = self._rng
        dice = rng.random()
        if dice < 0.0005:
            return ""
        if dice < 0.0155:
            return rng.choice(HOSTILE_NAMES)
        if dice < 0.2:
            return rng.choice(_OWN_NAMES)
        hour = plan.local_s % _DAY_S // 3600
        part = "Morning" if hour < 11 else "Lunch" if hour < 14 else "Afternoon" if hour < 18 else "Evening"
        return f"{part} {plan.sport.noun or plan.sport.name}"

    def _social(self, plan: _Plan) -> Activity:
        rng = self._rng
        photos = _PHOTOS.draw(rng)
        visibility = _VISIBILITIES.draw(rng)
        prs = _PRS.draw(rng)
        return {
            "achievement_count": prs + _CUPS.draw(rng),
            "kudos_count": int(rng.expovariate(1 / (3 + 12 * plan.age))),
            "comment_count": _COMMENTS.draw(rng),
            "athlete_count": _COMPANY.draw(rng),
            "photo_count": 0,
            "trainer": plan.sport.indoors,
            "commute": rng.random() < 0.05,
            "private": visibility == "only_me",
            "visibility": visibility,
            "flagged": rng.random() < 0.002,
            "heartrate_opt_out": False,
            "display_hide_heartrate_option": True,
            "pr_count": prs,
            "total_photo_count": photos,
            "has_kudoed": False,
        }

    def _number(self, name: str, value: float, digits: int) -> float:
        """Return a value as Strava does: an int in one row, a float in the next."""
        return round(value) if self._rng.random() < INT_SHARE[name] else round(value, digits)

    def _effort(self, plan: _Plan) -> Activity:
        rng, sport = self._rng, plan.sport
        # Faster over the years, slower in winter, and a good day is a good day.
        form = 0.92 + 0.12 * plan.age + 0.03 * math.sin((plan.local_s % 31557600) / 31557600 * 6.283 - 1.6)
        speed = sport.speed_m_s * form * rng.gauss(1, 0.06)
        wanted_m = sport.typical_m * (0.8 + 0.4 * plan.age) * rng.lognormvariate(0, 0.45)
        metres = self._number("distance", max(200.0, wanted_m), 1) if sport.typical_m else 0.0
        moving_s = round(metres / speed) if metres else rng.randrange(1200, 4500)
        stopped_s = int(rng.expovariate(1 / (0.06 * moving_s + 1)))
        if rng.random() < 0.001:
            stopped_s = -rng.randrange(1, 40)  # happens at Strava too
        gain = sport.climb_m_per_km * metres / 1000 * rng.lognormvariate(-0.1, 0.5)
        average = round(metres / moving_s, 3)
        fastest = max(average, average * rng.uniform(1.25, 1.9))
        return {
            "distance": metres if metres or rng.random() < 0.8 else 0,
            "moving_time": moving_s,
            "elapsed_time": moving_s + stopped_s,
            "total_elevation_gain": self._number("total_elevation_gain", gain, 1),
            "average_speed": average if metres or rng.random() < 0.85 else 0,
            "max_speed": math.ceil(fastest) if rng.random() < INT_SHARE["max_speed"] else round(fastest, 3),
        }

    def _line(
        self, plan: _Plan, activity_id: int, distance_m: float, gain: float, *, gps: bool, manual: bool
    ) -> Activity:
        """Return the fields that come of a GPS track, or of its lack (which has several spellings)."""
        rng = self._rng
        line: Activity = {"map": {"id": f"a{activity_id}", "summary_polyline": "", "resource_state": 2}}
        legacy = plan.age < 0.15
        start: list[float] | None = [] if gps or not legacy else None
        end = start
        if gps:
            home = _WATOPIA if plan.sport.name == "VirtualRide" else (plan.place.lat, plan.place.lng)
            lat, lng = home[0] + rng.randrange(-120, 120), home[1] + rng.randrange(-120, 120)
            # An athlete's routes come back, so a line's length is the distance to within 3 %.
            route_m = round(1.06 ** round(math.log(max(200.0, distance_m), 1.06)))
            tail, (d_lat, d_lng) = loop(self._seed * 4 + rng.randrange(4), route_m, home[0])
            line["map"]["summary_polyline"] = encode([(lat, lng)]) + tail
            start, end = [lat / 1e5, lng / 1e5], [(lat + d_lat) / 1e5, (lng + d_lng) / 1e5]
            if not legacy and rng.random() < 0.008:
                start = end = []  # a hidden start: the line is there, its ends are not
        elif manual or rng.random() < 0.3:
            line["map"]["summary_polyline"] = None
        line["start_latlng"], line["end_latlng"] = start, end
        if legacy:
            line["start_latitude"], line["start_longitude"] = start or (None, None)
        if gps or rng.random() > 0.45:
            low = 0.0 if not gps else rng.gauss(60, 40)
            line["elev_high"] = self._number("elev_high", low + gain * 0.4, 1)
            line["elev_low"] = self._number("elev_low", low, 1)
        return line

    def _sensors(self, plan: _Plan, average_speed: float, moving_s: int) -> Activity:
        rng, name, chances = self._rng, plan.sport.name, self._chances
        sensors: Activity = {"has_heartrate": rng.random() < present(SUMMARY["average_heartrate"])}
        if rng.random() < chances.cadence.get(name, 0.0):
            cadence = rng.gauss(85, 4) if name in _RUNS else rng.gauss(81, 6)
            sensors["average_cadence"] = self._number("average_cadence", cadence, 1)
        if rng.random() < chances.temp.get(name, 0.0):
            warmth = -10 * math.cos((plan.local_s % 31557600) / 31557600 * 6.283)
            sensors["average_temp"] = round(rng.gauss(13 + warmth, 4))
        if rng.random() < chances.watts.get(name, 0.0):
            watts = rng.gauss(22, 2) * max(3.0, average_speed)
            sensors["average_watts"] = self._number("average_watts", watts, 1)
            sensors["kilojoules"] = self._number("kilojoules", watts * moving_s / 1000, 1)
            sensors["device_watts"] = rng.random() < 14.1 / 46.1
            if sensors["device_watts"]:
                sensors["max_watts"] = round(watts * rng.uniform(2, 4))
                sensors["weighted_average_watts"] = round(watts * rng.uniform(1.02, 1.2))
        if sensors["has_heartrate"]:
            beats = rng.gauss(142, 9)
            sensors["average_heartrate"] = self._number("average_heartrate", beats, 1)
            sensors["max_heartrate"] = self._number("max_heartrate", float(round(beats + rng.uniform(8, 35))), 1)
        # Two spells with a subscription; in them an activity without heart rate mostly has a null.
        if 0.45 <= plan.age < 0.55 or plan.age >= 0.87:
            score: float | None = round(moving_s / 60 * rng.uniform(0.3, 1.4))
            if not sensors["has_heartrate"] and rng.random() < 0.74:
                score = None
            elif rng.random() > 2.6 / 17.7:
                score = float(score or 0)
            sensors["suffer_score"] = score
        return sensors

    def _upload(self, plan: _Plan, activity_id: int, *, manual: bool) -> Activity:
        rng = self._rng
        upload_id = None if manual else int(activity_id * 1.0669) + rng.randrange(1000)
        upload: Activity = {
            "manual": manual,
            "gear_id": None,
            "upload_id": upload_id,
            "external_id": None if manual else f"garmin_ping_{rng.randrange(10**8, 10**12)}",
            "from_accepted_tag": None if manual and plan.age < 0.15 else False,
        }
        if upload_id and plan.age >= 0.081:
            upload["upload_id_str"] = str(upload_id)
        if plan.age >= 1 - present(SUMMARY["device_name"]):
            upload["device_name"] = "Zwift" if plan.sport.name == "VirtualRide" else rng.choice(_DEVICES)
        if rng.random() < self._chances.workout.get(plan.sport.name, 0.0):
            upload["workout_type"] = (_RUN_KINDS if plan.sport.name in _RUNS else _RIDE_KINDS).draw(rng)
        elif rng.random() < 36.7 / 51:
            upload["workout_type"] = None
        return upload

    def _wear(self, plan: _Plan, summary: Activity) -> None:
        """Put gear on, and replace it when it is worn out."""
        rng, name = self._rng, plan.sport.name
        if rng.random() >= self._chances.gear.get(name, 0.0):
            return
        kind, lasts_m, models = ("g", 7e5, _SHOES) if name in _RUNS else ("b", 2.5e7, _BIKES)
        worn = self._worn[kind]
        if len(worn) < 2:
            brand, model = rng.choice(models)
            gear = Gear(f"{kind}{rng.randrange(10**6, 3 * 10**7)}", brand, model)
            worn.append(self.gear.setdefault(gear.id, gear))
        gear = worn[0] if name in ("Run", "Ride", "VirtualRide") else worn[-1]
        gear.distance_m += summary["distance"]
        summary["gear_id"] = gear.id
        if gear.distance_m > lasts_m:
            gear.retired = True
            worn.remove(gear)


def profile(athlete_id: int, home: Place, gear: dict[str, Gear]) -> Activity:
    """Return Strava's DetailedAthlete; retired gear is not in it, as at Strava."""
    kinds: dict[str, list[Activity]] = {"b": [], "g": []}
    for item in gear.values():
        if not item.retired:
            listed = kinds["b" if item.id.startswith("b") else "g"]
            listed.append(item.summary(primary=not listed))
    return {
        "id": athlete_id,
        "username": f"athlete_{athlete_id}",
        "resource_state": 3,
        "firstname": "Robin",
        "lastname": "Sommer",
        "bio": None,
        "city": home.city,
        "state": home.state,
        "country": home.country,
        "sex": None,
        "premium": True,
        "summit": True,
        "created_at": "2010-03-14T09:26:53Z",
        "updated_at": "2026-01-02T03:04:05Z",
        "badge_type_id": 1,
        "weight": 68.5,
        "profile_medium": "avatar/athlete/medium.png",
        "profile": "avatar/athlete/large.png",
        "friend": None,
        "follower": None,
        "follower_count": 42,
        "friend_count": 40,
        "mutual_friend_count": 0,
        "athlete_type": 1,
        "date_preference": "%m/%d/%Y",
        "measurement_preference": "meters",
        "clubs": [],
        "ftp": 240,
        "bikes": kinds["b"],
        "shoes": kinds["g"],
    }
