"""Serving the page to this machine's own browsers, for those that cannot open a file."""

import threading
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import BinaryIO

from pipelines.ground.errors import BadSetting, Interrupted
from pipelines.ground.loopback import SLOWEST_S, LoopbackServer, host_named
from pipelines.ground.stop import StopFlag

LOOPBACK = "127.0.0.1"
# a page elsewhere could make its own name resolve to this machine, and read what is served under that name
OUR_NAMES = (LOOPBACK, "localhost")
LOOK_AGAIN_S = 3600


class PageHandler(SimpleHTTPRequestHandler):
    """Serves the files of one folder, but no lists and no hidden files."""

    server_version = "strava-stats"
    sys_version = ""
    timeout = SLOWEST_S

    def send_head(self) -> BinaryIO | None:
        """Start the answer; returns its content, or None without one."""
        if host_named(self.headers.get("Host")) not in OUR_NAMES:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return None
        try:
            asked = Path(self.translate_path(self.path)).relative_to(self.directory)
            if any(part.startswith(".") for part in asked.parts):
                self.send_error(HTTPStatus.NOT_FOUND)
                return None
            return super().send_head()
        except ValueError:
            # no file can have that name: a NUL, half a surrogate pair
            self.send_error(HTTPStatus.BAD_REQUEST)
            return None

    def list_directory(self, path: object) -> None:
        """Answer that there is nothing: the content of a folder without a page stays private."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        """Keep caches from storing what was served."""
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Log nothing."""


def serve(folder: Path, port: int, show: Callable[[str], None], stop: StopFlag) -> None:
    """Serve `folder` on this machine's loopback address until a signal comes.

    Raises:
        BadSetting: there is no page, or the port is taken.
    """
    if not (folder / "index.html").exists():
        raise BadSetting(f"There is no page in {folder} yet. Run `make page`.")
    try:
        server = LoopbackServer((LOOPBACK, port), partial(PageHandler, directory=str(folder)))
    except (OSError, OverflowError) as error:
        why = (isinstance(error, OSError) and error.strerror) or error
        raise BadSetting(f"Port {port} cannot be used: {why}. Choose another one with --port.") from None
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        show(f"{folder} is at http://{LOOPBACK}:{server.server_port}/ for this machine only. Stop with Ctrl-C.")
        try:
            while True:
                stop.wait(LOOK_AGAIN_S)
        except Interrupted:
            server.shutdown()
    show("Stopped.")
