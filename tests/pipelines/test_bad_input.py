"""What goes wrong outside: Strava, the disk, other programs, wrong arguments. Said, and nothing is lost."""

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from deep import deep_but
from landed import small_disk_at
from said import assert_said

LIST = "/athlete/activities"
TOKEN = "/oauth/token"
HOLD = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*.parquet")}


def staged(athlete) -> int:
    return athlete.sql("select count(distinct id) from staging.activities")[0][0]


@pytest.fixture
def history(settled):
    """An athlete whose 60 activities have landed, and one more at Strava."""
    settled.strava.add(name="after the trouble")
    return settled


TROUBLES = deep_but(
    3,
    *(("503", 4), ("cut", 4), ("nonsense", None)),
    *(("500", 4), ("502", 4), ("html", 4), ("drop", 4), ("bad_utf8", None)),
)


@pytest.mark.parametrize(("kind", "tries"), TROUBLES)
def test_a_strava_that_is_down_is_tried_again_then_said_and_nothing_is_lost(history, run, kind, tries):
    before = contents(history.home / "data")
    history.strava.fault(kind, times=None, path=LIST)
    assert_said(run("pull"), 4, "Strava", "un again later")
    assert tries in (None, len(history.requests(LIST)))
    assert contents(history.home / "data") == before
    history.strava.clear_faults()
    assert run("pull").code == 0
    assert before.items() <= contents(history.home / "data").items()
    assert staged(history) == 61


@pytest.mark.parametrize("path", [LIST, TOKEN])
def test_a_strava_that_stumbles_is_no_failure(athlete, run, path):
    for spared, kind in enumerate(("503", "html", "drop")):
        athlete.strava.fault(kind, path=path, after=spared)
    ran = run("pull")
    assert (ran.code, staged(athlete)) == (0, 60), ran.err
    assert [request.status for request in athlete.requests(path)][:4] == [503, 200, 0, 200]


@pytest.mark.parametrize(("name", "path"), [("STRAVA_OAUTH_URL", "/oauth"), ("STRAVA_API_URL", "/api/v3")])
def test_a_strava_that_is_not_there_is_said(athlete, pull, name, path):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        host = f"127.0.0.1:{nobody.getsockname()[1]}"
    assert_said(pull(**{name: f"http://{host}{path}"}), 4, host, "no connection")
    assert pull().code == 0


@pytest.mark.parametrize("kind", deep_but(2, "502", "errors_string", "html", "drop", "429"))
def test_a_token_request_that_fails_keeps_the_token(athlete, pull, kind):
    before = athlete.token_file.read_bytes()
    athlete.strava.fault(kind, times=None, path=TOKEN)
    ran = pull()
    assert_said(ran, 3 if kind == "errors_string" else 4)
    assert athlete.token_file.read_bytes() == before
    athlete.strava.clear_faults()
    assert pull().code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pull", "--per-page", "0"], ["PER_PAGE is 0", "1 to 200"]),
        (["pull", "--per-page", "201"], ["PER_PAGE is 201", "1 to 200"]),
        (["pull", "--per-page", "x"], ["--per-page is 'x'", "whole number"]),
        (["pull", "--per-page", "-5"], ["PER_PAGE is -5", "1 to 200"]),
        (["pull", "--lookback-days", "-1"], ["LOOKBACK_DAYS", "0 or more"]),
        (["pull", "--lookback-days", "week"], ["--lookback-days", "whole number"]),
        (["enrich", "--limit", "-1"], ["'-1'", "all"]),
        (["enrich", "--limit", "some"], ["'some'", "all"]),
        (["enrich", "--ids", "one"], ["--ids is 'one'", "1,2"]),
        (["enrich", "--ids", "1;2"], ["--ids", "1,2"]),
        (["enrich", "--ids", "-1"], ["--ids", "1,2"]),
        (["enrich", "--ids", ","], ["--ids", "1,2"]),
        (["enrich", "--ids", "1.5"], ["--ids", "1,2"]),
        (["enrich", "--since", "yesterday"], ["--since is 'yesterday'", "2026-01-31"]),
        (["enrich", "--since", "31.01.2026"], ["--since", "2026-01-31"]),
        (["enrich", "--until", "2026-02-30"], ["--until is '2026-02-30'", "2026-01-31"]),
        (["flow", "--until", ""], ["--until is ''", "2026-01-31"]),
    ],
    ids=lambda value: " ".join(value) if value[0] in ("pull", "enrich", "flow") else "",
)
def test_an_argument_that_cannot_be_right_is_said_before_anything_is_asked(athlete, run, arguments, words):
    assert_said(run(*arguments), 2, *words)
    assert athlete.requests() == []


def test_unknown_ids_are_named_and_the_known_ones_can_be_had(history, run):
    known = history.strava.activities()[-1]["id"]
    ran = run("enrich", "--ids", f"1,{known},99999999999999999999999")
    assert_said(ran, 2, "Not in your history: 1, 99999999999999999999999.", "Pull first")
    assert str(known) not in ran.err
    assert history.requests("/activities/") == []


@pytest.mark.parametrize("days", deep_but(1, "9" * 30, "99999", "999999"))
def test_a_lookback_longer_than_time_takes_all(history, run, days):
    late = history.strava.add(start_date="2009-01-02T03:04:05Z", name="late upload")
    ran = run("pull", "--lookback-days", days)
    assert ran.code == 0, ran.err
    assert history.sql("select count(*) from staging.activities where id = ?", late["id"]) == [(1,)]


@pytest.mark.parametrize(
    "path", deep_but(2, "data/activities", "secrets", "data", "output", "warehouse", "warehouse/.state")
)
def test_a_file_where_a_folder_is_needed_is_said_and_the_next_run_completes(athlete, run, path):
    in_the_way = athlete.home / path
    if path == "secrets":
        in_the_way = athlete.home / "other"
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.write_text("not a folder")
    elsewhere = {"STRAVA_TOKEN_FILE": "other/token.json"} if path == "secrets" else {}
    assert_said(run("pull", **elsewhere), 6, str(in_the_way if path != "data/activities" else in_the_way.parent))
    assert in_the_way.read_text() == "not a folder"
    in_the_way.unlink()
    assert run("pull").code == 0
    assert staged(athlete) == 60


def test_folders_that_are_there_already_are_used(athlete, run):
    for path in ("data/activities", "data/activity_details", "output", "warehouse/.state"):
        (athlete.home / path).mkdir(parents=True)
    ran = run("pull")
    assert (ran.code, staged(athlete)) == (0, 60), ran.err


def test_a_history_of_which_only_the_shards_were_put_back_goes_on(history, run):
    shutil.copytree(history.home / "data", history.home / "backup")
    for folder in ("data", "output", "warehouse"):
        shutil.rmtree(history.home / folder)
    shutil.copytree(history.home / "backup", history.home / "data")
    ran = run("pull")
    assert (ran.code, staged(history)) == (0, 61), ran.err
    assert len(history.shards()) == 2


@pytest.mark.parametrize("name", deep_but(2, "Größe #1 {x}", "it's", "my data [2026]", 'say "x"', "a*"))
def test_a_home_of_almost_any_name_will_do(athlete, run, name):
    elsewhere = {"STRAVA_HOME": str(athlete.home / name), "STRAVA_TOKEN_FILE": str(athlete.token_file)}
    assert [run("pull", **elsewhere).code for _ in range(2)] == [0, 0]
    assert len(list((athlete.home / name / "data" / "activities").iterdir())) == 1


@pytest.mark.parametrize("name", ["50%", "why?"])
def test_a_home_whose_name_dlt_and_duckdb_cannot_take_is_said(athlete, run, name):
    assert_said(run("pull", STRAVA_HOME=str(athlete.home / name)), 2, name, "STRAVA_HOME")


def test_a_warehouse_that_is_none_is_said_and_left_as_it_is(athlete, run):
    athlete.warehouse.parent.mkdir()
    athlete.warehouse.write_bytes(b"my diary" * 1000)
    assert_said(run("pull"), 6, str(athlete.warehouse), "move the file away")
    assert athlete.warehouse.read_bytes() == b"my diary" * 1000
    athlete.warehouse.rename(athlete.home / "diary")
    assert run("pull").code == 0
    assert staged(athlete) == 60


@pytest.mark.parametrize(
    "command", deep_but(2, ["pull"], ["sql", "select 1"], ["flow", "--limit", "2"]), ids=lambda c: c[0]
)
def test_a_warehouse_that_another_program_holds_is_said_with_its_process(history, run, command):
    shards = len(history.shards())
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(history.warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        ran = run(*command)
        assert_said(ran, 5, f"process {holder.pid}", "run again")
        assert ("has landed" in ran.err) == (command[0] != "sql"), "who reads has fetched nothing"
        holder.stdin.close()
    assert len(history.shards()) == shards + (command[0] != "sql")
    history.strava.clear_requests()
    assert run("pull").code == 0
    assert len(history.shards()) == shards + 1
    assert staged(history) == 61


@pytest.fixture
def disk(athlete):
    """A small disk at the home of `athlete`, and the function that gives it another size."""
    athlete.home.joinpath("secrets/.keep").touch()
    with small_disk_at(athlete.home) as resize:
        athlete.authorise()
        yield resize


@pytest.mark.parametrize("left_kb", deep_but(1, 40, 0, 200))
def test_a_full_disk_is_said_and_the_next_run_completes(athlete, run, disk, left_kb):
    assert run("status").code == 0
    used_kb = sum(path.lstat().st_size // 4096 * 4 + 4 for path in athlete.home.rglob("*"))
    disk(f"{used_kb + left_kb}k")
    assert_said(run("pull"), 6, "disk is full", "free some space")
    disk("50m")
    ran = run("pull")
    assert (ran.code, staged(athlete)) == (0, 60), ran.err
    assert len(athlete.requests(TOKEN)) == 1


def test_a_full_disk_costs_no_shard_and_no_token(athlete, run, disk):
    run("pull")
    before = contents(athlete.home / "data")
    athlete.strava.add(name="after the trouble")
    athlete.strava.expire_access_tokens()
    filler = athlete.home / "filler"
    # past what is free, so that the last block is taken too
    subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=4k"], capture_output=True, check=False)
    tokens = athlete.token_file.read_bytes()
    athlete.strava.clear_requests()
    assert_said(run("pull"), 6, "disk is full")
    assert (athlete.requests(TOKEN), athlete.token_file.read_bytes()) == ([], tokens)
    assert contents(athlete.home / "data") == before
    filler.unlink()
    assert run("pull").code == 0
    assert before.items() < contents(athlete.home / "data").items()
    assert staged(athlete) == 61


def test_a_disk_too_full_for_the_token_is_said_before_strava_rotates_it(athlete, pull, disk):
    pull()
    athlete.strava.expire_access_tokens()
    athlete.strava.clear_requests()
    token_disk = athlete.home / "token disk"
    token_disk.mkdir()
    size = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(token_disk)]
    subprocess.run(size, check=True)
    try:
        (token_disk / "token.json").write_bytes(athlete.token_file.read_bytes())
        (token_disk / "filler").write_bytes(b"x")
        elsewhere = {"STRAVA_TOKEN_FILE": str(token_disk / "token.json")}
        assert_said(pull(**elsewhere), 6, "disk is full", "token.json")
        assert athlete.requests(TOKEN) == []
        (token_disk / "filler").unlink()
        assert pull(**elsewhere).code == 0
    finally:
        subprocess.run(["umount", str(token_disk)], check=True)


@pytest.mark.parametrize("blocks", deep_but(1, 8, 0, 256))
def test_a_limit_on_the_size_of_files_is_said_and_the_next_run_completes(athlete, run, blocks):
    command = [sys.executable, str(Path(__file__).parents[2] / "pipelines" / "strava.py"), "pull"]
    ran = subprocess.run(
        ["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", *command],
        env=athlete.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 6, ran.stderr
    assert "Traceback" not in ran.stderr
    assert json.loads(athlete.token_file.read_bytes())["refresh_token"]
    assert run("pull").code == 0
    assert staged(athlete) == 60
