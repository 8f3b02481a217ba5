import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from clone import Clone, docker, new_folder
from landed import LIST, all_ids, ids, until

from simulator import Simulator

FOLDERS = ("data", "output", "warehouse", "secrets", "site")


class Project:
    """A clone that its owner uses by compose alone, with the settings in `.env`."""

    def __init__(self, clone, strava):
        self.clone = clone
        self.strava = strava
        self.home = clone.folder
        self.name = f"strava-stats-{clone.folder.parent.name.lower()}"

    def compose(self, *arguments, **settings):
        return self.clone.call("docker", "compose", "--project-name", self.name, *arguments, **settings)

    def shards(self, table="activities"):
        return sorted((self.home / "data" / table).glob("*.parquet"))

    def logs(self):
        return self.compose("logs", "--no-log-prefix", "schedule").out


@pytest.fixture
def strava():
    """A simulated Strava that containers reach by the engine's own bridge."""
    gateway = docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    with Simulator(seed=7, activities=60, host=gateway) as simulator:
        yield simulator


@pytest.fixture
def project(built, strava):
    folder, uid, gid = new_folder()
    shutil.copytree(built.folder, folder / "clone", symlinks=True)
    clone = Clone(folder / "clone", uid, gid)
    settings = {
        "STRAVA_API_URL": strava.api_url,
        "STRAVA_OAUTH_URL": strava.oauth_url,
        "STRAVA_CLIENT_ID": strava.client_id,
        "STRAVA_CLIENT_SECRET": strava.client_secret,
        "STRAVA_ENRICH_SLEEP_MS": "0",
        "STRAVA_HOME": "/a/path/of/the/host",
    }
    clone.own()
    clone.write(".env", "".join(f"{name}='{value}'\n" for name, value in settings.items()))
    clone.write("secrets/strava_token.json", json.dumps({"refresh_token": strava.issue_refresh_token()}))
    project = Project(clone, strava)
    yield project
    project.compose("--profile", "*", "down", "--timeout", "5")
    shutil.rmtree(folder)


def test_a_flow_by_compose_makes_folders_and_files_the_clone_owners(project, strava):
    ran = project.compose("run", "--rm", "flow", ENRICH_LIMIT="3")
    assert ran.code == 0, ran.err
    assert sorted(ids(project)) == sorted(all_ids(strava))
    assert len(ids(project, "activity_details")) == 3, "ENRICH_LIMIT of the caller's environment"
    for name in FOLDERS:
        assert project.clone.owners(project.home / name) == {(project.clone.uid, project.clone.gid)}, name
    strava.clear_requests()
    stored = project.shards()
    assert project.compose("run", "--rm", "flow", ENRICH_LIMIT="0").code == 0
    assert (len(strava.requests) <= 3, project.shards()) == (True, stored)
    asked = project.compose("run", "--rm", "flow", "sql", "select count(*) as n from strava.activities")
    assert str(strava.count) in asked.out


def test_files_belong_to_the_ids_that_the_caller_gives(project):
    who = {"STRAVA_UID": str(project.clone.uid), "STRAVA_GID": str(project.clone.gid)}
    reported = project.compose("run", "--rm", "--entrypoint", "id", "flow", **who)
    assert reported.out.startswith(f"uid={project.clone.uid} gid={project.clone.gid}")


def test_without_env_file_compose_runs_and_tells_a_newcomer_what_to_do(project):
    (project.home / ".env").unlink()
    ran = project.compose("run", "--rm", "flow")
    assert ran.code == 3
    assert "error: STRAVA_CLIENT_ID and STRAVA_CLIENT_SECRET are not set" in ran.err


def test_a_folder_that_may_not_be_written_is_one_sentence(project):
    data = project.home / "data"
    data.mkdir()
    (data / "of-somebody-else").touch()
    ran = project.compose("run", "--rm", "flow")
    assert ran.code == 6, ran.err
    assert "may not be written" in ran.err
    assert "Traceback" not in ran.err


def test_nothing_starts_by_a_bare_up(project):
    ran = project.compose("up", "--detach")
    assert "no service selected" in ran.err
    assert project.strava.requests == []


def test_the_demo_profile_runs_the_main_job_against_a_simulator_that_is_healthy(project):
    ran = project.compose("run", "--rm", "demo")
    assert ran.code == 0, ran.err
    assert "400 activities" in ran.out
    state = project.compose("ps", "--format", "{{.Service}} {{.Health}}", "simulator").out
    assert state.strip() == "simulator healthy"
    assert project.clone.owners(project.home / "demo") == {(project.clone.uid, project.clone.gid)}
    assert project.strava.requests == [], "the settings of .env have no say"


def was_there(project, ago):
    note = {"done_until": (datetime.now(UTC) - ago).isoformat()}
    project.clone.write("warehouse/.state/schedule.json", json.dumps(note))
    project.clone.own()


def test_the_schedule_profile_catches_up_then_waits_and_stops_cleanly(project, strava):
    was_there(project, timedelta(hours=5))
    up = project.compose("--profile", "schedule", "up", "--detach", STRAVA_SCHEDULE="0 * * * *", TZ="Asia/Kolkata")
    assert up.code == 0, up.err
    until(lambda: "Next flow" in project.logs(), 60)
    reported = project.logs()
    assert reported.count("A flow was due") == reported.count("The flow is done.") == 1
    assert "IST" in reported
    assert sorted(ids(project)) == sorted(all_ids(strava))
    assert project.compose("stop", "schedule").code == 0
    assert project.compose("ps", "--all", "--format", "{{.Service}} {{.ExitCode}}").out.split() == ["schedule", "0"]
    assert "Stopped." in project.logs()
    assert project.clone.owners(project.home / "warehouse") == {(project.clone.uid, project.clone.gid)}


def test_a_stop_in_mid_flow_lands_what_was_fetched_and_the_next_start_completes(project, strava):
    was_there(project, timedelta(hours=5))
    with (project.home / ".env").open("a") as env:
        env.write("PER_PAGE=10\nSTRAVA_SCHEDULE='*/2 * * * * *'\nENRICH_LIMIT=0\n")
    strava.fault("slow", path=LIST, after=2, seconds=3)
    assert project.compose("--profile", "schedule", "up", "--detach").code == 0
    until(lambda: sum(LIST in request.path for request in strava.requests) == 2, 60)
    assert project.compose("stop", "schedule").code == 0
    assert len(ids(project)) == 10 * sum(LIST in request.path for request in strava.requests) < strava.count
    strava.clear_faults()
    assert project.compose("--profile", "schedule", "up", "--detach").code == 0
    until(lambda: project.logs().count("The flow is done.") >= 2, 90)
    assert sorted(ids(project)) == sorted(all_ids(strava))
    assert "Another run is going on" not in project.logs(), "never two at a time"


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"STRAVA_SCHEDULE": "soon"}, "STRAVA_SCHEDULE is 'soon'"), ({"TZ": "Mars"}, "TZ is 'Mars'")],
)
def test_a_wrong_schedule_is_one_sentence(project, settings, words):
    ran = project.compose("run", "--rm", "schedule", **settings)
    assert ran.code == 2
    assert words in ran.err
    assert "Traceback" not in ran.err
