"""Bulk exports of the simulated athlete: from the command, from a running simulator, with every defect."""

import csv
import io
import zipfile
from pathlib import Path

import pytest
from simulated_app import ANYONE

from simulator import Simulator, World, write_export
from simulator.__main__ import main
from simulator.export import PRIVATE_MARK
from simulator.export_defects import DEFECTS


def rows_of(path: Path) -> list[list[str]]:
    with zipfile.ZipFile(path) as archive:
        return list(csv.reader(io.StringIO(archive.read("activities.csv").decode(), newline="")))


def test_the_command_writes_an_export_in_a_language_and_of_a_year(tmp_path: Path) -> None:
    out = tmp_path / "export.zip"
    options = ["--seed", "3", "--language", "de", "--year", "2023", "--activities", "6", "--points", "5"]
    assert main(["export", *options, str(out)]) == 0
    titles, *rows = rows_of(out)
    assert (len(titles), titles[0], titles[5], titles[15], titles[-1]) == (
        87,
        "Aktivitäts-ID",
        "Verstrichene Zeit",
        "Verstrichene Zeit",
        "Medien",
    )
    assert len(rows) == 6
    assert [int(row[0]) for row in rows] == sorted(int(row[0]) for row in rows)


def test_an_unknown_defect_is_refused_with_the_list_of_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--activities", "2", "--defect", "gremlins", str(tmp_path / "export.zip")]) == 2
    assert "no defect gremlins; there are mixed, error-file" in capsys.readouterr().err


def test_a_running_simulator_exports_the_athlete_that_its_api_serves(tmp_path: Path) -> None:
    out = tmp_path / "export.zip"
    with Simulator(seed=5, activities=8) as strava:
        first, second, *_ = (activity["id"] for activity in strava.activities())
        strava.edit(first, name="renamed")
        strava.delete(second)
        hidden = strava.add(visibility="only_me")["id"]
        assert main(["export", "--from", strava.url, "--points", "5", str(out)]) == 0
        served = {str(activity["id"]): activity["name"] for activity in strava.activities()}
        answer = ANYONE.get(f"{strava.url}/_control/export", params={"language": "xx"})
    assert {row[0]: row[2] for row in rows_of(out)[1:]} == served
    assert str(hidden) in served
    assert (answer.status_code, answer.json()["message"][:14]) == (400, "no language xx")


def test_a_crop_at_strava_is_in_the_row_and_not_in_the_file(tmp_path: Path) -> None:
    world = World(seed=5, activities=8)
    activity = next(one for one in world.activities() if one["upload_id"] and one["distance"])
    before, after = (write_export(world, tmp_path / "before.zip", points=5) for _ in range(2))
    world.crop(activity["id"])
    after = write_export(world, tmp_path / "after.zip", points=5)
    assert before.files == after.files
    assert rows_of(tmp_path / "before.zip") != rows_of(tmp_path / "after.zip")


def test_what_is_private_is_there_and_marked(tmp_path: Path) -> None:
    write_export(World(seed=5, activities=3), tmp_path / "export.zip", points=5)
    with zipfile.ZipFile(tmp_path / "export.zip") as archive:
        for name in (
            "privacy_zones.csv",
            "logins.csv",
            "contacts.csv",
            "messaging.json",
            "followers.csv",
            "profile.csv",
        ):
            assert PRIVATE_MARK in archive.read(name).decode()


def test_every_defect_says_what_it_does() -> None:
    assert [name for name, put in DEFECTS.items() if not (put.__doc__ or "").endswith(".")] == []
