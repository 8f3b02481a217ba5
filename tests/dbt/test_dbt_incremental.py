"""Builds over time, in a clone without any setting: `warehouse/strava.duckdb`, whose catalog is called `strava`."""

import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from versions import Build, Version, Warehouse, sorted_rows, tombstone, version

MODELS = (
    "activities",
    "activity_details",
    "activities_daily",
    "activities_weekly",
    "activities_monthly",
    "activities_yearly",
    "deleted_activities",
    "activities_history",
    "activity_sources",
    "source_differences",
    "export_details",
    "gear",
)
# by door, the table of staging
DOORS = {"api": "activities", "export": "export_activities", "file": "activity_files"}
FIRST_ID = 5_000_000_000
FIRST_FETCH = datetime(2026, 1, 1)
pytestmark = pytest.mark.deep


def shuffled_versions(rng: random.Random) -> list[Version]:
    """Return versions of 160 activities, up to 8 each, in no order, with ties on fetched_at and exact repetitions."""
    versions = []
    for number in range(rng.randint(4, 8) * 160):
        activity_id = FIRST_ID + rng.randrange(160)
        started = datetime(2024, 12, 20) + timedelta(hours=11 * (activity_id % 80))
        payload = {
            "id": activity_id,
            "name": f"version {number}",
            "sport_type": rng.choice(["Run", "Ride"]),
            "distance": rng.randrange(100_000) / 8,
            "moving_time": rng.randrange(10_000),
            "start_date": f"{started:%Y-%m-%dT%H:%M:%SZ}",
            "start_date_local": f"{started:%Y-%m-%dT%H:%M:%SZ}",
            "kudos_count": rng.choice([1, 1.0, 2]),
        }
        if rng.random() < 0.3:
            payload["map"] = rng.choice([{"id": "m", "n": 1}, {"n": 1.0, "id": "m"}, {"id": "m"}])
        shuffled = dict(rng.sample(sorted(payload.items()), len(payload)))
        versions.append(version(shuffled, FIRST_FETCH + timedelta(days=rng.randrange(6))))
    versions += rng.sample(versions, 20)
    rng.shuffle(versions)
    return versions


def shuffled_tombstones(rng: random.Random) -> list[Version]:
    """Return tombstones of some of them, up to 4 each, purges too, some of the very instant of a version."""
    return [
        tombstone(
            FIRST_ID + rng.randrange(120),
            FIRST_FETCH + timedelta(hours=12 * rng.randrange(13)),
            purged=rng.random() < 0.3,
        )
        for _ in range(150)
    ]


def shuffled_readings(rng: random.Random, table: str) -> list[Version]:
    """Return what readers made of rows of exports, or of files; 30 or 40 of the activities the API does not know."""
    readings = []
    for _ in range(300):
        activity_id = FIRST_ID + 100 + rng.randrange(90 if table == "export_activities" else 100)
        started = datetime(2024, 12, 20) + timedelta(hours=11 * (activity_id % 80))
        payload: dict[str, Any] = {
            "name": f"{table} {rng.randrange(5)}",
            "distance": rng.randrange(100_000) / 8,
            "gear_id": f"b{16_777_216 + rng.randrange(4)}",
            "gear_name": rng.choice(["", "Canyon"]),
        }
        if table == "export_activities":
            payload |= {"start_date": f"{started:%Y-%m-%dT%H:%M:%SZ}", "type": rng.choice(["Run", "Ride", "Walk"])}
        elif activity_id % 3:
            payload |= {"utc_offset": 3600 * rng.randrange(-11, 14), "time_zone_source": "position"}
        readings.append(version(payload, FIRST_FETCH + timedelta(days=rng.randrange(6)), activity_id=activity_id))
    return readings


@dataclass
class Truth:
    """What the tables have to say of all that landed, worked out row by row."""

    versions: list[Version]
    details: list[Version]
    tombstones: list[Version]
    exported: list[Version]
    recorded: list[Version]

    def noticed_at(self, activity_id: int | None, *, purged_only: bool = False) -> datetime:
        """When the activity was last noticed as gone, or purged; long ago if never."""
        return max(
            (
                row[2]
                for row in self.tombstones
                if row[0] == activity_id and (not purged_only or '"purged": true' in row[4])
            ),
            default=datetime.min,
        )

    def is_live(self, activity_id: int | None) -> bool:
        """Whether it was never noticed as gone or has a version, without summaries details, newer than that."""
        noticed_at = self.noticed_at(activity_id)
        # of the even ids, staging is rid of what was purged: see `land`
        erased_until = datetime.min if activity_id % 2 else self.noticed_at(activity_id, purged_only=True)
        versions, stand_ins = (
            [row[2] for row in rows if row[0] == activity_id and row[2] > erased_until]
            for rows in (self.versions + self.exported, self.details + self.recorded)
        )
        seen_at = max(versions or stand_ins, default=datetime.min)
        return seen_at > noticed_at or noticed_at == datetime.min

    def kept(self, versions: list[Version]) -> list[Version]:
        """The versions that no purge has erased, once each, oldest first."""
        kept = [row for row in set(versions) if row[2] > self.noticed_at(row[0], purged_only=True)]
        return sorted(kept, key=lambda row: (row[2], row[3]))

    def newest(self, versions: list[Version]) -> dict[int | None, str]:
        """Id -> hash of the version to be found in the table: the newest of each live activity."""
        return {row[0]: row[3] for row in self.kept(versions) if self.is_live(row[0])}

    def merged(self) -> dict[int | None, tuple[str, str]]:
        """Id -> hash and doors in `activities`: by the first door that knows it."""
        by_door = {
            "api": self.newest(self.versions),
            "export": self.newest(self.exported),
            "file": self.newest(self.recorded),
        }
        ids = set().union(*by_door.values())
        doors = {id_: [door for door, newest in by_door.items() if id_ in newest] for id_ in ids}
        return {id_: (by_door[known[0]][id_], ", ".join(known)) for id_, known in doors.items()}

    def gone(self) -> set[int | None]:
        return {row[0] for row in self.tombstones if not self.is_live(row[0])}

    def history(self) -> list[tuple[Any, ...]]:
        """(id, version, door, valid_from, valid_to, changed_fields, payload_hash) of every version."""
        rows = []
        for door, seen in (("api", self.versions), ("export", self.exported)):
            for activity_id in {row[0] for row in seen}:
                versions = [row for row in self.kept(seen) if row[0] == activity_id]
                ends = sorted(row[2] for row in self.tombstones if row[0] == activity_id)
                for number, (_, _, fetched_at, payload_hash, text, _) in enumerate(versions):
                    later = [at for at in ends if at >= fetched_at] + [row[2] for row in versions[number + 1 :]]
                    changed = changed_fields(versions[number - 1][4], text) if number else None
                    rows.append((activity_id, door, fetched_at, min(later, default=None), changed, payload_hash))
        rows.sort(key=lambda row: (row[0], row[2], row[1], row[5]))
        first = {row[0]: number for number, row in reversed(list(enumerate(rows)))}
        return [(row[0], number - first[row[0]] + 1, *row[1:]) for number, row in enumerate(rows)]


def changed_fields(before: str, after: str) -> str:
    """Names of the fields that differ: to Python 1 is 1.0 and the order of keys nothing, too."""
    old, new = json.loads(before), json.loads(after)
    nothing = object()
    return ", ".join(sorted(key for key in old | new if old.get(key, nothing) != new.get(key, nothing)))


@dataclass
class Story:
    """What the warehouse held after each chapter of one account's history."""

    clone: Path
    truth: Truth
    tables: dict[str, dict[str, list[tuple[Any, ...]]]] = field(default_factory=dict)
    history: list[tuple[Any, ...]] = field(default_factory=list)
    rows_of_staging: tuple[int, ...] = ()
    builds: dict[str, Build | None] = field(default_factory=dict)
    incremental_sql: str = ""
    plan_of_one_new_version: dict[str, Any] = field(default_factory=dict)

    def note(self, chapter: str, warehouse: Warehouse) -> None:
        self.tables[chapter] = {model: sorted_rows(warehouse.rows(f"from strava.{model}")) for model in MODELS}
        self.builds[chapter] = warehouse.last_build()


@pytest.fixture(scope="module")
def story(clone: Path) -> Story:
    rng = random.Random(20261101)  # noqa: S311 - a reproducible test, no secret
    truth = Truth(
        shuffled_versions(rng),
        shuffled_versions(rng),
        shuffled_tombstones(rng),
        shuffled_readings(rng, "export_activities"),
        shuffled_readings(rng, "activity_files"),
    )
    story = Story(clone, truth)
    warehouse = Warehouse(path=clone / "warehouse" / "strava.duckdb", cwd=clone / "dbt_project")

    def land(part: int) -> None:
        """Land a third of everything. Of each second purge, staging is rid already."""
        warehouse.land(truth.versions[part::3])
        warehouse.land(truth.details[part::3], "activity_details")
        warehouse.land(truth.tombstones[part::3], "tombstones")
        warehouse.land(truth.exported[part::3], "export_activities")
        warehouse.land(truth.recorded[part::3], "activity_files")
        for table in ("activities", "activity_details", "export_activities", "activity_files"):
            warehouse.rows(
                f"delete from staging.{table} as version using staging.tombstones as tombstone"
                " where version.id = tombstone.id and version.fetched_at <= tombstone.fetched_at"
                " and tombstone.payload like '%\"purged\": true%' and version.id % 2 = 0"
            )

    land(0)
    warehouse.built("build", "--exclude-resource-type", "unit_test")
    story.note("first build", warehouse)

    warehouse.built("build", "--exclude-resource-type", "unit_test")
    story.note("nothing new", warehouse)

    land(1)
    warehouse.built("run", "--select", "activities", "activity_details")
    story.note("a partial run", warehouse)

    warehouse.cwd = clone
    land(2)
    warehouse.built("build", "--exclude-resource-type", "unit_test")
    story.note("all parts in", warehouse)
    story.history = warehouse.rows(
        "select id, version, door, valid_from, valid_to, changed_fields, payload_hash from strava.activities_history"
    )

    (story.rows_of_staging,) = warehouse.rows(
        "select (select count(*) from staging.activities), (select count(*) from staging.activity_details)"
    )
    compiled = clone / "dbt_project/target/compiled/strava_stats/models/marts/core/activities.sql"
    story.incremental_sql = compiled.read_text()

    # The staging tables refilled in another order, the models built anew.
    for table in (*DOORS.values(), "activity_details", "tombstones"):
        warehouse.rows(f"create or replace table staging.{table} as from staging.{table} order by payload")
    warehouse.built("build", "--full-refresh", "--exclude-resource-type", "unit_test")
    story.note("full refresh", warehouse)

    warehouse.land([version({"id": FIRST_ID + 150, "name": "the only news"}, datetime(2026, 2, 1))])
    ((_, plan),) = warehouse.rows(f"explain (analyze, format json) {story.incremental_sql}")
    story.plan_of_one_new_version = json.loads(plan)

    warehouse.land([version({"id": 1}, datetime(2026, 2, 1), athlete_id=None)])
    failed = warehouse.dbt("build", "--select", "source:strava+", "--exclude-resource-type", "unit_test")
    assert failed.returncode != 0
    story.builds["a failed build"] = warehouse.last_build()
    warehouse.rows("delete from staging.activities where athlete_id is null")

    warehouse.built("test", "--select", "source:strava.activities")
    story.builds["only tests"] = warehouse.last_build()
    warehouse.built("run")
    story.builds["a run without seeds"] = warehouse.last_build()
    warehouse.built("build", "--empty", "--resource-type", "model", "--resource-type", "seed")
    story.builds["an empty build"] = warehouse.last_build()
    return story


@pytest.mark.parametrize("chapter", ["all parts in", "full refresh"])
def test_what_is_gone_is_in_the_table_of_the_deleted_and_nowhere_else(story: Story, chapter: str) -> None:
    gone = story.truth.gone()
    assert len(gone) > 20
    assert len(gone) < len({row[0] for row in story.truth.tombstones}) - 20
    assert [row[0] for row in story.tables[chapter]["deleted_activities"]] == sorted(gone)
    for model in ("activities", "activity_details"):
        assert not gone & {row[0] for row in story.tables[chapter][model]}


def test_the_history_has_every_version_with_its_time_and_what_changed(story: Story) -> None:
    assert sorted_rows(story.history) == sorted_rows(story.truth.history())


def test_the_current_versions_of_the_history_are_the_activities(story: Story) -> None:
    for door, versions in (("api", story.truth.versions), ("export", story.truth.exported)):
        current = {row[0]: row[6] for row in story.history if row[2] == door and row[4] is None}
        # one that another door has brought back is history by this one
        assert current == {
            id_: payload_hash
            for id_, payload_hash in story.truth.newest(versions).items()
            if max(row[2] for row in versions if row[0] == id_) > story.truth.noticed_at(id_)
        }


@pytest.mark.parametrize("chapter", ["all parts in", "full refresh"])
def test_the_newest_version_is_kept_whatever_the_order_of_arrival(story: Story, chapter: str) -> None:
    details = story.tables[chapter]["activity_details"]
    assert {row[0]: row[-1] for row in details} == story.truth.newest(story.truth.details)
    activities = [(row[0], row[-6], row[-4]) for row in story.tables[chapter]["activities"]]
    assert sorted(activities) == sorted((id_, *merged) for id_, merged in story.truth.merged().items())
    assert {doors for *_, doors in activities} == {
        "api", "api, export", "api, export, file", "api, file", "export", "export, file", "file"
    }  # fmt: skip


@pytest.mark.parametrize("chapter", ["all parts in", "full refresh"])
def test_the_doors_of_an_activity_are_those_that_have_a_version_of_it(story: Story, chapter: str) -> None:
    doors = {row[0]: row[-4] for row in story.tables[chapter]["activities"]}
    seen: dict[int, list[str]] = {}
    for activity_id, _, door, *_ in story.tables[chapter]["activity_sources"]:
        seen.setdefault(activity_id, []).append(door)
    assert {id_: ", ".join(sorted(each)) for id_, each in seen.items()} == doors


@pytest.mark.parametrize("model", MODELS)
def test_merging_in_steps_gives_the_table_of_a_full_refresh(story: Story, model: str) -> None:
    assert story.tables["all parts in"][model] == story.tables["full refresh"][model]


@pytest.mark.parametrize("model", MODELS)
def test_a_second_build_changes_nothing(story: Story, model: str) -> None:
    assert story.tables["nothing new"][model] == story.tables["first build"][model]


def payload_rows_read(plan: dict[str, Any]) -> int:
    """Return how many rows of Strava's the scans of DuckDB's query plan handed on with their payload.

    Readings of exports and files are read, to compare them with those that were merged: a reader may be newer.
    """
    read = sum(payload_rows_read(child) for child in plan.get("children", []))
    scan = plan.get("extra_info", {})
    others = ("tombstones", "export_activities", "activity_files")
    if "Table" in scan and "payload" in scan["Projections"] and not scan["Table"].endswith(others):
        read += plan["operator_cardinality"]
    return read


def test_the_payloads_of_merged_versions_are_not_read_again(story: Story) -> None:
    assert payload_rows_read(story.plan_of_one_new_version) == 1


def test_a_later_part_changes_what_was_merged(story: Story) -> None:
    assert story.tables["all parts in"]["activities"] != story.tables["first build"]["activities"]
    assert story.tables["all parts in"]["activities_daily"] != story.tables["first build"]["activities_daily"]


@pytest.mark.parametrize(
    ("before", "chapter"),
    [("first build", "nothing new"), ("a partial run", "all parts in"), ("all parts in", "full refresh")],
)
def test_a_build_of_everything_is_recorded(story: Story, before: str, chapter: str) -> None:
    earlier, later = story.builds[before], story.builds[chapter]
    assert earlier is not None
    assert later is not None
    assert later[0] > earlier[0]


@pytest.mark.parametrize(
    ("before", "chapter"),
    [
        ("nothing new", "a partial run"),
        ("full refresh", "a failed build"),
        ("full refresh", "only tests"),
        ("full refresh", "a run without seeds"),
        ("full refresh", "an empty build"),
    ],
)
def test_a_partial_failed_or_empty_build_is_not_recorded(story: Story, before: str, chapter: str) -> None:
    assert story.builds[chapter] == story.builds[before]


def test_a_record_counts_the_rows_of_staging(story: Story) -> None:
    everything = story.builds["all parts in"]
    assert everything is not None
    assert everything[3] == len(story.truth.tombstones)
    assert everything[1:3] == story.rows_of_staging


def test_dbt_leaves_its_files_inside_its_project(story: Story) -> None:
    assert {path.name for path in story.clone.iterdir()} == {"dbt_project", "profiles.yml", "warehouse"}
    assert (story.clone / "dbt_project" / "target").is_dir()
    assert (story.clone / "dbt_project" / "logs").is_dir()
