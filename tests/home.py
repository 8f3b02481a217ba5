"""A user's home: its settings, its files, and the command run in it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
from processes import OUR_SETTINGS, REPO, Command, Ran, inherited, launcher

from simulator import Simulator

__all__ = ["OUR_SETTINGS", "REPO", "Athlete", "Ran", "copy_home"]


def copy_home(home: Path, copy: Path) -> None:
    """Copy what was fetched and built in a home, but for its tokens and what is left of its budget at Strava.

    A build of all takes seconds; in a copy of a home that was built, what changed since is built alone.
    """
    for name in ("data", "output", "warehouse"):
        shutil.copytree(home / name, copy / name, ignore=shutil.ignore_patterns("budget.json"))


class Athlete:
    """A user's home: its settings, its files, and the command run in it."""

    def __init__(self, home: Path, strava: Simulator) -> None:
        self.home = home
        self.strava = strava
        self.token_file = home / "secrets" / "strava_token.json"
        self.warehouse = home / "warehouse" / "strava.duckdb"
        self.settings = {
            "STRAVA_HOME": str(home),
            "STRAVA_API_URL": strava.api_url,
            "STRAVA_OAUTH_URL": strava.oauth_url,
            "STRAVA_CLIENT_ID": strava.client_id,
            "STRAVA_CLIENT_SECRET": strava.client_secret,
            "STRAVA_ENRICH_SLEEP_MS": "0",
            "STRAVA_RETRY_WAIT_S": "0.01",
            "STRAVA_MAX_WAIT_S": "0",
        }

    def authorise(self, **held: Any) -> None:
        """Put a token file there as if `auth` had been run; `held` replaces what it holds."""
        granted = {"scope": str(held["scope"])} if held.get("scope") else {}
        tokens = {"refresh_token": self.strava.issue_refresh_token(**granted)} | held
        self.token_file.parent.mkdir(parents=True, exist_ok=True)
        self.token_file.write_text(json.dumps(tokens))
        self.token_file.chmod(0o600)

    def environment(self, **settings: str) -> dict[str, str]:
        """The environment of a process of this user: nobody else's STRAVA_* settings."""
        return inherited() | self.settings | settings

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        """Start the command as a user does, with an interpreter of its own, to be watched, signalled or killed."""
        return subprocess.Popen(
            [sys.executable, str(REPO / "pipelines" / "strava.py"), *arguments],
            env=self.environment(**settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.home,
        )

    def spawn_anew(self, *arguments: str, typed: str = "", timeout_s: float = 120, **settings: str) -> Ran:
        """Run the command, started as a user starts it, to its end; `typed` is its standard input."""
        with self.start(*arguments, **settings) as process:
            out, err = process.communicate(typed, timeout=timeout_s)
        return Ran(process.returncode, out, err)

    def fork(self, *arguments: str, typed: str | Path = "", **settings: str) -> Command:
        """Start the command as a process of its own that need not import anything: where its start does not matter."""
        return launcher().start(*arguments, environment=self.environment(**settings), typed=typed)

    def spawn(self, *arguments: str, typed: str | Path = "", **settings: str) -> Ran:
        """The same to its end."""
        return self.fork(*arguments, typed=typed, **settings).wait()

    def sql(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of `query` on the warehouse."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(query, list(parameters)).fetchall()

    def shards(self, table: str = "activities") -> list[Path]:
        """The shard files of `table`."""
        return sorted((self.home / "data" / table).glob("*.parquet"))

    def sleep(self, seconds: float) -> None:
        """Let time pass, here and at Strava: the clocks by which the budget goes on tell as much more."""
        self.strava.advance(seconds)
        path = self.home / "warehouse" / ".state" / "budget.json"
        if not path.exists():
            # in a copy of a home: there is no clock yet
            return
        seen = json.loads(path.read_text())
        # there is none as long as Strava has not answered
        for clock in ("wall_s", "running_s") if seen["anchor"] else ():
            seen["anchor"][clock] -= seconds
        path.write_text(json.dumps(seen))

    def requests(self, path: str = "") -> list[Any]:
        """What the simulator was asked, of paths that contain `path`."""
        return [request for request in self.strava.requests if path in request.path]
