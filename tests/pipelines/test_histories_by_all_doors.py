"""Random histories by exports, files, the API, withdrawals and kills: in the end the warehouse equals Strava."""

from dataclasses import replace
from pathlib import Path

import pytest
from processes import Launcher
from soak.batch import Batch
from soak.doors import DoorsHistory

pytestmark = pytest.mark.slow

# `make soak DOORS=1` has others
SEED = 5


def gone_through(numbers, folder: Path, launcher: Launcher):
    """The histories of these numbers, ended; the batch they are in, not built yet; and how often they were killed."""
    batch, all_ended, kills = Batch(folder / "batch", launcher, Path), [], 0
    for number in numbers:
        history = DoorsHistory(SEED, number, folder / str(number), launcher)
        all_ended.append(history.run())
        batch.add(all_ended[-1], history.data)
        kills += history.kills
    return all_ended, batch, kills


@pytest.mark.deep
def test_whatever_came_through_which_door_the_warehouse_equals_strava_and_what_does_not_is_noticed(tmp_path, launcher):
    (ended, *_), batch, kills = gone_through(range(1, 3), tmp_path, launcher)
    assert kills > 0
    assert batch.settle() == []

    warehouse = tmp_path / "batch" / "warehouse" / "strava.duckdb"
    assert ended.differences_among(warehouse) == []
    id_, wanted = next(iter(ended.wanted.items()))
    others = {
        f"{id_} is shown and should not be": {other: ended.wanted[other] for other in ended.wanted.keys() - {id_}},
        "1 is missing": {**ended.wanted, 1: wanted},
        f"{id_}: its doors are": {**ended.wanted, id_: replace(wanted, doors=wanted.doors ^ {"api"})},
        f"{id_}: name is": {**ended.wanted, id_: replace(wanted, fields={**wanted.fields, "name": "another"})},
        f"{id_}: distance is": {**ended.wanted, id_: replace(wanted, fields={**wanted.fields, "distance": 1.0})},
    }
    for said, wishes in others.items():
        [difference] = replace(ended, wanted=wishes).differences_among(warehouse)
        assert difference.startswith(said)


@pytest.mark.deep
def test_some_dozens_of_histories_by_all_doors_end_equal_to_strava(tmp_path, launcher):
    _, batch, _ = gone_through(range(3, 41), tmp_path, launcher)
    assert batch.settle() == []
