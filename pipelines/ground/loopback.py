"""Serving browsers of this machine: the page, and the address that an authorisation comes back to."""

import sys
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

# somebody who connects and says nothing does not keep a thread for ever
SLOWEST_S = 30


class LoopbackServer(ThreadingHTTPServer):
    """A server in threads; clients that hang up or never finish are no news to the person at the terminal."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about a client's end of the line, about nothing else."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def host_named(header: str | None) -> str:
    """The host that a browser asked for, in lower case and without the port; empty where there is none."""
    try:
        return urlsplit(f"//{header or ''}").hostname or ""
    except ValueError:
        return ""
