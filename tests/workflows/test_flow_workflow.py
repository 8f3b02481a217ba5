import pytest
from forge import PASSPHRASE
from home import Athlete

pytestmark = pytest.mark.workflows
LIST = "/athlete/activities"
DETAIL = "/api/v3/activities/"
COUNTS = "select (select count(*) from strava.activities), (select count(*) from strava.activity_details)"


def asked(strava, path):
    return [request for request in strava.requests if path in request.path]


def brought_home(forge, strava, run, folder):
    """The state of the branch on somebody's own machine."""
    user = Athlete(folder, strava)
    folder.mkdir()
    bundle = folder.with_suffix(".bundle")
    bundle.write_bytes(b"".join(forge.parts().values()))
    ran = run("restore", str(bundle), STRAVA_HOME=str(folder), STRAVA_STATE_PASSPHRASE=PASSPHRASE)
    assert ran.code == 0, ran.err
    return user


def test_a_first_run_saves_its_state_and_the_next_continues_from_it(forge, venv, run, strava, tmp_path):
    # with an environment of its own, as on a new machine
    first = forge.act("flow.yml")
    assert first.code == 0, first.log
    assert "a first run, with the token in the secret" in first.log
    for secret in forge.secrets.values():
        assert secret not in first.log
    state = forge.state()
    assert list(forge.parts()) == ["bundle.000"]
    user = brought_home(forge, strava, run, tmp_path / "first")
    assert user.sql(COUNTS) == [(60, 2)]

    # Strava has replaced the refresh token of the secret, which is dead
    forge.share(venv)
    strava.expire_access_tokens()
    late = strava.add(name="of the second day")
    strava.clear_requests()
    second = forge.act("flow.yml", event="schedule")
    assert second.code == 0, second.log
    assert ", 1 new or changed" in second.log
    # a page, the empty one after it, and the one for which the access token had died
    assert len(asked(strava, LIST)) <= 3
    assert "a first run" not in second.log
    assert forge.state() != state
    again = brought_home(forge, strava, run, tmp_path / "second")
    assert again.sql("select name from strava.activities where id = ?", late["id"]) == [("of the second day",)]
    assert again.sql(COUNTS) == [(61, 4)]
    # one commit without a parent: what was before is gone from the branch
    assert forge.history() == [forge.state()]

    strava.clear_requests()
    whole = forge.act("flow.yml", details="3", full_pull="true")
    assert whole.code == 0, whole.log
    assert int(asked(strava, LIST)[0].query.get("after", 0)) == 0
    assert len(asked(strava, DETAIL)) == 3


@pytest.fixture
def kept(forge, venv, athlete, run, tmp_path):
    """A repository with the state of an earlier run."""
    forge.share(venv)
    assert run("pull").code == 0
    ran = run("backup", str(tmp_path / "bundle"), STRAVA_STATE_PASSPHRASE=PASSPHRASE)
    assert ran.code == 0, ran.err
    forge.replace_state((tmp_path / "bundle").read_bytes())
    return forge


def test_a_flow_that_fails_still_saves_the_token_that_rotated(kept, strava, run, tmp_path):
    state = kept.state()
    strava.expire_access_tokens()
    strava.fault("500", times=None, path=LIST)
    failed = kept.act("flow.yml")
    assert failed.code == 1, failed.log
    assert "The state is saved" in failed.log
    assert kept.state() != state
    strava.clear_faults()
    strava.expire_access_tokens()
    brought_home(kept, strava, run, tmp_path / "home")
    healed = run("pull", STRAVA_HOME=str(tmp_path / "home"))
    assert healed.code == 0, healed.err


def test_what_cannot_be_restored_is_refused_and_never_overwritten(kept, strava):
    strava.clear_requests()
    state, (whole,) = kept.state(), kept.parts().values()
    kept.secrets["STRAVA_STATE_PASSPHRASE"] = "another passphrase altogether"
    wrong = kept.act("flow.yml")
    assert wrong.code == 1
    assert "not the one" in wrong.log
    assert kept.state() == state

    kept.secrets["STRAVA_STATE_PASSPHRASE"] = PASSPHRASE
    kept.replace_state(whole[: len(whole) // 2])
    cut = kept.state()
    ran = kept.act("flow.yml")
    assert ran.code == 1
    assert "cut or damaged" in ran.log
    assert kept.state() == cut
    assert strava.requests == []


def test_a_public_repository_without_a_passphrase_never_sends_a_request(forge, strava):
    forge.private = False
    del forge.secrets["STRAVA_STATE_PASSPHRASE"]
    ran = forge.act("flow.yml")
    assert ran.code == 1
    assert ran.log.count("The secret STRAVA_STATE_PASSPHRASE is not set") == 1
    assert forge.state() is None
    assert strava.requests == []


def test_a_wrong_token_in_the_secret_is_not_saved_and_the_right_one_is_used_later(forge, venv, strava):
    forge.share(venv)
    right, forge.secrets["STRAVA_REFRESH_TOKEN"] = forge.secrets["STRAVA_REFRESH_TOKEN"], "a-wrong-token"
    wrong = forge.act("flow.yml")
    assert wrong.code == 1
    assert "does not accept the refresh token" in wrong.log
    assert forge.state() is None
    forge.secrets["STRAVA_REFRESH_TOKEN"] = right
    ran = forge.act("flow.yml", details="0")
    assert ran.code == 0, ran.log
    state = forge.state()
    # later the athlete authorises again
    forge.secrets["STRAVA_REFRESH_TOKEN"] = strava.issue_refresh_token()
    strava.expire_access_tokens()
    renewed = forge.act("flow.yml", details="0", new_token="true")
    assert renewed.code == 0, renewed.log
    assert "replaces the one in the bundle" in renewed.log
    assert forge.state() != state


def test_a_large_bundle_is_saved_in_parts_and_a_page_is_uploaded_in_private_repositories_only(forge, venv):
    forge.variables["STRAVA_PAGE"] = "true"
    forge.share(venv)
    forge.private = False
    ran = forge.act("flow.yml", "--env", "STATE_PART_SIZE=40K", details="0")
    assert ran.code == 0, ran.log
    assert len(forge.parts()) > 2
    assert not forge.uploads.exists()

    forge.private = True
    again = forge.act("flow.yml", details="0")
    assert again.code == 0, again.log
    assert "nothing new" in again.log
    assert (forge.uploads / "page" / "index.html").read_text().startswith("<!doctype html>")


def test_a_schedule_in_a_copy_without_variables_does_nothing(forge, strava):
    forge.variables = {}
    ran = forge.act("flow.yml", event="schedule")
    assert ran.code == 0, ran.log
    assert strava.requests == []
    assert "Run Main" not in ran.log
