"""The command line and the controls over HTTP, as another process sees them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from simulated_app import ANYONE

REPO = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "simulator"]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    file = tmp_path_factory.mktemp("ready") / "ready.json"
    options = ["--port", "0", "--activities", "20", "--clock", "2026-10-01T08:00:00", "--limits", "50,500"]
    with subprocess.Popen(
        [*COMMAND, *options, "--ready-file", str(file)], cwd=REPO, stdout=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 20
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        yield json.loads(file.read_text())
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=10)
        assert process.returncode == 0
        for name in ("STRAVA_API_URL", "STRAVA_OAUTH_URL", "STRAVA_CLIENT_ID", "STRAVA_CLIENT_SECRET"):
            assert f"export {name}=" in output


def control(ready: dict[str, Any], name: str, /, **arguments: Any) -> Any:
    answer = ANYONE.post(f"{ready['url']}/_control/{name}", json=arguments)
    assert answer.status_code == 200, answer.text
    return answer.json()


def read(ready: dict[str, Any], name: str, /, **query: Any) -> Any:
    return ANYONE.get(f"{ready['url']}/_control/{name}", params=query).json()


def test_a_ready_simulator_can_be_driven_by_what_its_ready_file_says(ready: dict[str, Any]) -> None:
    refresh_token = control(ready, "refresh_token", scope="read,activity:read")["refresh_token"]
    tokens = ANYONE.post(
        f"{ready['oauth_url']}/token",
        data={
            "client_id": ready["client_id"],
            "client_secret": ready["client_secret"],
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
        },
    ).json()
    answer = ANYONE.get(
        f"{ready['api_url']}/athlete/activities", headers={"Authorization": f"Bearer {tokens['access_token']}"}
    )
    assert answer.headers["X-ReadRateLimit-Limit"] == "50,500"
    assert {activity["athlete"]["id"] for activity in answer.json()} == {ready["athlete_id"]}


def test_controls_change_the_account(ready: dict[str, Any]) -> None:
    added = control(ready, "add", start_date="2012-06-07T08:09:10Z", name="late")
    assert (added["start_date"], added["name"]) == ("2012-06-07T08:09:10Z", "late")
    assert control(ready, "edit", id=added["id"], name="later")["name"] == "later"
    assert control(ready, "crop", id=added["id"])["distance"] < added["distance"]
    assert control(ready, "hide", id=added["id"])["visibility"] == "only_me"
    assert control(ready, "unhide", id=added["id"])["visibility"] == "everyone"
    assert read(ready, "detail", id=added["id"])["name"] == "later"
    assert read(ready, "activities")[-1]["id"] == added["id"]
    control(ready, "edit_detail", id=added["id"], name="in its detail")
    assert read(ready, "detail", id=added["id"])["name"] == "in its detail"
    assert read(ready, "activities")[-1]["name"] == "later"
    control(ready, "set_summary", id=added["id"], text=json.dumps(read(ready, "activities")[-1] | {"name": "dictated"}))
    assert read(ready, "activities")[-1]["name"] == "dictated"
    control(ready, "edit", id=added["id"], name="later")
    control(ready, "delete", id=added["id"])
    assert added["id"] not in [activity["id"] for activity in read(ready, "activities")]
    assert control(ready, "restore", id=added["id"])["name"] == "later"
    assert read(ready, "activities")[-1]["id"] == added["id"]


def test_controls_set_clock_limits_usage_and_faults(ready: dict[str, Any]) -> None:
    control(ready, "clock", set="2026-10-02T00:00:00Z")
    assert control(ready, "clock", advance=60)["now"].startswith("2026-10-02T00:01:0")
    control(ready, "limits", read_15min=7)
    control(ready, "usage", read_15min=3)
    state = read(ready, "state")
    assert (state["limits"]["read_15min"], state["usage"]["read_15min"]) == (7, 3)
    control(ready, "fault", kind="502", path="/athlete")
    control(ready, "clear_requests")
    assert ANYONE.get(f"{ready['api_url']}/athlete").status_code == 502
    assert [(record["path"], record["status"]) for record in read(ready, "requests")] == [("/api/v3/athlete", 502)]
    control(ready, "fault", kind="502", path="/athlete", times=None)
    control(ready, "clear_faults")
    refresh_token = control(ready, "refresh_token", scope="read")["refresh_token"]
    client = {name: ready[name] for name in ("client_id", "client_secret")}
    refresh = client | {"grant_type": "refresh_token", "refresh_token": refresh_token}
    token = ANYONE.post(f"{ready['oauth_url']}/token", data=refresh).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert ANYONE.get(f"{ready['api_url']}/athlete", headers=bearer).status_code == 200
    control(ready, "expire")
    assert ANYONE.get(f"{ready['api_url']}/athlete", headers=bearer).status_code == 401


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("edit", '{"id": 1}', 404),
        ("edit_detail", '{"id": 1, "name": "nobody"}', 404),
        ("set_summary", '{"id": 1, "text": "{}"}', 404),
        ("set_summary", '{"id": 1, "text": {}}', 400),
        ("fault", '{"kind": "bogus"}', 400),
        ("limits", '{"bogus": 1}', 400),
        ("add", '{"start_date": "yesterday"}', 400),
        ("bogus", "{}", 404),
        ("add", "not JSON", 400),
    ],
)
def test_a_wrong_control_is_answered_with_a_sentence(ready: dict[str, Any], name: str, body: str, status: int) -> None:
    answer = ANYONE.post(f"{ready['url']}/_control/{name}", data=body)
    assert answer.status_code == status
    assert answer.json()["message"]


def test_the_examples_of_the_readme_run_as_they_stand(tmp_path: Path) -> None:
    readme = (REPO / "simulator" / "README.md").read_text(encoding="utf-8")
    shell, python = (readme.split(f"```{language}\n")[1].split("```")[0] for language in ("sh", "python"))
    environment = os.environ | {"PYTHONPATH": str(REPO), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    run = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True, "timeout": 60}
    shell = shell.replace("8090", "0")  # a free port: this one may be taken
    ended = subprocess.run(["bash", "-c", f"set -m; {shell}"], check=False, **run)
    assert "HTTP/1.1 200 OK" in ended.stdout, ended.stderr
    assert '"start_date_local"' in ended.stdout
    assert not subprocess.run([sys.executable, "-c", python], check=False, **run).stderr


def test_help_shows_an_example() -> None:
    output = subprocess.run([*COMMAND, "--help"], cwd=REPO, capture_output=True, text=True, check=True).stdout
    assert "example:" in output


def test_a_missing_account_is_a_sentence_and_exit_code_2(tmp_path: Path) -> None:
    command = [*COMMAND, "--port", "0", "--account", str(tmp_path / "none.json")]
    ended = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "none.json" in ended.stderr
    assert "Traceback" not in ended.stderr
