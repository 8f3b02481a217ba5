"""The cookbook's questions and their answers: on the demo's athlete as of one day, so that they stay the same.

`python tests/cookbook.py` (`make cookbook`) writes the answers into the documents; tests/test_cookbook.py compares.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from home import REPO, Athlete, Ran
from landed import NO_LIMITS

from simulator import Simulator, write_export
from simulator.demo import ACTIVITIES, ATHLETE

# what shows queries with their answers
DOCUMENTS = (REPO / "README.md", REPO / "docs" / "cookbook.md")
DAY = datetime(2026, 11, 1, 12, tzinfo=UTC)
# a query, and its answer as the table of Markdown that follows
QUERY = re.compile(r"```sql\n(?P<query>[^`]+)```\n\n(?P<answer>(?:\|.*\n)*)")


@contextmanager
def demo_athlete(home: Path) -> Iterator[Athlete]:
    """The demo's athlete by the API, with all details, and by an export, in `home`."""
    with Simulator(seed=7, activities=ACTIVITIES, clock=DAY, limits=NO_LIMITS) as strava:
        athlete = Athlete(home, strava)
        athlete.settings |= ATHLETE | {"STRAVA_PUBLISH": "warehouse/strava.published.duckdb"}
        athlete.authorise()
        # the import builds
        _done(athlete.spawn("flow", ENRICH_LIMIT="all", SOAK_STEPS="pull,enrich"))
        write_export(strava, home / "export.zip")
        _done(athlete.spawn("import", str(home / "export.zip")))
        yield athlete


def _done(ran: Ran) -> str:
    assert ran.code == 0, ran.err
    return ran.out


def answered(text: str, athlete: Athlete) -> str:
    """A document with the answer after each of its queries."""

    def with_answer(match: re.Match[str]) -> str:
        answer = _done(athlete.spawn("sql", "--format", "markdown", match["query"]))
        return f"```sql\n{match['query']}```\n\n{answer.strip()}\n" + ("" if match["answer"] else "\n")

    return QUERY.sub(with_answer, text)


def main() -> None:
    """Write the answers into the documents."""
    with TemporaryDirectory() as home, demo_athlete(Path(home)) as athlete:
        for path in DOCUMENTS:
            path.write_text(answered(path.read_text(encoding="utf-8"), athlete), encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(REPO))
    main()
