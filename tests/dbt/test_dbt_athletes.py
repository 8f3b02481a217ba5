"""Two athletes in one warehouse: each row is the same as if the athlete were alone there."""

import shutil
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from home import Athlete
from imports import without_account
from landed import NO_LIMITS

from pipelines.page import data, details, public_data
from simulator import Simulator, write_export
from simulator.activity_files import Sample, fit_file, gpx_file

pytestmark = pytest.mark.slow

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

# by mart its rows, as text of each column
Rows = dict[str, Counter[tuple[tuple[str, str], ...]]]


@dataclass
class Built:
    """Two athletes by id, each in a warehouse of their own, and the warehouse of both."""

    alone: dict[int, Path]
    together: Path


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


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The warehouse of both is built after the beginning too, so that the rest is merged into it."""
    folder = tmp_path_factory.mktemp("athletes")
    both = without_account(folder / "both")
    users = {}
    try:
        for seed, (settings, _) in SETTINGS.items():
            simulator = Simulator(seed=seed, activities=90, limits=NO_LIMITS).__enter__()
            users[seed] = Athlete(folder / str(seed), simulator)
            users[seed].settings["STRAVA_WATCH"] = "watch"
            users[seed].home.mkdir()
            users[seed].authorise(scope=SCOPE)
            begin(users[seed], seed, settings)
            add_shards(users[seed], both.home)
        assert both.spawn("build").code == 0
        for seed, (settings, later) in SETTINGS.items():
            go_on(users[seed], seed, settings | later)
            add_shards(users[seed], both.home)
            ran = users[seed].spawn("build", **settings | later)
            assert ran.code == 0, ran.err
    finally:
        for user in users.values():
            user.strava.__exit__(None, None, None)
    ran = both.spawn("build")
    assert ran.code == 0, ran.err
    alone = {user.strava.athlete_id: user.warehouse for user in users.values()}
    assert len(alone) == len(SETTINGS)
    return Built(alone, both.warehouse)


def rows_of(warehouse: Path, athlete_id: int) -> Rows:
    """What the marts say of an athlete."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        marts = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'main' and "
            "table_name <> 'sport_groups' order by 1"
        ).fetchall()
        found = {}
        for (mart,) in marts:
            asked = connection.execute(f"select * from main.{mart} where athlete_id = ?", [athlete_id])
            names = [name for name, *_ in asked.description]
            found[mart] = Counter(tuple(zip(names, map(repr, values), strict=True)) for values in asked.fetchall())
    return found


def today(built: Built) -> list[tuple[int, date]]:
    with duckdb.connect(str(built.together), read_only=True) as connection:
        return connection.execute("select athlete_id, today from athletes_today order by 1").fetchall()


def differences(alone: Rows, together: Rows) -> dict[str, Any]:
    """By mart, rows that only one of the two has; of rows in the same place, the columns that differ."""
    found: dict[str, Any] = {}
    for mart in alone.keys() | together.keys():
        here, there = alone.get(mart, Counter()), together.get(mart, Counter())
        pairs = zip(sorted((here - there).elements()), sorted((there - here).elements()), strict=False)
        if here != there:
            columns = [[cell for cell in zip(one, other, strict=True) if cell[0] != cell[1]] for one, other in pairs]
            found[mart] = (sum(here.values()), sum(there.values()), columns[:3])
    return found


def test_every_row_of_every_mart_is_as_if_its_athlete_were_alone(built: Built) -> None:
    while True:
        before = today(built)
        alone = {id_: rows_of(path, id_) for id_, path in built.alone.items()}
        together = {id_: rows_of(built.together, id_) for id_ in built.alone}
        if today(built) == before:
            break
    for athlete_id, rows in alone.items():
        assert differences(rows, together[athlete_id]) == {}
        assert [mart for mart, found in rows.items() if not found] == []
    # nobody else has any
    with duckdb.connect(str(built.together), read_only=True) as connection:
        for mart in next(iter(alone.values())):
            whose = connection.execute(f"select distinct athlete_id from main.{mart}").fetchall()
            assert {id_ for (id_,) in whose} == built.alone.keys(), mart


def test_the_page_of_an_athlete_is_as_if_the_athlete_were_alone(built: Built) -> None:
    def shown(path: Path, athlete_id: int) -> tuple[Any, ...]:
        with duckdb.connect(str(path), read_only=True) as connection:
            of_all = data.page_json(connection, athlete_id, lambda routes: [each or "" for each in routes], None)
            built_at = str(data.built_at(connection)).replace(" ", "T")[:19].encode()
            return (
                of_all.replace(built_at, b""),
                details.details_text(connection, athlete_id, data.units_of(connection, athlete_id)),
                public_data.public_json(connection, athlete_id, today(built)[0][1]),
            )

    for athlete_id, path in built.alone.items():
        assert shown(built.together, athlete_id) == shown(path, athlete_id)
