"""Two simulated athletes with much that is odd: all doors, settings of each, and what changes later."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from home import Athlete
from landed import NO_LIMITS

from simulator import Simulator, write_export
from simulator.activity_files import Sample, fit_file, gpx_file

# seed of the simulated Strava, whose home is in Berlin or Denver -> the first settings, and what changes later
SETTINGS = {
    7: (
        {
            "STRAVA_REST_HR": "48",
            "STRAVA_MAX_HR": "188",
            "STRAVA_SEX": "f",
            "STRAVA_FTP": "180",
            "STRAVA_GOALS": "Run 1000 km/year, All 6 h/week, All 20 days/month",
        },
        {"STRAVA_MAX_HR": "190", "STRAVA_PURGE_DELETED": "true"},
    ),
    1: (
        {
            "STRAVA_REST_HR": "61",
            "STRAVA_MAX_HR": "172",
            "STRAVA_THRESHOLD_HR": "150",
            "STRAVA_SEX": "m",
            "STRAVA_FTP": "300",
            "STRAVA_UNITS": "mi",
            "STRAVA_GOALS": "All 5 h/week, Ride 20000 m/year",
        },
        {"STRAVA_GOALS": "All 7 h/week, Gym 3 x/month"},
    ),
}
RESOURCES = "kudos,comments,photos,laps,zones,routes"
STEPS = "import,pull,enrich,watch,purge_if_wanted,stage"
# not activity:read_all: what the athlete hides is known by the export alone
SCOPE = "read,profile:read_all,activity:read"


@contextmanager
def two_athletes(folder: Path) -> Iterator[dict[int, Athlete]]:
    """By seed, athletes with homes of their own in `folder`, who have authorised this program and never run it."""
    users = {}
    try:
        for seed in SETTINGS:
            simulator = Simulator(seed=seed, activities=90, limits=NO_LIMITS).__enter__()
            users[seed] = Athlete(folder / str(seed), simulator)
            users[seed].settings["STRAVA_WATCH"] = "watch"
            users[seed].home.mkdir()
            users[seed].authorise(scope=SCOPE)
        yield users
    finally:
        for user in users.values():
            user.strava.__exit__(None, None, None)


def recording(number: int, start: datetime, distance_m: float) -> list[Sample]:
    """What a watch measured in half an hour."""
    return [
        Sample(
            60 * minute,
            lat=40 + number + distance_m * minute / 30 / 111_195,
            lng=8.5 if number == 7 else -105,
            distance_m=distance_m * minute / 30,
            heart_rate=120 + (start.minute + minute) % 40,
        )
        for minute in range(31)
    ]


def run_of(user: Athlete, *command: str, **settings: str) -> None:
    ran = user.spawn(*command, **{"STRAVA_RESOURCES": RESOURCES, "SOAK_STEPS": STEPS} | settings)
    assert ran.code == 0, ran.err


def begin(user: Athlete, seed: int, settings: dict[str, str]) -> None:
    """An export of yesterday, files of a watch, the list, some details and all that is fetched on demand."""
    strava, home = user.strava, user.home
    now = datetime.now(UTC)
    known = [each for each in strava.activities() if each["distance"] > 3000]
    # at the same moment for both athletes
    own_start = now.replace(hour=3, minute=0, second=0, microsecond=0) - timedelta(days=4)
    # without a file and hidden, it takes its time zone from the activity nearest in time, which is that of the file
    strava.edit(known[4]["id"], manual=True, start_date=own_start + timedelta(minutes=40))
    strava.hide(known[4]["id"])
    strava.set_clock(now - timedelta(days=1))
    write_export(strava, home / "1.zip", points=20)
    strava.set_clock(now)
    # of an activity that Strava has, and of one that it has not
    (home / "watch").mkdir()
    start = datetime.fromisoformat(known[5]["start_date"])
    (home / "watch" / "known.fit").write_bytes(fit_file(recording(seed, start, known[5]["distance"]), start=start))
    (home / "watch" / "own.gpx").write_bytes(gpx_file(recording(seed, own_start, 4000.0 + seed), start=own_start))
    strava.edit(known[7]["id"], name="Renamed", flagged=True)
    strava.edit(known[8]["id"], average_heartrate=10, max_heartrate=11)
    strava.edit(known[9]["id"], name="By car", average_speed=40.0, distance=80_000.0, moving_time=2000)
    # a calendar that begins somewhere else
    strava.add(datetime(2000 + seed, 1, 1, tzinfo=UTC), name="Long ago")
    run_of(user, "import", str(home / "1.zip"), **settings)
    run_of(user, "flow", ENRICH_LIMIT="40", **settings)


def go_on(user: Athlete, seed: int, settings: dict[str, str]) -> None:
    """Edits, deletions, something new, a second export, a new name for gear, and other settings."""
    strava, home = user.strava, user.home
    ids = sorted(each["id"] for each in strava.activities())
    for id_ in ids[10 + seed % 3 : 16]:
        strava.delete(id_)
    strava.edit(ids[20], sport_type="Hike")
    strava.edit(ids[21], name="Cut", distance=1000.0 + seed)
    strava.crop(ids[30])
    strava.add(strava.now() - timedelta(hours=2), name="New", distance=9000.0 + seed)
    strava.edit_gear(
        next(each["gear_id"] for each in strava.activities() if each["gear_id"]), name=f"Renamed by {seed}"
    )
    write_export(strava, home / "2.zip", points=20)
    run_of(user, "import", str(home / "2.zip"), **settings)
    run_of(user, "flow", ENRICH_LIMIT="10", STRAVA_SWEEP_HOURS="0", **settings)


def add_shards(user: Athlete, home: Path) -> None:
    shutil.copytree(user.home / "data", home / "data", dirs_exist_ok=True, ignore=shutil.ignore_patterns("_dlt*", ".*"))
