import os
import pty
import re
import shutil
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from clone import IMAGE, containers, docker, state
from landed import LIST, all_ids, ids, until

SAID = f"In a container of the image {IMAGE} (docker)."


def tables(athlete):
    activities = athlete.sql("select * from strava.activities order by id")
    daily = athlete.sql("select * from strava.activities_daily order by all")
    return activities, daily


def in_mid_pull(athlete, clone, strava):
    """A `make flow` that has fetched two pages and waits for the third, and its container."""
    strava.fault("slow", path=LIST, after=2, seconds=3)
    process = clone.start("make", "flow", RUNNER="container", PER_PAGE="10", ENRICH_LIMIT="0")
    until(lambda: len(athlete.requests(LIST)) == 2, 60)
    [container] = containers()
    return process, container


def assert_the_next_flow_completes(athlete, clone, strava, fetched):
    assert len(ids(athlete)) == fetched < strava.count, "what was fetched has landed"
    strava.clear_faults()
    ran = clone.make("flow", ENRICH_LIMIT="0")
    assert ran.code == 0, ran.err
    assert sorted(ids(athlete)) == sorted(all_ids(strava)), "each activity once"
    assert athlete.sql("select count(*), count(distinct id) from strava.activities") == [(strava.count, strava.count)]


def test_a_flow_makes_the_folders_and_files_the_callers_and_a_second_one_costs_three_requests(athlete, clone, strava):
    assert {path.name for path in athlete.home.iterdir()} == {"secrets"}
    first = clone.make("flow", ENRICH_LIMIT="5")
    assert first.code == 0, first.err
    assert first.err.splitlines()[0] == SAID
    assert {path.name for path in athlete.home.iterdir()} == {"data", "output", "secrets", "site", "warehouse"}
    assert clone.owners(athlete.home) == {(clone.uid, clone.gid)}
    assert athlete.token_file.stat().st_mode & 0o777 == 0o600
    assert sorted(ids(athlete)) == sorted(all_ids(strava))
    assert athlete.sql("select count(*) from strava.activity_details") == [(5,)]
    stored, before = athlete.shards() + athlete.shards("activity_details"), tables(athlete)
    strava.clear_requests()
    second = clone.make("flow", ENRICH_LIMIT="0")
    assert second.code == 0, second.err
    assert len(athlete.requests()) <= 3
    assert athlete.shards() + athlete.shards("activity_details") == stored
    assert tables(athlete) == before
    assert "Building the image" not in first.err + second.err, "it is there and up to date"
    asked = clone.make("sql", "Q=SELECT count(*) AS n FROM strava.activities")
    assert asked.out.splitlines()[0].startswith("┌"), "only the answer is on standard output"
    status = clone.make("status").out
    assert str(athlete.warehouse) in status, "paths are the host's"


def test_docker_stop_in_mid_run_loses_nothing(athlete, clone, strava):
    process, container = in_mid_pull(athlete, clone, strava)
    docker("stop", container)
    _, err = process.communicate(timeout=60)
    assert "What was fetched has landed" in err
    assert "Error 130" in err
    assert_the_next_flow_completes(athlete, clone, strava, fetched=10 * len(athlete.requests(LIST)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_to_make_ends_the_container_cleanly(athlete, clone, strava, number):
    process, _ = in_mid_pull(athlete, clone, strava)
    # a terminal tells all of the group, a service manager make alone
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    until(lambda: not containers())
    assert state(athlete)["exit_code"] == 130, err
    assert_the_next_flow_completes(athlete, clone, strava, fetched=10 * len(athlete.requests(LIST)))


def test_ctrl_c_on_a_terminal_reaches_the_run_in_the_container(athlete, clone, strava):
    ours, theirs = pty.openpty()
    strava.fault("slow", path=LIST, after=2, seconds=3)
    settings = {"RUNNER": "container", "PER_PAGE": "10", "ENRICH_LIMIT": "0"}
    process = clone.start(
        "setsid", "--ctty", "--wait", "make", "flow", stdin=theirs, stdout=theirs, stderr=theirs, **settings
    )
    os.close(theirs)
    shown = bytearray()
    reader = threading.Thread(target=lambda: shown.extend(b"".join(iter(lambda: _read(ours), b""))))
    reader.start()
    until(lambda: len(athlete.requests(LIST)) == 2, 60)
    os.write(ours, b"\x03")
    assert process.wait(60) != 0
    reader.join()
    os.close(ours)
    assert b"What was fetched has landed" in shown, shown
    assert state(athlete)["exit_code"] == 130
    assert_the_next_flow_completes(athlete, clone, strava, fetched=10 * len(athlete.requests(LIST)))


def _read(terminal):
    try:
        return os.read(terminal, 4096)
    except OSError:
        # nobody is left at its other end
        return b""


def test_docker_kill_in_mid_run_loses_nothing_that_has_landed(athlete, clone, strava):
    process, container = in_mid_pull(athlete, clone, strava)
    docker("kill", container)
    process.communicate(timeout=60)
    assert_the_next_flow_completes(athlete, clone, strava, fetched=0)


def test_stopping_a_container_that_has_only_just_begun_is_quick(clone):
    # one that ends only when it is asked to
    process = clone.start("docker", "run", "--rm", IMAGE, "schedule")
    until(containers)
    docker("stop", "--time", "30", *containers())
    process.communicate(timeout=10)
    assert process.returncode in (0, 130), "it went by itself, and was not killed when the 30 seconds were over"


def test_the_image_is_rebuilt_when_the_code_has_changed_and_only_then(clone):
    def image():
        return docker("image", "inspect", "--format", "{{.Id}}", IMAGE)

    before = image()
    assert clone.make("status").code == 0
    assert image() == before
    module = clone.folder / "pipelines" / "runs" / "status.py"
    code = module.read_text()
    try:
        module.write_text(code.replace('"Last run"', '"Last of all"'))
        ran = clone.make("status")
        assert "Building the image" in ran.err
        assert "Last of all" in ran.out
        assert image() != before
    finally:
        module.write_text(code)
    assert "Last run" in clone.make("status").out


def test_credentials_come_from_env_file_without_entering_the_container_s_configuration(athlete, clone):
    secret = clone.settings["STRAVA_CLIENT_SECRET"]
    kept = ("STRAVA_CLIENT_ID", "STRAVA_CLIENT_SECRET")
    home = athlete.home.rename(athlete.home.parent / "home, #1")
    clone.settings["STRAVA_HOME"] = ""
    lines = [f'export {name}="{clone.settings.pop(name)}" # mine\r\n' for name in kept]
    clone.write(".env", "".join(["\ufeff", *lines, f"STRAVA_HOME='{home}'  # and his\r\n"]))
    try:
        ran = clone.make("run")
        assert ran.code == 0, ran.err
        assert list((home / "data" / "activities").glob("*.parquet")), "STRAVA_HOME in .env is followed"
        assert secret not in ran.out + ran.err
        clone.write(".env", "STRAVA_HOME=$HOME/strava\n")
        assert "$HOME is not replaced here" in clone.make("status").err
        assert not list(clone.folder.glob("$*"))
    finally:
        (clone.folder / ".env").unlink()


def test_without_env_file_a_newcomer_learns_what_to_do(clone):
    del clone.settings["STRAVA_CLIENT_SECRET"]
    ran = clone.make("flow")
    assert "error: STRAVA_CLIENT_SECRET is not set" in ran.err
    assert "Error 3" in ran.err


def test_auth_catches_the_browser_although_it_runs_in_a_container(athlete, clone, strava):
    strava.auto_authorize = True
    athlete.token_file.unlink()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    redirect = f"http://localhost:{port}/exchange_token"
    process = clone.start("make", "auth", RUNNER="container", STRAVA_REDIRECT_URI=redirect)
    page = next(line.strip() for line in process.stdout if line.strip().startswith("http"))
    assert requests.get(page, timeout=30).status_code == 200
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Authorised" in out
    assert athlete.token_file.stat().st_uid == clone.uid


def test_paths_outside_the_home_are_mounted_in_the_container_too(athlete, clone):
    elsewhere = athlete.home.parent / "elsewhere"
    published = elsewhere / "for dashboards, all" / "mine.published.duckdb"
    paths = {"STRAVA_WAREHOUSE": str(elsewhere / "w" / "mine.duckdb"), "STRAVA_BRONZE_URL": "../elsewhere/shards"}
    ran = clone.make("flow", ENRICH_LIMIT="0", STRAVA_PUBLISH=str(published), **paths)
    assert ran.code == 0, ran.err
    assert (elsewhere / "w" / "mine.duckdb").exists()
    assert list((elsewhere / "shards" / "activities").glob("*.parquet"))
    assert published.stat().st_uid == clone.uid
    asked = "Q=SELECT count(*) AS n,\n  count_if(name LIKE '%$5%') AS none -- `date`\nFROM strava.activities"
    assert clone.make("sql", asked, "FORMAT=csv", **paths).out == "n,none\n60,0\n"


def test_a_proxy_of_this_machine_is_asked_from_the_container(clone):
    asked = []

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(self.path)
            self.send_error(503)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        strava = {"STRAVA_API_URL": "http://strava.test/api", "STRAVA_OAUTH_URL": "http://strava.test/oauth"}
        ran = clone.make("run", http_proxy=f"http://127.0.0.1:{proxy.server_port}", no_proxy="", **strava)
        proxy.shutdown()
    assert "Error 4" in ran.err
    assert asked[0].startswith("http://strava.test/")


def test_folders_that_the_caller_may_not_write_are_one_sentence(athlete, clone):
    data = athlete.home / "data"
    data.mkdir()
    data.chmod(0o555)
    if os.getuid() == 0:
        os.chown(data, 0, 0)
    ran = clone.make("flow")
    assert re.search(rf"error: {data}.* may not be written", ran.err), ran.err
    assert "Traceback" not in ran.err
    data.rmdir()
    athlete.home.chmod(0o555)
    ran = clone.make("flow")
    assert f"error: {data} cannot be created" in ran.err, ran.err


def test_the_demo_runs_in_a_container_and_leaves_what_it_made_to_the_caller(clone):
    ran = clone.make("demo")
    try:
        assert ran.code == 0, ran.err
        assert SAID in ran.err
        assert "400 activities" in ran.out
        assert clone.owners(clone.folder / "demo") == {(clone.uid, clone.gid)}
        asked = clone.make("sql", "Q=SELECT count(*) FROM strava.activities", STRAVA_HOME="demo")
        assert "400" in asked.out
        assert not (clone.folder / "data").exists(), "it writes under demo/ only"
    finally:
        shutil.rmtree(clone.folder / "demo", ignore_errors=True)


def test_a_missing_engine_is_one_sentence_if_a_container_was_asked_for(clone):
    ran = clone.make("flow", DOCKER_HOST="unix:///nowhere.sock")
    assert ran.code != 0
    assert "error: no container engine answers" in ran.err
    assert "RUNNER=venv" in ran.err
