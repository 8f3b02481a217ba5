"""Two athletes in one warehouse: each row is the same as if the athlete were alone there."""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from imports import without_account
from two_athletes import SETTINGS, add_shards, begin, go_on, two_athletes

from pipelines.page import data, details, public_data

pytestmark = pytest.mark.deep

# by mart its rows, as text of each column
Rows = dict[str, Counter[tuple[tuple[str, str], ...]]]


@dataclass
class Built:
    """Two athletes by id, each in a warehouse of their own, and the warehouse of both."""

    alone: dict[int, Path]
    together: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The warehouse of both is built after the beginning too, so that the rest is merged into it."""
    folder = tmp_path_factory.mktemp("athletes")
    both = without_account(folder / "both")
    with two_athletes(folder) as users:
        for seed, (settings, _) in SETTINGS.items():
            begin(users[seed], seed, settings)
            add_shards(users[seed], both.home)
        assert both.spawn("build").code == 0
        for seed, (settings, later) in SETTINGS.items():
            go_on(users[seed], seed, settings | later)
            add_shards(users[seed], both.home)
            ran = users[seed].spawn("build", **settings | later)
            assert ran.code == 0, ran.err
    ran = both.spawn("build")
    assert ran.code == 0, ran.err
    alone = {user.strava.athlete_id: user.warehouse for user in users.values()}
    assert len(alone) == len(SETTINGS)
    return Built(alone, both.warehouse)


def rows_of(warehouse: Path, athlete_id: int) -> Rows:
    """What the marts say of an athlete."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        marts = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'main' and "
            "table_name <> 'sport_groups' order by 1"
        ).fetchall()
        found = {}
        for (mart,) in marts:
            asked = connection.execute(f"select * from main.{mart} where athlete_id = ?", [athlete_id])
            names = [name for name, *_ in asked.description]
            found[mart] = Counter(tuple(zip(names, map(repr, values), strict=True)) for values in asked.fetchall())
    return found


def today(built: Built) -> list[tuple[int, date]]:
    with duckdb.connect(str(built.together), read_only=True) as connection:
        return connection.execute("select athlete_id, today from athletes_today order by 1").fetchall()


def differences(alone: Rows, together: Rows) -> dict[str, Any]:
    """By mart, rows that only one of the two has; of rows in the same place, the columns that differ."""
    found: dict[str, Any] = {}
    for mart in alone.keys() | together.keys():
        here, there = alone.get(mart, Counter()), together.get(mart, Counter())
        pairs = zip(sorted((here - there).elements()), sorted((there - here).elements()), strict=False)
        if here != there:
            columns = [[cell for cell in zip(one, other, strict=True) if cell[0] != cell[1]] for one, other in pairs]
            found[mart] = (sum(here.values()), sum(there.values()), columns[:3])
    return found


def test_every_row_of_every_mart_is_as_if_its_athlete_were_alone(built: Built) -> None:
    while True:
        before = today(built)
        alone = {id_: rows_of(path, id_) for id_, path in built.alone.items()}
        together = {id_: rows_of(built.together, id_) for id_ in built.alone}
        if today(built) == before:
            break
    for athlete_id, rows in alone.items():
        assert differences(rows, together[athlete_id]) == {}
        assert [mart for mart, found in rows.items() if not found] == []
    # nobody else has any
    with duckdb.connect(str(built.together), read_only=True) as connection:
        for mart in next(iter(alone.values())):
            whose = connection.execute(f"select distinct athlete_id from main.{mart}").fetchall()
            assert {id_ for (id_,) in whose} == built.alone.keys(), mart


def test_the_page_of_an_athlete_is_as_if_the_athlete_were_alone(built: Built) -> None:
    def shown(path: Path, athlete_id: int) -> tuple[Any, ...]:
        with duckdb.connect(str(path), read_only=True) as connection:
            of_all = data.page_json(connection, athlete_id, lambda routes: [each or "" for each in routes], None)
            built_at = str(data.built_at(connection)).replace(" ", "T")[:19].encode()
            return (
                of_all.replace(built_at, b""),
                details.details_text(connection, athlete_id, data.units_of(connection, athlete_id)),
                public_data.public_json(connection, athlete_id, today(built)[0][1]),
            )

    for athlete_id, path in built.alone.items():
        assert shown(built.together, athlete_id) == shown(path, athlete_id)
