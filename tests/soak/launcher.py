"""Forks the command: a real process of its own, to be killed, without the second that Python's imports take.

Run as a program it reads a JSON object per line and answers with a number: `{"arguments", "environment", "folder"}`
starts a command (its process id), `{"wait": id}` waits for its end (its exit code; -9 if it was killed).
"""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path


def _become(arguments: Sequence[str], environment: dict[str, str], folder: Path) -> None:
    for name, number in (("stdout", 1), ("stderr", 2)):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    # the command has set this when it was imported
    project = os.environ["DLT_PROJECT_DIR"]
    os.environ.clear()
    os.environ.update(environment, DLT_PROJECT_DIR=project)
    os.chdir(environment["STRAVA_HOME"])
    code = 0
    try:
        code = strava.main(arguments)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    finally:
        if (error := sys.exception()) is not None:
            # as the interpreter would have ended the command; the traceback is what nobody may ever see
            traceback.print_exception(error)
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    from pipelines import strava

    for line in sys.stdin:
        wish = json.loads(line)
        if "wait" in wish:
            _, status = os.waitpid(wish["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        elif (answer := os.fork()) == 0:
            _become(wish["arguments"], wish["environment"], Path(wish["folder"]))
        print(answer, flush=True)
