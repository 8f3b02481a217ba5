"""What this program did not write stays as it is, and what is private stays private."""

import json
import os
import shutil
import tarfile
from pathlib import Path

import duckdb
import pytest
from home import Athlete
from landed import contents
from said import assert_said

from pipelines.ground.errors import BadSetting, Interrupted
from pipelines.ground.settings import StravaSettings
from pipelines.ground.stop import StopFlag
from pipelines.ground.written_places import Places
from pipelines.page.files import MARKS
from pipelines.warehouse.publish import publish
from simulator import Simulator

PASSPHRASE = {"STRAVA_STATE_PASSPHRASE": "correct horse battery staple"}


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    """The home of an athlete who has pulled and built nothing."""
    with Simulator(seed=7, activities=5) as strava:
        user = Athlete(tmp_path_factory.mktemp("past"), strava)
        user.authorise()
        ran = user.spawn("pull")
        assert ran.code == 0, ran.err
    return user.home


@pytest.fixture
def athlete(tmp_path, strava, past):
    shutil.copytree(past, tmp_path / "home")
    return Athlete(tmp_path / "home", strava)


def foreign(athlete, kind: str) -> Path:
    """A file that is not what the command writes."""
    path = athlete.home / "mine" / "strava.file"
    path.parent.mkdir(exist_ok=True)
    if kind == "token":
        return athlete.token_file
    if kind == "shard":
        return athlete.shards()[0]
    if kind == "warehouse":
        return athlete.warehouse
    if kind == "database":
        with duckdb.connect(str(path)) as connection:
            connection.execute("create table mine as select 1")
        return path
    with tarfile.open(path, "w:gz") as tar:
        tar.add(athlete.home / "data", arcname="data")
    if kind != "archive":
        path.write_bytes(
            {"text": b"my diary", "page": b"<!doctype html><title>Mine</title>", "gpg": b"\x8c\x0d\x04"}[kind]
        )
    return path


KINDS = ["token", "shard", "warehouse", "database", "archive", "text", "page", "gpg"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_command_refuses_to_write_over_what_is_not_its_own(athlete, run, kind):
    path = foreign(athlete, kind)
    before = path.read_bytes()
    for command in (("page", "--out", str(path)), ("backup", str(path))):
        assert_said(run(*command, **PASSPHRASE), 2, str(path))
        assert path.read_bytes() == before, command
    if kind not in ("token", "shard", "warehouse"):
        assert run("backup", str(path), "--force", **PASSPHRASE).code == 0
        assert path.read_bytes() != before
    if kind != "token":
        assert_said(run("auth", STRAVA_TOKEN_FILE=str(path)), 2, str(path), "STRAVA_TOKEN_FILE")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "warehouse"])
def test_a_copy_is_not_published_over_another_file(athlete, kind):
    path = foreign(athlete, kind)
    before = path.read_bytes()
    with pytest.raises(BadSetting, match="STRAVA_PUBLISH"):
        publish(athlete.warehouse, path, Places(settings_of(athlete)))
    assert path.read_bytes() == before


def settings_of(athlete) -> StravaSettings:
    settings = StravaSettings()
    settings.home = str(athlete.home)
    return settings


def test_a_copy_takes_the_place_of_copies_of_empty_files_and_of_nothing_but_of_no_other_warehouse(athlete):
    with duckdb.connect(str(athlete.warehouse)) as connection:
        connection.execute("create table staging.dbt_builds as select now()::timestamp as built_at")
    places, copy = Places(settings_of(athlete)), athlete.home / "shared" / "strava.duckdb"
    assert publish(athlete.warehouse, copy, places)
    assert not publish(athlete.warehouse, copy, places)
    copy.chmod(0o600)
    copy.write_bytes(b"")
    assert publish(athlete.warehouse, copy, places)
    assert copy.stat().st_mode & 0o777 == 0o400

    # damaged, but noted as ours; one that an earlier version wrote, and did not note
    copy.chmod(0o600)
    copy.write_bytes(copy.read_bytes()[:5000])
    assert publish(athlete.warehouse, copy, places)
    with duckdb.connect(str(athlete.warehouse)) as connection:
        connection.execute("update staging.dbt_builds set built_at = now()::timestamp + interval 1 hour")
    older = copy.rename(copy.with_name("strava.older.duckdb"))
    assert publish(athlete.warehouse, older, places)

    # the warehouse of another home may be written, a copy never
    other = athlete.home / "other" / "strava.duckdb"
    other.parent.mkdir()
    shutil.copyfile(athlete.warehouse, other)
    with pytest.raises(BadSetting, match="is not a copy"):
        publish(athlete.warehouse, other, places)


@pytest.mark.parametrize("content", [b"", *(b"<!doctype html>\n<head>\n" + mark for mark in MARKS)])
def test_a_page_of_any_version_and_an_empty_file_may_be_replaced(athlete, run, content):
    path = athlete.home / "page.html"
    path.write_bytes(content)
    # it gets as far as to look into the warehouse
    assert_said(run("page", "--out", str(path)), 2, "is not built yet")


def test_a_bundle_is_written_over_each_night_whoever_made_the_one_before(athlete, run, tmp_path):
    bundle = tmp_path / "strava.bundle"
    for options in ((), ("--unencrypted",), ()):
        assert run("backup", str(bundle), *options, **PASSPHRASE).code == 0
        assert bundle.stat().st_mode & 0o777 == 0o600
        # as if by an earlier version, which noted nothing
        for note in athlete.home.rglob("*places.json"):
            note.unlink()
        bundle.chmod(0o644)
    # a bundle that is cut is known by its note alone
    assert run("backup", str(bundle), "--unencrypted", **PASSPHRASE).code == 0
    bundle.write_bytes(bundle.read_bytes()[:500])
    assert run("backup", str(bundle), **PASSPHRASE).code == 0


def test_a_place_that_was_not_written_is_not_ours(athlete, run, tmp_path):
    bundle, page = tmp_path / "strava.bundle", tmp_path / "page.html"
    notes = {path: path.read_bytes() for path in athlete.home.rglob("*places.json")}
    assert len(notes) == 2
    assert_said(run("backup", str(bundle), PATH="/nowhere", **PASSPHRASE), 6, "GnuPG is not installed")
    assert_said(run("page", "--out", str(page)), 2, "is not built yet")
    assert_said(run("backup", str(athlete.token_file / "b"), **PASSPHRASE), 6, "could not be written")
    assert {path: path.read_bytes() for path in notes} == notes
    # so that what another process puts there later is not taken for a bundle of ours that is damaged
    with tarfile.open(bundle, "w:gz") as mine:
        mine.add(athlete.home / "data", arcname="data")
    before = bundle.read_bytes()
    assert_said(run("backup", str(bundle), **PASSPHRASE), 2, "is not a bundle")
    assert bundle.read_bytes() == before
    bundle.unlink()
    assert run("backup", str(bundle), **PASSPHRASE).code == 0
    assert {path.read_bytes() for path in notes}.isdisjoint(notes.values())


def test_a_forced_restore_leaves_what_others_put_between_our_files(athlete, run, tmp_path):
    bundle = tmp_path / "strava.bundle"
    assert run("backup", str(bundle), **PASSPHRASE).code == 0
    mine = {}
    for place in (
        "data",
        "data/activities",
        "data/tombstones",
        "data/mine",
        "output",
        "output/mine",
        "warehouse/.state",
    ):
        (athlete.home / place).mkdir(exist_ok=True, parents=True)
        for name in ("notes.txt", ".x.7.tmp2", "activities.csv"):
            (athlete.home / place / name).write_text(place + name)
            mine[f"{place}/{name}"] = (place + name).encode()
    # names and columns that are like ours
    for name in ("output/strava_friends.json", "output/strava_activities_notes.json", "data/_dlt_mine/notes.txt"):
        (athlete.home / name).parent.mkdir(exist_ok=True)
        (athlete.home / name).write_text(name)
        mine[name] = name.encode()
    for name, columns in (("data/export.parquet", "*"), ("data/mine/analysis.parquet", "shard, count(*)")):
        path = athlete.home / name
        grouped = " group by shard" if "count" in columns else ""
        duckdb.sql(f"select {columns} from read_parquet('{athlete.shards()[0]}'){grouped}").write_parquet(str(path))
        mine[name] = path.read_bytes()
    database = athlete.home / "data" / "activities" / "mine.parquet"
    duckdb.sql("select 1 as mine").write_parquet(str(database))
    renamed = athlete.shards()[0].rename(athlete.home / "data" / "activities" / "copy.parquet")
    newer = athlete.home / "output" / "strava_activities_1_29991231000000.json"
    newer.write_text("[]")
    set_aside = [renamed.with_name(f"activities_1_2_3.parquet{end}.torn") for end in ("", ".1")]
    for path in set_aside:
        path.write_bytes(b"half a shard")
    assert_said(run("restore", str(bundle), **PASSPHRASE), 2, "state here already")
    ran = run("restore", str(bundle), "--force", **PASSPHRASE)
    assert ran.code == 0, ran.err
    assert {path: (athlete.home / path).read_bytes() for path in mine} == mine
    assert database.exists()
    assert [path for path in (renamed, newer, *set_aside) if path.exists()] == [], "what is ours is replaced wholly"
    assert len(athlete.shards()) == 2
    assert not list(athlete.home.rglob(".restoring*"))

    # others' files alone are no state, and stay beside it
    empty = tmp_path / "empty"
    (empty / "data").mkdir(parents=True)
    (empty / "data" / "notes.txt").write_text("mine")
    assert run("restore", str(bundle), STRAVA_HOME=str(empty), **PASSPHRASE).code == 0
    assert (empty / "data" / "notes.txt").read_text() == "mine"
    assert contents(empty / "data" / "activities").keys() == {athlete.shards()[0].name}


def test_a_restore_never_widens_a_mode_and_keeps_links(athlete, run, tmp_path):
    athlete.token_file.chmod(0o644)
    athlete.warehouse.chmod(0o644)
    bundle = tmp_path / "strava.bundle"
    assert run("backup", str(bundle), **PASSPHRASE).code == 0
    token, warehouse = athlete.token_file.read_bytes(), athlete.warehouse.read_bytes()
    disk = tmp_path / "disk"
    disk.mkdir()
    athlete.warehouse.chmod(0o600)
    for path in (athlete.warehouse, athlete.token_file):
        path.rename(disk / path.name)
        path.symlink_to(disk / path.name)
        (disk / path.name).write_bytes(b"")
    (disk / "strava.duckdb.wal").write_bytes(b"of another warehouse")
    athlete.shards()[0].chmod(0o640)
    ran = run("restore", str(bundle), "--force", **PASSPHRASE)
    assert ran.code == 0, ran.err
    assert (athlete.warehouse.readlink(), athlete.token_file.readlink()) == (
        disk / "strava.duckdb",
        disk / "strava_token.json",
    )
    assert (athlete.token_file.read_bytes(), athlete.warehouse.read_bytes()) == (token, warehouse)
    assert {path.name: path.stat().st_mode & 0o777 for path in disk.glob("s*")} == {
        "strava.duckdb": 0o600,
        "strava_token.json": 0o600,
    }
    assert athlete.shards()[0].stat().st_mode & 0o777 == 0o640
    # links of our own files are followed by a backup too
    assert run("backup", str(bundle), **PASSPHRASE).code == 0

    (disk / "strava_token.json").unlink()
    nowhere = f"{athlete.token_file} is a link to {disk / 'strava_token.json'}, which is not there"
    for command in (("pull",), ("restore", str(bundle), "--force"), ("auth",)):
        assert_said(run(*command, **PASSPHRASE), 6, nowhere)


def test_under_a_strict_umask_everything_new_is_for_its_owner_alone(strava, tmp_path):
    athlete = Athlete(tmp_path / "home", strava)
    athlete.home.mkdir()
    athlete.authorise()
    before = os.umask(0o077)
    try:
        # a process of its own: what is forked has the umask of the launcher
        process = athlete.start("pull", PER_PAGE="200")
    finally:
        os.umask(before)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    files = [path for path in athlete.home.rglob("*") if path.is_file()]
    assert {path.name for path in files if path.stat().st_mode & 0o077} == set()
    assert json.loads((athlete.home / "data" / ".places.json").read_bytes())["shards"] == ["data"]


def test_no_child_sees_a_secret_that_it_does_not_need(athlete, monkeypatch):
    from pipelines.runs import schedule
    from pipelines.warehouse import build, dbt_process

    secrets = {
        name: f"secret of {name}"
        for name in [
            "STRAVA_CLIENT_SECRET",
            "STRAVA_STATE_PASSPHRASE",
            "STRAVA_REFRESH_TOKEN",
            "SOURCES__STRAVA__CLIENT_SECRET",
            "SOURCES__STRAVA__STATE_PASSPHRASE",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "GITHUB_TOKEN",
            "HTTPS_PROXY",
            "DESTINATION__FILESYSTEM__CREDENTIALS__AWS_SECRET_ACCESS_KEY",
        ]
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    seen = athlete.home / "seen"
    program = athlete.home / "python"
    program.write_text(f"#!/bin/sh\ncat /proc/self/environ >> {seen}\nexit 1\n")
    program.chmod(0o755)

    monkeypatch.setattr(dbt_process.sys, "executable", str(program))
    settings = settings_of(athlete)
    (settings.state_path / "dbt" / "target").mkdir(parents=True)
    with pytest.raises(build.BuildFailed):
        build.build(settings, dbt_process.Dbt(settings))
    environment = seen.read_text()
    assert f"STRAVA_WAREHOUSE={athlete.warehouse}" in environment
    assert "PATH=" in environment
    assert "secret of" not in environment

    seen.unlink()
    monkeypatch.setattr(schedule, "FLOW", [str(program)])

    def stop_after_a_flow(reported):
        if reported.startswith("The flow"):
            raise Interrupted(reported)

    settings.schedule = "* * * * * *"
    schedule.run_on_schedule(settings, stop_after_a_flow, StopFlag())
    environment = seen.read_text()
    # a flow asks Strava and a bucket; it makes no bundles
    assert "secret of STRAVA_CLIENT_SECRET" in environment
    assert "secret of AWS_SECRET_ACCESS_KEY" in environment
    assert "PASSPHRASE" not in environment
