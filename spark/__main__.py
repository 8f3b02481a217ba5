"""The command: `python -m spark COMMAND`. It ends with an exit code of `strava.py`."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.ground.durable import locked
from pipelines.ground.errors import StravaError
from pipelines.ground.output import print_line
from pipelines.ground.progress import Report
from pipelines.ground.settings import StravaSettings, read_settings
from pipelines.ground.stop import StopFlag
from pipelines.ground.streams import flush_streams, prepare_streams
from pipelines.runs.last_run import another_run
from pipelines.warehouse.build import build as build_on_duckdb
from pipelines.warehouse.database import require_warehouse
from pipelines.warehouse.dbt_process import Dbt
from spark.build import build
from spark.compare import Comparison, compare
from spark.page import make_page_of
from spark.places import Places
from spark.session import open_session, require_place

BUILDING_ON_SPARK = "Building on Spark, which takes minutes …"
EXPORTING = "Exporting what Spark built …"


def _build(settings: StravaSettings, _options: argparse.Namespace, report: Report) -> int:
    require_warehouse(settings)
    with open_session(Places(settings)) as session:
        report.say(BUILDING_ON_SPARK)
        print_line(build(settings, session))
    return 0


def _export(settings: StravaSettings, options: argparse.Namespace, report: Report) -> int:
    require_warehouse(settings)
    require_place("The folder", options.folder)
    with open_session(Places(settings)) as session:
        report.say(EXPORTING)
        session.export(options.folder)
    print_line(f"The marts are in {options.folder}.")
    return 0


def _page(settings: StravaSettings, options: argparse.Namespace, report: Report) -> int:
    out = options.out and Path.cwd() / options.out
    make_page_of(settings, Path.cwd() / options.folder, report, options.public, out)
    return 0


def _compare(settings: StravaSettings, _options: argparse.Namespace, report: Report) -> int:
    require_warehouse(settings)
    places = Places(settings)
    report.say("Building on DuckDB …")
    began_at_s = time.monotonic()
    build_on_duckdb(settings, Dbt(settings))
    duckdb_s = time.monotonic() - began_at_s
    with open_session(places) as session:
        report.say(BUILDING_ON_SPARK)
        began_at_s = time.monotonic()
        build(settings, session)
        spark_s = time.monotonic() - began_at_s
        report.say(EXPORTING)
        session.export(str(places.exported))
    found = compare(settings.warehouse_path, places.exported)
    _print(found, duckdb_s, spark_s)
    return 1 if found.differences else 0


def _print(found: Comparison, duckdb_s: float, spark_s: float) -> None:
    print_line(f"{found.relations} relations with {found.rows:,} rows were compared.")
    print_line(f"DuckDB took {duckdb_s:.0f} s, Spark {spark_s:.0f} s, of which some ten to start.")
    for difference in found.differences:
        print_line(
            f"{difference.relation} differs: {difference.only_in_duckdb} rows are only in DuckDB, "
            f"{difference.only_in_spark} only in Spark"
        )
        for example in difference.examples:
            print_line(f"  {example}")
    if not found.differences:
        print_line("There is no difference.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m spark", description="The warehouse on Spark and Iceberg.")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    commands.add_parser("build", help="build on Spark what bronze has").set_defaults(run=_build)
    commands.add_parser("compare", help="build on both engines, and compare every row").set_defaults(run=_compare)
    export = commands.add_parser("export", help="write the marts that Spark built as Parquet")
    export.add_argument("folder", help="a path from the root, or an address that Spark can write")
    export.set_defaults(run=_export)
    page = commands.add_parser("page", help="make the page of marts that were exported; this needs no Spark")
    page.add_argument("folder", type=Path, help="the folder on this machine that `export` wrote")
    page.add_argument("--public", action="store_true", help="a page for others: site/public/index.html")
    page.add_argument("--out", metavar="FILE", type=Path, help="write it to FILE instead")
    page.set_defaults(run=_page)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; an error becomes one sentence on standard error and an exit code."""
    options = _parser().parse_args(arguments)
    report = Report()
    stop = StopFlag("What was built stays; run it again for the rest.")
    stop.install()
    run: Any = options.run
    try:
        settings = read_settings()
        with locked(settings.lock_path, stop.wait, lambda: report.say(another_run(settings))):
            code: int = run(settings, options, report)
    except (StravaError, KeyboardInterrupt) as error:
        return report.end(error)
    return code


if __name__ == "__main__":
    prepare_streams()
    code = main()
    flush_streams()
    sys.exit(code)
