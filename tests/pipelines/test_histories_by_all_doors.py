"""Random histories by exports, the API and withdrawals: in the end the warehouse equals Strava, by the right doors."""

import random
import shutil
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from home import Athlete
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from imports import Steps, exported, live
from landed import NO_LIMITS
from processes import launcher

from pipelines.warehouse import build
from simulator import Simulator

pytestmark = pytest.mark.slow

CHANGES = ("add", "late upload", "edit", "crop", "delete", "restore")
# what happens one day; a number chooses the activity, or the export that is imported
DAY = st.tuples(st.sampled_from([*CHANGES, "export", "export", "import", "import"]), st.integers(0, 10**6))
# after the days by exports alone: days with the API, and what is imported between its pulls
TODAY = st.tuples(st.sampled_from([*CHANGES, "pull", "import"]), st.integers(0, 10**6))


@dataclass
class History:
    """An athlete, a Strava and the exports that it has made: (path, name of each activity by id), oldest first."""

    strava: Simulator
    athlete: Athlete
    steps: Steps
    folder: Path
    exports: list[tuple[Path, dict[int, str]]] = field(default_factory=list)
    imported: set[int] = field(default_factory=set)

    def names(self) -> dict[int, str]:
        return {activity["id"]: activity["name"] for activity in self.strava.activities()}

    def change(self, what: str, number: int) -> None:
        dice = random.Random(number)  # noqa: S311 - no secret
        ids, gone = sorted(self.names()), list(self.strava.deleted_ids)
        if what == "add":
            self.strava.add(start_date=self.strava.now() - timedelta(hours=2), name=f"New {number}")
        elif what == "late upload":
            self.strava.add(start_date=self.strava.now() - timedelta(days=900, seconds=number), name=f"Late {number}")
        elif what == "restore" and gone:
            self.strava.restore(dice.choice(gone))
        elif what == "edit":
            self.strava.edit(dice.choice(ids), name=f"Edited {number}")
        elif what == "crop":
            self.strava.crop(dice.choice(ids))
        elif what == "delete" and len(ids) > 3:
            self.strava.delete(dice.choice(ids))

    def export(self) -> None:
        path = self.folder / f"{len(self.exports)}.zip"
        exported(self.strava, path)
        self.exports.append((path, self.names()))

    def import_one(self, number: int) -> None:
        if self.exports:
            which = number % len(self.exports)
            self.imported.add(which)
            self.steps(self.exports[which][0], confirmed=True)

    @property
    def by_exports(self) -> dict[int, str]:
        """What the newest export that was imported says."""
        return self.exports[max(self.imported)][1] if self.imported else {}

    def warehouse(self) -> dict[int, tuple[str, str]]:
        """Name and doors of each activity, built anew."""
        self.steps.run("stage", "build_if_needed")
        rows = self.athlete.sql("select id, name, doors from strava.activities")
        assert len({id_ for id_, *_ in rows}) == len(rows), "an activity is there twice"
        sources = self.athlete.sql(
            "select activity_id, string_agg(door, ', ' order by door) from strava.activity_sources group by 1"
        )
        assert dict(sources) == {id_: doors for id_, _, doors in rows}
        return {id_: (name, doors) for id_, name, doors in rows}


def names_of(warehouse: dict[int, tuple[str, str]]) -> dict[int, str]:
    return {id_: name for id_, (name, _) in warehouse.items()}


def by_exports_alone(history: History, days: list[tuple[str, int]]) -> None:
    for what, number in days:
        history.strava.advance(86_400)
        if what == "export":
            history.export()
        elif what == "import":
            history.import_one(number)
        else:
            history.change(what, number)
    history.export()
    history.import_one(len(history.exports) - 1)
    history.import_one(days[0][1])


def with_the_api(history: History, hours: list[tuple[str, int]]) -> None:
    history.strava.set_clock(datetime.now(UTC))
    history.athlete.authorise()
    for what, number in hours:
        if what == "pull":
            assert history.athlete.spawn("pull", "--confirm-deletions").code == 0
        elif what == "import":
            history.import_one(number)
        else:
            history.change(what, number)


def histories(count: int) -> Any:
    # no shrinking: an example takes seconds, and what is printed can be read as it is
    return settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def run_histories(count: int, tmp_path: Path, monkeypatch: Any, capfd: Any) -> None:
    # no seconds of dbt's start
    monkeypatch.setattr(build, "subprocess", SimpleNamespace(run=launcher().dbt))

    @histories(count)
    @given(
        seed=st.integers(1, 10**6),
        days=st.lists(DAY, min_size=4, max_size=10),
        hours=st.lists(TODAY, min_size=2, max_size=6),
        withdrawn=st.sampled_from(["api", "export", None]),
    )
    def equals_strava(seed: int, days: Any, hours: Any, withdrawn: Any) -> None:
        # hypothesis begins with the simplest example of all, which is always the same: not worth its seconds
        assume(seed > 1)
        folder = tmp_path / str(time.monotonic_ns())
        (folder / "home").mkdir(parents=True)
        spring = datetime(2026, 4, 6, 12, tzinfo=UTC)
        with Simulator(seed=seed, activities=12, clock=spring, limits=NO_LIMITS) as strava:
            athlete = Athlete(folder / "home", strava)
            history = History(strava, athlete, Steps(athlete, monkeypatch, capfd), folder / "exports")
            by_exports_alone(history, days)
            assert live(athlete) == history.by_exports.keys()
            shown = history.warehouse()
            assert names_of(shown) == history.by_exports
            assert all(doors in ("export", "export, file") for _, doors in shown.values())

            with_the_api(history, [*hours, ("pull", 0)])
            shown = history.warehouse()
            assert names_of(shown) == history.names()
            exported_ids = {id_ for which in history.imported for id_ in history.exports[which][1]}
            assert {id_ for id_, (_, doors) in shown.items() if "export" in doors} == shown.keys() & exported_ids
            assert all(doors.startswith("api") for _, doors in shown.values())

            if withdrawn is not None:
                history.steps.withdraw(withdrawn)
                wanted = history.by_exports if withdrawn == "api" else history.names()
                assert names_of(history.warehouse()) == wanted
        shutil.rmtree(folder)

    equals_strava()


@pytest.mark.parametrize("count", [2, pytest.param(8, marks=pytest.mark.deep)])
def test_whatever_came_through_which_door_the_warehouse_equals_strava(count, tmp_path, monkeypatch, capfd):
    run_histories(count, tmp_path, monkeypatch, capfd)
