"""Exports of a simulated athlete, imported, and what is in bronze then."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
from home import Athlete
from landed import contents

from pipelines.bronze.store import BronzeReader
from pipelines.bronze.tables import Door
from pipelines.ground.progress import Report
from pipelines.ground.settings import StravaSettings, read_settings
from pipelines.ground.stop import StopFlag
from pipelines.mirror.enrich import DetailChoice
from pipelines.mirror.export_import import ImportChoice
from pipelines.mirror.pull import PullChoice
from pipelines.runs.flow import Choices, Step, run_steps
from pipelines.runs.withdraw import WithdrawChoice
from simulator import World, write_export
from simulator.export import Written

# nobody answers there, and there is no app
NOWHERE = SimpleNamespace(
    api_url="http://127.0.0.1:9/api/v3", oauth_url="http://127.0.0.1:9/oauth", client_id="", client_secret=""
)
TABLES = ("exports", "export_activities", "export_records", "activity_files", "tombstones")


def without_account(home: Path) -> Athlete:
    """A user with a new `home`, and neither an app nor a token."""
    home.mkdir(parents=True)
    return Athlete(home, NOWHERE)  # type: ignore[arg-type]


def exported(world: World, path: Path, **options: Any) -> tuple[Written, Path]:
    """Write an export of `world` as it is now; what is in it, and where it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_export(world, path, **({"points": 3} | options)), path


class Steps:
    """Steps of a command on a home, without the seconds of a build: `steps(path)` lands an export; what was said."""

    def __init__(self, athlete: Any, monkeypatch: Any, capfd: Any) -> None:
        self._athlete = athlete
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, *paths: Path, confirmed: bool = False, at: Any = None) -> str:
        return self.run("import", choice=ImportChoice(paths, confirmed), at=at)

    @contextmanager
    def settings(self, at: Any = None, **more: str) -> Iterator[StravaSettings]:
        """The settings of the home, and `more`."""
        athlete = at or self._athlete
        with self._monkeypatch.context() as patch:
            for name, value in (athlete.settings | more).items():
                patch.setenv(name, value)
            yield read_settings()

    def withdraw(self, door: Door) -> str:
        """Withdraw a door; what was said."""
        return self.run("withdraw", withdrawal=WithdrawChoice(door))

    def run(
        self,
        *steps: Step,
        choice: ImportChoice | None = None,
        at: Any = None,
        withdrawal: WithdrawChoice | None = None,
        pull: PullChoice | None = None,
        details: DetailChoice | None = None,
        **more: str,
    ) -> str:
        with self.settings(at, **more) as settings:
            self._capfd.readouterr()
            choices = Choices(
                pull or PullChoice(),
                details or DetailChoice(0),
                choice or ImportChoice(),
                withdrawal or WithdrawChoice(),
            )
            run_steps(settings, Report(), StopFlag(), steps[0], steps, choices)
        said: str = self._capfd.readouterr().err
        return said


def rows(athlete: Any, table: str) -> list[dict[str, Any]]:
    """All rows of all shards of `table`."""
    return [row for path in athlete.shards(table) for row in pq.read_table(path).to_pylist()]


def everything(athlete: Any) -> dict[str, dict[str, bytes]]:
    """The shards that an import may add to, byte for byte."""
    return {table: contents(athlete.home / "data" / table) for table in TABLES if athlete.shards(table)}


def notes(athlete: Any) -> list[dict[str, Any]]:
    """What is noted of each import."""
    return [json.loads(row["payload"]) for row in rows(athlete, "exports")]


def live(athlete: Any) -> set[int]:
    """Ids of what is live."""
    return BronzeReader(athlete.home / "data").live_of_all()


def assert_landed(athlete: Any, written: Written) -> None:
    """All that is readable of an export is in bronze once, byte for byte, and the rest is listed."""
    landed = rows(athlete, "export_activities")
    assert Counter(row["id"] for row in landed) == Counter(written.row_ids)
    files = rows(athlete, "activity_files")
    assert len({(row["id"], row["payload_hash"]) for row in files}) == len(files)
    assert {row["payload_hash"] for row in files} >= set(written.files.values())
    for row in [*landed, *files]:
        payload = row["payload"] if isinstance(row["payload"], bytes) else row["payload"].encode()
        assert hashlib.sha256(payload).hexdigest() == row["payload_hash"]
    [note] = notes(athlete)
    assert {file["name"]: file["sha256"] for file in note["files"]}.items() >= written.files.items()
    lost = [problem for problem in note["problems"] if problem["lost"]]
    assert sum(problem["kind"] == "row" for problem in lost) == written.lost_rows
    unread = [row for row in rows(athlete, "export_records") if '"reason"' in row["payload"]]
    assert len(unread) == written.lost_rows
    assert {problem["name"]: problem["reason"] for problem in lost if problem["kind"] == "file"}.items() >= (
        written.lost_files.items()
    )
