"""The types of errors: each is one sentence with the next step."""

from typing import ClassVar


class StravaError(Exception):
    """An error that a person has to know about; its text is one sentence with the next step.

    `exit_code` is that of a command that ends with it, `meaning` describes the code.
    """

    exit_code: ClassVar[int] = 1
    meaning: ClassVar[str] = "an unexpected error; please report it"


class BadSetting(StravaError):
    """A setting, an option or an argument that cannot be right."""

    exit_code = 2
    meaning = "a setting or an option is wrong"


class NotAuthorised(StravaError):
    """Strava does not let us in: credentials, token, scope, or the app itself."""

    exit_code = 3
    meaning = "not authorised: credentials, token, scope, or the app's owner has no subscription"


class StravaUnavailable(StravaError):
    """Strava could not be reached or answered nonsense, again and again."""

    exit_code = 4
    meaning = "Strava is down or unreachable; what was fetched is kept"


class StorageFailed(StravaError):
    """A file could not be written or read: disk full, no permission, a damaged file, too little memory."""

    exit_code = 6
    meaning = "a file could not be written or read (disk full, no permission, damaged), or memory ran out"


class BudgetSpent(StravaError):
    """A rate-limit window is used up: wait, or stop and continue when it opens again.

    `opens_at_s` is epoch seconds by Strava's clock; `of_day` says that the day is spent.
    """

    exit_code = 0
    meaning = "done, or stopped cleanly because Strava's rate limit is used up (the last line says what is left)"

    def __init__(self, text: str, opens_at_s: float, of_day: bool = False) -> None:
        super().__init__(text)
        self.opens_at_s = opens_at_s
        self.of_day = of_day


class ReserveTooLarge(StravaError):
    """The reserve is as large as the day's limit; this is only known once Strava has named its limits."""

    exit_code = 2
    meaning = BadSetting.meaning


class DetailRefused(StravaError):
    """Strava refuses what belongs to one activity (404, or a persistent 5xx); the others continue."""

    exit_code = 4
    meaning = StravaUnavailable.meaning


class ActivityNotFound(DetailRefused):
    """Strava does not know the activity by id: deleted, or not visible to this token."""
