import json
import os
import pty
import re
import subprocess
import sys
import time
from datetime import UTC, datetime

import duckdb
import pytest
from home import REPO
from landed import LIST, assert_one_sentence, until

from pipelines.warehouse.fields import SUMMARY_FIELDS
from simulator import Simulator

pytestmark = pytest.mark.slow

BUDGET = r"\d+ of 100 requests left \(15-minute\), \d+ of 1,000 requests left \(daily\)"


def lines(ran):
    """What `status` printed, by label."""
    assert (ran.code, ran.err) == (0, "")
    return dict(re.split(r"\s{2,}", line, maxsplit=1) for line in ran.out.splitlines())


def test_status_before_anything_was_run_says_so(athlete, run):
    reported = lines(run("status"))
    assert reported["Athlete"] == "not known: the next run asks"
    assert reported["Access token"] == "none yet: the next run asks for one"
    assert reported["Last run"] == "none"
    assert reported["Budget last seen"] == "nothing seen in this window"
    assert "(not there yet)" in reported["Warehouse"]


def test_status_without_a_token_file_says_how_to_get_one(athlete, run):
    athlete.token_file.unlink()
    assert "make auth" in lines(run("status"))["Athlete"]


def test_status_shows_how_far_the_history_reaches_and_what_is_left(athlete, run, strava):
    run(ENRICH_LIMIT="4")
    reported = lines(run("status"))
    newest = datetime.fromisoformat(strava.activities()[0]["start_date"])
    expires_at = json.loads(athlete.token_file.read_text())["expires_at"]
    assert reported["Athlete"] == str(strava.athlete_id)
    assert reported["Access token"] == f"expires {datetime.fromtimestamp(expires_at, UTC):%Y-%m-%d %H:%M} UTC"
    assert reported["Cursor"] == f"{newest:%Y-%m-%d %H:%M:%S} UTC"
    assert reported["Activities"] == "60"
    assert reported["Details missing"] == "56"
    assert re.fullmatch(BUDGET, reported["Budget last seen"])
    requests = len(athlete.requests("/api/v3/"))
    assert f"60 activities and 4 details landed, {requests} requests" in reported["Last run"]


def test_status_sends_no_request_and_writes_nothing(athlete, run, strava):
    run("pull")
    strava.clear_requests()

    def files():
        return {
            path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in athlete.home.rglob("*")
        }

    before = files()
    assert (run("status").code, run("status", "--json").code) == (0, 0)
    assert (strava.requests, files()) == ([], before)


def test_status_shows_how_a_run_failed(athlete, run, strava):
    run("pull")
    strava.fault("503", times=None, path=LIST)
    assert_one_sentence(run("pull"), 4)
    assert "answered 503" in lines(run("status"))["Last run"]


def test_status_works_while_another_program_has_the_warehouse_open(athlete, run):
    run("pull")
    with duckdb.connect(str(athlete.warehouse)):
        assert lines(run("status"))["Activities"] == "60"


def test_without_a_terminal_there_are_plain_lines_on_standard_error_alone(athlete, run):
    ran = run(ENRICH_LIMIT="4")
    assert ran.out == ""
    *lines, last = ran.err.splitlines()
    assert lines == [
        "Activities: 60 listed, 60 new or changed.",
        "Details: 4 fetched, 4 new or changed, 56 left.",
        "Staging: 5 shards loaded.",
    ]
    assert last.startswith("56 details left: 56 requests; the next run fetches 4 (ENRICH_LIMIT)")


def test_a_long_pull_shows_its_progress_and_a_second_run_that_it_waits(athlete, strava):
    strava.fault("slow", path=LIST, after=1, seconds=10.2)
    first = athlete.start("pull", "--per-page", "20")
    until(lambda: athlete.requests(LIST))
    second = athlete.spawn("pull")
    _, err = first.communicate(timeout=30)
    assert (first.returncode, second.code) == (0, 0), err + second.err
    assert re.search(rf"^Activities: 40 listed, up to \d{{4}}-\d\d-\d\d \(\d+%\), {BUDGET}$", err, re.MULTILINE)
    assert "\x1b" not in err
    assert second.err.splitlines()[0] == f"Another run is going on (pull, process {first.pid}); waiting for it to end."
    assert "nothing new" in second.err
    assert athlete.sql("select count(*), count(distinct id) from staging.activities") == [(60, 60)]


def test_on_a_terminal_there_is_a_bar_with_the_budget_left_and_the_time_to_go(athlete):
    with Simulator(seed=7, activities=60, latency_s=0.03) as strava:
        athlete.strava = strava
        athlete.settings |= {
            "STRAVA_API_URL": strava.api_url,
            "STRAVA_OAUTH_URL": strava.oauth_url,
            "STRAVA_CLIENT_ID": strava.client_id,
            "STRAVA_CLIENT_SECRET": strava.client_secret,
        }
        athlete.authorise()
        seen = on_a_terminal(athlete, ENRICH_LIMIT="60")
    assert "━" in seen
    assert re.search(r"Details .* of 60 .*\d:\d\d .*requests left \(15-minute\)", seen)
    assert "Details: 60 fetched, 60 new or changed, 0 left." in seen
    assert "Compaction" not in seen, "there is nothing to compact"


def test_on_a_terminal_a_wait_counts_down(athlete, run, strava):
    run("pull")
    strava.set_limits(read_15min=8)
    strava.fault("late_in_window", path="/api/v3/activities/", after=1, seconds=8)
    seen = on_a_terminal(athlete, ENRICH_LIMIT="10", STRAVA_MAX_WAIT_S="30")
    left = re.findall(r"waiting 0:00:0(\d) .*?for Strava's 15-minute limit", seen)
    assert sorted(left, reverse=True) == left
    assert len(set(left)) > 1
    assert "Waiting until then" not in seen
    assert sum(map(int, re.findall(r"Details: (\d+) fetched", seen))) == 10
    assert "50 left." in seen


def on_a_terminal(athlete, *arguments, **settings):
    """What a person sees on a terminal of 160 columns."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, str(REPO / "pipelines" / "strava.py"), *arguments],
        env=athlete.environment(**settings) | {"TERM": "xterm-256color", "COLUMNS": "160"},
        cwd=athlete.home,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        seen = b"".join(iter(lambda: read(ours), b""))
    os.close(ours)
    assert process.returncode == 0
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())


def read(terminal):
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        # so a terminal says that its last user has gone
        return b""


def test_status_names_each_field_that_strava_has_begun_to_send_since_when(athlete, run, strava):
    def unknown():
        return json.loads(run("status", "--json").out)["unknown_fields"]

    # as in real details since 2026
    ids = [activity["id"] for activity in strava.activities()]
    third = ids[2]
    for id_ in ids:
        strava.edit_detail(id_, sport_image_visibility=None)
    assert unknown() is None
    run(ENRICH_LIMIT="2")
    began = unknown()
    assert [(each["table"], each["field"]) for each in began] == [("activity_details", "sport_image_visibility")]
    # from some day on
    time.sleep(1)
    summary = strava.summary(third)
    athlete_with_text = summary["athlete"] | {"id_str": str(strava.athlete_id)}
    strava.set_summary(third, json.dumps(summary | {"athlete": athlete_with_text, "\x1b[2J": 1}).encode())
    strava.edit_detail(third, vo2_max=None)
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    run(ENRICH_LIMIT="all")
    found = {(each["table"], each["field"]): each["first_seen_at"] for each in unknown()}
    new = {
        ("activities", "athlete.id_str"),
        ("activities", "\x1b[2J"),
        ("activity_details", "athlete.id_str"),
        ("activity_details", "\x1b[2J"),
        ("activity_details", "vo2_max"),
    }
    assert found.keys() - new == {("activity_details", "sport_image_visibility")}
    assert {began[0]["first_seen_at"]} == {found.pop(("activity_details", "sport_image_visibility"))}
    assert all(now <= at for at in found.values())
    out = run("status").out
    assert f"athlete.id_str in activities since {now[:10]}" in out
    assert r"\x1b[2J in activities since" in out
    # a cache: the shards tell the same again
    (athlete.home / "warehouse" / ".state" / "fields.json").unlink()
    run("pull")
    assert {each["field"] for each in unknown()} == {"sport_image_visibility", *(field for _, field in new)}


def test_every_field_that_has_a_column_is_known():
    model = (REPO / "dbt_project" / "models" / "marts" / "core" / "activities.sql").read_text()
    columns = re.findall(r"^    '(\w+)': (?:'|\{(.*)\})", model.partition("too_much")[0], re.MULTILINE)
    names = {name for name, _ in columns}
    parts = {f"{name}.{part}" for name, inside in columns for part in re.findall(r"'(\w+)':", inside)}
    assert len(names) > 50
    assert names | parts | {"id", "start_latlng", "end_latlng"} == SUMMARY_FIELDS
