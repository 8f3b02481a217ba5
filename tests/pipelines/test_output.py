"""Output that cannot be written never decides what becomes of the data."""

import os
import subprocess
import sys

import pytest
from home import REPO, Ran

pytestmark = pytest.mark.slow

STREAMS = {
    "full": ">/dev/full 2>/dev/full",
    "closed": "<&- >&- 2>&-",
    # true is gone before Python has begun
    "unread": "> >(true) 2> >(true)",
}


def ends(athlete, redirection, *arguments, **settings):
    """How a command ended whose streams are redirected so."""
    script = f'exec 9>&1; "$@" {redirection} 9>&-; echo $? >&9'
    ran = subprocess.run(
        ["bash", "-c", script, "bash", sys.executable, str(REPO / "pipelines" / "strava.py"), *arguments],
        env=athlete.environment(**settings),
        cwd=athlete.home,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Ran(int(ran.stdout), ran.stdout, ran.stderr)


@pytest.mark.parametrize("streams", STREAMS)
def test_output_that_cannot_be_written_does_not_stop_landing_and_staging(athlete, streams):
    ran = ends(athlete, STREAMS[streams], "pull", PER_PAGE="20")
    assert (ran.code, "Traceback" in ran.err) == (0, False)
    assert athlete.sql("select count(*) from staging.activities") == [(60,)]


def test_the_error_decides_the_exit_code_even_if_its_text_cannot_be_written(athlete):
    athlete.token_file.unlink()
    assert ends(athlete, STREAMS["unread"], "pull").code == 3


@pytest.mark.deep
def test_a_flow_whose_output_cannot_be_written_lands_stages_and_builds(athlete):
    assert ends(athlete, ">&- 2>/dev/full", "flow", ENRICH_LIMIT="2").code == 0
    assert athlete.sql("select count(*) from strava.activities") == [(60,)]
    assert athlete.sql("select count(*) from strava.activity_details") == [(2,)]


def test_status_into_a_closed_pipe_keeps_its_exit_code_and_a_lost_answer_is_reported(athlete):
    athlete.token_file.unlink()
    pipe = athlete.start("status", "--json")
    pipe.stdout.close()
    assert (pipe.stderr.read(), pipe.wait(60)) == ("", 0)
    ran = ends(athlete, ">/dev/full", "status", "--json")
    assert ran.code == 6
    assert "error: Standard output could not be written: No space left on device." in ran.err


def test_everything_can_be_written_to_a_console_of_another_encoding(athlete):
    ran = athlete.spawn_anew("status", STRAVA_HOME=str(athlete.home / "Zoë 漢"), PYTHONIOENCODING="ascii")
    assert (ran.code, ran.err) == (0, "")
    assert "Zo" in ran.out


def test_a_later_file_does_not_get_the_number_of_a_closed_stream(athlete):
    ran = subprocess.run(
        ["bash", "-c", 'exec "$@" 0<&- >&-', "bash", sys.executable, "-c", OPENED],
        env=os.environ | {"PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, int(ran.stderr) > 2) == (0, True)


OPENED = """
import os, sys
from pipelines.ground.streams import prepare_streams
prepare_streams()
sys.stderr.write(str(os.open("/dev/null", os.O_RDONLY)))
"""
