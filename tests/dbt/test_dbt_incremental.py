"""Builds over time, in a clone without any setting: `warehouse/strava.duckdb`, whose catalog is called `strava`."""

import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from versions import Build, Version, Warehouse, sorted_rows, version

MODELS = (
    "activities",
    "activity_details",
    "activities_daily",
    "activities_weekly",
    "activities_monthly",
    "activities_yearly",
)
pytestmark = pytest.mark.slow


def shuffled_versions(seed: int) -> list[Version]:
    """Return versions of 80 activities, up to 8 each, in no order, with ties on fetched_at and exact repetitions."""
    rng = random.Random(seed)  # noqa: S311 - a reproducible test, no secret
    first_fetch = datetime(2026, 1, 1)
    versions = []
    for number in range(rng.randint(1, 8) * 80):
        activity_id = 5_000_000_000 + rng.randrange(80)
        started = datetime(2024, 12, 20) + timedelta(hours=11 * (activity_id % 80))
        payload = {
            "id": activity_id,
            "name": f"version {number}",
            "sport_type": rng.choice(["Run", "Ride"]),
            "distance": rng.randrange(100_000) / 8,
            "moving_time": rng.randrange(10_000),
            "start_date": f"{started:%Y-%m-%dT%H:%M:%SZ}",
            "start_date_local": f"{started:%Y-%m-%dT%H:%M:%SZ}",
        }
        versions.append(version(payload, first_fetch + timedelta(days=rng.randrange(6))))
    versions += rng.sample(versions, 20)
    rng.shuffle(versions)
    return versions


def newest_by_id(versions: list[Version]) -> dict[int | None, str]:
    """Return id -> hash of the version to be kept: by fetched_at, then by hash."""
    return {row[0]: row[3] for row in sorted(versions, key=lambda row: (row[2], row[3]))}


@dataclass
class Story:
    """What the warehouse held after each chapter of one account's history."""

    clone: Path
    expected: dict[int | None, str]
    tables: dict[str, dict[str, list[tuple[Any, ...]]]] = field(default_factory=dict)
    builds: dict[str, Build | None] = field(default_factory=dict)
    incremental_sql: str = ""
    plan_of_one_new_version: dict[str, Any] = field(default_factory=dict)

    def note(self, chapter: str, warehouse: Warehouse) -> None:
        self.tables[chapter] = {model: sorted_rows(warehouse.rows(f"from strava.{model}")) for model in MODELS}
        self.builds[chapter] = warehouse.last_build()


@pytest.fixture(scope="module")
def story(clone: Path) -> Story:
    versions = shuffled_versions(seed=20261101)
    third = len(versions) // 3
    parts = versions[:third], versions[third : 2 * third], versions[2 * third :]
    story = Story(clone, newest_by_id(versions))

    warehouse = Warehouse(path=clone / "warehouse" / "strava.duckdb", cwd=clone / "dbt_project")
    warehouse.land(parts[0])
    warehouse.land(parts[0], "activity_details")
    warehouse.built("build", "--exclude-resource-type", "unit_test")
    story.note("first build", warehouse)

    warehouse.built("run")
    story.note("nothing new", warehouse)

    warehouse.land(parts[1])
    warehouse.land(parts[1], "activity_details")
    warehouse.built("run", "--select", "activities", "activity_details")
    story.note("a partial run", warehouse)

    warehouse.cwd = clone
    warehouse.land(parts[2])
    warehouse.land(parts[2], "activity_details")
    warehouse.built("run")
    story.note("all parts in", warehouse)

    compiled = clone / "dbt_project/target/compiled/strava_stats/models/marts/activities.sql"
    story.incremental_sql = compiled.read_text()

    # The staging tables refilled in another order, the models built anew.
    for table in ("activities", "activity_details"):
        warehouse.rows(f"create or replace table staging.{table} as from staging.{table} order by payload")
    warehouse.built("run", "--full-refresh")
    story.note("full refresh", warehouse)

    warehouse.land([version({"id": 5_000_000_001, "name": "the only news"}, datetime(2026, 2, 1))])
    ((_, plan),) = warehouse.rows(f"explain (analyze, format json) {story.incremental_sql}")
    story.plan_of_one_new_version = json.loads(plan)

    warehouse.land([version({"id": 1}, datetime(2026, 2, 1), athlete_id=None)])
    failed = warehouse.dbt("build", "--select", "source:strava+", "--exclude-resource-type", "unit_test")
    assert failed.returncode != 0
    story.builds["a failed build"] = warehouse.last_build()
    warehouse.rows("delete from staging.activities where athlete_id is null")

    warehouse.built("test", "--select", "source:strava.activities")
    story.builds["only tests"] = warehouse.last_build()
    warehouse.built("run", "--empty")
    story.builds["an empty run"] = warehouse.last_build()
    return story


@pytest.mark.parametrize("chapter", ["all parts in", "full refresh"])
def test_the_newest_version_is_kept_whatever_the_order_of_arrival(story: Story, chapter: str) -> None:
    for model in ("activities", "activity_details"):
        rows = story.tables[chapter][model]
        position_of_hash = -2 if model == "activities" else -1
        assert {row[0]: row[position_of_hash] for row in rows} == story.expected
        assert len(rows) == len(story.expected)


@pytest.mark.parametrize("model", MODELS)
def test_merging_in_steps_gives_the_table_of_a_full_refresh(story: Story, model: str) -> None:
    assert story.tables["all parts in"][model] == story.tables["full refresh"][model]


@pytest.mark.parametrize("model", MODELS)
def test_a_second_build_changes_nothing(story: Story, model: str) -> None:
    assert story.tables["nothing new"][model] == story.tables["first build"][model]


def payload_rows_read(plan: dict[str, Any]) -> int:
    """Return how many rows the scans of DuckDB's query plan handed on with their payload."""
    read = sum(payload_rows_read(child) for child in plan.get("children", []))
    scan = plan.get("extra_info", {})
    if "Table" in scan and "payload" in scan["Projections"]:
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
def test_a_run_of_all_models_is_recorded(story: Story, before: str, chapter: str) -> None:
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
        ("full refresh", "an empty run"),
    ],
)
def test_a_partial_failed_or_empty_build_is_not_recorded(story: Story, before: str, chapter: str) -> None:
    assert story.builds[chapter] == story.builds[before]


def test_a_record_counts_the_rows_of_staging(story: Story) -> None:
    everything = story.builds["all parts in"]
    assert everything is not None
    assert everything[1] == everything[2] > len(story.expected)


def test_dbt_leaves_its_files_inside_its_project(story: Story) -> None:
    assert {path.name for path in story.clone.iterdir()} == {"dbt_project", "profiles.yml", "warehouse"}
    assert (story.clone / "dbt_project" / "target").is_dir()
    assert (story.clone / "dbt_project" / "logs").is_dir()
