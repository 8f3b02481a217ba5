"""Text from outside, made safe to show: on a terminal, a control character is a command."""

import re

# control characters but tab and line feed; what turns the direction of text or breaks its lines; halves of a pair
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u202a-\u202e\u2028\u2029\u2066-\u2069\ud800-\udfff]")
LONGEST = 200


def printable(text: str) -> str:
    r"""`text` with what a terminal would obey written out, like `\x1b`."""
    return _UNSAFE.sub(_written_out, text)


def on_one_line(text: str) -> str:
    """As `printable`, with line feeds and tabs written out too."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def one_line(text: str) -> str:
    """Words of somebody else, to stand within a sentence of ours: on one line, and not endless."""
    text = on_one_line(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
