"""What a command says is done is on disk: a power cut right after it takes nothing back."""

import pytest
from power import watched

KEPT = ("data", "output", "secrets")


@pytest.mark.slow
def test_a_power_cut_after_a_flow_a_purge_a_backup_or_a_restore_takes_nothing_back(athlete, run, strava, monkeypatch):
    passphrase = {"STRAVA_STATE_PASSPHRASE": "a long one"}
    bundle = athlete.home / "backups" / "strava.bundle"
    bundle.parent.mkdir()
    with watched(athlete.home, monkeypatch) as disk:
        assert run("flow", ENRICH_LIMIT="3").code == 0
        assert disk.lost(*KEPT) == set()
        strava.delete(strava.activities()[3]["id"])
        assert run("pull", "--all").code == 0
        assert run("purge").code == 0
        assert disk.lost(*KEPT) == set()
        assert run("backup", str(bundle), **passphrase).code == 0
        assert disk.lost("backups") == set()
        ran = run("restore", str(bundle), "--force", **passphrase)
        assert ran.code == 0, ran.err
        assert disk.lost(*KEPT, "warehouse") == set()
    print(disk.at_appearance.keys())
