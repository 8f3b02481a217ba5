"""The types of errors: those of the source and ours. Each has one sentence for people and one exit code for scripts."""

from pipelines.sources.strava_api.errors import (
    ActivityNotFound,
    BadSetting,
    BudgetSpent,
    DetailRefused,
    NotAuthorised,
    ReserveTooLarge,
    StorageFailed,
    StravaError,
    StravaUnavailable,
)

__all__ = [
    "ActivityNotFound",
    "BadExport",
    "BadSetting",
    "BudgetSpent",
    "BuildFailed",
    "DetailRefused",
    "DoesNotAddUp",
    "Interrupted",
    "NotAuthorised",
    "ReserveTooLarge",
    "StorageFailed",
    "StravaError",
    "StravaUnavailable",
    "WarehouseBusy",
    "exit_codes",
]


class WarehouseBusy(StravaError):
    """Another process has the DuckDB file open."""

    exit_code = 5
    meaning = "the warehouse is open in another program; what was fetched is kept"


class BuildFailed(StravaError):
    """`dbt build` failed: a model or a test."""

    exit_code = 7
    meaning = "`dbt build` failed; bronze and staging are complete"


class BadExport(StravaError):
    """What was to be imported is not an export or activity file, is damaged, or belongs to another athlete."""

    exit_code = 8
    meaning = "an export or a file could not be imported: it is not one, is damaged, or belongs to another athlete"


class Interrupted(StravaError):
    """The person or the machine asked us to stop; what was fetched has landed."""

    exit_code = 130
    meaning = "stopped by Ctrl-C or a signal; what was fetched is kept"
    at_once = "Stopped at once."


class DoesNotAddUp(StravaError):
    """`status` found a difference that has no good reason."""

    exit_code = 1
    meaning = f"`status` does not add up (it says what to do), or {StravaError.meaning}"


def exit_codes() -> dict[int, str]:
    """Exit code → meaning, for the documentation and the commands' help."""
    kinds: list[type[StravaError]] = StravaError.__subclasses__()
    return dict(sorted({kind.exit_code: kind.meaning for kind in kinds}.items()))
