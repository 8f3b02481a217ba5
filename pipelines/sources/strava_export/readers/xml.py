"""GPX and TCX by pyexpat: which of the two it is, and the readable part of a damaged one; a DOCTYPE is refused."""

import re
from functools import lru_cache
from typing import Final
from xml.parsers import expat

from .activity import ActivityFile, UnreadableFile
from .gpx import GpxReader
from .tcx import TcxReader

_READERS: Final[dict[str, type[GpxReader] | type[TcxReader]]] = {"gpx": GpxReader, "trainingcenterdatabase": TcxReader}
_DEEPEST: Final = 100
_LONG_TAG: Final = re.compile(rb"<[^>]{1000000}")
_FORBIDDEN: Final = bytes(byte for byte in range(32) if byte not in b"\t\n\r")
# from expat.errors.codes: an invalid token, an unknown encoding, an encoding other than declared
_UNKNOWN_ENCODING: Final = 18
_OF_CHARACTERS: Final = (4, _UNKNOWN_ENCODING, 19)


def read_xml(data: bytes) -> ActivityFile:
    """Read a GPX or a TCX file.

    Raises `UnreadableFile` for other XML, for what is not XML, and for a file without an activity. What follows a
    damaged place is lost, except after characters that XML does not allow: the file is read once more without them.
    """
    if _LONG_TAG.search(data):
        raise UnreadableFile("forbidden", "It has a tag of a million characters.")
    document = _Document()
    fault = document.read(data, None)
    if document.error in _OF_CHARACTERS:
        mended = data.translate(None, _FORBIDDEN)
        second = _Document()
        second.read(mended, _encoding(mended))
        if second.error is None:
            document, fault = second, "it has characters that XML does not allow, or another encoding than it says"
    if document.reader is None:
        raise UnreadableFile("unknown format", "It is neither FIT nor GPX nor TCX.")
    return document.reader.activity((fault,) if fault else ())


def _encoding(data: bytes) -> str:
    """Return an encoding in which all bytes are text; the marks of XML and all numbers are the same in both."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return "iso-8859-1"
    return "utf-8"


@lru_cache(maxsize=1024)
def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()


class _Document:
    """One pass over the elements of a document; its root decides which reader handles them."""

    def __init__(self) -> None:
        self.reader: GpxReader | TcxReader | None = None
        self.error: int | None = None
        self._depth = 0
        self._text: list[str] = []

    def read(self, data: bytes, encoding: str | None) -> str | None:
        """Read as far as the document is well-formed; return what ended that."""
        parser = expat.ParserCreate(encoding)
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        parser.StartDoctypeDeclHandler = _refuse
        parser.EntityDeclHandler = _refuse
        try:
            parser.Parse(data, True)  # in one piece: in several, a long token would be scanned again for each
        except expat.ExpatError as error:
            self.error = error.code
            return f"damaged at line {error.lineno}: {expat.ErrorString(error.code)}"
        except UnreadableFile:
            raise
        except (LookupError, ValueError):  # Python's codecs, for an unknown encoding or one of several bytes
            self.error = _UNKNOWN_ENCODING
            return "its encoding is unknown"
        return None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise UnreadableFile("forbidden", f"Its elements are nested more than {_DEEPEST} deep.")
        self._text.clear()
        local = _local(name)
        if self.reader is None:
            if local not in _READERS:
                raise UnreadableFile("unknown format", "It is neither FIT nor GPX nor TCX.")
            self.reader = _READERS[local]()
        if local in self.reader.OPENED:
            self.reader.opened(local, attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        local = _local(name)
        if self.reader is not None and local in self.reader.CLOSED:
            self.reader.closed(local, "".join(self._text))


def _refuse(*_: object) -> None:
    raise UnreadableFile(
        "forbidden", "It has a DOCTYPE, which no activity file needs and which may expand to anything."
    )
