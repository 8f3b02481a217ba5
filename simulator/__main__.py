"""The command: `python -m simulator`."""

import argparse
import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

from simulator import export_command
from simulator.server import Simulator

_EXAMPLE = """\
example:
  python -m simulator --port 8090 --activities 1000 --auto-authorize
  curl -s http://127.0.0.1:8090/_control/state

`python -m simulator export --help`: write the athlete's bulk export instead.
"""


def _limits(text: str) -> dict[str, int]:
    quarter, day = (int(number) for number in text.split(","))
    return {"read_15min": quarter, "read_day": day, "overall_15min": 2 * quarter, "overall_day": 2 * day}


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="Serve a simulated Strava: OAuth, a generated athlete's activities, rate limits, faults on demand.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8090, help="the port, 0 for a free one (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="the seed of the athlete (default: %(default)s)")
    parser.add_argument("--activities", type=int, default=400, help="how many activities (default: %(default)s)")
    parser.add_argument(
        "--account", type=Path, metavar="FILE", help="a file with a JSON array of SummaryActivities instead"
    )
    parser.add_argument(
        "--after",
        choices=("exclusive", "inclusive"),
        default="exclusive",
        help="whether `after` includes the second itself",
    )
    parser.add_argument(
        "--clock",
        type=datetime.fromisoformat,
        default=datetime.now(UTC),
        metavar="ISO",
        help="where its clock starts (default: now)",
    )
    parser.add_argument("--latency-ms", type=float, default=0, help="wait before every answer (default: %(default)s)")
    parser.add_argument(
        "--limits", type=_limits, metavar="100,1000", help="reads per 15 minutes and day; overall is twice that"
    )
    parser.add_argument("--auto-authorize", action="store_true", help="approve every authorisation at once")
    parser.add_argument(
        "--ready-file",
        type=Path,
        metavar="PATH",
        help="write address, client id and secret to this file once it serves",
    )
    return parser.parse_args(argv)


def _write_ready_file(path: Path, strava: Simulator) -> None:
    ready = {
        "url": strava.url,
        "api_url": strava.api_url,
        "oauth_url": strava.oauth_url,
        "client_id": strava.client_id,
        "client_secret": strava.client_secret,
        "athlete_id": strava.athlete_id,
    }
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(ready, indent=2) + "\n", encoding="utf-8")
    beside.replace(path)


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; returns 0 then, 2 if the account or the address cannot be used.

    `export` as the first argument writes a bulk export instead.
    """
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["export"]:
        return export_command.main(argv[1:])
    arguments = _arguments(argv)
    # no event: setting one from a signal handler waits for ever for who is just about to wait
    stop: SimpleQueue[int] = SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda came, _: stop.put(came))
    try:
        simulator = Simulator(
            arguments.seed,
            arguments.activities,
            account=arguments.account,
            clock=arguments.clock,
            after_inclusive=arguments.after == "inclusive",
            limits=arguments.limits,
            host=arguments.host,
            port=arguments.port,
            latency_s=arguments.latency_ms / 1000,
            auto_authorize=arguments.auto_authorize,
        )
        with simulator as strava:
            sys.stdout.write(
                f"A simulated Strava with {strava.count} activities of athlete {strava.athlete_id} at {strava.url}\n"
                f"export STRAVA_API_URL={strava.api_url}\n"
                f"export STRAVA_OAUTH_URL={strava.oauth_url}\n"
                f"export STRAVA_CLIENT_ID={strava.client_id}\n"
                f"export STRAVA_CLIENT_SECRET={strava.client_secret}\n"
                "Ctrl-C ends it.\n"
            )
            sys.stdout.flush()
            if arguments.ready_file:
                _write_ready_file(arguments.ready_file, strava)
            stop.get()
    except (OSError, ValueError) as error:
        sys.stderr.write(f"python -m simulator: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
