"""Serving browsers on this machine: the page, and the address to which an authorisation returns."""

import sys
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

# a client that connects and sends nothing does not occupy a thread for ever
SLOWEST_S = 30


class LoopbackServer(ThreadingHTTPServer):
    """A server in threads; it reports nothing about clients that hang up or never finish."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that hang up, and about nothing else."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def host_named(header: str | None) -> str:
    """The host that a browser asked for, in lower case and without the port; empty if there is none."""
    try:
        return urlsplit(f"//{header or ''}").hostname or ""
    except ValueError:
        return ""
