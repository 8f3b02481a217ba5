"""The entrance to the readers: the bytes of a file, whatever its name and compression, become an activity.

Each reader is imported with the first file that needs it: a run without new files starts sooner.
"""

from dataclasses import replace
from pathlib import PurePath

from .activity import ActivityFile, UnreadableFile
from .fit_messages import is_fit
from .wrapping import unwrapped

_BLANK = b" \t\r\n\0"
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


def read_activity_file(data: bytes, name: str) -> ActivityFile:
    """Read a FIT, GPX or TCX file, also within gzip.

    Its content decides, not its suffix; `name` is only for messages. A file that is damaged or cut off is read as far
    as possible, with `faults`. Raises `UnreadableFile` if nothing can be read.
    """
    content, faults = unwrapped(data)
    text = content.removeprefix(_UTF8_BOM).lstrip(_BLANK)
    if not text:
        raise UnreadableFile("empty", "It is empty.")
    if is_fit(content):
        activity = _fit(content)
    elif text.startswith((b"<", *_UTF16_BOMS)):
        from .xml import read_xml

        activity = read_xml(text)
    elif ".fit" in (suffix.lower() for suffix in PurePath(name).suffixes):
        raise UnreadableFile("damaged", "It does not begin as a FIT file does.")
    else:
        raise UnreadableFile("unknown format", "It is neither FIT nor GPX nor TCX.")
    return replace(activity, faults=(*faults, *activity.faults)) if faults else activity


def _fit(content: bytes) -> ActivityFile:
    from .fit import read_fit

    try:
        return read_fit(content)
    except UnreadableFile as refused:
        from .fit_fallback import read_by_fitdecode

        activity = read_by_fitdecode(content) if refused.reason == "damaged" else None
        if activity is None:
            raise
        return activity
