"""Activity files that come by themselves, by the command: from a watch folder, or named; nothing is counted twice."""

import gzip
import hashlib
import json
import os
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import pyarrow.parquet as pq
import pytest
from deep import deep_but
from imports import Steps, exported, live, rows, without_account
from landed import all_ids, write_shard

from pipelines.ground.errors import BadExport
from simulator import World
from simulator.activity_files import Device, Sample, fit_file, gpx_file, tcx_file
from simulator.world import DRAWN_AT

pytestmark = pytest.mark.slow

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path):
    """The watch folder."""
    folder = tmp_path / "watch"
    folder.mkdir()
    return folder


@pytest.fixture
def newcomer(tmp_path, folder):
    """A user with a watch folder, and neither an app nor a token nor an export."""
    newcomer = without_account(tmp_path / "home")
    newcomer.settings["STRAVA_WATCH"] = str(folder)
    return newcomer


@pytest.fixture
def land(newcomer, monkeypatch, capfd):
    """Steps of `import` without the seconds of a build; `land()` alone takes in the watch folder."""
    steps = Steps(newcomer, monkeypatch, capfd)
    return SimpleNamespace(
        export=steps, watch=lambda at=None: steps.run("watch", at=at), stage=lambda at=None: steps.run("stage", at=at)
    )


@pytest.fixture
def world():
    """An athlete's history as it was two months ago."""
    return World(seed=7, activities=30, clock=datetime.now(UTC) - timedelta(days=60), drawn_at=DRAWN_AT)


def samples(elapsed_s, distance_m, points=4):
    """As many `points` as are needed to tell time and distance, with a route."""
    return [
        Sample(
            elapsed_s * n // (points - 1),
            lat=47.3 + distance_m * n / (points - 1) / 111_195,
            lng=8.5,
            distance_m=distance_m * n / (points - 1),
        )
        for n in range(points)
    ]


def fit(start=NOON, elapsed_s=1800, distance_m=5000.0, **options):
    return fit_file(samples(elapsed_s, distance_m), start=start, **options)


def of(activity, *, late_s=0, by=1.0, **options):
    """The file of an activity at Strava, as a watch wrote it: `late_s` later, and by a factor longer."""
    start = datetime.fromisoformat(activity["start_date"]) + timedelta(seconds=late_s)
    return fit(start, round(activity["elapsed_time"] * by), activity["distance"] * by, **options)


def run_of(activities):
    """One with a distance, which a watch has measured."""
    return next(activity for activity in activities if activity["distance"] > 3000)


def parts(start=NOON, shares=(0.5, 1.0), *, lat=47.3, **options):
    """The files of one recording of an hour, each cut after a share of it."""
    whole = [sample._replace(lat=sample.lat - 47.3 + lat) for sample in samples(3600, 10_000.0, 61)]
    return [fit_file(whole[: round(60 * share) + 1], start=start, **options) for share in shares]


def own_id_of(content):
    """The id of a file that is an activity of its own."""
    return -1 - int(hashlib.sha256(content).hexdigest(), 16) % 2**52


def counted_once(athlete, content):
    """Whether `content` is the newest file of the only activity that lives."""
    [id_] = live(athlete)
    newest = max(
        (row for row in rows(athlete, "activity_files") if row["id"] == id_), key=lambda row: row["fetched_at"]
    )
    return newest["payload_hash"] == hashlib.sha256(content).hexdigest()


def put(path, content, age_s=3600):
    """Write a file that was changed `age_s` seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def files(athlete):
    """The file of each activity that lives, by id."""
    return Counter(row["id"] for row in rows(athlete, "activity_files") if row["id"] in live(athlete))


def test_files_of_a_watch_become_activities_without_an_account_and_a_second_run_reads_nothing(newcomer, run, folder):
    def imported(*arguments, **settings):
        return run("import", *arguments, STRAVA_HOME=str(newcomer.home), STRAVA_CLIENT_ID="", **settings)

    put(folder / "one.fit", fit())
    put(folder / "2026" / "two.GPX.gz", gzip.compress(gpx_file(samples(900, 2000.0), start=NOON + timedelta(days=1))))
    put(folder / "three.tcx", tcx_file(samples(600, 1000.0), start=NOON + timedelta(days=2)))
    for name in (".hidden.fit", "notes.txt", ".stfolder/four.fit", "five.fit.tmp"):
        put(folder / name, fit(NOON - timedelta(days=1)))
    ran = imported("--watch", str(folder))
    assert ran.code == 0, ran.err
    assert "3 new, each an activity of its own" in ran.err
    query = "select id, doors, distance, elapsed_time, athlete_id from strava.activities order by start_date"
    shown = newcomer.sql(query)
    assert [row[1:] for row in shown] == [
        ("file", 5000.0, 1800, 0),
        ("file", pytest.approx(2000, rel=0.01), 900, 0),
        ("file", 1000.0, 600, 0),
    ]
    sha256 = hashlib.sha256(fit()).hexdigest()
    assert shown[0][0] == -1 - int(sha256, 16) % 2**52
    assert {id_ for id_, *_ in shown} == live(newcomer)

    for path in folder.rglob("*.fit"):
        # as large and as old: it is known without being read
        put_back = path.stat()
        path.write_bytes(b"\0" * put_back.st_size)
        os.utime(path, ns=(put_back.st_atime_ns, put_back.st_mtime_ns))
    ran = imported(STRAVA_WATCH=str(folder))
    assert ran.code == 0, ran.err
    assert "3 known." in ran.err
    assert "dbt: nothing landed since the last build." in ran.err

    ran = run("status", "--json", STRAVA_HOME=str(newcomer.home))
    assert ran.code == 0, ran.out
    status = json.loads(ran.out)
    assert status["activities"]["stored"] == status["activities"]["in_activities"] is not None
    assert {(each["name"], each["activity_id"] < 0) for each in status["files"]} == {
        ("one.fit", True),
        ("2026/two.GPX.gz", True),
        ("three.tcx", True),
    }
    assert (
        "3 imported, 3 of them of activities that Strava does not know"
        in run("status", STRAVA_HOME=str(newcomer.home)).out
    )


def test_a_file_that_is_still_being_written_waits_and_one_that_stays_cut_is_taken_as_it_is(newcomer, land, folder, run):
    whole = fit_file(samples(1800, 5000.0, points=61), start=NOON)
    cut = whole[: len(whole) * 2 // 3]
    path = put(folder / "one.fit", whole, age_s=1)
    assert "1 still being written, for the next run" in land.watch()
    put(path, cut, age_s=60)
    land.watch()
    assert not newcomer.shards("activity_files")
    [left] = json.loads(run("status", "--json", STRAVA_HOME=str(newcomer.home)).out)["files_left"]
    assert left["path"] == str(path)
    assert left["outcome"] == "waiting"
    assert "cut off before its end" in left["explanation"]
    assert "It waits for the next run." in run("status", STRAVA_HOME=str(newcomer.home)).out

    put(path, cut)
    assert "1 new" in land.watch()
    # what comes late all the same is no second activity
    put(path, whole, age_s=60)
    assert "1 new, of known activities" in land.watch()
    assert list(files(newcomer).values()) == [2]


def test_what_cannot_be_read_is_listed_with_the_reason_and_stops_nothing(newcomer, land, folder, run):
    put(folder / "1.fit", b"")
    put(folder / "2.fit", b"no activity file")
    put(folder / "3.gpx", gpx_file(samples(600, 1000.0), start=NOON, with_times=False))
    put(folder / "4.gpx", b'<?xml version="1.0"?><gpx version="1.1"></gpx>')
    (folder / "5.fit").symlink_to(folder / "nowhere")
    put(folder / "6.fit", fit())
    for _ in range(2):
        said = land.watch()
        assert "1 without an activity; 4 not read" in said
    assert sum(files(newcomer).values()) == 1
    ran = run("status", "--json", STRAVA_HOME=str(newcomer.home))
    reasons = {Path(each["path"]).name: each["explanation"] for each in json.loads(ran.out)["files_left"]}
    assert reasons == {
        "1.fit": "It is empty.",
        "2.fit": "It is neither FIT nor GPX nor TCX.",
        "3.gpx": "Its points have no times: it is a route, not an activity.",
        "4.gpx": "It is a GPX file without a track.",
        "5.fit": "No such file or directory.",
    }
    shown = run("status", STRAVA_HOME=str(newcomer.home)).out
    assert "2.fit: It is neither FIT nor GPX nor TCX." in shown
    # what is gone from the folder is no problem any more
    for name in ("1.fit", "2.fit", "5.fit"):
        (folder / name).unlink()
    assert "1 not read" in land.watch()


@pytest.mark.parametrize("first", ["the file", "the export"])
def test_a_file_of_an_activity_in_an_export_is_counted_once_whichever_comes_first(newcomer, land, folder, world, first):
    activity = run_of(world.activities())
    other = fit(NOON)
    put(folder / "one.fit", of(activity, late_s=100, by=1.015))
    put(folder / "two.fit", other)
    _, path = exported(world, folder.parent / "export_7.zip")
    steps = [lambda: land.export(path), land.watch]
    for step in steps if first == "the export" else reversed(steps):
        step()
    land.stage()
    own = -1 - int(hashlib.sha256(other).hexdigest(), 16) % 2**52
    assert live(newcomer) == {own} | {each["id"] for each in world.activities()}
    taken = hashlib.sha256((folder / "one.fit").read_bytes()).hexdigest()
    assert {row["id"] for row in rows(newcomer, "activity_files") if row["payload_hash"] == taken} >= {activity["id"]}
    # whose they are is known by now
    owners = {row["athlete_id"] for row in rows(newcomer, "activity_files") if row["id"] == own}
    assert max(owners) == world.athlete_id
    before = {table: newcomer.shards(table) for table in ("activity_files", "watched_files", "tombstones")}
    assert "2 known" in land.watch()
    land.stage()
    assert before == {table: newcomer.shards(table) for table in before}


@pytest.mark.parametrize(
    ("what", "is_same"),
    [
        ({"late_s": 119}, True),
        ({"late_s": 121}, False),
        ({"late_s": 2, "by": 1.019}, True),
        ({"late_s": 2, "by": 1.03}, False),
        ({"late_s": 2, "by": 0.97}, False),
    ],
)
def test_a_file_joins_what_begins_within_two_minutes_and_differs_by_two_per_cent(
    newcomer, land, folder, world, what, is_same
):
    activity = run_of(world.activities())
    land.export(exported(world, folder.parent / "export_7.zip")[1])
    put(folder / "one.fit", of(activity, **what))
    said = land.watch()
    assert ("1 new, of known activities" in said) == is_same
    assert len(live(newcomer)) == 30 + (not is_same)


def test_a_file_with_the_upload_id_in_its_name_joins_that_activity_though_it_was_cropped(newcomer, land, folder, world):
    _, export = exported(world, folder.parent / "export_7.zip")
    land.export(export)
    # Strava names some files by the activity's id: of those, an export does not say the upload id
    with ZipFile(export) as archive:
        named = {name.partition("/")[2].partition(".")[0] for name in archive.namelist()}
    activity = run_of(each for each in world.activities() if str(each["upload_id"]) in named)
    put(folder / f"{activity['upload_id']}.fit.gz", gzip.compress(of(activity, late_s=-900, by=1.5)))
    # the same number on another day is none
    put(folder / "old" / f"{activity['upload_id']}.fit.gz", gzip.compress(of(activity, late_s=9 * 86400)))
    assert "1 new, each an activity of its own; 1 new, of known activities" in land.watch()
    assert len(live(newcomer)) == 31


def test_a_file_with_the_upload_id_in_its_name_joins_an_activity_without_a_start(athlete, pull, steps, strava, folder):
    activity = run_of(strava.activities())
    summary = {name: value for name, value in strava.summary(activity["id"]).items() if name != "start_date"}
    strava.set_summary(activity["id"], json.dumps(summary).encode())
    assert pull().code == 0
    put(folder / f"{activity['upload_id']}.fit.gz", gzip.compress(of(activity)))
    assert "1 new, of known activities" in steps.run("watch", STRAVA_WATCH=str(folder))


def test_large_files_land_in_several_shards_and_row_groups(newcomer, land, folder):
    for number in range(3):
        content = gpx_file(samples(1800, 5000.0), start=NOON + timedelta(days=number))
        put(folder / f"{number}.gpx", content + b"\n" * 9_000_000)
    assert "3 new" in land.watch()
    assert len(rows(newcomer, "activity_files")) == 3
    groups = [pq.read_metadata(shard).num_row_groups for shard in newcomer.shards("activity_files")]
    assert sorted(groups) == [1, 2]


def test_two_recordings_of_one_run_are_one_activity(newcomer, land, folder):
    put(folder / "bike computer" / "a.fit", fit())
    put(folder / "watch" / "b.gpx", gpx_file(samples(1801, 5010.0), start=NOON + timedelta(seconds=30)))
    assert "1 new, each an activity of its own; 1 new, of known activities" in land.watch()
    assert list(files(newcomer).values()) == [2]


@pytest.mark.deep
def test_the_api_takes_a_file_over_and_its_deletion_takes_it_along(athlete, run, strava, folder):
    athlete.settings["STRAVA_WATCH"] = str(folder)
    activity = run_of(strava.activities())
    put(folder / "one.fit", of(activity, late_s=5))
    put(folder / "two.fit", fit(NOON))
    ran = run("import")
    assert ran.code == 0, ran.err
    assert athlete.sql("select doors from strava.activities") == [("file",), ("file",)]

    ran = run("flow", ENRICH_LIMIT="0")
    assert ran.code == 0, ran.err
    assert "1 activity known by files alone" in ran.err
    own = -1 - int(hashlib.sha256(fit(NOON)).hexdigest(), 16) % 2**52
    assert live(athlete) == all_ids(strava) | {own}
    shown = dict(athlete.sql("select id, doors from strava.activities"))
    assert shown.keys() == live(athlete)
    assert shown[activity["id"]] == "api, file"
    # nobody knew whose they were
    assert athlete.sql("select count(distinct athlete_id) from strava.activities") == [(1,)]
    assert athlete.sql("select count(*) from strava.deleted_activities") == [(0,)]
    ran = run("status", "--json")
    assert ran.code == 0, ran.out
    status = json.loads(ran.out)
    assert status["activities"]["deleted"] == 0
    assert {each["activity_id"] for each in status["files"]} == {activity["id"], own}

    strava.delete(activity["id"])
    ran = run("flow", "--all", ENRICH_LIMIT="0", STRAVA_PURGE_DELETED="true")
    assert ran.code == 0, ran.err
    assert {row["id"] for table in ("activity_files", "watched_files") for row in rows(athlete, table)} == {own}
    # the watch still has it, and a cache that is lost does not bring it back
    (athlete.home / "warehouse" / ".state" / "watch.json").unlink(missing_ok=True)
    ran = run("flow", "--all", ENRICH_LIMIT="0")
    assert ran.code == 0, ran.err
    assert "1 of activities that were deleted at Strava" in ran.err
    assert live(athlete) == all_ids(strava) | {own}
    assert athlete.sql("select id from strava.activities where id < 0") == [(own,)]


@pytest.mark.deep
def test_killed_anywhere_the_next_run_takes_in_what_is_missing(newcomer, land, folder, launcher):
    for number in range(3):
        put(folder / f"{number}.fit", fit(NOON + timedelta(days=number)))
    for at in (".*/data/watched_files/.*", ".*/data/activity_files/.*"):
        environment = newcomer.environment(SOAK_KILL_AT=f"(open|os.rename|os.link) {at}")
        assert launcher.start("import", environment=environment).wait().code == -9
    land.watch()
    assert sorted(Counter(row["id"] for row in rows(newcomer, "activity_files")).values()) == [1, 1, 1]
    assert len(live(newcomer)) == 3
    # bronze is the truth, and the cache is not
    for path in newcomer.shards("activity_files"):
        path.unlink()
    assert "3 new" in land.watch()
    assert len(live(newcomer)) == 3
    (newcomer.home / "warehouse" / ".state" / "watch.json").unlink()
    assert "3 known" in land.watch()


def test_killed_while_an_export_takes_a_file_over_it_is_counted_once_after_the_next_run(
    newcomer, land, folder, world, launcher
):
    activity = run_of(world.activities())
    put(folder / "one.fit", of(activity))
    land.watch()
    land.export(exported(world, folder.parent / "export_7.zip")[1])
    for at in (".*/data/watched_files/.*", ".*/data/activity_files/.*", ".*/data/tombstones/.*"):
        environment = newcomer.environment(SOAK_KILL_AT=f"(open|os.rename|os.link) {at}")
        assert launcher.start("import", environment=environment).wait().code == -9
    land.stage()
    assert live(newcomer) == {each["id"] for each in world.activities()}
    taken = hashlib.sha256((folder / "one.fit").read_bytes()).hexdigest()
    assert activity["id"] in {row["id"] for row in rows(newcomer, "activity_files") if row["payload_hash"] == taken}


def test_a_flow_without_tokens_says_so_and_a_folder_that_is_not_there_stops_no_flow(athlete, run, folder, newcomer):
    ran = run("flow", STRAVA_HOME=str(newcomer.home), STRAVA_WATCH=str(folder))
    assert ran.code == 3
    folder.rmdir()
    ran = run("pull", STRAVA_WATCH=str(folder))
    assert ran.code == 0, ran.err
    ran = run("import")
    assert ran.code == 2
    assert "--watch DIR" in ran.err


def test_only_a_new_file_needs_to_know_which_of_two_athletes_it_is_of(newcomer, land, folder, world):
    put(folder / "old.fit", fit())
    land.export(exported(world, newcomer.home.parent / "1.zip")[1])
    land.watch()
    # as when two histories were copied into one folder
    write_shard(newcomer.home / "data", "activities", [{"id": 1, "fetched_at": datetime(2026, 1, 1)}])
    said = land.watch()
    assert ("1 known" in said, "warning" in said) == (True, False)
    put(folder / "new.fit", fit(NOON + timedelta(days=1)))
    assert "warning: These files do not name their athlete" in land.watch()


def test_a_file_that_is_named_is_taken_in_at_once_and_one_that_cannot_be_read_is_refused(newcomer, land, folder):
    good = put(folder.parent / "good.fit", fit(), age_s=0)
    bad = put(folder.parent / "bad.gpx", b"<gpx>", age_s=0)
    with pytest.raises(BadExport, match=r"bad\.gpx: It is a GPX file without a track"):
        land.export(bad, good)
    assert sum(files(newcomer).values()) == 1
    assert "1 known" in land.export(good)


def test_an_export_that_lacks_it_buries_no_activity_of_a_file(newcomer, land, folder, world):
    put(folder / "one.fit", fit())
    land.watch()
    land.export(exported(world, folder.parent / "1.zip")[1])
    land.stage()
    world.advance(7 * 86400)
    gone = run_of(world.activities())
    # known by an export; its file came after the deletion
    world.delete(gone["id"])
    _, second = exported(world, folder.parent / "2.zip")
    put(folder / "two.fit", of(gone))
    land.watch()
    assert "Gone: 1 activity" in land.export(second)
    assert {id_ for id_ in live(newcomer) if id_ > 0} == {each["id"] for each in world.activities()}
    assert len([id_ for id_ in live(newcomer) if id_ < 0]) == 1


def test_the_very_file_of_an_export_is_of_its_activity_whatever_its_positions_add_up_to(newcomer, land, folder, world):
    _, export = exported(world, newcomer.home.parent / "1.zip", points=60)
    with ZipFile(export) as archive:
        routes = [name for name in archive.namelist() if name.startswith("activities/") and ".gpx" in name]
        for number, name in enumerate(routes):
            path = folder / f"saved {number}.gpx{'.gz' if name.endswith('.gz') else ''}"
            path.write_bytes(archive.read(name))
            os.utime(path, (time.time() - 3600,) * 2)
    assert routes
    land.watch()
    assert all(id_ < 0 for id_ in live(newcomer))
    land.export(export)
    land.stage()
    assert live(newcomer) == all_ids(world)


def test_a_pipe_in_the_folder_is_no_file_and_is_not_waited_for(newcomer, land, folder, run):
    os.mkfifo(folder / "pipe.fit")
    assert "pipe.fit: It is no file." in land.watch()
    assert json.loads(run("status", "--json", **newcomer.settings).out)["files_left"][0]["outcome"] == "not read"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=str)
@pytest.mark.parametrize("at_once", deep_but(1, True, False), ids=["at once", "one by one"])
def test_cut_copies_of_a_recording_and_all_of_it_are_one_activity_whichever_comes_first(
    newcomer, land, folder, order, at_once
):
    contents = parts(shares=(0.3, 0.6, 1.0))
    for place, number in enumerate(order):
        put(folder / f"{place}.fit", contents[number])
        if not at_once:
            land.watch()
            land.stage()
    land.watch()
    land.stage()
    assert live(newcomer) == {own_id_of(contents[2])}
    assert counted_once(newcomer, contents[2])
    before = {table: newcomer.shards(table) for table in ("activity_files", "watched_files", "tombstones")}
    (newcomer.home / "warehouse" / ".state" / "watch.json").unlink()
    assert "3 known" in land.watch()
    land.stage()
    assert before == {table: newcomer.shards(table) for table in before}


@pytest.mark.deep
def test_what_is_shown_of_a_recording_is_all_of_it_and_a_copy_without_its_end_changes_nothing(newcomer, run, folder):
    cut, whole = parts()
    shown = "select elapsed_time, distance from strava.activities"
    points = "select count(*) from strava.activity_streams"
    for name, content in (("1.fit", whole), ("2.fit", cut)):
        put(folder / name, content)
        ran = run("import", STRAVA_HOME=str(newcomer.home), STRAVA_WATCH=str(folder), STRAVA_CLIENT_ID="")
        assert ran.code == 0, ran.err
        assert (newcomer.sql(shown), newcomer.sql(points)) == ([(3600, 10_000.0)], [(61,)])
    ran = run("status", "--json", STRAVA_HOME=str(newcomer.home))
    assert ran.code == 0, ran.out
    assert {each["activity_id"] for each in json.loads(ran.out)["files"]} == {own_id_of(whole)}


@pytest.mark.parametrize("first", deep_but(1, "the file", "the export"))
@pytest.mark.parametrize(("by", "is_cut"), [(1.4, False), (0.6, True)], ids=["cropped at Strava", "a cut copy"])
def test_a_file_of_an_activity_that_was_cropped_or_of_a_part_of_it_is_no_second_activity(
    newcomer, land, folder, world, first, by, is_cut
):
    activity = run_of(each for each in world.activities() if not each["manual"])
    _, path = exported(world, folder.parent / "export_7.zip")
    put(folder / "one.fit", of(activity, by=by))
    # another one, on another day
    put(folder / "two.fit", of(activity, by=by, late_s=7 * 86400))
    steps = [lambda: land.export(path), land.watch]
    for step in steps if first == "the export" else reversed(steps):
        step()
    land.stage()
    assert {id_ for id_ in live(newcomer) if id_ > 0} == all_ids(world)
    assert live(newcomer) - all_ids(world) == {own_id_of((folder / "two.fit").read_bytes())}
    digest = hashlib.sha256((folder / "one.fit").read_bytes()).hexdigest()
    [taken] = [
        row for row in rows(newcomer, "activity_files") if (row["id"], row["payload_hash"]) == (activity["id"], digest)
    ]
    # a copy without the end counts less than whatever else there is
    exported_at = max(row["fetched_at"] for row in rows(newcomer, "export_activities"))
    assert (taken["fetched_at"] < exported_at) == is_cut
    # the door of files by itself keeps it
    land.export.withdraw("export")
    land.stage()
    assert activity["id"] in live(newcomer)


def test_a_copy_without_the_end_stays_one_when_strava_takes_it_over_together_with_all_of_it(
    newcomer, land, folder, world
):
    # at Strava it is shorter than either: only the longer file shows that the other one lacks a part
    activity = run_of(each for each in world.activities() if not each["manual"])
    whole, cut = of(activity, by=2.0), of(activity, by=1.4)
    for name, content in (("1.fit", whole), ("2.fit", cut)):
        put(folder / name, content)
        land.watch()
    land.export(exported(world, folder.parent / "export_7.zip")[1])
    land.stage()
    assert live(newcomer) == all_ids(world)
    landed = {
        row["payload_hash"]: row["fetched_at"]
        for row in rows(newcomer, "activity_files")
        if row["id"] == activity["id"]
    }
    assert max(landed, key=lambda sha256: landed[sha256]) == hashlib.sha256(whole).hexdigest()


@pytest.mark.deep
@pytest.mark.parametrize("is_known_before", [True, False])
def test_what_is_left_of_an_export_that_was_withdrawn_stays_its_athletes_so_that_no_file_is_counted_twice(
    newcomer, land, folder, world, is_known_before
):
    activity = run_of(each for each in world.activities() if not each["manual"])
    whole = of(activity)
    put(folder / "1.fit", of(activity, by=0.5))
    if is_known_before:
        put(folder / "2.fit", whole)
    land.watch()
    land.export(exported(world, folder.parent / "export_7.zip")[1])
    land.stage()
    land.export.withdraw("export")
    put(folder / "2.fit", whole)
    # another one, which is known by nothing else
    put(folder / "3.fit", fit(NOON))
    land.watch()
    land.stage()
    assert live(newcomer) == {activity["id"], own_id_of(fit(NOON))}
    owners = {row["athlete_id"] for row in rows(newcomer, "activity_files") if row["id"] in live(newcomer)}
    assert owners == {world.athlete_id}


@pytest.mark.deep
def test_two_recordings_that_were_counted_twice_until_now_are_one_after_the_next_run(newcomer, land, folder, world):
    cut, whole = parts()
    for number, content in enumerate((cut, whole)):
        home = newcomer if not number else without_account(folder.parent / "other")
        home.settings["STRAVA_WATCH"] = str(folder)
        for path in folder.iterdir():
            path.unlink()
        put(folder / f"{number}.fit", content)
        land.watch(home)
    # as an earlier version has left it
    for table in ("activity_files", "watched_files"):
        for path in home.shards(table):
            path.rename(newcomer.home / "data" / table / path.name)
    assert len(live(newcomer)) == 2
    assert "1 recording" in land.stage()
    assert live(newcomer) == {own_id_of(whole)}
    assert counted_once(newcomer, whole)
    assert "recording" not in land.stage()
    # whose they are, an export says
    land.export(exported(world, folder.parent / "export_7.zip")[1])
    land.stage()
    assert live(newcomer) == {own_id_of(whole)} | all_ids(world)
    # what was superseded before does not land again
    assert {row["athlete_id"] for row in rows(newcomer, "activity_files") if row["id"] == own_id_of(cut)} == {0}


@pytest.mark.parametrize(
    ("start", "one", "other"),
    [
        (NOON, {"device": Device(1, 2, "A", 11)}, {"device": Device(1, 2, "A", 12)}),
        (NOON, {"lat": 47.3}, {"lat": 47.4}),
        (datetime(2010, 1, 1, tzinfo=UTC), {}, {}),
        (datetime(2000, 6, 1, 7, tzinfo=UTC), {}, {}),
        (datetime.now(UTC).replace(microsecond=0) + timedelta(days=2), {}, {}),
        (NOON, {}, {"late_s": 2}),
    ],
    ids=["two devices", "two places", "made-up times", "a clock that was reset", "the future", "two starts"],
)
def test_what_may_be_two_recordings_stays_two(newcomer, land, folder, start, one, other):
    for number, (share, how) in enumerate(((0.5, dict(one)), (1.0, dict(other)))):
        late_s = how.pop("late_s", 0)
        [content] = parts(start + timedelta(seconds=late_s), (share,), **how)
        put(folder / f"{number}.fit", content)
    land.watch()
    land.stage()
    assert len(live(newcomer)) == 2


def test_a_manual_activity_takes_no_file_of_another_length(newcomer, land, folder, world):
    manual = world.add(datetime.now(UTC) - timedelta(days=70), manual=True, upload_id=None, elapsed_time=1800)
    land.export(exported(world, folder.parent / "export_7.zip")[1])
    put(folder / "one.fit", fit(datetime.fromisoformat(manual["start_date"]), 3600, 10_000.0))
    assert "1 new, each an activity of its own" in land.watch()


def test_a_longer_file_of_an_activity_that_was_deleted_at_strava_does_not_bring_it_back(newcomer, land, folder, world):
    gone = run_of(each for each in world.activities() if not each["manual"])
    land.export(exported(world, folder.parent / "1.zip")[1])
    world.advance(7 * 86400)
    world.delete(gone["id"])
    land.export(exported(world, folder.parent / "2.zip")[1])
    put(folder / "one.fit", of(gone, by=1.5))
    assert "1 of activities that were deleted at Strava" in land.watch()


@pytest.mark.parametrize("first", ["one.fit", "one.fit.gz"])
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
def test_a_file_and_the_same_file_in_gzip_are_one_content(newcomer, land, folder, first, at_once):
    for name in sorted(("one.fit", "one.fit.gz"), reverse=first != "one.fit"):
        content = gzip.compress(fit()) if name.endswith(".gz") else fit()
        put(folder / (f"{name[:3]}{int(name != first)}{name[3:]}"), content)
        if not at_once:
            land.watch()
    land.watch()
    assert list(files(newcomer).items()) == [(own_id_of(fit()), 1)]
    # compressed otherwise, and without the cache
    put(folder / "two.fit.gz", gzip.compress(gzip.compress(fit(), 1)))
    (newcomer.home / "warehouse" / ".state" / "watch.json").unlink()
    for _ in range(2):
        assert "3 known" in land.watch()
    assert len(rows(newcomer, "activity_files")) == 1


def test_a_file_that_an_export_has_in_gzip_is_not_read_in_again(newcomer, land, folder, world):
    _, export = exported(world, newcomer.home.parent / "1.zip")
    land.export(export)
    before = newcomer.shards("activity_files")
    with ZipFile(export) as archive:
        for number, name in enumerate(name for name in archive.namelist() if name.endswith((".fit.gz", ".tcx.gz"))):
            put(folder / f"{number}{Path(name.removesuffix('.gz')).suffix}", gzip.decompress(archive.read(name)))
    for _ in range(2):
        assert f"{number + 1} known." in land.watch()
    assert newcomer.shards("activity_files") == before


@pytest.mark.deep
def test_killed_while_a_longer_file_takes_a_part_over_it_is_counted_once_after_the_next_run(
    newcomer, land, folder, launcher
):
    cut, whole = parts()
    put(folder / "1.fit", cut)
    land.watch()
    put(folder / "2.fit", whole)
    killed = 0
    for table in ("watched_files", "activity_files", "watched_files", "activity_files", "tombstones"):
        environment = newcomer.environment(
            SOAK_KILL_AT=f"(open|os.rename|os.link) .*/data/{table}/.*", SOAK_STEPS="watch,stage"
        )
        killed += launcher.start("import", environment=environment).wait().code == -9
    assert killed >= 4
    land.watch()
    land.stage()
    assert live(newcomer) == {own_id_of(whole)}
    assert counted_once(newcomer, whole)
    landed = Counter((row["id"], row["payload_hash"]) for row in rows(newcomer, "activity_files"))
    assert set(landed.values()) == {1}
