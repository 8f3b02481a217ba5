"""`make demo`: everything on a simulated athlete, by the API, an export or both, only under `demo/`."""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import duckdb
import requests

from pipelines.ground.output import BestEffort, print_line
from pipelines.ground.streams import flush_streams, prepare_streams
from simulator.server import Simulator

REPO = Path(__file__).resolve().parent.parent
HOME = REPO / "demo"
WAREHOUSE = HOME / "warehouse" / "strava.duckdb"
ACTIVITIES = 400
DOORS = ("both", "export", "api")
# the exit code after Ctrl-C
STOPPED = 130
PAGE = HOME / "site" / "index.html"
# the athlete's own numbers, so that nothing is missing on the page
ATHLETE = {
    "STRAVA_REST_HR": "52",
    "STRAVA_MAX_HR": "188",
    "STRAVA_THRESHOLD_HR": "168",
    "STRAVA_FTP": "245",
    "STRAVA_SEX": "f",
    "STRAVA_UNITS": "km",
    "STRAVA_GOALS": "Run 1000 km/year, Ride 4000 km/year, All 6 h/week, All 15 days/month",
}
# settings and secrets of the user's own history, which the demo must not use
USERS = ("STRAVA_", "SOURCES__", "DESTINATION__", "AWS_")
QUERIES = (
    "SELECT id, start_date, name, sport_type, distance FROM strava.activities ORDER BY start_date DESC LIMIT 10;",
    "SELECT a.id, (d.json->>'kudos_count')::INT AS kudos FROM strava.activities a "
    "LEFT JOIN strava.activity_details d ON d.id = a.id;",
    "SELECT year_start_date, sport_type, activities, round(distance_m / 1000) AS km, active_days "
    "FROM strava.activities_yearly ORDER BY 1 DESC, activities DESC;",
)


@contextmanager
def _strava_at(url: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Address and state (`/_control/state`) of the simulator at `url`, or of one of our own."""
    if url is not None:
        yield url, requests.get(f"{url}/_control/state", timeout=30).json()
        return
    with Simulator(seed=7, activities=ACTIVITIES, clock=datetime.now(UTC), auto_authorize=True) as strava:
        yield strava.url, requests.get(f"{strava.url}/_control/state", timeout=30).json()


def _settings(url: str, state: dict[str, Any], redirect_uri: str) -> dict[str, str]:
    """Every setting that says where something is read or written, so that a user's `.env` does not affect the demo."""
    return {
        "STRAVA_HOME": str(HOME),
        "STRAVA_TOKEN_FILE": "secrets/strava_token.json",
        "STRAVA_WAREHOUSE": "warehouse/strava.duckdb",
        "STRAVA_BRONZE_URL": "data",
        # with an empty one `.env` would decide, and the demo's copy would replace the user's
        "STRAVA_PUBLISH": "warehouse/strava.published.duckdb",
        "STRAVA_API_URL": f"{url}/api/v3",
        "STRAVA_OAUTH_URL": f"{url}/oauth",
        "STRAVA_CLIENT_ID": state["client_id"],
        "STRAVA_CLIENT_SECRET": state["client_secret"],
        "STRAVA_REDIRECT_URI": redirect_uri,
        "STRAVA_SCOPE": "read,profile:read_all,activity:read,activity:read_all",
        "STRAVA_ENRICH_SLEEP_MS": "0",
        "STRAVA_PAGE": "true",
        "PER_PAGE": "200",
        "ENRICH_LIMIT": "60",
    } | ATHLETE


def _free_port() -> int:
    with Simulator(activities=0) as briefly:
        return int(briefly.url.rpartition(":")[2])


def _strava(*arguments: str) -> list[str]:
    return [sys.executable, str(REPO / "pipelines" / "strava.py"), *arguments]


def _step(name: str, *arguments: str, environment: dict[str, str]) -> None:
    print_line(f"\n$ python pipelines/strava.py {name}")
    subprocess.run(_strava(name, *arguments), env=environment, check=True)  # noqa: S603 - our own command


def _authorise(environment: dict[str, str]) -> None:
    """Run `auth` and be the browser: open the page it prints, which the simulator approves at once."""
    print_line("\n$ python pipelines/strava.py auth")
    with (
        TemporaryFile() as nothing_typed,
        subprocess.Popen(  # noqa: S603 - our own command
            _strava("auth"), env=environment, stdin=nothing_typed, stdout=subprocess.PIPE, text=True
        ) as auth,
    ):
        for line in auth.stdout or ():
            # the next step is the demo's own
            if not line.startswith("Next: "):
                print_line(line.rstrip("\n"))
            if line.strip().startswith("http"):
                requests.get(line.strip(), timeout=30).raise_for_status()
    if auth.returncode:
        raise subprocess.CalledProcessError(auth.returncode, "auth")


def _import_export(url: str, athlete_id: int, environment: dict[str, str]) -> None:
    """Let the simulator write the athlete's export, and import it."""
    HOME.mkdir(exist_ok=True)
    export = HOME / f"export_{athlete_id}.zip"
    answer = requests.get(f"{url}/_control/export", timeout=300)
    answer.raise_for_status()
    export.write_bytes(answer.content)
    print_line(f"\n$ python pipelines/strava.py import {export.relative_to(REPO)}")
    subprocess.run(_strava("import", str(export)), env=environment, check=True)  # noqa: S603 - our own command


def _print_what_was_made() -> None:
    with duckdb.connect(str(WAREHOUSE), read_only=True) as warehouse:
        activities, first, last, details = warehouse.execute(
            """
            select count(*), min(start_date_local)::date, max(start_date_local)::date,
                   (select count(*) from strava.activity_details)
            from strava.activities
            """
        ).fetchall()[0]
        print_line(f"\nMade in {HOME.relative_to(REPO)}/:")
        if (HOME / "secrets" / "strava_token.json").exists():
            print_line("  secrets/strava_token.json    the tokens, readable by you only")
        for export in HOME.glob("export_*.zip"):
            print_line(f"  {export.name:<28} the export, as Strava would send it; no longer needed")
        print_line(f"  data/                        {len(list((HOME / 'data').rglob('*.parquet')))} shards: the truth")
        if (HOME / "output").exists():
            print_line("  output/                      what the API sent, as JSON")
        print_line(
            f"  warehouse/strava.duckdb      {activities} activities of {first} to {last}, {details} with details"
        )
        print_line(
            f"  site/index.html              the page: {PAGE.stat().st_size / 1e6:.1f} MB, opens by double click"
        )
        print_line("\nThe newest of them, by the first of three queries to try:\n")
        print_line(str(warehouse.sql(QUERIES[0])))
    print_line("Three queries to try:\n")
    for query in QUERIES:
        print_line(f'  STRAVA_HOME=demo make sql Q="{query}"\n')
    print_line("With your own history: docs/start/export.md and docs/start/api.md.")
    print_line(f"\nThe page: {PAGE.relative_to(REPO)}")


def main() -> int:
    """Run the demo from scratch; returns the exit code of the step that failed, or 0."""
    parser = argparse.ArgumentParser(prog="python -m simulator.demo", description=main.__doc__)
    parser.add_argument("--strava", metavar="URL", help="the address of a running simulator with --auto-authorize")
    parser.add_argument(
        "--door", choices=DOORS, default="both", help="the doors through which the history comes (default: %(default)s)"
    )
    arguments = parser.parse_args()
    prepare_streams()
    shutil.rmtree(HOME, ignore_errors=True)
    try:
        with _strava_at(arguments.strava) as (url, state):
            print_line(
                f"A simulated Strava with {state['activities']} activities of athlete {state['athlete_id']} is at {url}"
            )
            redirect_uri = f"http://localhost:{_free_port()}/exchange_token"
            others = {name: value for name, value in os.environ.items() if not name.startswith(USERS)}
            environment = others | _settings(url, state, redirect_uri)
            if arguments.door != "export":
                _authorise(environment)
                _step("flow", environment=environment)
            if arguments.door != "api":
                _import_export(url, state["athlete_id"], environment)
        _print_what_was_made()
    except subprocess.CalledProcessError as error:
        return _stopped() if error.returncode == STOPPED else error.returncode
    except KeyboardInterrupt:
        return _stopped()
    return 0


def _stopped() -> int:
    BestEffort(sys.stderr).write("Stopped; demo/ is incomplete: run make demo again\n")
    return STOPPED


if __name__ == "__main__":
    code = main()
    flush_streams()
    sys.exit(code)
