"""`make demo` as it speaks to a person, with a stand-in for the commands it runs."""

import subprocess
import sys

from home import REPO

DEMO = """
import sys
from pathlib import Path
from simulator import demo
demo.REPO = Path(sys.argv.pop(1))
demo.HOME = demo.REPO / "demo"
stand_in = sys.argv.pop(1)
demo._strava = lambda *arguments: [sys.executable, "-c", stand_in, *arguments]
sys.exit(demo.main())
"""
# after `auth`, Ctrl-C at a terminal: it goes to the command and to the demo, or the command alone
STOPPED_IN_FLOW = """
import os, signal, sys
if sys.argv[1] == "auth":
    print("Authorised.\\nNext: make flow")
else:
    {also}
    sys.exit(130)
"""


def stopped(folder, also):
    return subprocess.run(
        [sys.executable, "-c", DEMO, str(folder), STOPPED_IN_FLOW.format(also=also), "--door", "api"],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_ctrl_c_leaves_a_word_that_the_demo_is_incomplete(tmp_path):
    for also in ("os.kill(os.getppid(), signal.SIGINT)", "pass"):
        ran = stopped(tmp_path, also)
        assert ran.returncode == 130, ran.stderr
        assert ran.stderr == "Stopped; demo/ is incomplete: run make demo again\n"


def test_after_auth_nothing_leads_out_of_the_demo(tmp_path):
    lines = stopped(tmp_path, "pass").stdout.splitlines()
    assert "Authorised." in lines
    assert not [line for line in lines if line.startswith("Next:")]
