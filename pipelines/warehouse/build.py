"""`dbt build` in a process of its own, and whether it is needed at all."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipelines.bronze.shard import shard_files
from pipelines.bronze.tables import TABLES
from pipelines.ground.durable import is_there, read_whole
from pipelines.ground.engine import known_error
from pipelines.ground.errors import BuildFailed
from pipelines.ground.resources import ALWAYS, ON_DEMAND
from pipelines.ground.settings import REPO, StravaSettings
from pipelines.warehouse.database import holds_table, open_warehouse

PROJECT = REPO / "dbt_project"
# tables of staging -> where `record_build` notes how many rows of them a build saw
COUNTED = {
    "activities": "activity_rows",
    "activity_details": "detail_rows",
    "tombstones": "tombstone_rows",
    "export_activities": "export_activities",
    "activity_files": "activity_files",
    "exports": "exports",
    **{endpoint.name: endpoint.name for endpoint in (*ALWAYS, *ON_DEMAND.values())},
}
# dbt begins each line with the time
CLOCK = re.compile(r"^\d\d:\d\d:\d\d +", re.MULTILINE)
LONGEST_TEXT = 4000
# what Python, dbt and DuckDB read; settings, tokens, keys and passphrases are nobody's there
PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|TMP|TEMP|TZ|LANG|LANGUAGE|LC_\w+|TERM|COLUMNS|NO_COLOR|VIRTUAL_ENV|"
    r"PYTHON\w+|DBT_\w+|MALLOC_\w+|(DY)?LD_LIBRARY_PATH"
)


def build_is_needed(settings: StravaSettings) -> bool:
    """Whether rows have landed, or the project has changed, since the last whole `dbt build` of this warehouse.

    dbt starts in 3 to 5 s; a run with nothing new does not pay that. The macro `record_build` writes what is read here.
    Sweeps do not count: what they found has rows of its own, and dbt only has a view on them.
    """
    with open_warehouse(settings.warehouse_path) as connection:
        built = built_at(connection)
    changed_at = max(path.stat().st_mtime for path in PROJECT.rglob("*") if path.suffix in (".sql", ".yml", ".csv"))
    return built is None or datetime.fromtimestamp(changed_at, UTC).replace(tzinfo=None) > built


def knows_all_purges(settings: StravaSettings) -> bool:
    """Whether the last whole `dbt build` of this warehouse was after every purge, or there never was one."""
    purges = "json_extract_string(payload, '$.purged') = 'true'"
    with open_warehouse(settings.warehouse_path) as connection:
        row = connection.execute(f"select count(*), count_if({purges}) from staging.tombstones").fetchone()
        tombstones, purged = row or (0, 0)
        if not purged:
            return True
        try:
            return connection.execute("select tombstone_rows from staging.dbt_builds").fetchone() == (tombstones,)
        except (duckdb.CatalogException, duckdb.BinderException):
            return False


def built_at(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """When the last whole `dbt build` of the opened warehouse was (UTC), if it saw all rows of staging; else None."""
    unchanged = " and ".join(
        f"{column} = {f'(select count(*) from staging.{table})' if holds_table(connection, table) else 0}"
        for table, column in COUNTED.items()
    )
    try:
        row = connection.execute(f"select built_at from staging.dbt_builds where {unchanged}").fetchone()
    except (duckdb.CatalogException, duckdb.BinderException):
        # never built, or by an older version that recorded less
        return None
    return row[0] if row else None


def dbt_command(*arguments: str) -> list[str]:
    """`dbt` of this Python, on this project, wherever it is called from."""
    return [
        # what is printed here is for people: no warnings of Python's, one of which is of dbt's own start
        *(sys.executable, "-W", "ignore", "-m", "dbt.cli.main", "--no-use-colors", *arguments),
        *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
    ]


def dbt_environment(settings: StravaSettings) -> dict[str, str]:
    """The environment for dbt: where the warehouse is, and what any program needs. There is no secret in it."""
    kept = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
    state = settings.state_path / "dbt"
    return kept | {
        "STRAVA_WAREHOUSE": str(settings.warehouse_path),
        # beside the warehouse, so that two warehouses can be built at a time and the code may be read-only
        "DBT_TARGET_PATH": str(state / "target"),
        "DBT_LOG_PATH": str(state / "logs"),
    }


def build(settings: StravaSettings) -> str:
    """Run `dbt build` (its unit tests aside: they test the code, not the data) and say what it did.

    Raises:
        BuildFailed: a model or a test failed; the text names it.
        WarehouseBusy: another process holds the DuckDB file.
    """
    target = settings.state_path / "dbt" / "target"
    results = target / "run_results.json"
    results.unlink(missing_ok=True)
    _forget_project_of_elsewhere(target)
    ran = subprocess.run(  # noqa: S603 - our own interpreter and arguments
        dbt_command("build", "--exclude-resource-type", "unit_test", "--quiet", *_vars(settings)),
        env=dbt_environment(settings),
        capture_output=True,
        text=True,
        check=False,
        # a Ctrl-C of the terminal is ours to handle: dbt finishes its merge
        start_new_session=True,
    )
    if ran.returncode:
        told = (_failures(results) or CLOCK.sub("", ran.stdout + ran.stderr)).strip()
        log = results.parent.parent / "logs" / "dbt.log"
        raise known_error(settings.warehouse_path, told) or BuildFailed(
            f"dbt build failed. {told[-LONGEST_TEXT:]}\nIts log: {log}"
        )
    return _summary(results)


def _vars(settings: StravaSettings) -> list[str]:
    """What switches on the models of what was fetched on demand; without it dbt need not know of them."""
    fetched = [
        name for name, table in TABLES.items() if table.is_on_demand and shard_files(settings.bronze_path / name)
    ]
    return ["--vars", json.dumps({f"strava__using_{name}": True for name in fetched})] if fetched else []


def _forget_project_of_elsewhere(target: Path) -> None:
    """Remove what dbt keeps of a project that it parsed in another folder: it would look for the seeds there.

    So it is after the clone was moved, and in a container and beside it by turns.
    """
    manifest = target / "manifest.json"
    if not is_there(manifest):
        return
    here = {json.dumps(str(PROJECT), ensure_ascii=ascii_only).encode() for ascii_only in (True, False)}
    text = read_whole(manifest)
    if not any(path in text for path in here):
        (target / "partial_parse.msgpack").unlink(missing_ok=True)


def _results(path: Path) -> list[dict[str, str]]:
    try:
        results: list[dict[str, str]] = json.loads(path.read_bytes())["results"]
    except (OSError, ValueError, KeyError):
        return []
    return results


def _failures(path: Path) -> str:
    return "\n".join(
        f"{result['unique_id']}: {result['message']}"
        for result in _results(path)
        if result["status"] in ("error", "fail")
    )


def _summary(path: Path) -> str:
    results = _results(path)
    kinds = Counter(result["unique_id"].split(".")[0] for result in results)
    warned = [result["unique_id"].split(".")[2] for result in results if result["status"] == "warn"]
    return f"{kinds['model']} models built, {kinds['test']} tests passed" + (
        f", {len(warned)} of them with a warning: {', '.join(warned)}" if warned else ""
    )
