"""Spark makes of the same bronze the same rows as DuckDB, and forgets what is erased."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest
from home import Athlete
from imports import without_account
from sparks import NONSENSE_ATHLETE, STARTED_AT, add_nonsense, compared, files_with, settings_of
from two_athletes import SETTINGS, add_shards, begin, go_on, run_of, two_athletes

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


def in_between(user: Athlete, settings: dict[str, str]) -> int:
    """Rename what will be purged, and let something vanish that will return; the id of that."""
    ids = sorted(each["id"] for each in user.strava.activities())
    user.strava.edit(ids[13], name=SECRET)
    user.strava.delete(ids[40])
    # names of pulls have seconds
    time.sleep(1)
    run_of(user, "flow", ENRICH_LIMIT="100", STRAVA_SWEEP_HOURS="0", **settings)
    return ids[40]


def build_both(user: Athlete, session: Session, settings: StravaSettings, *options: str) -> Comparison:
    """Build on DuckDB and on Spark within one day, by which some marts go, and compare."""
    while True:
        day = datetime.now(UTC).date()
        ran = user.spawn("build")
        assert ran.code == 0, ran.err
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

            for seed, (first, later) in SETTINGS.items():
                users[seed].strava.restore(returning[seed])
                go_on(users[seed], seed, first | later | {"STRAVA_PURGE_DELETED": "false"})
                add_shards(users[seed], both.home)
            seen.comparisons["increment"] = build_both(both, session, settings, *WITHOUT_TESTS)
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
    return seen


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
