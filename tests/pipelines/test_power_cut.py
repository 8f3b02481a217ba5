"""What a command says is done is on disk: a power cut right after it takes nothing back."""

import time
from pathlib import Path

import pytest
from landed import until
from power import watched

from pipelines.ground.stop import StopFlag
from pipelines.sources.strava_api.auth import TokenFile

pytestmark = pytest.mark.slow

KEPT = ("data", "output", "secrets")
PASSPHRASE = {"STRAVA_STATE_PASSPHRASE": "a long one, longer than 16"}


@pytest.mark.deep
def test_a_power_cut_after_a_flow_a_purge_a_backup_or_a_restore_takes_nothing_back(athlete, run, strava, monkeypatch):
    bundle = athlete.home / "backups" / "strava.bundle"
    bundle.parent.mkdir()
    with watched(athlete.home, monkeypatch) as disk:
        assert run(ENRICH_LIMIT="3").code == 0
        assert disk.lost(*KEPT) == set()
        # one is alone in its files, which a purge removes; names of pulls have seconds
        alone = strava.add(name="alone")["id"]
        time.sleep(1)
        assert run("pull").code == 0
        for id_ in (alone, strava.activities()[3]["id"]):
            strava.delete(id_)
        assert run("pull", "--all").code == 0
        assert run("purge").code == 0
        assert disk.lost(*KEPT) == set()
        assert run("backup", str(bundle), **PASSPHRASE).code == 0
        assert disk.lost("backups") == set()
        assert run("restore", str(bundle), "--force", **PASSPHRASE).code == 0
        # its own folders and its marker may come back: there is nothing left to do then
        assert {path for path in disk.lost(*KEPT, "warehouse") if ".restoring" not in path} == set()
    # from its marker on, a restore that is cut goes forward: what it moves in is on disk by then
    unsynced = {path for path in disk.at_appearance[".restoring.json"] if ".restoring" in path.parts}
    assert unsynced == set()


def test_a_restore_waits_for_a_command_that_changes_the_tokens(athlete, run):
    bundle = athlete.home / "strava.bundle"
    assert run("pull").code == 0
    assert run("backup", str(bundle), **PASSPHRASE).code == 0
    lock = TokenFile(athlete.token_file)
    with lock.locked(StopFlag()):
        athlete.token_file.write_text("as auth is about to write it")
        process = athlete.start("restore", str(bundle), "--force", **PASSPHRASE)
        until(lambda: _has_open(process.pid, ".strava_token.json.lock") or process.poll() is not None)
        assert process.poll() is None
        assert athlete.token_file.read_text() == "as auth is about to write it"
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert "refresh_token" in athlete.token_file.read_text()


def _has_open(pid, name):
    return any(path.exists() and path.readlink().name == name for path in Path(f"/proc/{pid}/fd").iterdir())
