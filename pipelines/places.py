"""The paths that a container needs, from the settings in force, for runner.sh: `python -m pipelines.places REPO`.

It runs in the image, with the caller's `.env`, `.dlt/`, environment and HOME, and prints assignments for a shell.
"""

import os
import shlex
import sys
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.ground.errors import StravaError
from pipelines.ground.settings import StravaSettings, read_settings

# settings whose address may be a service on the caller's own machine
CALLED_BY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")


def places(settings: StravaSettings, repo: str) -> dict[str, str]:
    """The paths in the settings, relative to `home` unless absolute; empty if not set.

    `home` is absolute; a relative one starts at `repo`, the caller's clone. `network` is `host` if an address that is
    called is one of the caller's own loopback addresses.
    """

    def path(field: str) -> str:
        return str(settings.path(field)) if getattr(settings, field) else ""

    variables = [os.environ.get(name, "") for known in CALLED_BY_VARIABLES for name in (known, known.lower())]
    called = [settings.api_url, settings.oauth_url, *variables]
    return {
        "home": str(Path(repo) / settings.path("home")),
        "token": path("token_file"),
        "warehouse": path("warehouse"),
        "bronze": path("bronze_url") if settings.bronze_store is None else "",
        "publish": path("publish"),
        "watch": path("watch"),
        "network": "host" if any(map(_is_on_this_machine, called)) else "",
    }


def _is_on_this_machine(address: str) -> bool:
    try:
        # a proxy may be named without a scheme
        host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
        return host == "localhost" or host.endswith(".localhost") or ip_address(host).is_loopback
    except ValueError:
        return False


def main(repo: str) -> int:
    """Print the places, or one sentence with the error; returns the exit code."""
    try:
        found = places(read_settings(), repo)
    except StravaError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.write("".join(f"{name}={shlex.quote(value)}\n" for name, value in found.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
