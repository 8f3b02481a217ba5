"""What the bench's comparison of the engines rests on: bronze of many athletes, and what several processes spend."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bench import club, processes
from bench.engines import Build, compared
from bench.processes import REPO, CommandFailed, run_timed
from pipelines.bronze.shard import look_through

MB = 10**6
# a program that starts another one and does not wait for its end, only for a line
STARTS = (
    "import subprocess, sys\n"
    "subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdout=subprocess.PIPE).stdout.readline()"
)
# 600 MB for as long as 1.5 s of processor time take, on a busy machine too
BUSY = (
    "import time; block = bytearray(b'x') * 600_000_000; end_s = time.process_time() + 1.5\n"
    "while time.process_time() < end_s: pass\n"
    "print(flush=True)"
)
WATCHES = """
import os, sys
from bench.processes import run_timed, watching_all
with watching_all() as spent:
    finished = run_timed([sys.executable, "-c", *sys.argv[1:]], os.environ)
print(spent.peak_bytes, spent.cpu_s, finished.cpu_s)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bronze of three athletes with some 20 activities each, and what they brought later."""
    data = tmp_path_factory.mktemp("club") / "data"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(club, "EACH", 20)
        club.write_first(data, 59)
    club.write_more(data)
    return data


def rows(data: Path, table: str) -> list[dict[str, Any]]:
    """All rows of a table, as they were fetched."""
    found = [row for path in (data / table).glob("*") for row in pq.read_table(path).to_pylist()]
    return sorted(found, key=lambda row: row["fetched_at"])


def test_each_file_of_the_bronze_is_a_whole_shard(data: Path) -> None:
    paths = list(data.glob("*/*"))
    # of three athletes: the list, details, and what came later
    assert len(paths) == 9
    assert [look_through(path) for path in paths] == [path.stem for path in paths]


def test_no_two_activities_of_the_bronze_have_the_same_id(data: Path) -> None:
    summaries = rows(data, "activities")[:59]
    assert len({row["athlete_id"] for row in summaries}) == 3
    assert len({row["id"] for row in summaries}) == 59
    for row in (*summaries, *rows(data, "activity_details")):
        said = json.loads(row["payload"])
        assert (said["id"], said["athlete"]["id"]) == (row["id"], row["athlete_id"])
        assert said["map"]["id"] == f"a{row['id']}"


def test_what_comes_later_is_new_activities_and_new_versions_of_known_ones(data: Path) -> None:
    first, later = rows(data, "activities")[:59], rows(data, "activities")[59:]
    known = {row["id"]: row["payload_hash"] for row in first}
    changed = [row for row in later if row["id"] in known]
    new = [row for row in later if row["id"] not in known]
    assert len(changed) == len(new) == 59
    assert all(row["payload_hash"] != known[row["id"]] for row in changed)
    assert len({row["id"] for row in new}) == 59
    assert max(row["start_date"] for row in new) > max(row["start_date"] for row in first)


def test_what_a_program_spends_that_nobody_waits_for_is_counted() -> None:
    # by a process of its own: below this one are those of other tests
    watched = subprocess.run(
        [sys.executable, "-c", WATCHES, STARTS, BUSY], cwd=REPO, capture_output=True, text=True, check=True
    )
    peak_bytes, all_s, waited_for_s = map(float, watched.stdout.split())
    assert 600 * MB < peak_bytes < 900 * MB
    # the kernel counts only what somebody waits for
    assert waited_for_s < all_s
    assert all_s > 0.5


def test_a_command_that_fails_leaves_no_program_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GROUP_ENDS_WITHIN_S", 0.5)
    number = "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)"
    with pytest.raises(CommandFailed) as failed:
        run_timed([sys.executable, "-c", f"import subprocess, sys; {number}; sys.exit(3)"], os.environ)
    left = int(str(failed.value).split()[-1])
    assert subprocess.run(["ps", "-o", "stat=", "-p", str(left)], capture_output=True, check=False).stdout in (
        b"",
        b"Z\n",
    )


def test_engines_are_compared_by_their_best_times_and_highest_peaks() -> None:
    builds = {
        "DuckDB": [Build(10, 8, 100 * MB, 50 * MB), Build(12, 6, 120 * MB, 60 * MB)],
        "Spark": [Build(30, 40, 240 * MB, 30 * MB), Build(25, 42, 200 * MB, 30 * MB)],
    }
    found = {result.what: (result.measured, result.target, result.how) for result in compared("all", builds)}
    assert found == {
        "all, time": (2.5, None, "DuckDB 10.0 s, Spark 25.0 s"),
        "all, processor time": (40 / 6, None, "DuckDB 6.0 s, Spark 40.0 s"),
        "all, peak memory": (2, None, "DuckDB 120.0 MB, Spark 240.0 MB"),
        "all, bytes on disk": (0.5, None, "DuckDB 60.0 MB, Spark 30.0 MB"),
    }
