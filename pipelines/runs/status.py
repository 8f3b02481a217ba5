"""What `status` shows: the athlete, whether everything adds up, what is missing, what the last run did."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.bronze.exports import ExportNote, export_notes
from pipelines.bronze.store import BronzeReader
from pipelines.bronze.tables import NOBODY
from pipelines.bronze.watched import WatchedFile, athletes_of_history, watched_files
from pipelines.ground.durable import is_there
from pipelines.ground.errors import NotAuthorised
from pipelines.ground.settings import StravaSettings
from pipelines.ground.stop import StopFlag
from pipelines.mirror.quarantine import Quarantine
from pipelines.mirror.watch_cache import Looked, read_cache
from pipelines.runs.last_run import Outcome, read_last_run
from pipelines.runs.reconciliation import Difference, Reconciliation, reconcile
from pipelines.runs.restoring import require_whole_state
from pipelines.sources.strava_api.auth import TokenFile, Tokens
from pipelines.sources.strava_api.budget import Budget, Window, in_words
from pipelines.sources.strava_api.terminal import one_line
from pipelines.warehouse.fields import UnknownField, unknown_fields

MOST_FIELDS = 20
MOST_PROBLEMS = 20
_WAITS = " It waits for the next run."
# without a token and without anything from the API, these say nothing
_OF_THE_API = ("Cursor", "Listed at Strava", "Details", "Details missing", "Details refused", "Budget last seen")


@dataclass(frozen=True)
class Status:
    """Everything to show. `no_tokens`: why no athlete is known; `reconciliation`: None without an athlete.

    `athlete_id`: the token file's, otherwise that of the history. `exports`: those imported, oldest first. `files`: the
    imported files, each content once, oldest first; `files_left`: those in the watch folder that were not imported, by
    path. `unknown_fields`: None if no run has looked yet.
    """

    tokens: Tokens | None
    no_tokens: str
    athlete_id: int | None
    exports: list[ExportNote]
    files: list[WatchedFile]
    files_left: list[tuple[str, Looked]]
    cursor: datetime | None
    reconciliation: Reconciliation | None
    unknown_fields: list[UnknownField] | None
    budget: list[Window]
    last_run: dict[str, Any] | None
    warehouse: Path

    @property
    def odd(self) -> list[Difference]:
        """The differences without a good reason."""
        return (
            []
            if self.reconciliation is None
            else [each for each in self.reconciliation.differences if not each.adds_up]
        )


def read_status(settings: StravaSettings, stop: StopFlag) -> Status:
    """Read the files; sends no request, writes nothing, and works during a run.

    Raises:
        StorageFailed: one cannot be read, or a restore is not complete.
    """
    require_whole_state(settings)
    tokens, no_tokens = None, ""
    try:
        tokens = TokenFile(settings.token_path).load()
    except NotAuthorised as error:
        no_tokens = f"not known: {error}"
    cursor = reconciliation = unknown = None
    exports: list[ExportNote] = []
    files: list[WatchedFile] = []
    bronze = BronzeReader(settings.bronze_path)
    known = athletes_of_history(bronze) if tokens is None else set()
    if not known and not is_there(settings.token_path):
        no_tokens = "nothing here yet: `make import FILE=export.zip` or `make auth`"
    athlete_id = _athlete_id(tokens, known)
    if athlete_id is not None:
        quarantine = Quarantine(settings.state_path / "quarantine.json")
        cursor = bronze.cursor(athlete_id)
        exports = export_notes(bronze, athlete_id)
        files = _live_files(bronze, athlete_id)
        reconciliation = reconcile(settings, bronze, quarantine, athlete_id, exports)
        unknown = unknown_fields(settings.state_path)
    cache = read_cache(settings.watch_cache_path)
    # a restore that began meanwhile
    require_whole_state(settings)
    return Status(
        tokens,
        no_tokens,
        athlete_id,
        exports,
        files,
        cache.of("not read", "waiting", "no activity") if cache else [],
        cursor,
        reconciliation,
        unknown,
        Budget(settings.state_path / "budget.json", stop=stop, read_only=True).windows(),
        read_last_run(settings),
        settings.warehouse_path,
    )


def _athlete_id(tokens: Tokens | None, known: set[int]) -> int | None:
    """The athlete of the history: from the token file, otherwise the only one of those that bronze has."""
    if tokens is not None:
        return tokens.athlete_id
    return next(iter(known)) if len(known) == 1 else None


def _live_files(bronze: BronzeReader, athlete_id: int) -> list[WatchedFile]:
    """The files of live activities, each content once."""
    found = watched_files(bronze, athlete_id)
    live = bronze.live(athlete_id) if found else {}
    return list({file.sha256: file for file in found if file.activity_id in live}.values())


def status_lines(status: Status) -> list[tuple[str, str]]:
    """(label, value) of each line; further lines with the same label have none."""
    lines = _token_lines(status)
    if status.reconciliation is None:
        lines.append(("Activities", "not known: no athlete yet"))
    else:
        cursor = f"{status.cursor:%Y-%m-%d %H:%M:%S} UTC" if status.cursor else "none: nothing has come through the API"
        lines += [("Cursor", cursor), *_reconciliation_lines(status.reconciliation)]
    lines += [
        *_export_lines(status.exports),
        *_file_lines(status),
        *_field_lines(status.unknown_fields),
        ("Budget last seen", in_words(status.budget) or "nothing seen in this window"),
        ("Last run", _last_run_line(status.last_run) if status.last_run else "none"),
        ("Warehouse", _size(status.warehouse)),
    ]
    imported_only = status.athlete_id is not None and status.tokens is None and status.cursor is None
    return [line for line in lines if not (imported_only and line[0] in _OF_THE_API)]


def status_json(status: Status) -> str:
    """The same for programs; docs/reference/status.md names the keys, which are stable."""
    tokens, reconciliation = status.tokens, status.reconciliation
    size = status.warehouse.stat().st_size if is_there(status.warehouse) else None
    expires_at = datetime.fromtimestamp(tokens.expires_at, UTC) if tokens and tokens.access_token else None
    shown: dict[str, Any] = {
        "adds_up": not status.odd,
        "athlete_id": status.athlete_id,
        "scope": tokens.scope if tokens else None,
        "token_expires_at": _text(expires_at),
        "cursor": _text(status.cursor),
        "activities": None,
        "differences": [],
        "exports": [_export_json(note) for note in status.exports],
        "files": [_file_json(file) for file in status.files],
        "files_left": [
            {"path": path, "outcome": looked.outcome, "explanation": looked.reason}
            for path, looked in status.files_left
        ],
        "unknown_fields": None,
        "budget": [{"window": window.name, "limit": window.limit, "left": window.left} for window in status.budget],
        "last_run": status.last_run and status.last_run | _instants(status.last_run, "started_at", "ended_at"),
        "warehouse": {"path": str(status.warehouse), "bytes": size},
    }
    if reconciliation is not None:
        numbers = asdict(reconciliation)
        shown["differences"] = numbers.pop("differences")
        numbers["swept_at"] = _text(numbers["swept_at"])
        shown["activities"] = numbers | {"details_missing": reconciliation.details_missing}
    if status.unknown_fields is not None:
        shown["unknown_fields"] = [
            {"table": each.table, "field": each.field, "first_seen_at": _text(each.first_seen_at)}
            for each in status.unknown_fields
        ]
    return json.dumps(shown, indent=1)


def _token_lines(status: Status) -> list[tuple[str, str]]:
    tokens = status.tokens
    if tokens is None:
        if status.athlete_id == NOBODY:
            return [("Athlete", "not known: there are only activity files, which do not say")]
        if status.athlete_id is not None:
            return [("Athlete", f"{status.athlete_id}, from an import; not authorised at Strava")]
        return [("Athlete", status.no_tokens)]
    left_s = tokens.expires_at - datetime.now(UTC).timestamp()
    if not tokens.access_token:
        expiry = "none yet: the next run asks for one"
    elif left_s > 0:
        expiry = f"expires {datetime.fromtimestamp(tokens.expires_at, UTC):%Y-%m-%d %H:%M} UTC"
    else:
        expiry = "expired: the next run refreshes it"
    athlete = str(tokens.athlete_id) if tokens.athlete_id is not None else "not known: the next run asks"
    return [
        ("Athlete", athlete),
        ("Scope", tokens.scope or "not known"),
        ("Access token", expiry),
    ]


def _reconciliation_lines(reconciliation: Reconciliation) -> list[tuple[str, str]]:
    if reconciliation.listed is None:
        listed = "not known: no complete sweep yet"
    else:
        listed = f"{reconciliation.listed:,} (sweep of {reconciliation.swept_at:%Y-%m-%d %H:%M} UTC)"
    deleted = f"{reconciliation.deleted:,}" + (
        f", {reconciliation.purged:,} of them purged" if reconciliation.purged else ""
    )
    lines = [
        ("Listed at Strava", listed),
        ("In newest export", "no export yet" if reconciliation.in_export is None else f"{reconciliation.in_export:,}"),
        ("Activities", f"{reconciliation.stored:,}"),
        ("Details", f"{reconciliation.enriched:,}"),
        ("Details missing", f"{reconciliation.details_missing:,}"),
        ("Details refused", f"{sum(reconciliation.quarantined.values()):,}"),
        ("Deleted", deleted),
        ("Adds up", "no" if any(not each.adds_up for each in reconciliation.differences) else "yes"),
    ]
    for difference in reconciliation.differences:
        count = f"{difference.count:,} " if difference.count else ""
        lines.append(("" if difference.adds_up else "!", f"{count}{difference.reason}"))
    return lines


def _export_lines(exports: list[ExportNote]) -> list[tuple[str, str]]:
    """A line for all exports, and one for each item of the newest one that was not read."""
    if not exports:
        return []
    newest = exports[-1]
    lines = [
        (
            "Exports",
            f"{len(exports):,}, the newest of {newest.exported_at:%Y-%m-%d %H:%M} UTC ({one_line(newest.origin)}): "
            f"{len(newest.activity_ids):,} activities, {len(newest.files):,} files",
        )
    ]
    lost = [one_line(problem.explanation) for problem in newest.problems if problem.lost]
    if len(lost) > MOST_PROBLEMS:
        lost[MOST_PROBLEMS:] = [f"and {len(lost) - MOST_PROBLEMS:,} more: status --json names them"]
    return lines + [("" if i else "Not read", line) for i, line in enumerate(lost)]


def _file_lines(status: Status) -> list[tuple[str, str]]:
    """A line for the imported files, and one for each that was not imported."""
    lines = []
    if status.files:
        alone = sum(file.is_alone for file in status.files)
        newest = status.files[-1]
        counts = f"{len(status.files):,} imported, {alone:,} of them of activities that Strava does not know"
        when = f"{newest.taken_at:%Y-%m-%d %H:%M} UTC ({one_line(newest.name)})"
        lines.append(("Activity files", f"{counts}; the newest {when}"))
    without = sum(looked.outcome == "no activity" for _, looked in status.files_left)
    left = [
        f"{one_line(path)}: {one_line(looked.reason)}{_WAITS if looked.outcome == 'waiting' else ''}"
        for path, looked in status.files_left
        if looked.outcome != "no activity"
    ]
    if len(left) > MOST_PROBLEMS:
        left[MOST_PROBLEMS:] = [f"and {len(left) - MOST_PROBLEMS:,} more: status --json names them"]
    if without:
        left.append(f"{without:,} without an activity: status --json names them")
    return lines + [("" if i else "Files left", line) for i, line in enumerate(left)]


def _file_json(file: WatchedFile) -> dict[str, Any]:
    return {
        "name": file.name,
        "origin": file.origin,
        "sha256": file.sha256,
        "taken_at": _text(file.taken_at),
        "activity_id": file.activity_id,
    }


def _export_json(note: ExportNote) -> dict[str, Any]:
    return {
        "origin": note.origin,
        "exported_at": _text(note.exported_at),
        "imported_at": _text(note.imported_at),
        "activities": len(note.activity_ids),
        "files": len(note.files),
        "problems": [
            {
                "kind": problem.kind,
                "name": problem.name,
                "reason": problem.reason,
                "explanation": problem.explanation,
                "lost": problem.lost,
            }
            for problem in note.problems
        ],
    }


def _field_lines(unknown: list[UnknownField] | None) -> list[tuple[str, str]]:
    """A line for each unknown field."""
    shown = [f"{one_line(each.field)} in {each.table} since {each.first_seen_at:%Y-%m-%d}" for each in unknown or ()]
    if len(shown) > MOST_FIELDS:
        shown[MOST_FIELDS:] = [f"and {len(shown) - MOST_FIELDS:,} more: status --json names them"]
    return [("" if i else "New at Strava", line) for i, line in enumerate(shown)]


def _last_run_line(done: dict[str, Any]) -> str:
    began = f"{done['command']} at {str(done['started_at'])[:19].replace('T', ' ')} UTC"
    if done["outcome"] == Outcome.RUNNING:
        return f"{began} is still running (process {done['pid']})"
    if done["outcome"] == Outcome.UNFINISHED:
        left = "What had landed is kept; the next run continues from there."
        if str(done["command"]).startswith(("withdraw", "purge")):
            left = "The next run erases what is not erased yet."
        return f"{began} did not end: it was killed, or the machine went down. {left}"
    files = f", {done['files_landed']:,} files" if done["files_landed"] else ""
    landed = f"{done['activities_landed']:,} activities{files} and {done['details_landed']:,} details landed"
    line = f"{began}: {landed}, {done['requests']:,} requests, {done['seconds']:.1f} s"
    how = {Outcome.CRASHED: "It crashed: ", Outcome.WAITING: f"Process {done['pid']} waits: "}.get(done["outcome"], "")
    return f"{line}. {how}{done['message']}" if done["message"] else line


def _instants(done: dict[str, Any], *keys: str) -> dict[str, str | None]:
    """The instants in a record of a run, in the format of all keys; None if missing."""
    found: dict[str, str | None] = dict.fromkeys(keys)
    for key in keys:
        with suppress(TypeError, ValueError):
            found[key] = _text(datetime.fromisoformat(done[key]).astimezone(UTC))
    return found


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def _size(path: Path) -> str:
    return f"{path} ({path.stat().st_size / 1e6:.1f} MB)" if is_there(path) else f"{path} (not there yet)"
