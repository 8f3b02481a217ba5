"""The points of activity files: as the device measured them, in Parquet and SQL, and where nothing else is any more."""

import csv
import io
import os
import shutil
import signal
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import duckdb
import pyarrow.parquet as pq
import pytest
from imports import Steps, exported, rows, without_account

from pipelines.warehouse import readings, staging
from pipelines.warehouse.file_readings import reading_and_samples
from simulator import World
from simulator.activity_files import Sample, fit_file, gpx_file
from simulator.export import Draft
from simulator.world import DRAWN_AT

pytestmark = pytest.mark.slow

START = datetime(2024, 5, 1, 8, tzinfo=UTC)
POINTS = 500
MOST_BYTES_A_POINT = 6
# column of activity_streams -> what it is of a sample, and how exact
MEASURES = {
    "latitude_deg": ("lat", 1.1e-6),
    "longitude_deg": ("lng", 1.1e-6),
    "distance_m": ("distance_m", 0.051),
    # FIT has fifths of a metre
    "altitude_m": ("altitude_m", 0.151),
    "speed_m_s": ("speed_m_s", 0.0011),
    "heart_rate_bpm": ("heart_rate", 0),
    "cadence_rpm": ("cadence", 0),
    "power_w": ("power_w", 0),
    "temperature_c": ("temperature_c", 0),
}
# TCX has no temperature, and GPX no distance
LACKS = {"fit": (), "gpx": ("distance_m",), "tcx": ("temperature_c",)}


@pytest.fixture
def athlete(tmp_path):
    """A user who has an export, and neither an app nor a token."""
    return without_account(tmp_path / "home")


@pytest.fixture
def world():
    """An athlete's history as it was two months ago."""
    return World(seed=7, activities=30, clock=datetime.now(UTC) - timedelta(days=60), drawn_at=DRAWN_AT)


@pytest.fixture
def land(athlete, monkeypatch, capfd):
    return Steps(athlete, monkeypatch, capfd)


def measured(world: World) -> dict[int, tuple[str, list[Sample]]]:
    """By activity with a file, its format and what its device measured, as far as the format has it."""
    draft = Draft(world, "en", 103, 2026, POINTS)
    found = {}
    for row in draft.rows:
        if row.file is not None:
            kind = next(kind for kind in LACKS if f".{kind}" in row.file_name)
            samples = [each for each in draft.samples(row) if kind != "gpx" or each.lat is not None]
            found[int(row.activity["id"])] = kind, samples
    return {id_: file for id_, file in found.items() if file[1]}


def assert_as_measured(streams: list[dict[str, str]], world: World) -> None:
    """Each cell of `streams`, as `sql` prints them, is what the device measured."""
    by_activity: dict[int, list[dict[str, str]]] = {}
    for row in streams:
        by_activity.setdefault(int(row["activity_id"]), []).append(row)
    truth = measured(world)
    assert by_activity.keys() == truth.keys()
    assert {kind for kind, _ in truth.values()} == {"fit", "gpx", "tcx"}
    for id_, (kind, samples) in truth.items():
        found = by_activity[id_]
        start = datetime.fromisoformat(world.summary(id_)["start_date"]).replace(tzinfo=None)
        first_s = samples[0].t_s if kind == "gpx" else 0
        assert [int(row["t_s"]) for row in found] == [sample.t_s - first_s for sample in samples]
        steps = [after.t_s - before.t_s for before, after in pairwise(samples)]
        assert [int(row["dt_s"]) for row in found] == [*(1 if step > 10 else step for step in steps), 1]
        for row, sample in zip(found, samples, strict=True):
            assert datetime.fromisoformat(row["sampled_at"]) == start + timedelta(seconds=sample.t_s)
            assert row["origin"] == "file"
            for column, (name, tolerance) in MEASURES.items():
                true = None if column in LACKS[kind] else getattr(sample, name)
                # nobody's heart stands still
                true = None if name == "heart_rate" and true == 0 else true
                cell = float(row[column]) if row[column] else None
                assert cell == (true if true is None else pytest.approx(true, abs=tolerance)), (kind, column, sample)


def streams_of(run, *more: str) -> list[dict[str, str]]:
    ran = run("sql", "--format", "csv", f"from strava.activity_streams {' '.join(more)} order by activity_id, t_s")
    assert ran.code == 0, ran.err
    return list(csv.DictReader(io.StringIO(ran.out)))


def layer(athlete) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (athlete.home / "warehouse" / "points").iterdir()}


def staged(athlete) -> list[tuple[int, int]]:
    """Activities and samples in staging; each file has as many as is noted of it."""
    query = "select count(*), sum(samples)::bigint from staging.activity_point_files"
    [(files, samples)] = athlete.sql(query)
    counted = "select files.samples, count(*) from staging.activity_points as points "
    counted += "join staging.activity_point_files as files using (file_id) group by files.file_id, files.samples"
    assert all(noted == found for noted, found in athlete.sql(counted))
    assert athlete.sql("select count(*) from staging.activity_points") == [(samples,)]
    return [(files, samples)]


def in_layer(athlete) -> int:
    return sum(pq.read_metadata(path).num_rows for path in (athlete.home / "warehouse" / "points").iterdir())


def test_each_sample_of_each_file_is_in_sql_cell_for_cell_and_what_was_deleted_is_erased(athlete, world, run, land):
    _, path = exported(world, athlete.home.parent / "1.zip", points=POINTS)
    copy = athlete.home / "copy" / "strava.duckdb"
    ran = run("import", str(path), STRAVA_PUBLISH=str(copy))
    assert ran.code == 0, ran.err
    assert_as_measured(streams_of(run), world)
    # one file per shard, named after it, and small
    made = layer(athlete)
    assert sorted(made) == [shard.name for shard in athlete.shards("activity_files")]
    assert sum(map(len, made.values())) <= MOST_BYTES_A_POINT * in_layer(athlete)
    # a copy has no need of it
    shutil.rmtree(athlete.home / "warehouse" / "points")
    with duckdb.connect(str(copy), read_only=True) as connection:
        assert connection.execute("select count(*) from strava.activity_streams").fetchone() == staged(athlete)[0][1:]
    # made again, the same
    land.run("stage")
    assert layer(athlete) == made

    cropped, deleted = list(measured(world))[:2]
    before = [row for row in streams_of(run) if int(row["activity_id"]) not in (cropped, deleted)]
    world.crop(cropped)
    world.delete(deleted)
    world.advance(7 * 86400)
    _, path = exported(world, athlete.home.parent / "2.zip", points=POINTS)
    assert run("import", str(path)).code == 0
    after = streams_of(run)
    assert [row for row in after if int(row["activity_id"]) != cropped] == before
    kept_s = world.summary(cropped)["elapsed_time"]
    [(_, samples)] = [file for id_, file in measured(world).items() if id_ == cropped]
    kept = [sample.t_s for sample in samples if sample.t_s <= kept_s]
    assert 0 < len(kept) < len(samples)
    assert [int(row["t_s"]) for row in after if int(row["activity_id"]) == cropped] == kept
    # gone, and not purged yet
    assert deleted in ids_in_layer(athlete)
    land.run("purge")
    assert deleted not in ids_in_layer(athlete)
    assert not athlete.warehouse.exists()
    land.run("stage")
    assert deleted not in ids_in_layer(athlete)
    assert athlete.sql("select count(*) from staging.activity_point_files where id = ?", deleted) == [(0,)]
    assert len(ids_in_layer(athlete)) == len({row["activity_id"] for row in after})


def ids_in_layer(athlete) -> set[int]:
    paths = (athlete.home / "warehouse" / "points").glob("*.parquet")
    return {id_ for path in paths for id_ in pq.read_table(path, columns=["id"])["id"].to_pylist()}


@pytest.mark.deep
def test_points_of_later_exports_lie_beside_those_that_are_there(athlete, world, land):
    for number in range(3):
        for _ in range(number):
            world.add()
        _, path = exported(world, athlete.home.parent / f"{number}.zip", points=20)
        land(path)
        land.run("stage")
        files = sum(kind != "gpx" or any(each.lat for each in samples) for kind, samples in measured(world).values())
        assert staged(athlete)[0][0] == files
        # each sample is of one file alone
        assert (
            athlete.sql("select count(*) from staging.activity_points group by file_id, t_s having count(*) > 1") == []
        )
        world.advance(86400)
    assert len(layer(athlete)) == 3


def test_nothing_is_made_where_there_are_no_files(athlete, land):
    land.run("stage")
    assert not (athlete.home / "warehouse" / "points").exists()
    assert athlete.sql("select 1 from duckdb_tables() where table_name like 'activity_point%'") == []


@pytest.mark.deep
def test_points_are_made_again_where_they_are_lost_stale_or_damaged_and_only_then(athlete, world, land, monkeypatch):
    _, path = exported(world, athlete.home.parent / "1.zip", points=20)
    land(path)
    land.run("stage")
    made, known = layer(athlete), staged(athlete)
    assert known[0][1] == in_layer(athlete) > 0
    [name] = made
    file = athlete.home / "warehouse" / "points" / name
    touched = file.stat().st_mtime_ns
    land.run("stage")
    assert file.stat().st_mtime_ns == touched
    for content in (b"", made[name][:-40]):
        file.write_bytes(content)
        land.run("stage")
        assert (layer(athlete), staged(athlete)) == (made, known)
    with duckdb.connect(str(athlete.warehouse)) as connection:
        connection.execute("delete from staging.activity_point_files")
        connection.execute("delete from staging.activity_points")
    land.run("stage")
    assert staged(athlete) == known
    # of a shard that is nobody's, and what another process has put there
    (file.parent / "activity_files_1_20200101000000_x.parquet").write_bytes(made[name])
    own = file.parent / "own.parquet"
    pq.write_table(pq.read_table(file).replace_schema_metadata(None), own)
    land.run("stage")
    assert sorted(layer(athlete)) == [name, "own.parquet"]
    own.unlink()
    monkeypatch.setattr(readings, "reader_version", lambda: "another")
    land.run("stage")
    assert layer(athlete)[name] != made[name]
    assert staged(athlete) == known


@pytest.mark.parametrize("moment", ["the layer", "the readings", "the points"])
def test_a_kill_costs_no_points_and_doubles_none(athlete, world, land, monkeypatch, moment):
    _, path = exported(world, athlete.home.parent / "1.zip", points=20)
    land(path)
    with monkeypatch.context() as patch:
        if moment == "the layer":
            patch.setattr("pipelines.warehouse.points.ShardPoints.finish", _die)
        elif moment == "the readings":
            patch.setattr(staging, "_load", _die)
        else:
            patch.setattr("pipelines.warehouse.points._insert", _die)
        _stage_and_die(land)
    land.run("stage")
    files = {(row["id"], row["payload_hash"]) for row in rows(athlete, "activity_files")}
    assert {id_ for id_, _ in files} >= ids_in_layer(athlete)
    assert staged(athlete)[0][1] == in_layer(athlete) == sum(len(s) for _, s in _measured_of(world, 20))
    assert [path.name for path in (athlete.home / "warehouse" / "points").iterdir() if path.suffix == ".tmp"] == []


def test_a_kill_while_points_are_made_again_leaves_those_before_in_sql(athlete, world, land, monkeypatch):
    _, path = exported(world, athlete.home.parent / "1.zip", points=20)
    land(path)
    land.run("stage")
    known = staged(athlete)
    assert known[0][1] > 0
    with monkeypatch.context() as patch:
        patch.setattr(readings, "reader_version", lambda: "another")
        patch.setattr("pipelines.warehouse.points._insert", _die)
        _stage_and_die(land)
    assert staged(athlete) == known


def _measured_of(world: World, points: int) -> list[tuple[str, list[Sample]]]:
    draft = Draft(world, "en", 103, 2026, points)
    files = [(row.file_name, draft.samples(row)) for row in draft.rows if row.file is not None]
    return [(name, [s for s in samples if ".gpx" not in name or s.lat is not None]) for name, samples in files]


def _stage_and_die(land: Steps) -> None:
    """Stage in a process of its own, which a patch kills in the middle."""
    if child := os.fork():
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    else:
        land.run("stage")
        os._exit(0)


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_samples_are_scaled_to_integers_and_what_fits_into_none_is_null():
    samples = [
        Sample(0, 47.1234567, -7.7654321, 0.0, 200.04, 1.0, 120, 85, 250, -5),
        Sample(1, 47.1234571, -7.7654329, 5.26, -3.0, 12.3456, 121, 86, 40_000, 21),
        Sample(11, 0.0, 0.0, 1e7, 8000.0, 3.0, 0, 0, 0, None),
        Sample(30, None, None, None, None, None, None, None, None, None),
    ]
    _, read = reading_and_samples(fit_file(samples, start=START), None)
    began_at, table = read
    assert began_at == START
    assert table.to_pydict() == {
        "t_s": [0, 1, 11, 30],
        "dt_s": [1, 10, 1, 1],
        "lat_e6": [47_123_457, 47_123_457, None, None],
        "lng_e6": [-7_765_432, -7_765_433, None, None],
        "distance_dm": [0, 53, 100_000_000, None],
        "altitude_dm": [2000, -30, 80_000, None],
        "speed_mm_s": [1000, 12_346, 3000, None],
        "heart_rate": [120, 121, None, None],
        "cadence": [85, 86, 0, None],
        "power_w": [250, None, 0, None],
        "temperature_c": [-5, 21, None, None],
    }
    assert reading_and_samples(gpx_file(samples, start=START, with_times=False), None)[1] is None
