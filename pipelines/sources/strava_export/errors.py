"""What can be wrong with an export: errors that end the reading, and problems that do not."""

from dataclasses import dataclass


class ExportError(Exception):
    """An export that cannot be read at all; its text is one sentence with the next step."""


class NotAnExport(ExportError):
    """A path that is neither a ZIP nor a folder, or has no activities.csv in it."""


class DamagedExport(ExportError):
    """A ZIP that is cut, or damaged in a part that everything else needs."""


class EncryptedExport(ExportError):
    """A ZIP whose activities.csv asks for a password."""


class AnotherAthlete(ExportError):
    """The export of another athlete than the given one."""


class UnknownLayout(ExportError):
    """An activities.csv whose columns cannot be distinguished safely."""


@dataclass(frozen=True)
class Problem:
    """Something in an export that was not read, or only with a fault; everything else was.

    `kind` is `row`, `file`, `member` (of the ZIP), `column` or `sport`; `name` says which one; `reason` is a word for
    programs, `explanation` a sentence for people. `lost` is false if what it names was delivered all the same.
    `text` is an unread row as in activities.csv.
    """

    kind: str
    name: str
    reason: str
    explanation: str
    lost: bool = True
    text: str | None = None
