"""A bucket on this machine: a server that speaks S3 over HTTP, in a process of its own.

`python -m bench.buckets FILE` serves until it is ended, and writes its address to FILE once it is ready.
"""

import logging
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.athlete import clean_environment
from bench.processes import serving

READY_WITHIN_S = 60


class Bucket:
    """An empty bucket called `name` at the server with the address `url`."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._put("")

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a home that keeps its shards in this bucket."""
        return {
            "STRAVA_BRONZE_URL": f"s3://{self._name}/data",
            "AWS_ENDPOINT_URL": self._url,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_DEFAULT_REGION": "eu-central-1",
        }

    def take(self, data: Path) -> None:
        """Put the shards in the folder `data` into the bucket."""
        for path in sorted(data.rglob("*.parquet")):
            self._put(f"/data/{path.relative_to(data)}", path.read_bytes())

    def _put(self, key: str, content: bytes = b"") -> None:
        # otherwise urllib calls it a form, which the server would parse
        kind = {"Content-Type": "application/octet-stream"}
        request = urllib.request.Request(f"{self._url}/{self._name}{key}", content, kind, method="PUT")  # noqa: S310
        with urllib.request.urlopen(request, timeout=60):  # noqa: S310 - our own server
            pass


@contextmanager
def object_store(folder: Path) -> Iterator[str]:
    """Serve S3; yields the address. `folder` takes the file that says where.

    Raises:
        CommandFailed: the server ended, or was not ready in time.
    """
    ready_file = folder / "object_store"
    with serving("bench.buckets", [str(ready_file)], clean_environment(folder), ready_file, READY_WITHIN_S) as address:
        yield address


def main(ready_file: Path) -> None:
    """Serve until this process is ended."""
    # only the server needs it
    from moto.server import ThreadedMotoServer  # noqa: PLC0415

    # it would print a line for each request
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    beside = ready_file.with_suffix(".part")
    beside.write_text(f"http://{host}:{port}")
    beside.rename(ready_file)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
