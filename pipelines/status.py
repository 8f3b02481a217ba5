"""What `status` shows: whose history this is, how far it reaches, what is missing, what the last run did."""

import json
from datetime import UTC, datetime
from pathlib import Path

from pipelines.auth import TokenFile
from pipelines.bronze import open_bronze
from pipelines.budget import Budget
from pipelines.errors import NotAuthorised
from pipelines.progress import Report, budget_left
from pipelines.quarantine import Quarantine
from pipelines.settings import StravaSettings


def status_lines(settings: StravaSettings, report: Report) -> list[tuple[str, str]]:
    """(label, value) of each line; asks neither Strava nor the DuckDB file, so it works while a run goes on."""
    bronze = open_bronze(settings, report)
    athlete_id, lines = _token_lines(TokenFile(settings.token_path))
    if athlete_id is None:
        lines.append(("Activities", "not known: no athlete yet"))
    else:
        counts = bronze.counts(athlete_id)
        cursor = f"{counts.cursor:%Y-%m-%d %H:%M:%S} UTC" if counts.cursor else "none: nothing has landed"
        lines += [
            ("Cursor", cursor),
            ("Activities", f"{counts.activities:,}"),
            ("Details missing", f"{counts.activities - counts.with_details:,}"),
        ]
    quarantined = len(Quarantine(settings.state_path / "quarantine.json"))
    if quarantined:
        lines.append(("Details refused", f"{quarantined:,}, tried again later"))
    budget = budget_left(Budget(settings.state_path / "budget.json").windows())
    lines += [
        ("Budget seen last", budget or "nothing seen in this window"),
        ("Last run", _last_run(settings.state_path / "last_run.json")),
        ("Warehouse", _size(settings.warehouse_path)),
    ]
    return lines


def _token_lines(file: TokenFile) -> tuple[int | None, list[tuple[str, str]]]:
    try:
        tokens = file.load()
    except NotAuthorised as error:
        return None, [("Athlete", f"not known: {error}")]
    left_s = tokens.expires_at - datetime.now(UTC).timestamp()
    if not tokens.access_token:
        expiry = "none yet: the next run asks for one"
    elif left_s > 0:
        expiry = f"expires {datetime.fromtimestamp(tokens.expires_at, UTC):%Y-%m-%d %H:%M} UTC"
    else:
        expiry = "expired: the next run refreshes it"
    athlete = str(tokens.athlete_id) if tokens.athlete_id is not None else "not known: the next run asks"
    return tokens.athlete_id, [
        ("Athlete", athlete),
        ("Scope", tokens.scope or "not known"),
        ("Access token", expiry),
    ]


def _last_run(path: Path) -> str:
    try:
        done = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return "none"
    at = done["started_at"][:19].replace("T", " ")
    landed = f"{done['activities_landed']:,} activities and {done['details_landed']:,} details landed"
    told = f"{done['command']} at {at} UTC: {landed}, {done['requests']:,} requests, {done['seconds']:.1f} s"
    return f"{told}. {done['message']}" if done["message"] else told


def _size(path: Path) -> str:
    return f"{path} ({path.stat().st_size / 1e6:.1f} MB)" if path.exists() else f"{path} (not there yet)"
