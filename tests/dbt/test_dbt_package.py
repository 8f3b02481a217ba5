"""The models as a package: installed by `local:` into a dbt project that knows nothing of this repository."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from home import Athlete
from processes import REPO, inherited, launcher

PACKAGE = REPO / "dbt_project"
OPTIONAL = ("activity_details", "athlete_settings", "goals", "sweeps", "tombstones")
# which need no variable where they are missing
DOORS = ("activity_files", "athlete", "athlete_zones", "export_activities", "exports", "gear")
# which are there only where a variable asks for them, with their models
ON_DEMAND = ("activity_comments", "activity_kudos", "activity_laps", "activity_photos", "activity_zones", "routes")
OF_THEM = {"comments", "kudos", "photos", "activity_zones", "routes", *(f"stg_strava__{each}" for each in ON_DEMAND)}
# what an installing project may call its own things without being asked
OWN_MACROS = """
{% macro generate_schema_name(custom_schema_name, node) %}{{ custom_schema_name or 'mine' }}{% endmacro %}
{% macro weekday(date) %}this is not to be called{% endmacro %}
{% macro counts_for(figure) %}this is not to be called{% endmacro %}
{% macro optional_source(table, columns) %}this is not to be called{% endmacro %}
"""
pytestmark = pytest.mark.slow


class Project:
    """An empty dbt project with our package, built on a DuckDB file of its own."""

    def __init__(self, folder: Path, variables: dict[str, Any], **profile: Any) -> None:
        self.folder = folder
        self.file = folder / "own.duckdb"
        output = {"type": "duckdb", "path": str(self.file), "schema": "mine", "threads": 2, **profile}
        # without the flag a test of the package would be of a model of ours that has the name of one of its own
        flags = {"require_ref_searches_node_package_before_root": True}
        named = {"name": "mine", "version": "1.0", "profile": "mine"}
        self.write("dbt_project.yml", named | {"vars": variables, "flags": flags})
        self.write("packages.yml", {"packages": [{"local": str(PACKAGE)}]})
        self.write("profiles.yml", {"mine": {"target": "dev", "outputs": {"dev": output}}})
        # of the same name as one of the package
        self.write("models/activities.sql", "select count(*) as n from {{ ref('strava_stats', 'activities') }}")

    def write(self, name: str, content: Any) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))

    def dbt(self, *command: str) -> None:
        # no way to anywhere, and no ~/.dbt
        away = {"HOME": str(self.folder), "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
        ran = launcher().dbt(["--no-use-colors", "--warn-error", *command], env=inherited() | away, cwd=self.folder)
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.file), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def relations(self) -> dict[str, set[str]]:
        """The names of tables and views by schema."""
        found = self.rows("select table_schema, table_name from information_schema.tables")
        return {schema: {name for at, name in found if at == schema} for schema, _ in found}


def models(kind: str) -> set[str]:
    return {path.stem for path in (PACKAGE / "models" / kind).rglob("*.sql")} - OF_THEM


@pytest.mark.deep
def test_installed_it_builds_on_a_warehouse_in_another_database_and_leaves_the_project_its_own_ways(
    athlete: Athlete, run: Callable[..., Any], tmp_path: Path
) -> None:
    settings = {"STRAVA_MAX_HR": "188", "STRAVA_SEX": "f", "STRAVA_GOALS": "Run 1000 km/year"}
    assert run(ENRICH_LIMIT="5", **settings).code == 0
    attached = {"path": str(athlete.warehouse), "alias": "bronze", "read_only": True}
    project = Project(tmp_path / "mine", {"strava_database": "bronze"}, attach=[attached])
    project.write("macros/own.sql", OWN_MACROS)
    project.dbt("deps")
    project.dbt("build", "--exclude-resource-type", "unit_test")
    # once more, now that it is there
    project.dbt("run", "--select", "config.materialized:incremental")
    assert project.relations() == {
        "mine": {"activities"},
        "strava": models("marts") | {"sport_groups"},
        "strava_staging": models("staging") | models("intermediate"),
    }
    assert project.rows("from mine.activities") == [(60,)]
    with duckdb.connect(str(project.file), read_only=True) as connection:
        connection.execute(f"attach '{athlete.warehouse}' as bronze (read_only)")
        filled = "select count(*) from strava.{}"
        counts = {
            table: connection.execute(filled.format(table)).fetchall()[0][0]
            for table in ("activities", "activity_details", "splits", "zones", "goals", "activities_history")
        }
    assert (counts["activities"], counts["activity_details"], counts["goals"]) == (60, 5, 1)
    assert min(counts.values()) > 0
    assert athlete.sql("select 1 from duckdb_tables() where table_name = 'dbt_builds'") == []


@pytest.mark.deep
def test_installed_it_builds_where_there_are_summaries_and_nothing_else(
    athlete: Athlete, run: Callable[..., Any], tmp_path: Path
) -> None:
    assert run(ENRICH_LIMIT="0").code == 0
    missing = {f"strava__using_{table}": False for table in OPTIONAL}
    project = Project(tmp_path / "mine", {"strava_stats": {"strava_schema": "raw", **missing}})
    with duckdb.connect(str(project.file)) as connection:
        connection.execute(f"attach '{athlete.warehouse}' as theirs (read_only)")
        connection.execute("create schema raw")
        connection.execute("create table raw.activities as from theirs.staging.activities")
    project.dbt("deps")
    project.dbt("build", "--exclude-resource-type", "unit_test")
    assert project.relations() == {
        "raw": {"activities"},
        "mine": {"activities"},
        "mine_strava": models("marts") | {"sport_groups"},
        "mine_strava_staging": models("staging") | models("intermediate"),
    }
    assert project.rows("select count(*), sum(distance) > 0 from mine_strava.activities") == [(60, True)]
    assert project.rows("select count(*) > 0 from mine_strava.records") == [(True,)]
    for empty in ("activity_details", "splits", "zones", "goals", "deleted_activities"):
        assert project.rows(f"select count(*) from mine_strava.{empty}") == [(0,)], empty


def test_every_variable_of_the_package_is_in_its_readme_and_the_other_way_round() -> None:
    texts = [path.read_text() for kind in ("*.sql", "*.yml") for path in PACKAGE.rglob(kind)]
    used = {name for text in texts for name in re.findall(r"\bvar\('(\w+[a-z])'", text)}
    used |= {f"strava__using_{table}" for table in (*OPTIONAL, *DOORS, *ON_DEMAND)}
    assert used == set(re.findall(r"^\| `(strava_\w+)` \|", (PACKAGE / "README.md").read_text(), re.MULTILINE))
