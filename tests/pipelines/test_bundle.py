import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile

import duckdb
import pytest
from deep import deep_but
from home import REPO, Athlete
from landed import LIST, all_ids, ids, until
from said import assert_said

from pipelines.mirror.pull import PullChoice
from simulator import Simulator

pytestmark = pytest.mark.slow

PASSPHRASE = "correct horse battery staple"
WHOLE = {"STRAVA_STATE_PASSPHRASE": PASSPHRASE}
LOCKS = {"run.lock", ".strava_token.json.lock"}


def state(home):
    """Every file under `home` and what is in it, but for locks."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and path.name not in LOCKS
    }


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    """An athlete with activities and five details, built by dbt."""
    with Simulator(seed=7, activities=60) as strava:
        user = Athlete(tmp_path_factory.mktemp("past"), strava)
        user.authorise()
        ran = user.spawn("flow", "--limit", "5")
        assert ran.code == 0, ran.err
    return user


@pytest.fixture(scope="module")
def backup(past, tmp_path_factory):
    """The backup of such an athlete, what is in it, and their home, which notes where it is."""
    file = tmp_path_factory.mktemp("backups") / "strava.bundle"
    ran = past.spawn("backup", str(file), **WHOLE)
    assert (ran.code, "not encrypted" in ran.err) == (0, False), ran.err
    return file, file.read_bytes(), past.home


@pytest.fixture
def bundle(athlete, backup):
    """That backup, of an athlete with such a home, whose token is not one of this Strava."""
    file, content, home = backup
    shutil.copytree(home, athlete.home, dirs_exist_ok=True)
    file.write_bytes(content)
    file.chmod(0o600)
    return file


@pytest.fixture
def elsewhere(tmp_path_factory, strava):
    """A new machine: the same settings, no state."""
    return Athlete(tmp_path_factory.mktemp("elsewhere"), strava)


def sweep_and_purge(steps):
    """As a flow that purges, without its build."""
    choice = PullChoice(everything=True)
    steps.run("pull", "purge_if_wanted", "stage", pull=choice, STRAVA_PURGE_DELETED="true")


def restore(user, run, file, *options, **settings):
    return run("restore", str(file), *options, **({"STRAVA_HOME": str(user.home)} | WHOLE | settings))


def modes(folder):
    return {str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in folder.rglob("*.parquet")}


def test_a_new_machine_continues_from_a_bundle_as_if_it_were_the_old_one(athlete, run, strava, bundle, elsewhere):
    ran = restore(elsewhere, run, bundle)
    assert ran.code == 0, ran.err
    stored = state(athlete.home)
    assert state(elsewhere.home) == stored
    assert {path.split("/")[0] for path in stored} == {"data", "output", "warehouse", "secrets"}
    assert elsewhere.token_file.stat().st_mode & 0o777 == 0o600
    assert modes(elsewhere.home / "data") == modes(athlete.home / "data")
    elsewhere.authorise()
    late = strava.add(name="after the move")
    strava.clear_requests()
    ran = run("flow", "--limit", "0", STRAVA_HOME=str(elsewhere.home))
    assert ran.code == 0, ran.err
    assert ", 1 new or changed" in ran.err
    assert len(athlete.requests(LIST)) <= 2
    assert sorted(ids(elsewhere)) == sorted(all_ids(strava))
    assert elsewhere.sql("select name from strava.activities where id = ?", late["id"]) == [("after the move",)]
    assert elsewhere.sql("select count(*) from strava.activity_details") == [(5,)]


def test_a_bundle_goes_into_a_folder_that_is_there_and_its_whole_path_is_said(athlete, run, pull, monkeypatch):
    pull()
    folder = athlete.home.parent / "nowhere"
    assert_said(run("backup", str(folder / "b"), "--unencrypted"), 2, f"There is no folder {folder}")
    assert not folder.exists()
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    for typed, name in (("b", "b"), ("~/c", "c"), ("~nobody.bundle", "~nobody.bundle")):
        ran = run("backup", typed, "--unencrypted")
        assert (ran.code, f" in {folder / name} (" in ran.err) == (0, True), ran.err
    assert {path.name for path in folder.iterdir()} == {"b", "c", "~nobody.bundle"}


@pytest.mark.deep
def test_what_was_purged_since_the_backup_does_not_come_back_with_it(athlete, run, steps, strava, bundle):
    athlete.authorise()
    gone, back = (activity["id"] for activity in strava.activities()[2:4])
    for id_ in (gone, back):
        strava.delete(id_)
    sweep_and_purge(steps)
    assert {gone, back}.isdisjoint(ids(athlete))
    strava.restore(back)
    ran = restore(athlete, run, bundle, "--force")
    assert (ran.code, "is erased again by the next flow" in ran.err) == (0, True), ran.err
    assert ids(athlete).count(gone) == 1
    # the token in the bundle is of another Strava
    athlete.authorise()
    # no new purges are asked for
    assert run("flow", ENRICH_LIMIT="0", STRAVA_SWEEP_HOURS="0").code == 0
    for table in ("activities", "activity_details"):
        assert gone not in ids(athlete, table)
    listed = [each["id"] for path in (athlete.home / "output").iterdir() for each in json.loads(path.read_bytes())]
    assert gone not in listed
    assert athlete.sql("select id, purged from strava.deleted_activities") == [(gone, True)]
    assert athlete.sql("select count(*) from strava.activities") == [(59,)]
    assert (ids(athlete).count(back), back in listed) == (1, True)
    assert run("status").code == 0


def test_a_restore_over_a_damaged_tombstone_goes_through(athlete, run, bundle):
    folder = athlete.home / "data" / "tombstones"
    folder.mkdir()
    (folder / "tombstones_1_20260101000000_abc.parquet").write_bytes(b"PAR1 half")
    ran = restore(athlete, run, bundle, "--force")
    assert (ran.code, "erased again" in ran.err) == (0, False), ran.err
    assert not folder.exists()


@pytest.mark.deep
def test_what_was_purged_is_purged_again_on_a_machine_that_knows_nothing_of_it(
    athlete, run, steps, strava, bundle, elsewhere
):
    athlete.authorise()
    gone = strava.activities()[2]["id"]
    strava.delete(gone)
    sweep_and_purge(steps)
    assert restore(elsewhere, run, bundle).code == 0
    elsewhere.authorise()
    settings = {"STRAVA_HOME": str(elsewhere.home), "ENRICH_LIMIT": "0", "STRAVA_SWEEP_HOURS": "0"}
    assert run("flow", STRAVA_PURGE_DELETED="true", **settings).code == 0
    assert gone not in ids(elsewhere) + ids(elsewhere, "activity_details")
    assert elsewhere.sql("select id, purged from strava.deleted_activities") == [(gone, True)]


def test_the_bundle_is_encrypted_for_its_passphrase_only_and_readable_by_its_owner_only(
    athlete, run, bundle, elsewhere
):
    content = bundle.read_bytes()
    assert json.loads(athlete.token_file.read_text())["refresh_token"].encode() not in content
    assert b"PAR1" not in content
    assert bundle.stat().st_mode & 0o777 == 0o600
    ran = restore(elsewhere, run, bundle, STRAVA_STATE_PASSPHRASE="not the passphrase at all")
    assert_said(ran, 2, "STRAVA_STATE_PASSPHRASE", "not the one", "nothing was restored")
    assert state(elsewhere.home) == {}
    assert "not the passphrase" not in ran.err


def test_the_bundle_opens_with_gnupg_and_tar_alone(athlete, bundle, tmp_path_factory):
    home = tmp_path_factory.mktemp("by-hand")
    gpg = f"gpg --homedir {home} --batch --pinentry-mode loopback --passphrase-fd 0 --decrypt {bundle}"
    command = ["bash", "-o", "pipefail", "-c", f"{gpg} | tar xz -C {home}"]
    subprocess.run(command, input=PASSPHRASE.encode(), check=True, capture_output=True)
    assert (home / "data" / "activities").is_dir()
    assert (home / "secrets" / "strava_token.json").read_bytes() == athlete.token_file.read_bytes()


def test_the_passphrase_is_neither_an_argument_nor_in_the_environment_of_gnupg(athlete, run, tmp_path):
    shim = tmp_path / "bin" / "gpg"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} >> {tmp_path}/seen\nexec {shutil.which("gpg")} "$@"\n')
    shim.chmod(0o755)
    path = f"{shim.parent}:{os.environ['PATH']}"
    ran = run("backup", str(tmp_path / "b"), PATH=path, **WHOLE)
    assert ran.code == 0, ran.err
    assert run("restore", str(tmp_path / "b"), "--force", PATH=path, **WHOLE).code == 0
    seen = (tmp_path / "seen").read_text()
    assert seen.count("--passphrase-fd") == 2
    assert PASSPHRASE not in seen


@pytest.mark.parametrize("kept", deep_but(3, 0, 0.5, -1, 1, 15, 300, 0.99))
def test_a_cut_bundle_is_refused_and_nothing_is_lost(athlete, run, bundle, kept):
    content = bundle.read_bytes()
    bundle.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    before = state(athlete.home)
    assert_said(restore(athlete, run, bundle, "--force"), 6, str(bundle), "cut or damaged", "nothing was restored")
    assert state(athlete.home) == before


@pytest.mark.parametrize("options", [(), ("--unencrypted",)])
def test_a_bundle_with_one_wrong_bit_is_refused_and_nothing_is_lost(athlete, run, bundle, options):
    assert run("backup", str(bundle), *options, **WHOLE).code == 0
    whole = bundle.read_bytes()
    before = state(athlete.home)
    for at in (0.2, 0.5, 0.999):
        content = bytearray(whole)
        content[int(at * len(content))] ^= 4
        bundle.write_bytes(content)
        assert_said(restore(athlete, run, bundle, "--force", *options), 6, "cut or damaged")
        assert state(athlete.home) == before


def member(name, content=b"x", **attributes):
    info = tarfile.TarInfo(name)
    info.size = len(content) if attributes.get("type", tarfile.REGTYPE) == tarfile.REGTYPE else 0
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info, io.BytesIO(content)


def write_tar(file, *members):
    with tarfile.open(file, "w:gz") as tar:
        for info, content in members:
            tar.addfile(info, content)


@pytest.mark.parametrize(
    "evil",
    [
        member("../outside"),
        member("data/../../outside"),
        member("/outside"),
        member("data/link", type=tarfile.SYMTYPE, linkname="/etc"),
        member("data/link", type=tarfile.LNKTYPE, linkname="secrets/strava_token.json"),
        member("data/pipe", type=tarfile.FIFOTYPE),
    ],
    ids=["up", "up from within", "absolute", "symbolic link", "hard link", "pipe"],
)
def test_a_tar_that_leads_elsewhere_is_refused_and_nothing_is_written(athlete, run, tmp_path_factory, evil):
    file = tmp_path_factory.mktemp("evil") / "evil.bundle"
    write_tar(file, member("data/activities/a.parquet"), evil)
    before = state(athlete.home.parent)
    ran = restore(athlete, run, file, "--force", "--unencrypted")
    assert_said(ran, 6, evil[0].name, "no backup of this program")
    assert state(athlete.home.parent) == before


def test_a_tar_without_its_manifest_or_with_unknown_files_is_refused(athlete, run, tmp_path_factory):
    file = tmp_path_factory.mktemp("odd") / "odd.bundle"
    before = state(athlete.home)
    write_tar(file, member("data/activities/a.parquet"))
    assert_said(restore(athlete, run, file, "--force", "--unencrypted"), 6, "cut or damaged")
    for name in ("warehouse/other.duckdb", "output/.restoring/a.json", "data/.restoring.json"):
        write_tar(file, member(name))
        assert_said(restore(athlete, run, file, "--force", "--unencrypted"), 2, name, "STRAVA_WAREHOUSE")
    manifest = json.dumps({"format": 2, "made_at": "", "sha256": {}}).encode()
    write_tar(file, member("manifest.json", manifest))
    assert_said(restore(athlete, run, file, "--force", "--unencrypted"), 6, "another version")
    assert state(athlete.home) == before


def test_state_that_is_there_is_replaced_only_by_force_and_then_wholly(athlete, run, strava, bundle):
    stored = state(athlete.home)
    athlete.authorise()
    strava.add(name="newer than the bundle")
    assert run("pull").code == 0
    newer = state(athlete.home)
    assert len(newer) > len(stored)
    assert_said(restore(athlete, run, bundle), 2, "state here already", "--force")
    assert state(athlete.home) == newer
    assert restore(athlete, run, bundle, "--force").code == 0
    assert state(athlete.home) == stored


def test_a_restore_that_is_killed_changes_nothing_or_is_finished_by_the_next_run(athlete, run, strava, bundle):
    for number in range(5):
        (athlete.home / "output" / f"{number}.json").touch()
    athlete.authorise()
    assert run("backup", str(bundle), **WHOLE).code == 0
    wanted = state(athlete.home)
    shutil.rmtree(athlete.home / "data")
    (athlete.home / "output" / "0.json").write_text("other")
    before = state(athlete.home)
    marker = athlete.home / "warehouse" / ".state" / ".restoring.json"

    # with all of it unpacked, and nothing moved in
    at = {"SOAK_KILL_AT": "os.rename .*restoring[.]json.*[.]tmp"}
    assert athlete.spawn("restore", str(bundle), "--force", **WHOLE, **at).code == -9
    assert (athlete.home / "output" / ".restoring").exists()
    assert not marker.exists()
    assert {path: content for path, content in state(athlete.home).items() if ".restoring" not in path} == before

    # in the midst of moving it in
    at = {"SOAK_KILL_AT": "os.rename .*/output/3[.]json"}
    assert athlete.spawn("restore", str(bundle), "--force", **WHOLE, **at).code == -9
    assert marker.exists()
    half = state(athlete.home)
    # whoever only looks sees no mixture, and changes nothing
    for looking in (("status",), ("status", "--json"), ("sql", "select 1")):
        assert_said(run(*looking), 6, "A restore is not complete", "make compact")
    assert state(athlete.home) == half
    for name in ("half", "page", "revoked"):
        shutil.copytree(athlete.home, athlete.home.with_name(name))
    # made of the restored warehouse
    assert run("page", STRAVA_HOME=str(athlete.home.with_name("page"))).code == 0
    # whichever command comes next finishes it: a backup, so that nothing else changes
    assert run("backup", str(bundle), **WHOLE).code == 0
    assert state(athlete.home) == wanted
    ran = run("flow", "--limit", "0", STRAVA_HOME=str(athlete.home.with_name("half")))
    assert ran.code == 0, ran.err
    assert "nothing new" in ran.err
    # withdrawn for good, not put back by the next run
    assert run("revoke", STRAVA_HOME=str(athlete.home.with_name("revoked"))).code == 0
    assert not (athlete.home.with_name("revoked") / "secrets" / "strava_token.json").exists()
    for name in ("half", "page", "revoked"):
        assert not list(athlete.home.with_name(name).rglob(".restoring*"))


def test_a_backup_waits_for_a_run_and_contains_what_that_landed(athlete, run, strava, tmp_path, elsewhere):
    strava.fault("slow", path=LIST, seconds=3)
    puller = athlete.start("pull")
    until(lambda: athlete.requests(LIST))
    ran = run("backup", str(tmp_path / "b"), **WHOLE)
    assert puller.wait(10) == 0
    assert ran.code == 0, ran.err
    assert "waiting" in ran.err
    assert restore(elsewhere, run, tmp_path / "b").code == 0
    assert sorted(ids(elsewhere)) == sorted(all_ids(strava))


def test_neither_backup_nor_restore_waits_for_another_program_with_the_warehouse(athlete, run, bundle):
    before = state(athlete.home)
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(athlete.warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        assert_said(run("backup", str(bundle), **WHOLE), 5, "is open in", str(other.pid))
        assert_said(restore(athlete, run, bundle, "--force"), 5, "is open in", str(other.pid))
        other.communicate()
    assert state(athlete.home) == before


def test_what_a_killed_program_left_in_the_write_ahead_log_is_in_the_bundle(athlete, run, bundle, elsewhere):
    leave = (
        "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); c.execute('create table t as select 7'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", leave, str(athlete.warehouse)], check=True)
    assert athlete.warehouse.with_name("strava.duckdb.wal").exists()
    assert run("backup", str(bundle), **WHOLE).code == 0
    assert restore(elsewhere, run, bundle).code == 0
    assert not elsewhere.warehouse.with_name("strava.duckdb.wal").exists()
    assert elsewhere.sql("from t") == [(7,)]


def test_a_damaged_warehouse_does_not_stand_in_the_way_of_a_restore(athlete, run, bundle):
    stored = state(athlete.home)
    athlete.warehouse.write_bytes(b"rubbish" * 10_000)
    athlete.warehouse.with_name("strava.duckdb.wal").write_bytes(b"rubbish")
    assert restore(athlete, run, bundle, "--force").code == 0
    assert state(athlete.home) == stored


def test_ctrl_c_ends_a_backup_and_a_restore_with_everything_unchanged(athlete, run, bundle):
    for number in range(3_000):
        (athlete.home / "output" / f"{number}.json").touch()
    before, content = state(athlete.home), bundle.read_bytes()
    beside = f".{bundle.name}.*.tmp"
    backup = athlete.start("backup", str(bundle), **WHOLE)
    until(lambda: list(bundle.parent.glob(beside)))
    backup.send_signal(signal.SIGINT)
    _, err = backup.communicate(timeout=30)
    assert (backup.returncode, "Stopped" in err) == (130, True), err
    assert bundle.read_bytes() == content
    assert list(bundle.parent.glob(beside)) == []
    assert state(athlete.home) == before

    assert run("backup", str(bundle), **WHOLE).code == 0
    restoring = athlete.start("restore", str(bundle), "--force", **WHOLE)
    until((athlete.home / "output" / ".restoring").exists)
    restoring.send_signal(signal.SIGTERM)
    _, err = restoring.communicate(timeout=30)
    assert (restoring.returncode, "untouched" in err) == (130, True), err
    assert state(athlete.home) == before


def test_an_unencrypted_bundle_is_made_and_restored_only_with_the_option(athlete, run, bundle, elsewhere):
    assert_said(run("backup", str(bundle)), 2, "STRAVA_STATE_PASSPHRASE is not set", "--unencrypted")
    assert "not encrypted" in run("backup", str(bundle), "--unencrypted").err
    with tarfile.open(bundle) as tar:
        assert "secrets/strava_token.json" in tar.getnames()
    assert_said(restore(elsewhere, run, bundle), 2, "not encrypted", "--unencrypted")
    assert state(elsewhere.home) == {}
    assert restore(elsewhere, run, bundle, "--unencrypted").code == 0
    assert state(elsewhere.home) == state(athlete.home)


def test_what_cannot_be_backed_up_or_restored_is_one_sentence(athlete, run, tmp_path, elsewhere):
    file = tmp_path / "b"
    nothing = {"STRAVA_HOME": str(elsewhere.home)} | WHOLE
    assert_said(run("backup", str(file), **nothing), 2, "nothing to back up")
    assert_said(run("backup", str(file), STRAVA_STATE_PASSPHRASE="short"), 2, "fewer than 16 characters")
    assert_said(run("backup", str(file), STRAVA_STATE_PASSPHRASE=f"{PASSPHRASE}\n2"), 2, "single line")
    assert_said(run("backup", str(athlete.home / "data" / "b"), **WHOLE), 2, "There is no folder")
    (athlete.home / "data").mkdir()
    assert_said(run("backup", str(athlete.home / "data" / "b"), **WHOLE), 2, "which the bundle contains")
    assert_said(run("backup", str(athlete.token_file / "b"), **WHOLE), 6, "could not be written")
    assert_said(run("backup", str(file), PATH="/nowhere", **WHOLE), 6, "GnuPG is not installed")
    (athlete.home / "output").mkdir()
    (athlete.home / "output" / "link").symlink_to("/etc/hostname")
    assert_said(run("backup", str(file), **WHOLE), 6, "output/link", "link")
    assert not file.exists()
    assert_said(restore(elsewhere, run, file), 2, "There is no file")
    assert_said(restore(elsewhere, run, tmp_path), 6, "cannot be read")


def test_a_backup_onto_a_full_disk_says_so_and_keeps_the_older_one(athlete, bundle, strava):
    content = bundle.read_bytes()
    command = f"{sys.executable} {REPO}/pipelines/strava.py backup {bundle}"
    limit = f"ulimit -f 8; trap '' XFSZ; exec {command}"
    ran = subprocess.run(
        ["bash", "-c", limit], env=athlete.environment(**WHOLE), capture_output=True, text=True, check=False
    )
    assert ran.returncode == 6, ran.stderr
    assert "could not be written" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert bundle.read_bytes() == content


def test_rows_of_the_warehouse_survive_unchanged(athlete, run, bundle, elsewhere):
    assert restore(elsewhere, run, bundle).code == 0
    with duckdb.connect(str(elsewhere.warehouse), read_only=True) as warehouse:
        there = warehouse.execute("select id, name from strava.activities order by id").fetchall()
    assert there == athlete.sql("select id, name from strava.activities order by id")
    assert len(there) == 60
