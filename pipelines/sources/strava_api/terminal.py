"""Making text from outside safe to show: on a terminal, a control character is a command."""

import re

# control characters except tab and line feed; what changes the direction of text or breaks lines; half surrogates
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u202a-\u202e\u2028\u2029\u2066-\u2069\ud800-\udfff]")
LONGEST = 200


def printable(text: str) -> str:
    r"""`text` with what a terminal would obey escaped, like `\x1b`."""
    return _UNSAFE.sub(_written_out, text)


def on_one_line(text: str) -> str:
    """Like `printable`, with line feeds and tabs escaped too."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def one_line(text: str) -> str:
    """Text from outside for use within a message of ours: on one line, and not endless."""
    text = on_one_line(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
