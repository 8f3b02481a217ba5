"""The command: `python -m simulator export`."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from simulator.export import POINTS, write_export
from simulator.export_defects import DEFECTS, MIXED
from simulator.export_words import LANGUAGES, WIDTHS
from simulator.world import World

_EXAMPLE = """\
example:
  python -m simulator export --seed 3 --language de --year 2023 --activities 200 export.zip
  python -m simulator export --from http://127.0.0.1:8090 export.zip
"""


def _arguments(argv: list[str]) -> argparse.Namespace:
    defects = "\n".join(f"  {name}: {put.__doc__}" for name, put in DEFECTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m simulator export",
        description="Write the bulk export that Strava would send to a made-up athlete.",
        epilog=f"{_EXAMPLE}\ndefects:\n  {MIXED}: all defects that leave something to read\n{defects}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("out", type=Path, metavar="OUT.zip", help="the ZIP, or with --folder the folder")
    parser.add_argument("--seed", type=int, default=7, help="the seed of the athlete (default: %(default)s)")
    parser.add_argument("--activities", type=int, default=400, help="how many activities (default: %(default)s)")
    parser.add_argument(
        "--account", type=Path, metavar="FILE", help="a file with a JSON array of SummaryActivities instead"
    )
    parser.add_argument(
        "--clock", type=datetime.fromisoformat, default=datetime.now(UTC), metavar="ISO", help="when (default: now)"
    )
    parser.add_argument(
        "--from",
        dest="url",
        metavar="URL",
        help="the address of a running simulator, whose athlete is exported as of now",
    )
    parser.add_argument("--language", choices=LANGUAGES, default="en", help="of the athlete (default: %(default)s)")
    parser.add_argument(
        "--year",
        type=int,
        choices=WIDTHS,
        help="the year whose layout the export has (default: that of the simulator's clock)",
    )
    parser.add_argument("--width", type=int, help="how many columns activities.csv has, instead of its year's")
    parser.add_argument(
        "--points", type=int, default=POINTS, help="maximum number of samples in a file (default: %(default)s)"
    )
    parser.add_argument("--defect", action="append", default=[], metavar="NAME", help="a defect; see below")
    parser.add_argument("--folder", action="store_true", help="write an unpacked export")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Write an export; returns 0, or 2 if that cannot be done."""
    arguments = _arguments(argv)
    try:
        if arguments.url:
            _fetch(arguments)
        else:
            world = World(arguments.seed, arguments.activities, account=arguments.account, clock=arguments.clock)
            write_export(
                world,
                arguments.out,
                language=arguments.language,
                year=arguments.year,
                width=arguments.width,
                defects=arguments.defect,
                points=arguments.points,
                folder=arguments.folder,
            )
    except HTTPError as error:
        sys.stderr.write(f"python -m simulator export: {error.read().decode(errors='replace')}\n")
        return 2
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        sys.stderr.write(f"python -m simulator export: {reason}\n")
        return 2
    sys.stdout.write(f"{arguments.out}\n")
    return 0


def _fetch(arguments: argparse.Namespace) -> None:
    query = {name: getattr(arguments, name) for name in ("language", "year", "width", "points")}
    query = {name: value for name, value in query.items() if value is not None}
    query |= {"defects": ",".join(arguments.defect)} if arguments.defect else {}
    if not arguments.url.startswith(("http://", "https://")):
        raise ValueError(f"{arguments.url} is no address of a simulator")
    with urlopen(f"{arguments.url}/_control/export?{urlencode(query)}") as answer:  # noqa: S310 - looked at above
        arguments.out.write_bytes(answer.read())
