"""The notebook is one, and its analyses run on anybody's warehouse."""

import re
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from deep import deep_but

from simulator import Simulator

NOTEBOOK = Path(__file__).resolve().parent.parent / "notebooks" / "explore.py"


@pytest.fixture(scope="module")
def cells():
    notebook = jupytext.read(NOTEBOOK)
    nbformat.validate(notebook)
    return notebook.cells


def test_jupyter_opens_it_with_a_heading_for_each_analysis(cells):
    headings = [cell.source.splitlines()[0] for cell in cells if cell.cell_type == "markdown"]
    assert [heading[:4] for heading in headings] == ["# Ex", *(f"## {number}"[:4] for number in range(1, 6))]
    assert [cell.cell_type for cell in cells] == ["markdown", "code"] * 6


def test_without_a_warehouse_it_ends_with_a_sentence(tmp_path):
    from processes import inherited

    environment = inherited() | {"STRAVA_HOME": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, str(NOTEBOOK)], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert ran.returncode == 1
    assert ran.stderr.splitlines() == [ran.stderr.strip()]
    assert "STRAVA_HOME=demo" in ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("activities", deep_but(1, 150, 0))
def test_every_analysis_runs_and_shows_rows(cells, tmp_path, monkeypatch, capsys, activities):
    from home import Athlete

    with Simulator(seed=11, activities=activities) as strava:
        athlete = Athlete(tmp_path, strava)
        athlete.authorise()
        numbers = {"STRAVA_REST_HR": "50", "STRAVA_MAX_HR": "190", "STRAVA_SEX": "m"}
        ran = athlete.spawn("flow", ENRICH_LIMIT="50", **numbers)
        assert ran.code == 0, ran.err
    monkeypatch.setenv("STRAVA_HOME", str(tmp_path))
    # as Jupyter runs it: cell by cell, in the notebook's folder
    monkeypatch.chdir(NOTEBOOK.parent)
    names = {}
    for cell in cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, str(NOTEBOOK), "exec"), names)  # noqa: S102 - our own notebook
            shown = capsys.readouterr().out
            assert "│" in shown
            rows = [line for line in shown.splitlines() if re.match(r"│ +\S", line)][2:]
            assert bool(activities) == bool([row for row in rows if re.search(r"\d", row)]), shown
    names["warehouse"].close()
