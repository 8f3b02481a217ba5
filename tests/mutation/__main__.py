"""`make mutate`: break the modules that decide, one small change at a time, and see whether a test notices.

Exit codes: 0 whatever was found, 2 when a test could not be run at all.
"""

import argparse
import sys
from collections.abc import Sequence

from mutation import covering
from mutation.rounds import Round


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutate", description="See CONTRIBUTING.md, Mutations.")
    parser.add_argument("--number", type=int, default=300, help="mutations (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default: %(default)s)")
    parser.add_argument("--only", default="", metavar="NAMES", help="of modules, parted by commas (default: all)")
    parser.add_argument("--jobs", type=int, default=2, help="at a time (default: %(default)s)")
    parser.add_argument("--map", action="store_true", help="make the whole map of lines and tests anew")
    parser.add_argument(
        "--patience", type=float, default=600, help="seconds of tests against one (default: %(default)s)"
    )
    parser.add_argument("--again", action="store_true", help="try again those that survived, with the tests of today")
    parser.add_argument("--table", action="store_true", help="only show what is known")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a round, or continue with one, and show what it found."""
    arguments = _arguments(argv)
    if not arguments.table:
        covering.make(arguments.jobs, arguments.map)
    this = Round(arguments.number, arguments.seed, arguments.only)
    if not arguments.table:
        this.run(arguments.jobs, arguments.patience, arguments.again)
    print(this.table())
    print(f"\nThose that survived: {this.list_survivors()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
