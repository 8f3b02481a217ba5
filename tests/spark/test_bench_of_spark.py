"""`python -m bench --spark` leaves nothing behind when it is stopped in a build on Spark, after one on DuckDB."""

import re
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


def test_ctrl_c_in_the_middle_of_a_build_on_spark_leaves_nothing(tmp_path: Path) -> None:
    bench = start(tmp_path)
    until(lambda: any("java" in program for program in programs_in(tmp_path)), within_s=300)
    bench.send_signal(signal.SIGINT)
    printed, _ = bench.communicate(timeout=120)
    assert bench.returncode == 130, printed
    assert re.search(r"120 activities, everything, DuckDB: .* MB of memory, \d+ MB on disk", printed)
    assert list(tmp_path.iterdir()) == []
    assert programs_in(tmp_path) == []
