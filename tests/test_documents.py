"""README says what the code does, and what it shows runs."""

import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from pipelines.strava import COMMANDS

REPO = Path(__file__).resolve().parent.parent
README = (REPO / "README.md").read_text(encoding="utf-8")


def test_the_tables_of_readme_and_the_example_of_env_say_what_the_code_says():
    check = [sys.executable, "-m", "pipelines.documentation", "--check"]
    ran = subprocess.run(check, cwd=REPO, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_make_help_names_every_target():
    makefile = (REPO / "Makefile").read_text()
    phony = " ".join(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)).split()
    assert {"help", "flow", "backup", "test"} <= set(phony)
    listed = subprocess.run(["make", "help"], cwd=REPO, capture_output=True, text=True, check=True).stdout
    assert [target for target in phony if f"make {target} " not in listed] == []


def test_every_command_has_an_example_that_it_understands(run):
    for command in COMMANDS:
        assert command.example.startswith(f"python pipelines/strava.py {command.name}")
        assert command.example in run(command.name, "--help").out


def test_every_promise_of_readme_names_a_test_that_is_there():
    chapter = README.partition("## What it promises\n")[2].partition("\n## ")[0]
    promises = re.findall(r"^\| .+ \| `(tests/[\w/]+\.py)::(\w+)` \|$", chapter, re.MULTILINE)
    assert len(promises) == len([line for line in chapter.splitlines() if line.startswith("| ")]) - 2
    for path, name in promises:
        assert re.search(rf"^(def {name}\(|{name} = )", (REPO / path).read_text(), re.MULTILINE), name


@pytest.mark.slow
def test_every_query_that_readme_shows_runs_as_it_stands(athlete, run):
    assert run("flow").code == 0
    blocks = re.findall(r"```sql\n(.*?)```", README, re.DOTALL)
    queries = [query for block in blocks for query in block.split(";\n") if query.strip()]
    assert len(queries) >= 5
    with duckdb.connect(str(athlete.warehouse), read_only=True) as warehouse:
        for query in queries:
            assert warehouse.execute(query).fetchall() != [], query
