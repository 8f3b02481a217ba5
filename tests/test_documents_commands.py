"""Command lines within the sentences of the documents are understood, and each kind of block has a test or a reason."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from home import REPO

from pipelines.ground.settings import SETTINGS
from pipelines.strava import make_parser
from simulator import Simulator, write_export

GUIDES = [REPO / "README.md", REPO / "CONTRIBUTING.md", REPO / "CHANGELOG.md", *sorted((REPO / "docs").rglob("*.md"))]
PARTS = [
    path for name in ("bench", "dbt_project", "pipelines", "simulator") for path in (REPO / name).rglob("README.md")
]
SOURCES = REPO / "pipelines" / "sources"
# not settings of this program: a pattern, a secret of GitHub's, and whose files compose writes
OTHER_NAMES = {"STRAVA_", "STRAVA_REFRESH_TOKEN", "STRAVA_UID", "STRAVA_GID"}
# the language of a block -> what runs it, or why nothing does
BLOCKS = {
    "sh": "tests/test_documents.py; those of CONTRIBUTING.md below",
    "sql": "tests/test_cookbook.py",
    'sql title="changes from day to day"': "tests/test_cookbook.py",
    "python": "tests/test_cookbook.py",
    "mermaid": "a picture",
    "ini": "needs systemd and a user's session",
    "yaml": "a file of Evidence",
    "": "a line of a crontab, which calls `make flow`, SQL on what Spark wrote, or settings of Spark",
}
# a README of a part -> what runs its blocks, or why nothing does
RUN_BY = {
    "bench/README.md": "takes ten minutes and quiet cores",
    "dbt_project/README.md": "tests/dbt/test_dbt_package.py",
    "pipelines/page/site/vendor/README.md": "needs npm; tests/page/test_page_files.py checks its result",
    "pipelines/sources/strava_api/README.md": "tests/test_documents_commands.py",
    "pipelines/sources/strava_export/README.md": "tests/test_documents_commands.py",
    "simulator/README.md": "tests/simulator/test_simulator_command.py",
}


def spans(beginning: str) -> list[str]:
    """Each code span of the documents that begins with `beginning`, once."""
    found = []
    for path in (*GUIDES, *PARTS):
        prose = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        found += [span for span in re.findall(r"`([^`\n]+)`", prose) if span.startswith(beginning)]
    return sorted(set(found))


def targets() -> set[str]:
    """The targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (REPO / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def names_of_spark() -> set[str]:
    """The variables that dbt's profile and macros read for Spark, and what they begin with."""
    texts = [REPO / "profiles.yml", *(REPO / "dbt_project" / "macros").glob("*.sql")]
    return {"STRAVA_SPARK_"}.union(*(re.findall(r"'(STRAVA_SPARK_[A-Z_]+)'", path.read_text()) for path in texts))


@pytest.mark.parametrize("span", spans("make "))
def test_every_make_target_within_a_sentence_exists(span: str) -> None:
    for command in span.split(" && "):
        words = [word for word in command.split()[1:] if re.fullmatch(r"[a-z-]+", word)]
        assert words, span
        assert set(words) <= targets(), span


@pytest.mark.parametrize("span", spans("python pipelines/strava.py"))
def test_every_command_within_a_sentence_is_understood(span: str) -> None:
    words = shlex.split(span.replace("COMMAND", "pull"))[2:]
    if words:
        make_parser().parse_args(words)


@pytest.mark.parametrize("span", spans("STRAVA_"))
def test_every_setting_within_a_sentence_exists(span: str) -> None:
    names = {name for setting in SETTINGS.values() for name in setting.names} | OTHER_NAMES | names_of_spark()
    assert re.findall(r"^STRAVA_[A-Z_]*", span)[0] in names


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.name)
def test_every_block_of_a_document_has_a_test_or_a_reason(path: Path) -> None:
    blocks = re.findall(r"^ *```([^\n]*)\n.*?^ *```$", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert set(blocks) <= BLOCKS.keys()


def test_every_command_of_contributing_names_what_there_is() -> None:
    text = (REPO / "CONTRIBUTING.md").read_text(encoding="utf-8")
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).splitlines()
    assert len(lines) >= 5
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[0] == "make":
            assert set(words[1:]) <= targets(), line
        elif words[0] == ".venv/bin/pytest":
            assert (REPO / words[1]).is_file(), line
        else:
            assert words[:3] == ["python", "-m", "simulator"] or words[0] == "export", line


def run_python_of(readme: Path, folder: Path, blocks: slice, **environment: str) -> str:
    """Run blocks of Python of a README, one after the other in one process, in `folder`; what they print."""
    shown = re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)[blocks]
    assert shown
    given = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DLT_DATA_DIR": str(folder / "dlt"),
        "PYTHONPATH": str(SOURCES),
    }
    ran = subprocess.run(
        [sys.executable, "-c", "\n".join(shown)],
        cwd=folder,
        env=given | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.slow
def test_the_python_in_the_readme_of_the_export_source_runs(tmp_path: Path) -> None:
    with Simulator(seed=3, activities=4) as strava:
        write_export(strava, tmp_path / "export_123.zip")
        athlete_id = strava.athlete_id
    readme = SOURCES / "strava_export" / "README.md"
    mine = tmp_path / "README.md"
    mine.write_text(readme.read_text(encoding="utf-8").replace("athlete_id=123", f"athlete_id={athlete_id}"))
    run_python_of(mine, tmp_path, slice(None))


@pytest.mark.slow
def test_the_python_in_the_readme_of_the_api_source_runs(tmp_path: Path) -> None:
    with Simulator(seed=3, activities=4) as strava:
        settings = {
            "API_URL": strava.api_url,
            "OAUTH_URL": strava.oauth_url,
            "CLIENT_ID": strava.client_id,
            "CLIENT_SECRET": strava.client_secret,
            "REFRESH_TOKEN": strava.issue_refresh_token(),
            "MIN_INTERVAL_S": "0",
        }
        environment = {f"SOURCES__STRAVA_API__{name}": str(value) for name, value in settings.items()}
        run_python_of(SOURCES / "strava_api" / "README.md", tmp_path, slice(None), **environment)
        assert {request.path for request in strava.requests} >= {"/api/v3/athlete", "/api/v3/athlete/activities"}


def test_every_readme_of_a_part_has_a_test_or_a_reason() -> None:
    listed = subprocess.run(["git", "ls-files", "*README.md"], cwd=REPO, capture_output=True, text=True, check=True)
    assert set(listed.stdout.split()) - {"README.md"} == RUN_BY.keys()
    for readme, run_by in RUN_BY.items():
        if run_by.startswith("tests/"):
            test = (REPO / run_by).read_text(encoding="utf-8")
            assert "README" in test, f"{run_by} does not read {readme}"
