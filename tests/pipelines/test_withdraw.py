"""What came through one door is erased everywhere, and nothing of it comes back; what the others have stays."""

import hashlib
import json
import os
import pty
import secrets
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

import duckdb
import pyarrow.parquet as pq
import pytest
from deep import deep_but
from imports import Steps, everything, exported, live, rows
from landed import all_ids, contents
from said import assert_said

from pipelines.bronze.store import open_bronze
from pipelines.bronze.tables import TABLES
from pipelines.ground.progress import Report
from pipelines.mirror.dated_rows import DatedRow, DatedRows
from pipelines.sources.strava_export.readers import read_activity_file
from simulator import write_export
from simulator.activity_files import Sample, gpx_file

pytestmark = pytest.mark.slow

API = [name for name, table in TABLES.items() if table.door == "api"]
EXPORT = [name for name, table in TABLES.items() if table.door == "export"]


@pytest.fixture
def land(athlete, monkeypatch, capfd):
    return Steps(athlete, monkeypatch, capfd)


def mentions(athlete, text):
    """The files of a home that hold `text`, Parquet and DuckDB files also where it is compressed."""
    found = set()
    for path in athlete.home.rglob("*"):
        if not path.is_file() or path.suffix == ".zip":
            continue
        content = path.read_bytes()
        if content.startswith(b"PAR1"):
            content += repr(pq.read_table(path).to_pylist()).encode(errors="ignore")
        elif content[8:12] == b"DUCK":
            content += everything_in(path).encode(errors="ignore")
        if text.encode() in content:
            found.add(str(path.relative_to(athlete.home)))
    return found


def everything_in(path):
    with duckdb.connect(str(path), read_only=True) as connection:
        names = connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
        return repr([connection.execute(f'from "{schema}"."{table}"').fetchall() for schema, table in names])


def status(run):
    ran = run("status", "--json")
    assert ran.code == 0, ran.err
    shown = json.loads(ran.out)
    assert shown["adds_up"]
    return shown["activities"]


@pytest.fixture
def both(athlete, run, strava, tmp_path):
    """A history by API and export: a name that only the API says of a shared activity, and one of its own."""
    shared, own = (f"Secret {secrets.token_hex(16)}" for _ in range(2))
    strava.set_clock(datetime.now(UTC) - timedelta(days=1))
    _, path = exported(strava, tmp_path / "1.zip")
    strava.set_clock(datetime.now(UTC))
    id_ = strava.activities()[3]["id"]
    strava.edit(id_, name=shared)
    strava.add(name=own)
    assert run(ENRICH_LIMIT="6", STRAVA_RESOURCES="kudos").code == 0
    return path, id_, shared, own


@pytest.mark.deep
def test_what_came_through_the_api_goes_from_every_file_and_the_export_fills_its_place(athlete, run, strava, both):
    path, id_, shared, own = both
    settings = {"STRAVA_PAGE": "true", "STRAVA_PUBLISH": "copy/strava.duckdb"}
    assert run("import", str(path), **settings).code == 0
    for secret in (shared, own):
        places = {found.split("/")[0] for found in mentions(athlete, secret)}
        assert places >= {"data", "output", "warehouse", "site", "copy"}
    exports = everything(athlete)
    name = next(row["payload"] for row in rows(athlete, "export_activities") if row["id"] == id_)
    strava.clear_requests()

    ran = run("withdraw", "--door", "api", "--yes", **settings)
    assert ran.code == 0, ran.err
    assert "61 of activities" in ran.err
    assert "1 activity leaves the history, known through no other door; 60 stay." in ran.err
    assert "make revoke" in ran.out
    assert strava.requests == []
    assert mentions(athlete, shared) == mentions(athlete, own) == set()
    assert [table for table in API if athlete.shards(table)] == []
    assert list((athlete.home / "output").glob("*.json")) == []
    assert everything(athlete) == exports
    assert athlete.sql("select count(*), count(distinct id), max(doors) from strava.activities") == [
        (60, 60, "export, file")
    ]
    [(kept,)] = athlete.sql("select name from strava.activities where id = ?", id_)
    assert kept in name
    with duckdb.connect(str(athlete.home / "copy" / "strava.duckdb"), read_only=True) as copy:
        assert copy.execute("select count(*) from strava.activities").fetchone() == (60,)
    shown = status(run)
    assert (shown["stored"], shown["at_api"], shown["in_export"], shown["deleted"]) == (60, 0, 60, 0)

    # once more there is nothing to do, and no build
    ran = run("withdraw", "--door", "api", "--yes", **settings)
    assert (ran.code, "nothing here came through" in ran.err) == (0, True)
    assert "no" in ran.err
    assert "Withdrawal: removed" not in ran.err

    # by a pull all of it comes back, and stays
    assert run(ENRICH_LIMIT="2").code == 0
    assert live(athlete) == all_ids(strava)
    assert len(rows(athlete, "activities")) == 61
    assert len(list((athlete.home / "output").glob("*.json"))) == 1
    assert "Withdrawal" not in run("purge").err
    assert len(rows(athlete, "activities")) == 61
    shown = status(run)
    assert (shown["stored"], shown["at_api"], shown["listed"], shown["enriched"]) == (61, 61, 61, 2)


@pytest.mark.deep
def test_an_export_alone_can_be_withdrawn_and_imported_anew(athlete, run, strava, land, tmp_path):
    athlete.token_file.unlink()
    name = f"Secret {secrets.token_hex(16)}"
    strava.edit(strava.activities()[3]["id"], name=name)
    _, path = exported(strava, tmp_path / "1.zip")
    land(path)
    land.run("stage")
    assert {found.split("/")[0] for found in mentions(athlete, name)} >= {"data", "warehouse"}
    ran = run("withdraw", "--door", "api", "--yes")
    assert (ran.code, "nothing here came through" in ran.err) == (0, True)
    assert len(live(athlete)) == len(rows(athlete, "export_activities")) == 60

    ran = run("withdraw", "--door", "export", "--yes")
    assert ran.code == 0, ran.err
    assert "60 activities leave the history, known through no other door; 0 stay." in ran.err
    assert mentions(athlete, name) == set()
    assert [table for table in (*EXPORT, "activity_files") if athlete.shards(table)] == []
    assert athlete.sql("select count(*) from strava.activities") == [(0,)]
    assert run("status").code == 0

    # the same file is as new: its rows bear the instant that the erased ones bore
    land(path)
    assert "Withdrawal" not in run("purge").err
    assert len(rows(athlete, "export_activities")) == 60
    assert status(run)["stored"] == 60


MOMENTS = {
    "intended": "open .*/output/[.].*|os.remove .*/output/.*",
    "a shard": "os.remove .*/data/activity_details/.*",
    "removed": "os.remove .*/strava.duckdb.wal",
}


@pytest.mark.parametrize("moment", deep_but(1, "a shard", "removed", "intended"))
def test_a_withdrawal_killed_at_any_moment_is_completed_by_the_next_run(athlete, run, strava, land, both, moment):
    path, _, shared, own = both
    land(path)
    land.run("stage")
    exports = everything(athlete)
    killed = athlete.spawn("withdraw", "--door", "api", "--yes", SOAK_KILL_AT=MOMENTS[moment])
    assert killed.code == -9, killed.err
    assert len(athlete.shards("withdrawals")) == 1
    assert mentions(athlete, own) or moment == "removed"
    if moment != "removed":
        shown = run("status")
        assert shown.code == 1
        assert "of what was withdrawn not erased yet" in shown.out
    # a run that wants something else
    ran = run("purge")
    assert ran.code == 0, ran.err
    assert mentions(athlete, shared) == mentions(athlete, own) == set()
    assert [table for table in API if athlete.shards(table)] == []
    assert everything(athlete) == exports
    assert len(live(athlete)) == 60
    status(run)


def test_nothing_is_erased_before_somebody_has_agreed(athlete, run, land, strava, tmp_path):
    _, path = exported(strava, tmp_path / "1.zip")
    land(path)
    before = contents(athlete.home / "data" / "export_activities")
    ran = athlete.spawn("withdraw", "--door", "export")
    assert_said(ran, 2, "no terminal", "--yes")
    assert "60 activities leave the history" in ran.err
    assert run("withdraw").code == 2
    for typed, code in ((b"no\n", 130), (b"yes\n", 0)):
        assert contents(athlete.home / "data" / "export_activities") == before
        leader, follower = pty.openpty()
        os.write(leader, typed)
        # what it takes to build is looked at elsewhere
        ran = athlete.spawn("withdraw", "--door", "export", typed=Path(os.ttyname(follower)), SOAK_STEPS="withdraw")
        os.close(leader)
        os.close(follower)
        assert ran.code == code, ran.err
        assert "60 activities leave the history" in ran.err
    assert athlete.shards("export_activities") == []


@pytest.mark.deep
def test_what_was_withdrawn_does_not_come_back_with_a_backup(athlete, run, strava, land, both):
    path, _, shared, own = both
    land(path)
    bundle = athlete.home / "strava.bundle"
    assert run("backup", "--unencrypted", str(bundle)).code == 0
    said = land.withdraw("api")
    assert f"{bundle}: made before this withdrawal" in said
    exports = everything(athlete)
    ran = run("restore", "--unencrypted", "--force", str(bundle))
    assert ran.code == 0, ran.err
    assert "erased again" in ran.err
    assert len(rows(athlete, "activities")) == 61
    assert run("purge").code == 0
    bundle.unlink()
    assert mentions(athlete, shared) == mentions(athlete, own) == set()
    assert everything(athlete) == exports
    status(run)


def noticed_by(athlete):
    return {row["id"]: json.loads(row["payload"])["noticed_by"] for row in rows(athlete, "tombstones")}


@pytest.mark.deep
def test_what_only_the_api_noticed_as_gone_comes_back_unless_a_newer_export_lacks_it(
    athlete, run, strava, land, tmp_path
):
    strava.set_clock(datetime.now(UTC) - timedelta(days=3))
    _, path = exported(strava, tmp_path / "1.zip")
    first, later, second = (activity["id"] for activity in strava.activities()[5:8])
    strava.set_clock(datetime.now(UTC) - timedelta(days=2))
    land(path)
    assert run("pull").code == 0
    # deleted at Strava: all are noticed by the API, and two are missing in a newer export
    for id_ in (first, later, second):
        strava.delete(id_)
    assert run("pull", "--all").code == 0
    strava.restore(later)
    strava.set_clock(datetime.now(UTC) - timedelta(days=1))
    _, newer = exported(strava, tmp_path / "2.zip")
    strava.delete(later)
    land(newer)
    assert set(noticed_by(athlete).values()) == {"sweep"}
    said = land.withdraw("api")
    assert "1, gone only because of it, come back" in said
    assert noticed_by(athlete) == {first: "export", second: "export"}
    assert live(athlete) == all_ids(strava) | {later}
    status(run)


@pytest.mark.deep
def test_what_exports_buried_and_brought_back_before_the_api_listed_it_stays_without_them(
    athlete, run, strava, land, tmp_path
):
    id_ = strava.activities()[5]["id"]
    for days, change in ((4, strava.delete), (3, strava.restore), (2, strava.edit)):
        strava.set_clock(datetime.now(UTC) - timedelta(days=days))
        _, path = exported(strava, tmp_path / f"{days}.zip")
        land(path)
        change(id_)
    assert noticed_by(athlete) == {id_: "export"}
    # the second sweep finds it unchanged, and so lands nothing
    for _ in range(2):
        assert run("pull", "--all").code == 0
    land.withdraw("export")
    assert noticed_by(athlete) == {}
    assert live(athlete) == all_ids(strava)


def test_what_was_purged_stays_so_as_long_as_an_export_has_it(athlete, run, strava, land, tmp_path):
    _, path = exported(strava, tmp_path / "1.zip")
    land(path)
    known = strava.activities()[5]["id"]
    unknown = strava.add()["id"]
    assert run("pull").code == 0
    strava.delete(known)
    strava.delete(unknown)
    assert run("pull", "--all").code == 0
    land.run("purge")
    land.withdraw("api")
    assert noticed_by(athlete).keys() == {known}
    land(path)
    assert known not in live(athlete)
    assert known not in {row["id"] for row in rows(athlete, "export_activities")}


@pytest.mark.deep
def test_without_its_exports_a_history_is_what_the_api_has_seen(athlete, run, strava, land, tmp_path):
    assert run("pull").code == 0
    gone, unseen = (activity["id"] for activity in strava.activities()[5:7])
    strava.delete(gone)
    strava.advance(3600)
    _, path = exported(strava, tmp_path / "1.zip")
    land(path)
    assert noticed_by(athlete) == {gone: "export"}
    # a walk that sees it missing too, and says nothing because it is buried
    time.sleep(0.01)
    assert run("pull", "--all").code == 0
    strava.delete(unseen)
    strava.advance(3600)
    write_export(strava, tmp_path / "2.zip", points=3)
    land(tmp_path / "2.zip")
    assert noticed_by(athlete) == {gone: "export", unseen: "export"}
    said = land.withdraw("export")
    assert "0 activities leave the history" in said
    assert f"{strava.count} stay; 1, gone only because of it, come back" in said
    assert noticed_by(athlete) == {gone: "sweep"}
    assert live(athlete) == all_ids(strava) | {unseen}
    assert [table for table in (*EXPORT, "activity_files") if athlete.shards(table)] == []
    status(run)
    assert run("pull", "--all").code == 0
    assert live(athlete) == all_ids(strava)
    status(run)


def test_the_note_on_a_watch_folder_goes_with_its_files(athlete, land, tmp_path):
    folder = tmp_path / "watch"
    folder.mkdir()
    path = folder / "a private name.gpx"
    samples = [Sample(60 * n, lat=47 + n / 100, lng=8.5, distance_m=1100.0 * n) for n in range(9)]
    path.write_bytes(gpx_file(samples, start=datetime(2026, 3, 1, 12, tzinfo=UTC)))
    os.utime(path, (time.time() - 3600,) * 2)
    land.run("watch", STRAVA_WATCH=str(folder))
    note = athlete.home / "warehouse" / ".state" / "watch.json"
    assert path.name in note.read_text()
    land.withdraw("file")
    assert not note.exists()


def take_in(athlete, land, *files):
    """Land activity files that came by themselves, each an id and its bytes."""
    now = datetime.now(UTC).replace(tzinfo=None)
    rows = [DatedRow(id_, now, now, content, hashlib.sha256(content).hexdigest()) for id_, content in files]
    with land.settings() as settings:
        bronze = open_bronze(settings, Report())
        DatedRows(bronze, athlete.strava.athlete_id, now).land("activity_files", rows)


@pytest.mark.parametrize("doors", [("file", "export"), ("export", "file")])
def test_a_file_stays_as_long_as_a_door_has_it(athlete, run, strava, land, tmp_path, doors):
    _, path = exported(strava, tmp_path / "1.zip")
    land(path)
    in_both = next((row["id"], row["payload"]) for row in rows(athlete, "activity_files"))
    land.withdraw("export")
    assert rows(athlete, "activity_files") == []
    take_in(athlete, land, in_both, (-5, b"<gpx></gpx>"))
    land(path)
    files = {row["id"] for row in rows(athlete, "activity_files")}
    assert {-5, in_both[0]} < files
    land.withdraw(doors[0])
    left = {row["id"] for row in rows(athlete, "activity_files")}
    assert left == (files - {-5} if doors[0] == "file" else {-5, in_both[0]})
    assert live(athlete) == (all_ids(strava) if doors[0] == "file" else left)
    land.withdraw(doors[1])
    assert rows(athlete, "activity_files") == []
    assert live(athlete) == set()
    assert "nothing here came through activity files" in land.withdraw("file")


@pytest.mark.deep
@pytest.mark.parametrize("is_purged", [False, True], ids=["at once", "after a purge"])
def test_a_file_whose_activity_an_export_took_over_is_one_of_its_own_again_without_it(
    athlete, land, strava, tmp_path, is_purged
):
    _, path = exported(strava, tmp_path / "1.zip", points=60)
    folder = tmp_path / "watch"
    folder.mkdir()
    starts = []
    with ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("activities/") and name.endswith((".gpx", ".fit.gz")):
                content = archive.read(name)
                start = read_activity_file(content, "").start
                # two of a second would be one recording as long as only their files are known
                if start is None or all(abs(start - other) > timedelta(minutes=3) for other in starts):
                    starts += [start] if start else []
                    (folder / f"saved {Path(name).name}").write_bytes(content)
    for file in folder.iterdir():
        os.utime(file, (time.time() - 3600,) * 2)
    land.run("watch", STRAVA_WATCH=str(folder))
    own = live(athlete)
    assert own
    assert max(own) < 0
    for _ in range(2):
        land(path)
        land.run("stage")
        assert live(athlete) == all_ids(strava)
        if is_purged:
            land.run("purge")
        land.withdraw("export")
        land.run("stage")
        assert live(athlete) == own


def test_a_purge_of_an_activity_that_an_export_has_erases_the_file_that_it_took_over(athlete, land, strava, tmp_path):
    _, path = exported(strava, tmp_path / "1.zip", points=60)
    folder = tmp_path / "watch"
    folder.mkdir()
    with ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.startswith("activities/") and name.endswith(".gpx"))
        content = archive.read(name)
    (folder / "saved.gpx").write_bytes(content)
    os.utime(folder / "saved.gpx", (time.time() - 3600,) * 2)
    land.run("watch", STRAVA_WATCH=str(folder))
    land(path)
    land.run("stage")
    land.run("purge")
    digest = hashlib.sha256(content).hexdigest()
    of_file = {row["id"] for row in rows(athlete, "activity_files") if row["payload_hash"] == digest}
    [id_] = of_file & all_ids(strava)
    assert len(of_file) == 2
    # what is deleted at Strava goes with its own
    strava.delete(id_)
    strava.advance(3600)
    land(exported(strava, tmp_path / "2.zip", points=60)[1])
    land.run("purge")
    assert digest not in {row["payload_hash"] for row in rows(athlete, "activity_files")}
