"""The source of Strava's bulk export: any athlete, language, year and defect; nothing private; on its own."""

import json
import shutil
import struct
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.sources.strava_export import (
    AnotherAthlete,
    DamagedExport,
    EncryptedExport,
    Export,
    ExportError,
    NotAnExport,
    Problem,
    UnknownLayout,
    read_row,
)
from pipelines.sources.strava_export.texts import displayed_instant, displayed_number
from simulator import World, write_export
from simulator.athlete import epoch_of
from simulator.export import PRIVATE_MARK, Written
from simulator.export_defects import DEFECTS, REFUSED
from simulator.export_words import LANGUAGES, english_titles

REPO = Path(__file__).parents[2]
SOURCE = REPO / "pipelines" / "sources" / "strava_export"
WIDTHS = (10, 11, 72, 79, 80, 84, 86, 87, 92, 94, 99, 101, 103, 106)
# each defect wants rows of its own, some of them with a certain kind of file
# what a defect needs is there on some days and not on others
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ACTIVITIES = 60
AS_FEW = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


@pytest.fixture(scope="module")
def small_world() -> World:
    return World(seed=7, activities=40, clock=NOW)


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=7, activities=ACTIVITIES, clock=NOW)


def checked(path: Path, written: Written) -> list[Problem]:
    """Read an export and compare it with what was written; all that was not read is among the problems."""
    with Export(path) as export:
        rows = list(export.rows())
        assert [row.activity_id for row in rows] == written.row_ids
        # what is kept of a row says all of it again, without the ZIP
        assert all(read_row(row.payload) == row.values for row in rows)
        assert {file.name: file.sha256 for file in export.files() if file.name in written.files} == written.files
        problems = export.check()
    lost = [problem for problem in problems if problem.lost]
    assert sum(problem.kind == "row" for problem in lost) == written.lost_rows
    named = {problem.name: problem.reason for problem in lost if problem.kind == "file"}
    assert {name: reason for name, reason in named.items() if name.startswith("activities/")} == written.lost_files
    return problems


@settings(max_examples=12, **AS_FEW)
@given(
    seed=st.integers(0, 10**6),
    activities=st.integers(0, 25),
    language=st.sampled_from(sorted(LANGUAGES)),
    width=st.sampled_from(WIDTHS),
    year=st.sampled_from((2022, 2026)),
    folder=st.booleans(),
)
def test_rows_in_are_rows_out_for_any_athlete_language_and_width(
    tmp_path: Path, seed: int, activities: int, language: str, width: int, year: int, folder: bool
) -> None:
    path = tmp_path / "export"
    shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True) if path.is_file() else None
    athlete = World(seed, activities, clock=NOW)
    options: dict[str, Any] = {"language": language, "width": width, "year": year, "points": 3, "folder": folder}
    written = write_export(athlete, path, **options)
    problems = checked(path, written)
    assert not [problem for problem in problems if problem.lost]
    with Export(path) as export:
        starts = {row.activity_id: row.values["start_date"] for row in export.rows()}
    assert starts == {
        activity["id"]: datetime.fromtimestamp(epoch_of(activity["start_date"]), UTC)
        for activity in athlete.activities()
    }
    shutil.rmtree(path) if folder else path.unlink()


@pytest.mark.parametrize("defect", sorted(set(DEFECTS) - REFUSED))
def test_one_defect_never_stops_the_rest(small_world: World, tmp_path: Path, defect: str) -> None:
    written = write_export(small_world, tmp_path / "export.zip", defects=[defect], year=2026, points=2)
    checked(tmp_path / "export.zip", written)


@settings(max_examples=6, **AS_FEW)
@given(
    defects=st.lists(st.sampled_from(sorted(set(DEFECTS) - REFUSED)), max_size=5, unique=True),
    language=st.sampled_from(sorted(LANGUAGES)),
)
def test_defects_together_are_the_sum_of_defects(
    world: World, tmp_path: Path, defects: list[str], language: str
) -> None:
    written = write_export(world, tmp_path / "export.zip", defects=defects, language=language, points=2)
    checked(tmp_path / "export.zip", written)


def test_all_defects_at_once(world: World, tmp_path: Path) -> None:
    written = write_export(world, tmp_path / "export.zip", defects=["mixed"], points=2)
    problems = checked(tmp_path / "export.zip", written)
    reasons = {problem.reason for problem in problems}
    assert reasons >= {"width", "no_id", "missing", "empty", "damaged", "encrypted", "bomb", "link", "unsafe_name"}
    assert reasons >= {"not_made_by_strava", "duplicate_id", "duplicate_name", "not_utf8", "no_date", "no_value"}
    said = [problem.explanation for problem in problems]
    for words in (
        "has other than the 103 columns of its header.",
        "has characters that are not UTF-8; see the payload.",
        "has a text that is not an ",
    ):
        assert [explanation for explanation in said if words in explanation], words


@pytest.mark.parametrize(
    ("defect", "error"),
    [
        ("not-a-zip", NotAnExport),
        ("not-an-export", NotAnExport),
        ("two-exports", NotAnExport),
        ("cut", DamagedExport),
        ("csv-crc", DamagedExport),
        ("encrypted", EncryptedExport),
        ("empty-csv", UnknownLayout),
    ],
)
def test_what_cannot_be_read_at_all_is_refused_in_one_sentence(
    small_world: World, tmp_path: Path, defect: str, error: type[ExportError]
) -> None:
    write_export(small_world, tmp_path / "export.zip", defects=[defect], points=2)
    with pytest.raises(error) as refused, Export(tmp_path / "export.zip") as export:
        next(export.rows())
    assert str(refused.value).startswith(("export.zip", "activities.csv of export.zip", "The activities.csv of export"))
    assert str(tmp_path) not in str(refused.value)


def test_the_export_of_another_athlete_is_refused_if_one_is_given(small_world: World, tmp_path: Path) -> None:
    write_export(small_world, tmp_path / "export.zip", defects=["other-athlete"], points=2)
    with pytest.raises(AnotherAthlete, match="is the export of athlete 31415926"):
        Export(tmp_path / "export.zip", athlete_id=small_world.athlete_id)


def test_columns_that_cannot_be_distinguished_are_refused_with_the_header(tmp_path: Path) -> None:
    (tmp_path / "activities.csv").write_text("a,b,c\n1,2,3\n")
    with pytest.raises(UnknownLayout, match=r"3 columns .* a, b, c"), Export(tmp_path) as export:
        next(export.rows())


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_values_are_the_apis_in_every_language(world: World, tmp_path: Path, language: str) -> None:
    write_export(world, tmp_path / "export.zip", language=language, year=2026, points=2)
    truth = {activity["id"]: activity for activity in world.activities()}
    with Export(tmp_path / "export.zip") as export:
        for row in export.rows():
            values, activity = row.values, truth[row.activity_id]
            assert values["name"] == (activity["name"] or "")
            assert values["type"] == (activity["type"] if language != "unknown" else values["type"])
            assert values["distance_m"] == pytest.approx(activity["distance"])
            assert values["moving_time_s"] == activity["moving_time"]
            assert values["elapsed_time_s"] == activity["elapsed_time"]
            assert values["average_watts"] == activity.get("average_watts")
            assert values["commute"] == activity["commute"]
            assert values["elevation_high_m"] == activity.get("elev_high")
            worn = activity.get("gear_id") or "b0"
            assert worn[1:] in (str(values["gear_id"]), str(values["bike_id"])) or worn == "b0"
            del truth[row.activity_id]
    assert truth == {}


@pytest.mark.parametrize("language", ["en", "de", "nl", "fr"])
def test_a_year_without_the_second_block_has_what_was_shown(world: World, tmp_path: Path, language: str) -> None:
    write_export(world, tmp_path / "export.zip", language=language, year=2019, points=2, defects=["swim", "sail"])
    truth = {activity["id"]: activity for activity in world.activities()}
    by_sport: dict[str, float] = {}
    with Export(tmp_path / "export.zip") as export:
        for row in export.rows():
            by_sport.setdefault(row.values["type"], row.values["distance_m"])
            if row.values["type"] == truth[row.activity_id]["type"] and row.number > 2:
                assert row.values["distance_m"] == pytest.approx(truth[row.activity_id]["distance"], abs=10)
    assert (by_sport["Swim"], by_sport["Sail"]) == (1500, 18520)


def test_a_payload_keeps_titles_and_texts_in_order(world: World, tmp_path: Path) -> None:
    write_export(world, tmp_path / "export.zip", language="nl", year=2020, defects=["odd-texts"], points=2)
    with Export(tmp_path / "export.zip") as export:
        row = next(export.rows())
        pairs = json.loads(row.payload)
        assert [title for title, _ in pairs] == list(export.layout.titles)
    assert pairs[4][1].startswith('He said "go",\r\nwe went.\rOld Mac.\n')
    assert pairs[0] == ["Activiteits-ID", str(row.activity_id)]


def test_an_open_quote_that_makes_one_whole_row_of_three_is_found(tmp_path: Path) -> None:
    titles = ",".join(english_titles(11))
    first = '1,2018-01-01 00:00:00,a,Run,,1,1,,false,,"open'
    rest = '2,2018-01-01 00:00:00,b,Run,,1,1,,false,,\n3,2018-01-01 00:00:00,c,Run,"two\nlines",1,1,,false,,\n'
    (tmp_path / "activities.csv").write_text(f"{titles}\n{first}\n{rest}")
    with Export(tmp_path) as export:
        assert [(row.activity_id, row.values["description"]) for row in export.rows()] == [(2, None), (3, "two\nlines")]
    assert [(problem.reason, problem.text) for problem in export.problems] == [("width", first)]


def test_the_time_of_the_export_is_the_zips_in_utc(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("activities.csv", (2026, 1, 2, 3, 4, 6))
    stamp = int(datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC).timestamp())
    for extra, expected in (
        (b"", datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)),
        (struct.pack("<HHBI", 0x5455, 5, 1, stamp), datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
    ):
        info.extra = extra
        with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
            archive.writestr(info, "id\n")
        with Export(tmp_path / "export.zip") as export:
            assert export.exported_at == expected


@pytest.mark.parametrize(
    ("text", "month_first", "expected"),
    [
        ("Sep 12, 2018, 3:02:23 PM", False, "2018-09-12T15:02:23"),
        ("Sep 12, 2018, 12:02:23\u202fAM", False, "2018-09-12T00:02:23"),
        ("09.12.2022, 15:24:49", False, "2022-12-09T15:24:49"),
        ("12 mrt. 2020 15:24:49", False, "2020-03-12T15:24:49"),
        ("24 mai 2012 à 16:27:40", False, "2012-05-24T16:27:40"),
        ("2018-09-12 15:02:23", False, "2018-09-12T15:02:23"),
        ("12 de set. de 2023, 7:05:09", False, "2023-09-12T07:05:09"),
        ("3 mar 2023, 7:05:09 p. m.", False, "2023-03-03T19:05:09"),
        ("2024年3月12日 15:24:49", False, "2024-03-12T15:24:49"),
        ("2024/03/12 下午3:24:49", False, "2024-03-12T15:24:49"),
        ("3/12/2024, 15:24:49", True, "2024-03-12T15:24:49"),
        ("3/12/2024, 15:24:49", False, "2024-12-03T15:24:49"),
        ("12 мар. 2024, 15:24:49", False, "2024-03-12T15:24:49"),
    ],
)
def test_dates_of_all_languages(text: str, month_first: bool, expected: str) -> None:
    assert displayed_instant(text, month_first=month_first) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,500", 1500),
        ("9,44", 9.44),
        ("9.44", 9.44),
        ("1.050", 1050),
        ("1\u202f234,5", 1234.5),
        ("12", 12),
        ("1,234.56", 1234.56),
        ("1.234,56", 1234.56),
        ("1'234.5", 1234.5),
        ("1,234,567", 1234567),
        ("0,0", 0),
    ],
)
def test_numbers_for_people(text: str, expected: float) -> None:
    assert displayed_number(text) == expected


RUN = """
import dlt
from strava_export import strava_export

pipeline = dlt.pipeline("alone", destination=dlt.destinations.duckdb("alone.duckdb"), dataset_name="strava")
pipeline.run(strava_export("export.zip"))
pipeline.run(strava_export("export.zip").with_resources("export_activities", "export_files", "export_file_contents"))
pipeline.run(strava_export("newer.zip").with_resources("export_activities", "exports").add_limit(5))
"""


@pytest.mark.slow
def test_the_folder_alone_is_a_source_of_any_dlt_project_and_leaves_private_things_alone(tmp_path: Path) -> None:
    shutil.copytree(SOURCE, tmp_path / "strava_export")
    (tmp_path / "run.py").write_text(RUN)
    world = World(seed=11, activities=25)
    written = write_export(
        world, tmp_path / "export.zip", language="fr", defects=["missing-member", "bad-id"], points=4
    )
    world.advance(timedelta(days=1).total_seconds())
    write_export(world, tmp_path / "newer.zip", points=4)
    environment = {"HOME": str(tmp_path), "DLT_DATA_DIR": str(tmp_path / "dlt"), "RUNTIME__DLTHUB_TELEMETRY": "false"}
    command = [sys.executable, "run.py"]
    ran = subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    with duckdb.connect(str(tmp_path / "alone.duckdb"), read_only=True) as warehouse:

        def rows(sql: str) -> list[Any]:
            return warehouse.sql(sql).fetchall()

        first = "(SELECT min(exported_at) FROM strava.exports)"
        ids = rows(f"SELECT activity_id FROM strava.export_activities WHERE exported_at = {first} ORDER BY 1")
        assert ids == [(id_,) for id_ in sorted(written.row_ids)]
        assert rows("SELECT count(*) FROM strava.exports") == [(2,)]
        assert rows("SELECT typeof(any_value(start_date)), count(type) > 0 FROM strava.export_activities") == [
            ("TIMESTAMP WITH TIME ZONE", True)
        ]
        files = rows("SELECT name, sha256 FROM strava.export_files ORDER BY 1")
        assert files == sorted(written.files.items())
        contents = "SELECT count(*), bool_and(sha256(content) = sha256) FROM strava.export_file_contents"
        assert rows(contents) == [(len(set(written.files.values())), True)]
        assert rows("SELECT kind, reason FROM strava.export_problems ORDER BY 1") == [
            ("file", "missing"),
            ("row", "no_id"),
        ]
        assert rows("SELECT athlete_id, sex, weight_kg FROM strava.profile") == [(world.athlete_id, "M", 68.5)]
        assert rows("SELECT count(*) > 0 FROM strava.gear WHERE kind = 'shoes' AND brand IS NOT NULL") == [(True,)]
        assert rows("SELECT count(*) FROM strava.goals, strava.preferences") == [(1,)]
        # file names are those of activities.csv
        join = "strava.media m JOIN strava.export_activities a ON contains(a.media, m.file_name)"
        assert rows(f"SELECT count(*) > 0 FROM {join}") == [(True,)]
    for path in (path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".zip"):
        assert PRIVATE_MARK.encode() not in path.read_bytes(), path
