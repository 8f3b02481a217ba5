"""Spark makes of the same bronze the same rows as DuckDB, and forgets what is erased, whatever stops it in between."""

import os
import signal
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from home import Athlete
from imports import without_account
from landed import until
from sparks import NONSENSE_ATHLETE, STARTED_AT, add_nonsense, compared, files_with, settings_of
from two_athletes import SETTINGS, add_shards, begin, go_on, run_of, two_athletes

from pipelines.bronze.shard import names_in
from pipelines.ground.errors import StravaError
from pipelines.ground.settings import StravaSettings
from spark.build import build
from spark.compare import Comparison
from spark.places import Places
from spark.session import Session, open_session

pytestmark = pytest.mark.spark

# Iceberg's own files have the first 16 characters of a text
SECRET = "Zebra 4711"
# the data's own tests pass on Spark after the full build, and on DuckDB after each
WITHOUT_TESTS = ("--exclude-resource-type", "test")
ENGINES = ("DuckDB", "Spark")


@dataclass
class Seen:
    """What was seen of a warehouse that grew."""

    # by what happened before
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    mentions: dict[str, list[str]] = field(default_factory=dict)
    # by engine: activities made of nonsense
    nonsense: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)
    # how activities ended up: whether one is in the warehouse that was deleted, returned, or is new
    fates: dict[str, bool] = field(default_factory=dict)
    # what stopped a build, in words
    errors: dict[str, str] = field(default_factory=dict)
    # shards that two files had when Spark built the increment
    twice: int = 0


def in_between(user: Athlete, settings: dict[str, str]) -> int:
    """Rename what will be purged, and let something vanish that will return; the id of that."""
    ids = sorted(each["id"] for each in user.strava.activities())
    user.strava.edit(ids[13], name=SECRET)
    user.strava.delete(ids[40])
    # names of pulls have seconds
    time.sleep(1)
    run_of(user, "flow", ENRICH_LIMIT="100", STRAVA_SWEEP_HOURS="0", **settings)
    return ids[40]


def kill_a_compaction(user: Athlete) -> int:
    """Compact the shards of activities, and die before the small files go; how many shards two files have then."""
    killed = user.spawn("build", SOAK_COMPACTS_ABOVE="1", SOAK_KILL_AT="os.remove .*/data/activities/.*")
    assert killed.code == -9, killed.err
    shards = [name for path in user.shards() for name in names_in(path)]
    return len(shards) - len(set(shards))


def kill_the_driver(settings: StravaSettings) -> str:
    """Kill the driver in the middle of a build; what the build says."""
    places = Places(settings)
    tables = places.folder / "tables"
    before = written(tables)

    def kill() -> None:
        until(lambda: written(tables) > before + 8, within_s=280)
        [driver] = [
            pid for pid in Path(f"/proc/{os.getpid()}/task/{main}/children").read_text().split() if is_driver(pid)
        ]
        os.kill(int(driver), signal.SIGKILL)

    main = threading.get_native_id()
    killer = threading.Thread(target=kill, daemon=True)
    with open_session(places) as session:
        killer.start()
        said = refusal(settings, session)
        killer.join()
    return said


def is_driver(pid: str) -> bool:
    return b"driver.py" in Path(f"/proc/{pid}/cmdline").read_bytes()


def written(tables: Path) -> int:
    """How many states of tables are on disk."""
    return len(list(tables.glob("*/*/metadata/*.metadata.json")))


def refusal(settings: StravaSettings, session: Session) -> str:
    """What a build says that does not come to its end."""
    with pytest.raises(StravaError) as refused:
        build(settings, session, *WITHOUT_TESTS)
    return str(refused.value)


def build_both(
    user: Athlete, session: Session, settings: StravaSettings, *options: str, seen: Seen | None = None
) -> Comparison:
    """Build on DuckDB and on Spark within one day, by which some marts go, and compare.

    With `seen`, a compaction is killed before Spark builds.
    """
    while True:
        day = datetime.now(UTC).date()
        ran = user.spawn("build")
        assert ran.code == 0, ran.err
        if seen:
            seen.twice = kill_a_compaction(user)
        build(settings, session, *options)
        comparison = compared(session, settings)
        if datetime.now(UTC).date() == day:
            return comparison


def nonsense_of(user: Athlete, relation: str) -> dict[int, dict[str, Any]]:
    """By id, what a mart has of the athlete whose activities are nonsense."""
    with duckdb.connect(str(user.warehouse), read_only=True) as connection:
        rows = connection.execute(
            "select id, name, kudos_count, comment_count, map.id as map_id, start_date_local, misfit_fields "
            f"from {relation} where athlete_id = {NONSENSE_ATHLETE}"
        )
        names = [name for name, *_ in rows.description]
        return {row[0]: dict(zip(names, row, strict=True)) for row in rows.fetchall()}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """One driver and one warehouse for all tests, because each build takes Spark a minute."""
    folder = tmp_path_factory.mktemp("spark")
    both = without_account(folder / "both")
    seen = Seen()
    with two_athletes(folder) as users, settings_of(both) as settings:
        places = Places(settings)
        returning = {}
        for seed, (first, _) in SETTINGS.items():
            begin(users[seed], seed, first)
            returning[seed] = in_between(users[seed], first)
            add_shards(users[seed], both.home)
        add_nonsense(both.home, users[1].strava.activities()[0])
        with open_session(places) as session:
            seen.comparisons["full build"] = build_both(both, session, settings)
            seen.mentions["full build"] = files_with(places.folder, SECRET)
            seen.nonsense = {
                "DuckDB": nonsense_of(both, "activities"),
                "Spark": nonsense_of(both, f"read_parquet('{places.exported}/activities/*.parquet')"),
            }
            with open_session(places) as second:
                seen.errors["metastore in use"] = refusal(settings, second)

        for seed, (first, later) in SETTINGS.items():
            users[seed].strava.restore(returning[seed])
            go_on(users[seed], seed, first | later | {"STRAVA_PURGE_DELETED": "false"})
            add_shards(users[seed], both.home)
        seen.errors["killed driver"] = kill_the_driver(settings)
        with open_session(places) as session:
            seen.comparisons["increment"] = build_both(both, session, settings, *WITHOUT_TESTS, seen=seen)
            live = {name for (name,) in both.sql("select name from activities")}
            ids = {id_ for (id_,) in both.sql("select id from activities")}
            seen.fates = {
                "deleted": SECRET not in live,
                "new": "New" in live,
                "changed": "Cut" in live,
                "returned": ids >= set(returning.values()),
            }

            ran = both.spawn("purge")
            assert ran.code == 0, ran.err
            build(settings, session, *WITHOUT_TESTS)
            # before anything is exported again
            seen.mentions["purge"] = [
                *files_with(places.folder, SECRET),
                *files_with(settings.state_path / "spark", SECRET),
            ]
            seen.comparisons["purge"] = compared(session, settings)
    with (
        settings_of(both, STRAVA_SPARK_BRONZE="s3a://no-such-bucket/bronze") as settings,
        open_session(Places(settings)) as session,
    ):
        seen.errors["unreachable bucket"] = refusal(settings, session)
    return seen


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        ("metastore in use", "Spark's metastore is open in another process: wait until that ends."),
        ("killed driver", "Spark's driver ended in the middle (signal 9). Run it again: what was committed stays"),
        ("unreachable bucket", "Spark cannot reach the bucket: check STRAVA_SPARK_BRONZE and the keys"),
    ],
)
def test_what_stops_a_build_is_said_in_a_sentence_and_the_next_build_completes(
    seen: Seen, cause: str, said: str
) -> None:
    assert said in seen.errors[cause]
    assert seen.comparisons["increment"].differences == ()


def test_a_shard_that_two_files_have_counts_once(seen: Seen) -> None:
    assert seen.twice > 2
    assert seen.comparisons["increment"].differences == ()


@pytest.mark.parametrize("after", ["full build", "increment", "purge"])
def test_every_row_of_every_relation_is_the_same_on_both_engines(seen: Seen, after: str) -> None:
    comparison = seen.comparisons[after]
    assert comparison.differences == ()
    assert comparison.relations > 40
    assert comparison.rows > 10_000


def test_the_increment_has_all_that_can_become_of_an_activity(seen: Seen) -> None:
    assert seen.fates == dict.fromkeys(("deleted", "new", "changed", "returned"), True)


def test_what_is_purged_is_in_no_file_of_spark(seen: Seen) -> None:
    assert {name.split("/")[0] for name in seen.mentions["full build"]} >= {"tables", "exported"}
    assert seen.mentions["purge"] == []


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("id_", "column", "value"),
    [
        (1, "name", "First"),
        (2, "kudos_count", None),
        (2, "comment_count", None),
        (2, "misfit_fields", "kudos_count, comment_count"),
        (3, "map_id", None),
        (3, "misfit_fields", "map"),
        (4, "map_id", None),
        (5, "name", "Half \ufffd pair"),
        (6, "start_date_local", STARTED_AT + timedelta(days=6, hours=1)),
        (7, "kudos_count", None),
        (8, "kudos_count", None),
        (9, "name", "Plain"),
        (10, "name", "Plain"),
    ],
)
def test_nonsense_means_the_same_on_both_engines(seen: Seen, engine: str, id_: int, column: str, value: object) -> None:
    assert seen.nonsense[engine][id_][column] == value


def test_of_two_versions_of_one_instant_both_engines_take_the_same(seen: Seen) -> None:
    assert seen.nonsense["Spark"][11] == seen.nonsense["DuckDB"][11]
