"""The modules that decide; `make mutate` breaks these."""

from pathlib import Path

DECIDE = {
    "sources/strava_api": ("budget", "clock", "walk", "auth", "transport", "details", "client", "payloads", "files"),
    "mirror": (
        "pull",
        "enrich",
        "commits",
        "access",
        "burial",
        "landing",
        "freshness",
        "flapping",
        "fingerprints",
        "refresh",
        "quarantine",
        "own",
        "on_demand",
        "looked_at",
        "export_import",
        "dated_rows",
        "same_activity",
        "takeover",
        "watch",
    ),
    "bronze": (
        "store",
        "liveness",
        "shard",
        "sweep",
        "packages",
        "exports",
        "tables",
        "doors",
        "watched",
        "withdrawals",
    ),
    "ground": ("durable", "polyline"),
    "runs": ("purge", "erasure", "withdraw", "repair", "reconciliation", "backup", "schedule"),
    "page": ("data", "public_data", "routes"),
    "warehouse": ("staging", "readings", "file_readings", "row_readings", "points", "windows", "publish"),
}


def modules(root: Path) -> list[str]:
    """Their paths relative to `root`.

    Raises:
        FileNotFoundError: one is not there; it was renamed, or split.
    """
    found = [f"pipelines/{folder}/{name}.py" for folder, names in DECIDE.items() for name in names]
    if missing := [path for path in found if not (root / path).is_file()]:
        raise FileNotFoundError(f"{', '.join(missing)}: say in {__file__} what became of these")
    return found
