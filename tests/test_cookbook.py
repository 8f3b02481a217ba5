"""Every query that the documents show runs as it stands, and its answer is the one that is shown."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from cookbook import DOCUMENTS, QUERY, answered, demo_athlete
from home import REPO, Athlete

pytestmark = pytest.mark.slow
GUIDES = [REPO / "README.md", *sorted((REPO / "docs").rglob("*.md"))]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Athlete]:
    """The demo's athlete, as of the day of the cookbook."""
    with demo_athlete(tmp_path_factory.mktemp("demo")) as athlete:
        yield athlete


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_question_has_the_answer_that_is_shown(document: Path, demo: Athlete) -> None:
    text = document.read_text(encoding="utf-8")
    assert len(QUERY.findall(text)) >= (3 if document.name == "README.md" else 25)
    assert text == answered(text, demo), "make cookbook writes the answers anew"


def test_every_query_that_the_documents_show_runs_as_it_stands(demo: Athlete) -> None:
    blocks = [
        block
        for path in GUIDES
        for block in re.findall(r"```sql[^\n]*\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    ]
    queries = [query for block in blocks for query in block.split(";\n") if query.strip()]
    assert len(queries) >= 30
    with duckdb.connect(str(demo.warehouse), read_only=True) as warehouse:
        for query in queries:
            assert warehouse.execute(query).fetchall() != [], query


def test_the_python_that_the_documents_show_runs_on_the_published_copy(demo: Athlete) -> None:
    blocks = [
        block
        for path in GUIDES
        for block in re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    ]
    assert blocks
    for block in blocks:
        ran = subprocess.run([sys.executable, "-c", block], cwd=demo.home, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        assert "year_start_date" in ran.stdout
