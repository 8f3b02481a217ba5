"""What can go wrong, as types: each is one sentence for a person and one exit code for a script."""

from typing import ClassVar


class StravaStatsError(Exception):
    """Something a person has to know of; its text is one sentence with the next step.

    `exit_code` is what the command ends with, `meaning` is what README's table says of that code.
    """

    exit_code: ClassVar[int] = 1
    meaning: ClassVar[str] = (
        "`status` does not add up (it says what to do), or an error that this program does not know; please report that"
    )


class BadSetting(StravaStatsError):
    """A setting, an option or an argument that cannot be right."""

    exit_code = 2
    meaning = "a setting or an option is wrong"


class NotAuthorised(StravaStatsError):
    """Strava does not let us in: credentials, token, scope, or the app itself."""

    exit_code = 3
    meaning = "not authorised: credentials, token, scope, or the app's owner has no subscription"


class StravaUnavailable(StravaStatsError):
    """Strava could not be reached or answered nonsense, again and again."""

    exit_code = 4
    meaning = "Strava is down or unreachable; what was fetched is kept"


class WarehouseBusy(StravaStatsError):
    """Another process holds the DuckDB file."""

    exit_code = 5
    meaning = "the warehouse is open in another program; what was fetched is kept"


class StorageFailed(StravaStatsError):
    """A file could not be written or read: disk full, no permission, a damaged file, too little memory."""

    exit_code = 6
    meaning = "a file could not be written or read (disk full, no permission, damaged), or memory ran out"


class BuildFailed(StravaStatsError):
    """`dbt build` failed: a model or a test."""

    exit_code = 7
    meaning = "`dbt build` failed; bronze and staging are complete"


class Interrupted(StravaStatsError):
    """The person or the machine asked us to stop; what was fetched has landed."""

    exit_code = 130
    meaning = "stopped by Ctrl-C or a signal; what was fetched is kept"


class DoesNotAddUp(StravaStatsError):
    """`status` found a difference that has no good reason."""


class BudgetSpent(StravaStatsError):
    """A rate-limit window is used up. Not a failure: the run waits, or ends cleanly and says when to go on.

    `opens_at_s` is epoch seconds by Strava's clock; `of_day` says that the day is spent.
    """

    exit_code = 0
    meaning = "done, or stopped cleanly because Strava's rate limit is used up (the last line says what is left)"

    def __init__(self, text: str, opens_at_s: float, of_day: bool = False) -> None:
        super().__init__(text)
        self.opens_at_s = opens_at_s
        self.of_day = of_day


class ReserveTooLarge(StravaStatsError):
    """STRAVA_RESERVE keeps the whole day from enrichment; known only when Strava has told its limits."""

    exit_code = 2
    meaning = BadSetting.meaning


class DetailRefused(StravaStatsError):
    """Strava does not hand out one activity's details (404, or a 5xx that stays); the others go on."""

    exit_code = 4
    meaning = StravaUnavailable.meaning


class ActivityNotFound(DetailRefused):
    """Strava does not know the activity by id: deleted, or not visible to this token."""


def exit_codes() -> dict[int, str]:
    """Exit code → meaning, for the documentation and the commands' help."""
    kinds: list[type[StravaStatsError]] = [BudgetSpent, StravaStatsError, *StravaStatsError.__subclasses__()]
    return dict(sorted({kind.exit_code: kind.meaning for kind in kinds}.items()))
