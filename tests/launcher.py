"""Forks the command, and dbt: real processes of their own, to be killed, without the seconds that imports take.

Run as a program it reads a JSON object per line and answers with its `number`, one more, and the processor time of all
that was forked so far: `{"start": "command" or "dbt", "arguments", "environment", "cwd", "folder"}` starts one (its
process id), `{"wait": id}` waits for its end (its exit code; -9 if it was killed). `folder` has its standard input and
gets what it prints. A command's clock is wrong by SOAK_CLOCK_S of its environment, and it dies at SOAK_KILL_AT
(see `_die_at_change`); of its steps it does those alone that SOAK_STEPS names, if it names any. It compacts more small
files of shards than SOAK_COMPACTS_ABOVE. Its dbt and a scheduler's flow are processes of their own as well, and forked
as well.
"""

import gc
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import time_machine
from processes import dbt_arguments, dbt_by, doing_only

CHANGES = {"os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.truncate"}


PROJECT = Path(__file__).resolve().parent.parent / "dbt_project"
# the commands that may start dbt
BUILDING = {"flow", "import", "build", "enrich", "purge", "schedule"}


def _become(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
    _take_over(folder)
    # the command has set this when it was imported
    project = os.environ["DLT_PROJECT_DIR"]
    os.environ.clear()
    os.environ.update(environment, DLT_PROJECT_DIR=project)
    time.tzset()
    if "coverage" in sys.modules and (measured := sys.modules["coverage"].Coverage.current()):
        # `make mutate` asks what each test covers: this counts to the one that asked for it
        measured.switch_context(environment["COVERED_BY"])
    dbt_process.subprocess = dbt_by(_run_dbt)  # type: ignore[attr-defined]
    schedule.subprocess = SimpleNamespace(Popen=_Flow, STDOUT=subprocess.STDOUT)  # type: ignore[attr-defined]
    if wrong_by_s := float(environment.get("SOAK_CLOCK_S", "0")):
        time_machine.travel(time.time() + wrong_by_s, tick=True).start()
    if steps := environment.get("SOAK_STEPS"):
        flow.run_steps = doing_only(steps, flow.run_steps)
    if most := environment.get("SOAK_COMPACTS_ABOVE"):
        compaction.MOST_FILES = int(most)
    if at := environment.get("SOAK_KILL_AT"):
        _die_at_change(at)
    _do(arguments)


def _do(arguments: Sequence[str]) -> NoReturn:
    """Be the command with `arguments` to its end."""
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
        _leave(code)


class _Flow:
    """As `subprocess.Popen` of a scheduler's flow, without the seconds that its imports take."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], **_how: Any) -> None:
        self.returncode: int | None = None
        sys.stdout.flush()
        self._id = os.fork()
        if self._id == 0:
            for number in stop.SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            os.setsid()
            os.dup2(1, 2)
            os.environ.clear()
            os.environ.update(env)
            _do(command[command.index("flow") :])

    def __enter__(self) -> "_Flow":
        return self

    def __exit__(self, *_error: object) -> None:
        self.wait()

    def poll(self) -> int | None:
        return self._wait(os.WNOHANG)

    def wait(self) -> int | None:
        return self._wait(0)

    def _wait(self, how: int) -> int | None:
        if self.returncode is None:
            ended, status = os.waitpid(self._id, how)
            self.returncode = os.waitstatus_to_exitcode(status) if ended else None
        return self.returncode

    def terminate(self) -> None:
        if self.returncode is None:
            os.kill(self._id, signal.SIGTERM)


def _take_over(folder: Path) -> None:
    """Let standard input, output and error be files in `folder`."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(folder / "stdin", os.O_RDONLY), 0)


def _leave(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _die_at_change(at: str) -> None:
    """SIGKILL before Python makes, writes, links, renames or removes a file or folder: for the `at`th time, if that is
    a number, else the first whose event and path (of a link, the new one) match all of that expression.
    """
    left = int(at) if at.isdecimal() else 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or event in CHANGES:
            left -= 1
            path = arguments[1 if event == "os.link" else 0]
            if left == 0 or (left < 0 and re.fullmatch(at, f"{event} {path}")):
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def _become_dbt(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
    os.setsid()
    _take_over(folder)
    os.environ.clear()
    # each line of dbt's own log takes as long as it takes to be written: who looks at them asks for all
    os.environ.update({"DBT_LOG_LEVEL_FILE": "info"} | environment)
    time.tzset()
    # it ends soon
    gc.disable()
    code = 1
    manifest = _what_is_parsed(arguments, environment)
    try:
        if arguments[0].endswith(".json"):
            results, recording, *arguments = arguments
            code = run_dbt(Path(results), arguments, manifest, recording)
        else:
            cli(arguments, standalone_mode=True, obj={"manifest": manifest} if manifest else {})
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    finally:
        _leave(code)


def _run_dbt(command: Sequence[str], *, env: Mapping[str, str], **_how: Any) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` of what starts dbt, without the seconds that its imports take."""
    with tempfile.TemporaryDirectory(prefix="dbt-") as name:
        folder = Path(name)
        (folder / "stdin").touch()
        child = os.fork()
        if child == 0:
            _become_dbt(dbt_arguments(command), env, folder)
        _, status = os.waitpid(child, 0)
        said = [(folder / name).read_text() for name in ("stdout", "stderr")]
    return subprocess.CompletedProcess(command, os.waitstatus_to_exitcode(status), *said)


def _parse(variables: Sequence[str]) -> Any:
    """The project as dbt parses it with `variables`: 3 s, which each new home would take again."""
    with tempfile.TemporaryDirectory(prefix="parsed-") as folder:
        options = ["--target-path", folder, "--log-path", folder, "--project-dir", str(PROJECT), *variables]
        parsed = dbtRunner().invoke(["--quiet", "parse", *options, "--profiles-dir", str(PROJECT)])
    # if it cannot be parsed, each build says so itself
    if not parsed.success:
        return None
    for macro in parsed.result.macros.values():
        # dbt keeps what it compiles by its text
        if macro.package_name in ("dbt", "dbt_duckdb", "strava_stats"):
            template_cache.get_node_template(macro)
    return parsed.result


def _variables(arguments: Sequence[str]) -> tuple[str, ...]:
    """The option of dbt's by which models are switched on, if it is among `arguments`."""
    at = arguments.index("--vars") if "--vars" in arguments else len(arguments)
    return tuple(arguments[at : at + 2])


def _is_usual(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether dbt is to build our project in a warehouse of the usual name, which the schemas bear."""
    return Path(environment.get("STRAVA_WAREHOUSE", "")).name == "strava.duckdb" and str(PROJECT) in arguments


def _what_is_parsed(arguments: Sequence[str], environment: Mapping[str, str]) -> Any:
    """What dbt need not parse again; None if it must."""
    return manifests.get(_variables(arguments)) if _is_usual(arguments, environment) else None


def _what_to_parse(wish: Mapping[str, Any]) -> tuple[str, ...] | None:
    """With which variables a wish needs the project, as far as that can be known before it is forked."""
    if wish["start"] == "dbt" and _is_usual(wish["arguments"], wish["environment"]):
        return _variables(wish["arguments"])
    return () if wish["start"] == "dbt" or BUILDING & set(wish["arguments"]) else None


if __name__ == "__main__":
    # dbt would import these at each build
    import dbt.adapters.duckdb.environments.local
    import dbt.task.build  # noqa: F401
    import dbt_common.clients.agate_helper  # noqa: F401

    # the commands, and dlt, import what they need when they need it
    import dlt._workspace.cli._plugins
    import dlt.common.libs.sql_alchemy_compat
    import dlt.destinations.impl.duckdb.duck
    import dlt.sources.helpers.requests  # noqa: F401
    import fsspec.implementations.chained  # noqa: F401
    import pendulum.locales.en.locale  # noqa: F401
    import pyarrow.dataset  # noqa: F401
    import s3fs  # noqa: F401
    import sqlglot.dialects.duckdb  # noqa: F401
    import sqlparse  # noqa: F401
    from dbt.cli.main import cli, dbtRunner
    from dbt_common.clients.jinja import template_cache

    from pipelines import strava
    from pipelines.bronze import compaction
    from pipelines.ground import stop
    from pipelines.page import html  # noqa: F401
    from pipelines.runs import backup, flow, schedule, status  # noqa: F401
    from pipelines.warehouse import dbt_process, staging  # noqa: F401
    from pipelines.warehouse.dbt_run import run_dbt

    # by the variables it was parsed with
    manifests: dict[tuple[str, ...], Any] = {}
    # what is here now is not looked through, page by copied page, in each fork
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    codes: dict[int, int] = {}
    for line in sys.stdin:
        wish = json.loads(line)
        if "wait" in wish:
            # who was interrupted while waiting asks again
            if wish["wait"] not in codes:
                codes[wish["wait"]] = os.waitstatus_to_exitcode(os.waitpid(wish["wait"], 0)[1])
            answer = codes[wish["wait"]]
        else:
            is_dbt = wish["start"] == "dbt"
            if (variables := _what_to_parse(wish)) is not None and variables not in manifests:
                manifests[variables] = _parse(variables)
                gc.freeze()
            if (answer := os.fork()) == 0:
                os.chdir(wish["cwd"])
                (_become_dbt if is_dbt else _become)(wish["arguments"], wish["environment"], Path(wish["folder"]))
            # the system gives the same id again, some thousands of processes later
            codes.pop(answer, None)
        sys.stdout.write(f"{wish['number']} {answer} {sum(os.times()[:4])}\n")
        sys.stdout.flush()
