"""The documents say what the code does, and what they show runs."""

import ast
import html.parser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from home import REPO
from test_make import Playground

from pipelines.documentation import lineage
from pipelines.strava import COMMANDS, make_parser

README = REPO / "README.md"
DOCS = REPO / "docs"
GUIDES = [README, *sorted(DOCS.rglob("*.md"))]
# commands of the documents that are not run here: the beginning of the line, and the reason why not
NOT_RUN = {
    "docker ": "needs an engine: tests/containers",
    "systemctl ": "needs systemd and a user's session",
    "loginctl ": "needs systemd and a user's session",
    "journalctl ": "needs systemd and a user's session",
    "git pull": "needs a remote repository",
    "git fetch origin strava-state": "needs a forge: tests/workflows",
    "for part in ": "needs a forge: tests/workflows",
    "$EDITOR .env": "somebody types",
    "cp .env.example .env": "tests/pipelines/test_settings.py reads such a file",
    "export STRAVA_SPARK_": "a variable of Spark's: tests/test_documents_commands.py",
    "echo ": "writes a line into .env",
    "export STRAVA_STATE_PASSPHRASE=": "makes a secret",
    "python -m simulator": "tests/simulator/test_simulator_command.py starts it",
    "uvx ": "installs from the network",
    ".venv/bin/python notebooks/explore.py": "tests/test_notebook.py runs it",
}


def test_readme_is_short_enough_to_be_read():
    assert len(README.read_bytes()) <= 7_000


def test_the_generated_parts_of_the_documents_say_what_the_code_says():
    check = [sys.executable, "-m", "pipelines.documentation", "--check"]
    ran = subprocess.run(check, cwd=REPO, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("document", ["dbt_project/README.md", "docs/guides/dashboards.md"])
def test_a_document_that_names_a_locked_version_names_the_present_one(document):
    locked = dict(re.findall(r"^([\w-]+)==(\S+)", (REPO / "requirements.txt").read_text(), re.MULTILINE))
    text = (REPO / document).read_text(encoding="utf-8")
    named = re.findall(r"\b(dbt-core|dbt-duckdb|duckdb) (\d[\d.]*\d)", text)
    assert named
    assert [(name, locked[name]) for name, _ in named] == named


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


def test_every_promise_names_a_test_that_is_there():
    chapter = (DOCS / "concepts" / "promises.md").read_text(encoding="utf-8")
    promises = re.findall(r"^\| .+ \| `(tests/[\w/]+\.py)::(\w+)` \|$", chapter, re.MULTILINE)
    assert len(promises) == len([line for line in chapter.splitlines() if line.startswith("| ")]) - 2
    assert len(promises) >= 40
    for path, name in promises:
        assert re.search(rf"^(def {name}\(|{name} = )", (REPO / path).read_text(), re.MULTILINE), name


def shown_commands() -> list[str]:
    """Each command line of the documents once, without its comment."""
    lines = []
    for path in GUIDES:
        for block in re.findall(r"^ *```sh\n(.*?)^ *```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            lines += [re.sub(r"\s+#\s.*$", "", line).strip() for line in block.splitlines()]
    return list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))


@pytest.mark.parametrize("line", shown_commands())
def test_every_command_that_the_documents_show_is_understood(line, tmp_path):
    if any(line.startswith(beginning) for beginning in NOT_RUN):
        return
    if re.fullmatch(r"STRAVA_\w+=('[^']*'|\S*)", line):
        assert f"`{line.partition('=')[0]}`" in (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
        return
    words = shlex.split(line)
    if words[:2] == ["python", "pipelines/strava.py"]:
        make_parser().parse_args(words[2:])
        return
    # make with stand-ins for what it calls, by a real shell
    playground = Playground(tmp_path)
    (tmp_path / "queries.sql").touch()
    line = line.split(" | ")[0]
    assert re.match(r"([A-Z_]+=\S+ )*make [a-z-]+", line), f"{line}: run it here, or say in NOT_RUN why not"
    subprocess.run(["bash", "-c", line], cwd=playground.folder, env=clean(), check=True, capture_output=True)
    given = (tmp_path / "argv").read_bytes().decode().split("\0")[:-1]
    if given[0] == "-m" or given[0] in ("image", "demo", "shell"):
        return
    make_parser().parse_args(given[1:] if given[0].endswith("strava.py") else given)


def clean() -> dict[str, str]:
    """The environment without what an outer make says."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "STRAVA_"))}


class References(html.parser.HTMLParser):
    """What a page points to, and what it can be pointed at by."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.goals: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.goals.append(value)
            elif name == "id" and value:
                self.ids.add(value)


def test_the_site_builds_and_none_of_its_links_and_pictures_is_dead(tmp_path):
    shutil.copy(REPO / "zensical.toml", tmp_path)
    shutil.copytree(DOCS, tmp_path / "docs")
    build = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", "zensical.toml"]
    ran = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    site = tmp_path / "build" / "docs"
    pages = {path: References(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    assert len(pages) >= len(GUIDES) - 1
    dead = []
    for path, page in pages.items():
        for goal in page.goals:
            parts = urlsplit(goal)
            # the page for what is not found knows no folder that it is in
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            anchor_is_there = not parts.fragment or target not in pages or parts.fragment in pages[target].ids
            if not target.is_file() or not anchor_is_there:
                dead.append(f"{path.relative_to(site)}: {goal}")
    assert dead == []


def markdown_files() -> list[Path]:
    """Every document of the repository."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=REPO, capture_output=True, text=True, check=True).stdout
    return [REPO / name for name in listed.splitlines() if (REPO / name).is_file()]


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_no_link_of_a_document_is_dead_in_the_repository():
    dead = []
    for path in markdown_files():
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for goal in re.findall(r"\]\(([^)\s]+)\)", prose):
            parts = urlsplit(goal)
            if parts.scheme:
                continue
            target = path.parent / unquote(parts.path) if parts.path else path
            if not target.exists() or (parts.fragment and parts.fragment not in anchors(target)):
                dead.append(f"{path.relative_to(REPO)}: {goal}")
    assert dead == []


def named_in_messages() -> list[tuple[str, str]]:
    """Where code names a document: the file, and the path that it names."""
    found = []
    for folder in ("pipelines", "simulator", "bench", "notebooks", ".github", "dbt_project", ".ci"):
        for path in (REPO / folder).rglob("*"):
            if path.is_file() and path.suffix in (".py", ".sh", ".yml", ".sql", ".toml", ""):
                text = path.read_text(encoding="utf-8", errors="replace")
                found += [(str(path.relative_to(REPO)), name) for name in re.findall(r"\bdocs/[\w/-]+\.md\b", text)]
    return found


def test_every_document_that_the_code_names_is_there():
    named = named_in_messages()
    assert named
    assert [(path, name) for path, name in named if not (REPO / name).is_file()] == []


def said() -> list[str]:
    """What the program may say: the texts in its code, each as far as it is fixed, and those of shell scripts."""
    texts = [(REPO / name).read_text(encoding="utf-8") for name in ("runner.sh", "Makefile")]
    for path in (REPO / "pipelines").rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        texts += [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return texts


def test_every_message_of_the_troubleshooting_is_one_that_the_program_says():
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    messages = [
        row for line in re.findall(r"^\| (`.+?) \| ", page, re.MULTILINE) for row in re.findall(r"`([^`]+)`", line)
    ]
    assert len(messages) >= 35
    texts = said()
    unknown = []
    for message in messages:
        fixed = re.split(r"…|[A-Z]+_[A-Z_]+|\(process N\)|\(\d+\)", message)
        words = [part.strip() for part in fixed if len(part.strip()) > 3]
        unknown += [message for part in words if not any(part in text for text in texts)]
    assert unknown == []


@pytest.mark.slow
def test_the_lineage_is_that_of_dbt(launcher, tmp_path):
    # with all inputs switched on
    texts = [path.read_text() for path in (REPO / "dbt_project" / "models").rglob("_*.yml")]
    inputs = {name: True for text in texts for name in re.findall(r"strava__using_\w+", text)}
    dbt = ["--no-use-colors", "--quiet", "parse", "--vars", json.dumps(inputs)]
    dbt += ["--target-path", str(tmp_path), "--log-path", str(tmp_path)]
    ran = launcher.dbt(dbt, cwd=REPO / "dbt_project", env=clean())
    assert ran.returncode == 0, ran.stdout
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    of_dbt = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model":
            parents = [name.split(".") for name in node["depends_on"]["nodes"]]
            of_dbt[node["name"]] = {f"staging.{name[-1]}" if name[0] == "source" else name[-1] for name in parents}
    assert lineage() == of_dbt


def keys_of(value: object) -> set[str]:
    """All keys of a JSON value, at any depth."""
    if isinstance(value, dict):
        return set(value) | set().union(*map(keys_of, value.values()))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


@pytest.mark.slow
def test_the_reference_of_status_names_every_key_that_status_has(settled, run):
    assert run("flow").code == 0
    page = (DOCS / "reference" / "status.md").read_text(encoding="utf-8")
    named = {word for text in re.findall(r"`([^`]+)`", page) for word in re.split(r"[.\s]", text)}
    status = json.loads(run("status", "--json").out)
    of_runs = status["last_run"].keys() - {"command", "pid", "host", "started_at", "ended_at"}
    assert {"outcome", "exit_code", "message"} <= of_runs
    # of what a run has done, the page names examples
    status["last_run"] = {key: None for key in status["last_run"] if key in ("outcome", "exit_code", "message", "pid")}
    assert keys_of(status) - named == set()
