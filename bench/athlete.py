"""Two sides of every measure: a simulated Strava in a process of its own, and a user's home at it."""

import json
import os
import shutil
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.processes import REPO, Finished, run_timed, serving

NO_LIMIT = "1000000000,1000000000"
READY_WITHIN_S = 300


def clean_environment(home: Path) -> dict[str, str]:
    """The caller's PATH and locale and nothing else: no setting of Strava's, dlt's or dbt's leaks in."""
    kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"HOME": str(home)}


class Strava:
    """A simulated Strava that serves an athlete with `activities` activities, without rate limits."""

    def __init__(self, activities: int, ready: dict[str, Any]) -> None:
        self.activities = activities
        self.api_url = str(ready["api_url"])
        self.oauth_url = str(ready["oauth_url"])
        self.client_id = str(ready["client_id"])
        self.client_secret = str(ready["client_secret"])
        self._url = str(ready["url"])

    def control(self, name: str, **arguments: Any) -> Any:
        """Use a control that changes something (simulator/README.md)."""
        return _answer(f"{self._url}/_control/{name}", json.dumps(arguments).encode())

    def ids(self) -> list[int]:
        """The ids of all activities, newest first."""
        return [activity["id"] for activity in _answer(f"{self._url}/_control/activities")]

    def requests(self) -> list[str]:
        """The paths of the requests received since `control("clear_requests")`, OAuth's included."""
        return [request["path"] for request in _answer(f"{self._url}/_control/requests")]

    def refresh_token(self) -> str:
        """A refresh token as if the athlete had just authorised the app."""
        return str(self.control("refresh_token")["refresh_token"])

    def access_token(self) -> str:
        """An access token for a client that does no OAuth."""
        form = {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "grant_type": "refresh_token",
            "refresh_token": self.refresh_token(),
        }
        return str(_answer(f"{self.oauth_url}/token", urllib.parse.urlencode(form).encode())["access_token"])

    def time_floor(self, what: str, folder: Path) -> Finished:
        """Run the floor (`list`, `details` or `original`) in `folder` against this Strava."""
        command = [sys.executable, "-m", "bench.floor", what, self.api_url, str(folder)]
        return run_timed(command, clean_environment(folder), self.access_token() + "\n")


@contextmanager
def simulated_strava(activities: int, folder: Path) -> Iterator[Strava]:
    """Serve `activities` activities; `folder` takes the file that says where.

    Raises:
        CommandFailed: the simulator ended, or was not ready in time.
    """
    ready_file = folder / f"ready_{activities}.json"
    arguments = ["--port", "0", "--activities", str(activities), "--limits", NO_LIMIT, "--ready-file", str(ready_file)]
    with serving("simulator", arguments, clean_environment(folder), ready_file, READY_WITHIN_S) as ready:
        yield Strava(activities, json.loads(ready))


class Home:
    """A user's home: authorised at `strava`, nothing pulled yet. Its `settings` differ from those of every home."""

    def __init__(self, folder: Path, strava: Strava) -> None:
        self.folder = folder
        self.strava = strava
        self.settings: dict[str, str] = {}
        # the least a user may bring: the first run also asks for an access token and for the athlete
        token_file = folder / "secrets" / "strava_token.json"
        token_file.parent.mkdir(parents=True)
        token_file.write_text(json.dumps({"refresh_token": strava.refresh_token()}))
        token_file.chmod(0o600)

    def copied(self, folder: Path) -> "Home":
        """A copy of it in `folder`, with a token of its own."""
        copy = Home(folder, self.strava)
        for name in ("data", "output", "warehouse"):
            shutil.copytree(self.folder / name, folder / name)
        return copy

    def time(self, *arguments: str, enrich_limit: int | None = None, more: Mapping[str, str] | None = None) -> Finished:
        """Run `python pipelines/strava.py` with `arguments`, and `more` settings, as a process of its own."""
        # each setting is given, so that none comes from a .env or config.toml of this checkout
        settings = {
            "STRAVA_CLIENT_ID": self.strava.client_id,
            "STRAVA_CLIENT_SECRET": self.strava.client_secret,
            "STRAVA_API_URL": self.strava.api_url,
            "STRAVA_OAUTH_URL": self.strava.oauth_url,
            "STRAVA_HOME": str(self.folder),
            "STRAVA_TOKEN_FILE": "secrets/strava_token.json",
            "STRAVA_WAREHOUSE": "warehouse/strava.duckdb",
            "STRAVA_BRONZE_URL": "data",
            "PER_PAGE": "200",
            "ENRICH_LIMIT": "100" if enrich_limit is None else str(enrich_limit),
            "STRAVA_ENRICH_SLEEP_MS": "0",
            "STRAVA_LOOKBACK_DAYS": "30",
        }
        command = [sys.executable, str(REPO / "pipelines" / "strava.py"), *arguments]
        return run_timed(command, clean_environment(self.folder) | settings | self.settings | dict(more or {}))

    def dbt_traces(self) -> dict[str, int]:
        """What dbt leaves behind: each file of its logs and target with the time of its last change, ns since 1970."""
        files = (path for path in (self.folder / "warehouse" / ".state" / "dbt").rglob("*") if path.is_file())
        return {str(path): path.stat().st_mtime_ns for path in files}

    def drop_warehouse(self) -> None:
        """Remove the DuckDB file, which is a cache: the next `build` makes it again from the shards."""
        (self.folder / "warehouse" / "strava.duckdb").unlink()

    def model_runs(self) -> list[tuple[datetime, datetime, str]]:
        """When the last dbt build began and ended to execute each model, and its name, in the order of their begins."""
        results = json.loads(
            (self.folder / "warehouse" / ".state" / "dbt" / "target" / "run_results.json").read_bytes()
        )
        runs = []
        for result in results["results"]:
            kind, _, name = result["unique_id"].split(".", 2)
            for phase in result["timing"]:
                if kind == "model" and phase["name"] == "execute":
                    began_at, ended_at = (
                        datetime.fromisoformat(phase[moment]) for moment in ("started_at", "completed_at")
                    )
                    runs.append((began_at, ended_at, name))
        return sorted(runs)


def _answer(url: str, body: bytes | None = None) -> Any:
    with urllib.request.urlopen(url, body, timeout=120) as response:  # noqa: S310 - our own simulator
        return json.load(response)
