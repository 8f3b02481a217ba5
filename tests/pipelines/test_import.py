"""The athlete's own export by the command `import`: it lands whole and once, without an account or a network."""

import json
import os
import re
import shutil
import signal
import time
from datetime import UTC, datetime, timedelta

import pytest
from deep import deep_but
from imports import TABLES, Steps, assert_landed, everything, exported, live, notes, rows, without_account
from landed import contents, small_disk_at, until
from said import assert_said

from pipelines.ground.durable import locked
from pipelines.ground.errors import BadExport
from simulator import World
from simulator.export import PRIVATE_MARK

pytestmark = pytest.mark.slow

AUTUMN = datetime(2026, 9, 28, 12, tzinfo=UTC)


@pytest.fixture
def athlete(tmp_path):
    """A user who has an export, and neither an app nor a token."""
    return without_account(tmp_path / "home")


@pytest.fixture
def world():
    """An athlete's history as it was once, the same whenever this is run."""
    return World(seed=7, activities=30, clock=AUTUMN)


@pytest.fixture
def small_disk(athlete):
    with small_disk_at(athlete.home) as resize:
        yield resize


@pytest.fixture
def land(athlete, monkeypatch, capfd):
    return Steps(athlete, monkeypatch, capfd)


def test_an_export_is_imported_and_built_without_an_account_and_the_same_again_changes_nothing(athlete, world, run):
    written, path = exported(world, athlete.home.parent / "export_1.zip")
    settings = {"STRAVA_CLIENT_ID": "", "STRAVA_CLIENT_SECRET": "", "STRAVA_PAGE": "true"}
    ran = run("import", str(path), **settings)
    assert ran.code == 0, ran.err
    assert_landed(athlete, written)
    assert f"Activities: {len(written.row_ids)} new." in ran.err
    assert f"Files: {len(written.files)} new (" in ran.err
    assert "models built" in ran.err
    assert (athlete.home / "site" / "index.html").exists()
    before = everything(athlete)

    ran = run("import", str(path), **settings)
    assert ran.code == 0, ran.err
    assert f"Activities: {len(written.row_ids)} unchanged." in ran.err
    assert "dbt: nothing landed since the last build." in ran.err
    assert everything(athlete) == before
    assert not any(PRIVATE_MARK.encode() in each.read_bytes() for each in athlete.home.rglob("*") if each.is_file())
    assert PRIVATE_MARK not in str([rows(athlete, table) for table in TABLES])


@pytest.mark.parametrize("form", deep_but(1, "unpacked, with a folder on top", "a folder on top", "unpacked"))
def test_it_lands_in_whatever_form_it_comes_and_the_zip_of_it_is_known_then(athlete, world, land, form):
    folder = athlete.home.parent / "export_1"
    defects = ["folder-on-top"] if "on top" in form else []
    written, path = exported(world, folder, folder=True, defects=defects)
    _, whole = exported(world, athlete.home.parent / "export_1.zip", defects=defects)
    if form == "a folder on top":
        path = whole
    land(path)
    assert_landed(athlete, written)
    before = everything(athlete)
    land(path)
    assert everything(athlete) == before
    # its checksums are noted once, by which it is known without being read
    said = land(whole)
    assert f"{len(written.row_ids)} unchanged" in said
    before["exports"] = contents(athlete.home / "data" / "exports")
    assert everything(athlete) == before
    land(whole)
    assert everything(athlete) == before


def test_of_a_later_export_only_what_is_new_or_changed_lands(athlete, world, land):
    _, first = exported(world, athlete.home.parent / "1.zip")
    edited, deleted = (activity["id"] for activity in world.activities()[:2])
    world.advance(7 * 86400)
    world.edit(edited, name="An edit")
    world.delete(deleted)
    added = world.add(start_date=world.now() - timedelta(days=1))["id"]
    _, second = exported(world, athlete.home.parent / "2.zip")

    land(first)
    before = rows(athlete, "export_activities")
    said = land(second)
    assert "1 new, 1 changed, 28 unchanged" in said
    assert "Gone: 1 activity not in 2.zip" in said
    landed = [row for row in rows(athlete, "export_activities") if row not in before]
    assert sorted(row["id"] for row in landed) == sorted([edited, added])
    [tombstone] = rows(athlete, "tombstones")
    assert tombstone["id"] == deleted
    assert json.loads(tombstone["payload"])["noticed_by"] == "export"
    assert tombstone["fetched_at"] == max(row["fetched_at"] for row in landed)
    assert live(athlete) == {activity["id"] for activity in world.activities()}


def test_an_export_in_which_nothing_has_changed_since_the_one_before_is_one_of_its_own(athlete, world, land):
    _, first = exported(world, athlete.home.parent / "1.zip")
    world.advance(7 * 86400)
    _, second = exported(world, athlete.home.parent / "2.zip")
    land(first)
    assert "30 unchanged" in land(second)
    earlier, later = sorted(datetime.fromisoformat(note["exported_at"]) for note in notes(athlete))
    assert later - earlier == timedelta(days=7)


@pytest.mark.deep
def test_exports_may_come_in_any_order_and_lead_to_the_same(athlete, world, land):
    paths, gone = [], world.activities()[-1]["id"]
    for number in range(4):
        deleted, edited, cropped = (activity["id"] for activity in world.activities()[number : number + 3])
        world.delete(deleted)
        world.edit(edited, name=f"As of {number}")
        world.crop(cropped)
        # it is in the first and the last of them, unchanged
        if number == 1:
            world.delete(gone)
        if number == 3:
            world.restore(gone)
        world.advance(7 * 86400)
        paths.append(exported(world, athlete.home.parent / f"{number}.zip")[1])
    truth = {activity["id"]: activity["name"] for activity in world.activities()}
    for order in ((0, 1, 2, 3), (2, 0, 3, 1), (0, 3, 1, 2)):
        for number in order:
            land(paths[number])
        newest = {}
        for row in sorted(rows(athlete, "export_activities"), key=lambda row: row["fetched_at"]):
            newest[row["id"]] = json.loads(row["payload"])[2][1]
        assert {id_: newest[id_] for id_ in live(athlete)} == truth, order
        shutil.rmtree(athlete.home / "data")


def test_an_export_that_lacks_too_much_removes_nothing_until_that_is_confirmed(athlete, world, land):
    _, first = exported(world, athlete.home.parent / "1.zip")
    for activity in world.activities()[:12]:
        world.delete(activity["id"])
    world.advance(86400)
    _, second = exported(world, athlete.home.parent / "2.zip")
    land(first)
    said = land(second)
    assert "warning: 12 of 30 activities are missing in 2.zip" in said
    assert "import --confirm-deletions 2.zip" in said
    assert len(live(athlete)) == 30
    assert "Gone: 12 activities not in 2.zip" in land(second, confirmed=True)
    assert live(athlete) == {activity["id"] for activity in world.activities()}


def test_an_export_with_a_row_that_cannot_be_read_removes_nothing_and_counts_the_row(athlete, world, land, run):
    _, first = exported(world, athlete.home.parent / "1.zip")
    world.delete(world.activities()[3]["id"])
    world.advance(86400)
    _, second = exported(world, athlete.home.parent / "2.zip", defects=["short-row"])
    land(first)
    assert "Not read: 1" in land(second)
    assert rows(athlete, "tombstones") == []
    assert len(live(athlete)) == 30
    # its id can be read
    assert json.loads(run("status", "--json").out)["activities"]["in_export"] == 29


def test_several_exports_are_imported_from_the_oldest_to_the_newest(athlete, world, land):
    _, first = exported(world, athlete.home.parent / "1.zip")
    world.delete(world.activities()[3]["id"])
    world.advance(86400)
    _, second = exported(world, athlete.home.parent / "2.zip")
    said = land(second, first)
    assert said.index("1.zip: athlete") < said.index("2.zip: athlete")
    assert "Gone: 1 activit" in said
    assert len(live(athlete)) == 29


def test_of_many_files_that_are_missing_twenty_are_named_and_the_others_counted(athlete, world, land, run):
    _, folder = exported(world, athlete.home.parent / "1", folder=True)
    files = sorted(path for path in (folder / "activities").iterdir())
    assert len(files) > 22
    for path in files[:22]:
        path.unlink()
    said = land(folder)
    assert sum(path.name in said for path in files[:22]) == 20
    assert "and 2 more: status --json names them" in said
    shown = run("status").out
    assert sum(path.name in shown for path in files[:22]) == 20
    assert "and 2 more: status --json names them" in shown
    named = run("status", "--json").out
    assert all(path.name in named for path in files[:22])


def test_all_that_can_be_wrong_with_an_export_at_once_stops_nothing_else(athlete, land, run):
    world = World(seed=7, activities=60, clock=AUTUMN)
    written, path = exported(world, athlete.home.parent / "1.zip", defects=["mixed"])
    said = land(path)
    assert_landed(athlete, written)
    assert "Not read: " in said
    before = everything(athlete)
    land(path)
    assert everything(athlete) == before
    shown = json.loads(run("status", "--json").out)
    [export] = shown["exports"]
    assert {problem["reason"] for problem in export["problems"]} >= {"width", "no_id", "missing", "bomb", "link"}
    assert run("status").out.count("unsafe name") + run("status").out.count("leads out of the export") >= 1
    assert shown["activities"]["in_export"] >= len(set(written.row_ids))


REFUSED = {
    "not-a-zip": "export_1.zip is not a ZIP. Give the ZIP from Strava",
    "not-an-export": "export_1.zip has no activities.csv in it, so it is not an export from Strava.",
    "two-exports": "has 2 exports in it",
    "cut": "export_1.zip is cut or damaged: download it from Strava again",
    "csv-crc": "activities.csv of export_1.zip is damaged",
    "encrypted": "export_1.zip asks for a password",
    "empty-csv": "activities.csv of export_1.zip is empty",
}


@pytest.mark.parametrize(("defect", "sentence"), REFUSED.items(), ids=list(REFUSED))
def test_what_is_no_export_is_refused_in_one_sentence_and_nothing_lands(athlete, world, run, defect, sentence):
    _, path = exported(world, athlete.home.parent / "export_1.zip", defects=[defect])
    assert_said(run("import", str(path)), 8, sentence)
    assert everything(athlete) == {}
    assert not athlete.warehouse.exists()


def test_a_path_that_leads_to_no_file_is_said(athlete, run, tmp_path):
    gone = tmp_path / "export_9.zip"
    assert_said(run("import", str(gone)), 8, f"{gone} does not exist", "A path with blanks needs quotes.")
    assert_said(run("import", str(tmp_path / "ride.fit")), 8, f"{tmp_path / 'ride.fit'}: No such file")
    assert_said(run("import", "/dev/null"), 8, "/dev/null is not a file")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert_said(run("import", str(loop)), 8, f"{loop} cannot be read: it is a link to itself")
    os.mkfifo(tmp_path / "pipe")
    assert_said(run("import", str(tmp_path / "pipe")), 8, f"{tmp_path / 'pipe'} is not a file")
    assert_said(run("import"), 2, "There is nothing to import")


def test_what_is_meant_as_a_file_or_folder_of_a_watch_is_shown_the_way(athlete, run, tmp_path):
    (tmp_path / "notes.txt").write_text("no ZIP")
    assert_said(run("import", str(tmp_path / "notes.txt")), 8, "is not a ZIP. Give the ZIP", "a FIT, GPX or TCX file")
    (tmp_path / "Garmin").mkdir()
    said = "If it is the folder of your watch: STRAVA_WATCH=… in .env, or --watch."
    assert_said(run("import", str(tmp_path / "Garmin")), 8, "has no activities.csv in it", said)
    typo = tmp_path / "Gramin"
    assert_said(run("import", "--watch", str(typo)), 2, f"--watch is {typo}: there is no such folder")


def test_a_bad_export_among_good_ones_is_said_in_the_end(athlete, world, land, run):
    written, good = exported(world, athlete.home.parent / "good.zip")
    _, bad = exported(world, athlete.home.parent / "bad.zip", defects=["cut"])
    # whose it is, the others say
    _, unnamed = exported(world, athlete.home.parent / "unnamed", folder=True)
    (unnamed / "profile.csv").unlink()
    with pytest.raises(BadExport, match=r"^unnamed does not say to whom it belongs"):
        land(unnamed)
    with pytest.raises(BadExport, match=r"^bad.zip is cut or damaged"):
        land(bad, good)
    assert_landed(athlete, written)
    land(unnamed)


def test_an_import_waits_for_the_run_that_goes_on_and_can_be_stopped_meanwhile(athlete, world):
    _, path = exported(world, athlete.home.parent / "1.zip")
    lock = athlete.home / "warehouse" / ".state" / "run.lock"
    with locked(lock, time.sleep):
        command = athlete.fork("import", str(path))
        assert "Another run is going on" in next(command.lines())
        command.signal(signal.SIGTERM)
        ran = command.wait()
        assert (ran.code, ran.err.splitlines()[-1]) == (130, "Stopped. Run the same import again: it continues.")
    assert everything(athlete) == {}


def test_the_export_of_somebody_else_is_refused(athlete, world, land):
    _, path = exported(world, athlete.home.parent / "1.zip")
    _, other = exported(world, athlete.home.parent / "2.zip", defects=["other-athlete"])
    land(path)
    before = everything(athlete)
    with pytest.raises(
        Exception, match=r"2.zip is the export of athlete 31415926, and this is the history of"
    ) as refused:
        land(other)
    assert refused.value.exit_code == 8
    assert everything(athlete) == before


@pytest.mark.deep
def test_an_import_is_completed_whatever_change_of_a_file_it_was_killed_at(world, land, launcher, tmp_path):
    written, path = exported(world, tmp_path / "1.zip")
    _, later = exported(world, tmp_path / "2.zip", defects=["missing-member"])
    killed = 0
    for number in range(3, 1000, 41):
        athlete = without_account(tmp_path / str(number))
        environment = athlete.environment(SOAK_KILL_AT=str(number))
        assert launcher.start("import", str(path), environment=environment).wait().code == -9
        if athlete.shards("exports"):
            break
        killed += 1
        # whatever else is imported first
        land(*([later, path] if number % 2 else [path]), at=athlete)
        assert sorted(row["id"] for row in rows(athlete, "export_activities")) == sorted(written.row_ids)
        files = rows(athlete, "activity_files")
        assert sorted(row["payload_hash"] for row in files) == sorted(written.files.values())
        shutil.rmtree(athlete.home)
    assert killed > 3


def test_a_status_of_a_history_without_the_api_has_no_line_about_the_api(athlete, world, land, run):
    _, path = exported(world, athlete.home.parent / "1.zip")
    land(path)
    shown = run("status").out
    assert not re.search(r"^(Cursor|Listed at Strava|Details|Budget last seen|Scope)\b", shown, re.MULTILINE)
    assert re.search(r"^Athlete +\d+, from an import; not authorised at Strava$", shown, re.MULTILINE)
    assert re.search(r"^In newest export +\d", shown, re.MULTILINE)


def test_status_says_of_an_import_that_was_killed_to_do_it_again(athlete, world, land, launcher, run):
    _, path = exported(world, athlete.home.parent / "1.zip")
    environment = athlete.environment(SOAK_KILL_AT="(open|os.link) .*/data/activity_files/.*")
    assert launcher.start("import", str(path), environment=environment).wait().code == -9
    shown = json.loads(run("status", "--json").out)
    [unfinished] = [each["reason"] for each in shown["differences"] if "did not come to its end" in each["reason"]]
    assert unfinished.endswith("import it again")
    land(path)
    shown = json.loads(run("status", "--json").out)
    assert "did not come to its end" not in str(shown["differences"])


def test_ctrl_c_keeps_what_was_imported_so_far_and_says_how_to_go_on(athlete, land, tmp_path):
    world = World(seed=7, activities=400, clock=AUTUMN)
    written, path = exported(world, tmp_path / "1.zip", points=60)
    command = athlete.fork("import", str(path))
    until(lambda: athlete.shards("export_activities"))
    command.signal(signal.SIGINT)
    ran = command.wait()
    assert (ran.code, "Traceback" in ran.err) == (130, False), ran.err
    assert "Stopped. Run the same import again: it continues." in ran.err
    assert notes(athlete) == []
    land(path)
    assert_landed(athlete, written)


def test_what_was_purged_is_erased_everywhere_and_no_export_brings_it_back(athlete, world, land):
    secret = next(activity["id"] for activity in world.activities() if activity["upload_id"])
    world.edit(secret, name="Where nobody may know", total_photo_count=2)
    _, first = exported(world, athlete.home.parent / "1.zip")
    world.delete(secret)
    world.advance(7 * 86400)
    _, second = exported(world, athlete.home.parent / "2.zip")
    land(first, second)
    captions = [row for row in rows(athlete, "export_records") if row["id"] == secret]
    assert len(captions) == 2
    assert secret in {row["id"] for row in rows(athlete, "activity_files")}

    cache = athlete.home / "warehouse" / ".state" / "some_cache.json"
    cache.write_text(json.dumps({"name": "Where nobody may know"}))
    said = land.run("purge")
    assert not cache.exists()
    assert "4 rows erased from 3 shards" in said, said
    for table in ("export_activities", "activity_files", "export_records"):
        assert secret not in {row["id"] for row in rows(athlete, table)}
        assert "Where nobody may know" not in str(rows(athlete, table))
    before = everything(athlete)
    said = land(first, second)
    assert "29 unchanged, 1 purged" in said
    assert everything(athlete) == before
    # Strava has it again
    world.restore(secret)
    world.edit(world.activities()[0]["id"], name="Another one")
    # after the purge
    world.set_clock(datetime.now(UTC) + timedelta(days=1))
    _, third = exported(world, athlete.home.parent / "3.zip")
    assert "1 new, 29 unchanged" in land(third)
    assert secret in {row["id"] for row in rows(athlete, "activity_files")}


def test_a_shard_that_was_lost_comes_back_with_the_next_import_of_the_same_file(athlete, world, land):
    written, path = exported(world, athlete.home.parent / "1.zip")
    land(path)
    for table in ("export_activities", "activity_files", "export_records", "exports"):
        [shard] = athlete.shards(table)
        whole = shard.read_bytes()
        shard.write_bytes(whole[: len(whole) // 2])
        assert f"{shard} is damaged" in land(path)
        assert shard not in athlete.shards(table)
        assert_landed(athlete, written)


def test_an_import_on_a_full_disk_is_said_and_completed_once_there_is_room(athlete, world, run, land, small_disk):
    written, path = exported(world, athlete.home.parent / "1.zip", points=600)
    small_disk("400k")
    assert_said(run("import", str(path)), 6, "disk is full")
    small_disk("50m")
    land(path)
    assert_landed(athlete, written)


def test_a_bundle_holds_what_was_imported(athlete, world, run, land, tmp_path):
    _, path = exported(world, tmp_path / "1.zip")
    land(path)
    before = everything(athlete)
    bundle = tmp_path / "strava.bundle"
    assert run("backup", "--unencrypted", str(bundle)).code == 0
    shutil.rmtree(athlete.home)
    athlete.home.mkdir()
    assert run("restore", "--unencrypted", str(bundle)).code == 0
    assert everything(athlete) == before
    land(path)
    assert everything(athlete) == before
