"""`python -m bench --spark` compares both engines, and leaves nothing behind, also when it is stopped."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from home import REPO
from landed import until
from processes import inherited
from sparks import FEW_ROWS

pytestmark = pytest.mark.spark

COMMAND = [sys.executable, "-m", "bench", "--spark", "--activities", "120"]
MEASURED = ("time", "processor time", "peak memory", "bytes on disk")


def start(folder: Path) -> subprocess.Popen[str]:
    """The bench of few activities, with its files in `folder`."""
    environment = inherited() | FEW_ROWS | {"TMPDIR": str(folder)}
    return subprocess.Popen(
        COMMAND, cwd=REPO, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def programs_in(folder: Path) -> list[str]:
    """The programs that have `folder` in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(folder) in path.read_bytes().decode(errors="replace"):
                found.append((path.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def test_both_engines_build_everything_and_then_what_is_new(tmp_path: Path) -> None:
    printed, _ = start(tmp_path).communicate()
    saved = Path(printed.rpartition("Saved as ")[2].strip())
    results = json.loads(saved.read_text())["results"]
    saved.unlink()
    whats = [f"120 activities, {what}, {name}" for what in ("everything", "500 rows more") for name in MEASURED]
    assert [result["what"] for result in results] == whats
    for result in results:
        assert result["what"] in printed
        [duckdb], [spark] = result["samples"]["DuckDB"], result["samples"]["Spark"]
        assert result["measured"] == pytest.approx(spark / duckdb)
    seconds, _, memory_mb, stored_mb = (
        {engine: [value] for engine, [value] in r["samples"].items()} for r in results[:4]
    )
    # with Java
    assert memory_mb["Spark"][0] > 300
    assert all(value > 0.1 for value in (*seconds["DuckDB"], *stored_mb["DuckDB"], *stored_mb["Spark"]))
    # something was added
    assert results[7]["samples"]["Spark"][0] > stored_mb["Spark"][0]
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_in_the_middle_of_a_build_on_spark_leaves_nothing(tmp_path: Path) -> None:
    bench = start(tmp_path)
    until(lambda: any("java" in program for program in programs_in(tmp_path)), within_s=300)
    bench.send_signal(signal.SIGINT)
    printed, _ = bench.communicate(timeout=120)
    assert bench.returncode == 130, printed
    assert list(tmp_path.iterdir()) == []
    assert programs_in(tmp_path) == []
