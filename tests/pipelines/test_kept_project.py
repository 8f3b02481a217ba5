"""What dbt has read of the project, in seconds, is kept for all warehouses: real dbt on a project of one model."""

import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from landed import until

from pipelines.ground.settings import StravaSettings
from pipelines.warehouse import dbt_process
from pipelines.warehouse.dbt_process import Dbt

PROJECT = """
name: tiny
profile: tiny
flags: {send_anonymous_usage_stats: false}
"""
PROFILES = """
tiny:
  target: tiny
  outputs:
    tiny: {type: duckdb, path: "{{ env_var('STRAVA_WAREHOUSE') }}"}
"""
# in what is read: the name of the warehouse, and a variable of dbt's
MODEL = "{{ config(materialized='table', meta={'read': target.database ~ env_var('DBT_WORD', '')}) }}" + (
    "select %d as number, '{{ model.config.meta.read }}' as read"
)


def write(path: Path, text: str) -> None:
    """Write a file of the project, and wait: what has just changed is not kept."""
    path.write_text(text)
    time.sleep(1.2)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(PROJECT)
    (folder / "profiles.yml").write_text(PROFILES)
    write(folder / "models" / "it.sql", MODEL % 1)
    monkeypatch.setattr(dbt_process, "PROJECT", folder)
    return folder


@pytest.fixture
def built(tmp_path: Path, project: Path) -> Callable[..., tuple[int, str]]:
    """The row of the model after a build in a home: built("home")."""

    def build(home: str, warehouse: str = "warehouse/strava.duckdb") -> tuple[int, str]:
        settings = StravaSettings()
        settings.home, settings.warehouse = str(tmp_path / home), warehouse
        settings.warehouse_path.parent.mkdir(parents=True, exist_ok=True)
        ran = Dbt(settings).run("build", "--quiet")
        assert (ran.code, ran.printed) == (0, ""), ran.printed
        with duckdb.connect(str(settings.warehouse_path)) as connection:
            [row] = connection.execute("select number, read from it").fetchall()
        return row

    return build


def was_read(home: Path) -> bool:
    """Whether dbt has read the project for this home: then it has left this file."""
    return (home / "warehouse" / ".state" / "dbt" / "target" / "partial_parse.msgpack").exists()


def test_the_project_is_read_for_the_first_home_alone_and_again_when_it_has_changed(built, project, tmp_path):
    assert built("first") == built("second") == (1, "strava")
    assert [was_read(tmp_path / home) for home in ("first", "second")] == [True, False]
    write(project / "models" / "it.sql", MODEL % 2)
    assert built("second") == (2, "strava")
    assert was_read(tmp_path / "second")


@pytest.mark.deep
def test_a_project_that_changes_while_dbt_reads_it_is_not_kept(built, project, tmp_path, monkeypatch):
    settings = StravaSettings()
    settings.home, settings.warehouse = str(tmp_path / "home"), "warehouse/strava.duckdb"
    settings.warehouse_path.parent.mkdir(parents=True)
    model = project / "models" / "it.sql"
    reading = Dbt(settings)
    reading.get_ready()
    # the hash is that of the first text, dbt reads the second, and then all is as before
    model.write_text(MODEL % 2)
    until(lambda: was_read(tmp_path / "home"))
    model.write_text(MODEL % 1)
    assert reading.run("build", "--quiet").code == 0
    assert not (project / "target" / "read").exists()
    time.sleep(1.2)
    assert built("home") == built("other home") == (1, "strava")


@pytest.mark.deep
def test_every_file_of_the_project_counts(built, project, tmp_path):
    built("first")
    tests = (
        "models: [{name: it, columns: [{name: number, data_tests: [{accepted_values: {arguments: {values: [2]}}}]}]}]"
    )
    write(project / "models" / "it.yaml", tests)
    with pytest.raises(AssertionError, match="accepted_values_it_number__2"):
        built("first")
    write(project / ".dbtignore", "it.yaml")
    assert built("first") == (1, "strava")


@pytest.mark.deep
def test_the_project_is_read_again_for_another_name_of_the_warehouse_and_other_variables(built, monkeypatch):
    assert built("home") == (1, "strava")
    assert built("home", "warehouse/other.duckdb") == (1, "other")
    monkeypatch.setenv("DBT_WORD", " and more")
    assert built("home") == (1, "strava and more")


@pytest.mark.deep
def test_a_kept_project_that_is_damaged_is_read_again(built, project, tmp_path):
    built("first")
    [kept] = (project / "target" / "read").iterdir()
    whole = kept.read_bytes()
    for number, damaged in enumerate((b"", whole[:10], whole[:-10], whole[:-1] + b"?", b"?" + whole[1:])):
        kept.write_bytes(damaged)
        assert built(f"home {number}") == (1, "strava")
        assert was_read(tmp_path / f"home {number}")
    built("last")
    assert not was_read(tmp_path / "last")


@pytest.mark.deep
def test_a_folder_that_cannot_be_written_costs_only_time_and_old_readings_are_removed(built, project):
    (project / "target").write_text("a file, so no folder can be made here, not even by root")
    assert built("home") == (1, "strava")
    (project / "target").unlink()
    for number in range(20):
        (project / "target" / "read").mkdir(parents=True, exist_ok=True)
        (project / "target" / "read" / f"{number}.pickle").write_bytes(b"of an older version")
    assert built("home") == (1, "strava")
    kept = sorted((project / "target" / "read").iterdir())
    assert len(kept) == 8
    assert max(path.stat().st_size for path in kept) > 100_000
