"""Writing to standard output and standard error, which may be full, or a pipe without a reader."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from pipelines.ground.errors import StorageFailed
from pipelines.sources.strava_api.terminal import printable


class BestEffort(io.TextIOBase):
    """A stream for people who may read along: what cannot be written is dropped, and nothing else happens."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream behind it."""
        return self._stream.encoding if self._stream else "utf-8"

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        """The number of the stream behind it."""
        return self._stream.fileno() if self._stream else super().fileno()

    def write(self, text: str) -> int:
        """Write `text` if that is possible."""
        if self._stream is not None:
            with suppress(OSError):
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush if that is possible."""
        if self._stream is not None:
            with suppress(OSError):
                self._stream.flush()


def print_line(text: str) -> None:
    """Print a line for a person; if it cannot be written, the run goes on."""
    stream = BestEffort(sys.stdout)
    stream.write(f"{printable(text)}\n")
    stream.flush()


class _NobodyReadsError(Exception):
    """The reader of our output has closed its end of the pipe."""


@contextmanager
def answering() -> Iterator[Callable[[str], None]]:
    """A function that writes the command's answer to standard output.

    Its block ends early, without an error, when the reader closes the pipe (`| head -1`).

    Raises:
        StorageFailed: standard output is closed or cannot be written.
    """

    def write(text: str) -> None:
        if sys.stdout is None:
            raise StorageFailed("Standard output is closed: the answer has nowhere to go.")
        try:
            sys.stdout.write(text)
            if sys.stdout.isatty():
                sys.stdout.flush()
        except OSError as error:
            raise _refused(error) from error

    try:
        yield write
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError as error:
            raise _refused(error) from error
    except _NobodyReadsError:
        pass


def _refused(error: OSError) -> Exception:
    if isinstance(error, BrokenPipeError):
        return _NobodyReadsError()
    return StorageFailed(f"Standard output could not be written: {error.strerror}. The answer is not complete.")
