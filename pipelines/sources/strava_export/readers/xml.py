"""GPX and TCX by pyexpat: which of them it is, what is readable of a damaged one; a DOCTYPE is refused."""

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
_INVALID_TOKEN: Final = 4  # xml.parsers.expat.errors.codes


def read_xml(data: bytes) -> ActivityFile:
    """Read a GPX or a TCX file.

    Raises `UnreadableFile` for other XML, for none, and for a file without an activity. What follows a damaged place is
    lost, but for characters that XML does not know: without them the file is read once more.
    """
    if _LONG_TAG.search(data):
        raise UnreadableFile("forbidden", "It has a tag of a million characters.")
    document = _Document()
    fault = document.read(data, None)
    if document.error == _INVALID_TOKEN:
        mended, encoding = _mended(data)
        if mended != data or encoding is not None:
            document = _Document()
            document.read(mended, encoding)
            fault = "it has characters that XML does not know" if document.error is None else fault
    if document.reader is None:
        raise UnreadableFile("unknown format", "It is neither FIT nor GPX nor TCX.")
    return document.reader.activity((fault,) if fault else ())


def _mended(data: bytes) -> tuple[bytes, str | None]:
    """Return the bytes without control characters, and an encoding in which they are text if UTF-8 is none."""
    mended = data.translate(None, _FORBIDDEN)
    try:
        mended.decode()
    except UnicodeDecodeError:
        return mended, "iso-8859-1"
    return mended, None


@lru_cache(maxsize=1024)
def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()


class _Document:
    """One way through the elements of a document; its root says who reads them."""

    def __init__(self) -> None:
        self.reader: GpxReader | TcxReader | None = None
        self.error: int | None = None
        self._depth = 0
        self._text: list[str] = []

    def read(self, data: bytes, encoding: str | None) -> str | None:
        """Read as far as the document is well formed; return what ended that."""
        parser = expat.ParserCreate(encoding)
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        parser.StartDoctypeDeclHandler = _refuse
        parser.EntityDeclHandler = _refuse
        try:
            parser.Parse(data, True)  # in one piece: in several, a long token would be scanned again with each
        except expat.ExpatError as error:
            self.error = error.code
            return f"damaged at line {error.lineno}: {expat.ErrorString(error.code)}"
        except (LookupError, UnicodeError):
            raise UnreadableFile("unknown format", "Its encoding is not known.") from None
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
    raise UnreadableFile("forbidden", "It has a DOCTYPE, which no activity file needs and which may ask for anything.")
