"""The command: `python pipelines/strava.py COMMAND`; without one: pull, then enrich."""

import sys
from importlib.util import find_spec

if __name__ == "__main__" and find_spec("dlt") is None:
    # before anything that such a Python, which may be an old one, cannot import
    print(
        "error: This Python does not have the packages that the command needs: "
        "run it with .venv/bin/python, or use make (make help).",
        file=sys.stderr,
    )
    sys.exit(2)

import argparse
import gc
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    # the imports below take a second, in which process 1 of a container would not even notice a signal
    for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # nohup ignores the last one, and it must stay ignored
        if _number != signal.SIGHUP or signal.getsignal(_number) != signal.SIG_IGN:
            signal.signal(_number, lambda *_: os._exit(130))
    # in a container, as_owner.py has blocked them
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    # everything imported stays in memory: collecting garbage in between takes a tenth of that second
    gc.disable()

REPO = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    # Python searches the folder of a script; the package is one folder up
    sys.path[0] = str(REPO)
    from pipelines.ground.streams import flush_streams, prepare_streams

    # before anything opens a file
    prepare_streams()
# dlt reads .dlt/ of this repository, in whatever folder the command is called
os.environ.setdefault("DLT_PROJECT_DIR", str(REPO))

# each command imports what it needs: importing everything takes as long as dlt's settings, and longer than a page
from pipelines.ground.durable import is_there  # noqa: E402
from pipelines.ground.errors import BadSetting, DoesNotAddUp, StravaError, exit_codes  # noqa: E402
from pipelines.ground.memory import share_one_arena  # noqa: E402
from pipelines.ground.output import BestEffort, answering, print_line  # noqa: E402
from pipelines.ground.progress import TOKENS_IN_USE, Report  # noqa: E402
from pipelines.ground.settings import SETTINGS, StravaSettings, read_settings  # noqa: E402
from pipelines.ground.stop import CHANGED_NOTHING, GOES_ON, StopFlag  # noqa: E402
from pipelines.sources.strava_api.settings import CALLED  # noqa: E402
from pipelines.sources.strava_api.terminal import printable  # noqa: E402

# the source's messages use our names
CALLED.update(
    {field: SETTINGS[field].names[0] for field in CALLED.keys() & SETTINGS.keys()},
    auth="`make auth`",
    later="What was fetched is kept; run again later.",
)

if TYPE_CHECKING:
    from pipelines.runs.flow import Step


@dataclass(frozen=True)
class Command:
    """A command as its help and the reference show it."""

    name: str
    help: str
    example: str
    run: Callable[[argparse.Namespace, Report, StopFlag], None]
    add_options: Callable[[argparse.ArgumentParser], None] = lambda _parser: None
    # what a person reads after "Stopped."
    stopped: str = GOES_ON


def _pull_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="walk the whole list (a sweep), even if none is due")
    parser.add_argument(
        "--confirm-deletions", action="store_true", help="walk the whole list and accept any number of deletions"
    )
    parser.add_argument("--per-page", metavar="N", help="activities per request, 1 to 200")
    parser.add_argument("--lookback-days", metavar="N", help="how far behind the cursor to start")


def _enrich_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", metavar="N", help="fetch at most so many details: a number, 0 for none, or all")
    parser.add_argument("--ids", metavar="1,2", help="only these activities, even if they have details")
    parser.add_argument("--since", metavar="DATE", help="only activities on this local date or later (2026-01-31)")
    parser.add_argument("--until", metavar="DATE", help="only activities on this local date or earlier")


def _flow_options(parser: argparse.ArgumentParser) -> None:
    _pull_options(parser)
    _enrich_options(parser)
    parser.add_argument(
        "--backfill",
        action="store_true",
        help="wait for Strava's limits, over days if necessary, until nothing is missing",
    )


def _import_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        type=Path,
        help="the ZIP from Strava, the folder into which it unpacks, or a FIT, GPX or TCX file; several at once",
    )
    parser.add_argument(
        "--watch",
        metavar="DIR",
        type=Path,
        help="import what is new in this folder of activity files (default: STRAVA_WATCH)",
    )
    parser.add_argument(
        "--confirm-deletions",
        action="store_true",
        help="accept any number of deletions: activities that an export lacks were deleted",
    )


def _withdraw_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--door",
        required=True,
        choices=("api", "export", "file"),
        help="the door to withdraw: Strava's API, your exports, or single activity files",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def _settings(options: argparse.Namespace) -> StravaSettings:
    given = vars(options)
    watch = given.get("watch")
    # that of the settings may be on a disk that is not plugged in
    if watch is not None and not _typed(watch).is_dir():
        raise BadSetting(f"--watch is {_typed(watch)}: there is no such folder. A path with blanks needs quotes.")
    return read_settings(
        watch=None if watch is None else str(_typed(watch)),
        per_page=_whole_number("--per-page", given.get("per_page")),
        lookback_days=_whole_number("--lookback-days", given.get("lookback_days")),
        enrich_limit=given.get("limit"),
    )


def _typed(path: Path) -> Path:
    """`path` relative to the caller's folder; make passes on a tilde unchanged."""
    try:
        return Path.cwd() / path.expanduser()
    except RuntimeError:
        # nobody here has that name: it is the name of a file
        return Path.cwd() / path


def _whole_number(option: str, text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        raise BadSetting(f"{option} is {text!r}: it must be a whole number.") from None


def _date(option: str, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise BadSetting(f"{option} is {text!r}: it must be a date like 2026-01-31.") from None


def _ids(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isascii() and part.isdigit() and len(part) < 100 for part in parts):
        raise BadSetting(f"--ids is {text!r}: it must be activity ids with commas between, like 1,2.")
    return tuple(map(int, parts))


def _does(*steps: "Step") -> Callable[[argparse.Namespace, Report, StopFlag], None]:
    def run(options: argparse.Namespace, report: Report, stop: StopFlag) -> None:
        from pipelines.mirror.enrich import DetailChoice
        from pipelines.mirror.export_import import ImportChoice
        from pipelines.mirror.pull import PullChoice
        from pipelines.runs.flow import Choices, run_steps
        from pipelines.runs.withdraw import WithdrawChoice

        settings = _settings(options)
        given = vars(options)
        backfill = given.get("backfill", False)
        if backfill and given.get("limit") is not None:
            raise BadSetting("--backfill fetches all details: leave out --limit.")
        details = DetailChoice(
            None if backfill else settings.enrich_max,
            _ids(given.get("ids")),
            _date("--since", given.get("since")),
            _date("--until", given.get("until")),
        )
        pull_choice = PullChoice(given.get("all", False), given.get("confirm_deletions", False))
        command = f"{options.command or 'pull, enrich'}{' --backfill' if backfill else ''}"
        paths = tuple(map(_typed, given.get("paths", ())))
        if "import" in steps and not paths and settings.watch is None:
            raise BadSetting(
                "There is nothing to import: name the ZIP from Strava or an activity file (make import "
                "FILE=export_123.zip), or the folder of your watch (--watch DIR, or the setting STRAVA_WATCH)."
            )
        choices = Choices(
            pull_choice,
            details,
            ImportChoice(paths, pull_choice.confirmed),
            WithdrawChoice(given.get("door", "api"), lambda: given.get("yes", False) or _says_yes(stop)),
        )
        run_steps(settings, report, stop, command, steps, choices, backfill)

    return run


def _says_yes(stop: StopFlag) -> bool:
    """Ask on the terminal whether to go ahead.

    Raises:
        BadSetting: there is no terminal.
    """
    from pipelines.ground.terminal import typed_line

    if not (sys.stdin and sys.stdin.isatty()):
        raise BadSetting("There is no terminal to ask on, and nothing was erased. To erase without a question: --yes.")
    BestEffort(sys.stderr).write("Erase them? Type yes: ")
    BestEffort(sys.stderr).flush()
    return typed_line(sys.stdin, stop).strip().lower() in ("y", "yes")


_withdraw_steps = _does("withdraw", "stage", "build_if_needed", "page_if_wanted")


def _withdraw(options: argparse.Namespace, report: Report, stop: StopFlag) -> None:
    from pipelines.sources.strava_api.auth import TokenFile

    settings = _settings(options)
    _withdraw_steps(options, report, stop)
    if options.door == "api" and is_there(TokenFile(settings.token_path).path):
        print_line(
            "This program is still authorised: the next pull or flow fetches it all again. To prevent that: make revoke"
        )


def _finish_restore(settings: StravaSettings) -> None:
    """Complete a restore that was killed, if there is one; call under the run's lock."""
    if is_there(settings.restoring_path):
        from pipelines.runs.backup import finish_restore

        finish_restore(settings)


def _complete_restore(settings: StravaSettings, report: Report, stop: StopFlag) -> None:
    """Like `_finish_restore`, before a command without the run's lock writes what a restore would replace."""
    if is_there(settings.restoring_path):
        from pipelines.ground.durable import locked
        from pipelines.runs.last_run import another_run

        with locked(settings.lock_path, stop.wait, lambda: report.say(another_run(settings))):
            _finish_restore(settings)


def _auth(options: argparse.Namespace, report: Report, stop: StopFlag) -> None:
    from pipelines.mirror.access import app_of
    from pipelines.runs.authorize import authorise
    from pipelines.sources.strava_api.auth import TokenFile

    settings = _settings(options)
    _complete_restore(settings, report, stop)
    file = TokenFile(settings.token_path)
    file.ensure_replaceable()

    tokens, unticked = authorise(
        app_of(settings, stop), file, settings.redirect_uri, settings.scope, print_line, stop, sys.stdin
    )
    print_line(f"Authorised for athlete {tokens.athlete_id}; the tokens are in {file.path}.")
    if unticked:
        report.warn(f"Not granted: {', '.join(sorted(unticked))}.")
        if "activity:read_all" in unticked:
            report.warn("Without activity:read_all, activities that only you can see are missing.")
        if "activity:read" in unticked and "activity:read_all" in unticked:
            report.warn("Without activity:read nothing can be pulled: run `make auth` again and leave its box ticked.")
    print_line("Next: make flow")


def _revoke(options: argparse.Namespace, report: Report, stop: StopFlag) -> None:
    from pipelines.mirror.access import app_of
    from pipelines.sources.strava_api.auth import TokenFile

    settings = _settings(options)
    _complete_restore(settings, report, stop)
    file = TokenFile(settings.token_path)
    # a run that refreshes meanwhile would write the file again
    with file.locked(stop, lambda: report.say(TOKENS_IN_USE)):
        known = app_of(settings, stop).revoke(file.load())
        file.remove()
    print_line(f"{'Revoked at Strava' if known else 'Strava did not know the token any more'}; {file.path} is removed.")
    print_line(
        "Your data stay where they are. To erase what came through the API, and keep what your exports have: "
        "make withdraw DOOR=api. To erase everything, delete data/, output/, warehouse/ and site/ yourself."
    )


def _status_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="output for programs; docs/reference/status.md describes the keys"
    )


def _status(options: argparse.Namespace, _report: Report, stop: StopFlag) -> None:
    from pipelines.runs.status import read_status, status_json, status_lines

    status = read_status(_settings(options), stop)
    with answering() as write:
        if options.json:
            write(f"{status_json(status)}\n")
        else:
            lines = status_lines(status)
            width = max(len(label) for label, _ in lines)
            for label, value in lines:
                write(printable(f"{label:<{width}}  {value}") + "\n")
    if status.odd:
        reasons = "; ".join(f"{difference.count:,} {difference.reason}" for difference in status.odd)
        raise DoesNotAddUp(f"It does not add up: {reasons}.")


def _schedule(options: argparse.Namespace, _report: Report, stop: StopFlag) -> None:
    from pipelines.runs.schedule import run_on_schedule

    def print_when(text: str) -> None:
        print_line(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC  {text}")

    run_on_schedule(_settings(options), print_when, stop)


def _sql_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "query",
        nargs="?",
        help="SQL; without it, statements are read from standard input, on a terminal one after the other",
    )
    parser.add_argument(
        "--format",
        choices=("table", "csv", "json", "markdown"),
        help="default: table, which shows what fits on a terminal; otherwise all rows and columns are written",
    )


def _sql(options: argparse.Namespace, _report: Report, _stop: StopFlag) -> None:
    from pipelines.runs.restoring import require_whole_state
    from pipelines.warehouse.database import require_warehouse
    from pipelines.warehouse.sql import query_warehouse

    settings = _settings(options)
    require_whole_state(settings)
    require_warehouse(settings)
    query_warehouse(settings.warehouse_path, options.query, options.format)


def _page_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--public",
        action="store_true",
        help="a page for others, with dates, sports and rounded figures only: site/public/index.html",
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="write it to FILE instead")
    parser.add_argument(
        "--force", action="store_true", help="replace the file even if it is not a page of this program"
    )


def _page(options: argparse.Namespace, report: Report, stop: StopFlag) -> None:
    from pipelines.ground.durable import locked
    from pipelines.page.files import page_path
    from pipelines.page.html import make_page, require_place
    from pipelines.runs.last_run import another_run
    from pipelines.runs.new_settings import stage_new_settings
    from pipelines.warehouse.database import require_warehouse

    settings = _settings(options)
    if not is_there(settings.restoring_path):
        require_warehouse(settings)
    # a reader keeps a run from opening the file for writing
    with locked(settings.lock_path, stop.wait, lambda: report.say(another_run(settings))):
        _finish_restore(settings)
        path = Path.cwd() / options.out if options.out else page_path(settings, options.public)
        require_place(settings, path, options.force)
        stage_new_settings(settings, report, stop)
        make_page(settings, report, options.public, path, options.force)


def _serve_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", metavar="N", default="8000", help="the port, by default 8000; 0 for any free one")


def _serve(options: argparse.Namespace, _report: Report, stop: StopFlag) -> None:
    from pipelines.page.serve import serve

    port = _whole_number("--port", options.port)
    serve(_settings(options).site_path, port or 0, print_line, stop)


def _bundle_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="the bundle; its passphrase is STRAVA_STATE_PASSPHRASE")
    parser.add_argument(
        "--unencrypted", action="store_true", help="without encryption: anybody who gets the file can read it"
    )


def _backup_options(parser: argparse.ArgumentParser) -> None:
    _bundle_options(parser)
    parser.add_argument("--force", action="store_true", help="replace FILE even if it is not a bundle")


def _restore_options(parser: argparse.ArgumentParser) -> None:
    _bundle_options(parser)
    parser.add_argument("--force", action="store_true", help="replace the existing state")


def _backup(options: argparse.Namespace, report: Report, stop: StopFlag) -> None:
    from pipelines.runs.backup import backup

    backup(_settings(options), _typed(options.file), options.unencrypted, report, stop, options.force)


def _restore(options: argparse.Namespace, report: Report, stop: StopFlag) -> None:
    from pipelines.runs.backup import restore

    restore(_settings(options), _typed(options.file), options.force, options.unencrypted, report, stop)


COMMANDS = (
    Command(
        "auth",
        "authorise this program at Strava, once",
        "python pipelines/strava.py auth",
        _auth,
        stopped="Nothing has changed: run `make auth` again.",
    ),
    Command(
        "pull",
        "land new and changed activities in bronze and staging",
        "python pipelines/strava.py pull --all --per-page 100",
        _does("pull", "stage"),
        _pull_options,
    ),
    Command(
        "enrich",
        "fetch missing details, newest first, and merge them into strava.activity_details",
        "python pipelines/strava.py enrich --limit 50 --since 2026-01-01",
        _does("enrich", "stage", "build_if_needed"),
        _enrich_options,
    ),
    Command(
        "flow",
        "pull, enrich, and `dbt build` if anything landed; the page if STRAVA_PAGE is true",
        "python pipelines/strava.py flow --backfill",
        _does("pull", "enrich", "watch", "purge_if_wanted", "stage", "build_if_needed", "page_if_wanted"),
        _flow_options,
    ),
    Command(
        "import",
        "import your export of Strava (ZIP or folder) or activity files, and build; needs no account or network",
        "python pipelines/strava.py import export_123.zip",
        _does("import", "watch", "purge_if_wanted", "stage", "build_if_needed", "page_if_wanted"),
        _import_options,
        stopped="Run the same import again: it continues.",
    ),
    Command(
        "build",
        "bring staging up to date with the shards and run `dbt build`",
        "python pipelines/strava.py build",
        _does("stage", "build"),
        stopped="Run `make compact` again: it continues.",
    ),
    Command(
        "schedule",
        "keep running and start a flow by a cron expression (STRAVA_SCHEDULE, TZ), one at a time",
        "python pipelines/strava.py schedule",
        _schedule,
    ),
    Command(
        "purge",
        "erase for good what was deleted at Strava, from shards, JSON files and warehouse",
        "python pipelines/strava.py purge",
        _does("purge", "stage", "build_after_purge"),
        stopped="Run `make purge` again: it continues.",
    ),
    Command(
        "withdraw",
        "erase everything that came through one door (api, export or file), and keep what the others have",
        "python pipelines/strava.py withdraw --door api",
        _withdraw,
        _withdraw_options,
        stopped="Run the same withdrawal again: it continues.",
    ),
    Command(
        "status",
        "show whether Strava, bronze and warehouse add up, what is missing and why, and the last run",
        "python pipelines/strava.py status --json",
        _status,
        _status_options,
        stopped=CHANGED_NOTHING,
    ),
    Command(
        "sql",
        "query the warehouse, read-only; as a table, CSV, JSON or Markdown",
        'python pipelines/strava.py sql "FROM strava.activities_yearly"',
        _sql,
        _sql_options,
        stopped=CHANGED_NOTHING,
    ),
    Command(
        "page",
        "make the page, one HTML file: site/index.html",
        "python pipelines/strava.py page",
        _page,
        _page_options,
        stopped=CHANGED_NOTHING,
    ),
    Command(
        "serve",
        "serve the page on 127.0.0.1, for this machine only, until Ctrl-C",
        "python pipelines/strava.py serve --port 8000",
        _serve,
        _serve_options,
    ),
    Command(
        "backup",
        "write shards, warehouse, output and tokens into one encrypted file",
        "python pipelines/strava.py backup strava.bundle",
        _backup,
        _backup_options,
    ),
    Command(
        "restore",
        "restore the state from such a file, after verifying all of it",
        "python pipelines/strava.py restore strava.bundle",
        _restore,
        _restore_options,
    ),
    Command(
        "revoke",
        "withdraw the authorisation at Strava and remove the token file",
        "python pipelines/strava.py revoke",
        _revoke,
        stopped="Run `make revoke` again: it continues.",
    ),
)
_DEFAULT = _does("pull", "enrich", "stage")


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command line, with all help texts."""
    codes = "\n".join(f"  {code:>3}  {meaning}" for code, meaning in exit_codes().items())
    parser = argparse.ArgumentParser(
        prog="strava.py",
        description="Your Strava history in a DuckDB warehouse. "
        "Without a command: pull, then enrich, into bronze and staging.",
        epilog=f"example:\n  python pipelines/strava.py flow\n\nexit codes:\n{codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(dest="command", metavar="command", title="commands")
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name,
            help=command.help,
            description=command.help[0].upper() + command.help[1:] + ".",
            epilog=f"example:\n  {command.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_options(subparser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; an error becomes one sentence on standard error and an exit code."""
    options = make_parser().parse_args(arguments)
    report = Report()
    command = next((command for command in COMMANDS if command.name == options.command), None)
    stop = StopFlag(command.stopped if command else GOES_ON)
    stop.install()
    try:
        (command.run if command else _DEFAULT)(options, report, stop)
    except (StravaError, KeyboardInterrupt) as error:
        return report.end(error)
    return 0


if __name__ == "__main__":
    gc.freeze()
    gc.enable()
    share_one_arena()
    try:
        code = main()
    except SystemExit as said:
        # argparse has shown a help or the usage
        code = int(said.code or 0)
    flush_streams()
    # no more Python: it would wait for a request in flight when the run had to stop at once
    os._exit(code)
