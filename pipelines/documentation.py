"""The generated parts of the documentation, and `.env.example`: `python -m pipelines.documentation [--check]`."""

import argparse
import ast
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml  # type: ignore[import-untyped]

from pipelines.ground.errors import exit_codes
from pipelines.ground.settings import REPO, SETTINGS, StravaSettings
from pipelines.sources.strava_api import ENDPOINTS
from pipelines.sources.strava_api.endpoint import ACTIVITIES
from pipelines.strava import COMMANDS

DOCS = REPO / "docs"
REFERENCE = DOCS / "reference"
PACKAGE = REPO / "pipelines"
SOURCE_README = PACKAGE / "sources" / "strava_api" / "README.md"
ENV_EXAMPLE = REPO / ".env.example"
DBT_PROJECT = REPO / "dbt_project"
Node = TypeVar("Node")
# the folders of the marts, in the order of the page
MART_FOLDERS = {
    "core": "Activities",
    "statistics": "Statistics",
    "efforts": "Efforts, load and gear",
    "athlete": "The athlete, and what is fetched on demand",
}
# defaults that have to be described
SHOWN_DEFAULTS = {"home": "this repository"}


def main(arguments: list[str]) -> int:
    """Write what is out of date, or with --check only report it; returns the exit code."""
    wanted = {path: _with_tables(path) for path in TABLES} | {ENV_EXAMPLE: _env_example()}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(REPO)} is out of date: run `make docs`.\n")
        return 1 if stale else 0
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")
    return 0


def _with_tables(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    for name, table in TABLES[path].items():
        begin, end = f"<!-- {name}: from the code, by `make docs` -->", f"<!-- /{name} -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"{path.name} lacks the place for its {name}: {begin} … {end}")
        before, after = pattern.split(text, maxsplit=1)
        text = f"{before}{begin}\n{table()}\n{end}{after}"
    return text


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _settings_table() -> str:
    rows = []
    for field, setting in SETTINGS.items():
        default = SHOWN_DEFAULTS.get(field) or getattr(StravaSettings, field)
        shown = default if field in SHOWN_DEFAULTS else "none" if default is None else f"`{_as_typed(default)}`"
        newest, *older = (f"`{name}`" for name in setting.names)
        called = newest + (f" (older: {', '.join(older)})" if older else "")
        rows.append((called, f"`{field}`", shown, setting.help))
    return _table(("environment or `.env`", "dlt's name", "default", "what it is for"), rows)


def _commands_table() -> str:
    targets = dict(re.findall(r"^([a-z-]+):.*?## (.*)$", (REPO / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    called_by = {"pull": "run", "build": "compact"}
    rows = []
    for command in COMMANDS:
        target = called_by.get(command.name, command.name)
        if target not in targets:
            raise SystemExit(f"The Makefile has no target for the command {command.name}.")
        rows.append((f"`make {target}`", f"`{command.example}`", command.help))
    known = {called_by.get(command.name, command.name) for command in COMMANDS}
    rows += [(f"`make {target}`", "", text) for target, text in targets.items() if target not in known]
    return _table(("make", "without make, for example", "what it does"), rows)


def _exit_codes_table() -> str:
    return _table(("exit code", "meaning"), [(str(code), meaning) for code, meaning in exit_codes().items()])


class _OptionRecorder(argparse.ArgumentParser):
    """Accepts the options of a command like its parser, and keeps them as (name, help)."""

    def __init__(self) -> None:
        super().__init__(add_help=False)
        self.rows: list[tuple[str, str]] = []

    def add_argument(self, *names: str, **how: Any) -> argparse.Action:
        """Add an option and keep its row."""
        values = f"{{{','.join(how['choices'])}}}" if "choices" in how else how.get("metavar", "")
        takes_none = how.get("action") == "store_true" or not names[0].startswith("-")
        positional = how.get("metavar") if not names[0].startswith("-") else None
        shown = positional or (names[-1] if takes_none else f"{names[-1]} {values or names[-1].strip('-').upper()}")
        default = how.get("default")
        text = (how.get("help") or "").replace("%(default)s", str(default)).replace("%%", "%")
        self.rows.append((f"`{shown}`", text))
        return super().add_argument(*names, **how)


def _options_tables() -> str:
    parts = []
    for command in COMMANDS:
        recorder = _OptionRecorder()
        command.add_options(recorder)
        if recorder.rows:
            parts += [f"### {command.name}", _table(("option", "what it does"), recorder.rows)]
    return "\n\n".join(parts)


def _modules_table() -> str:
    rows = []
    for folder in _folders():
        rows.append((f"**`{_shown(folder)}`**", _first_sentence(folder / "__init__.py")))
        rows += [(f"`{path.name}`", _first_sentence(path)) for path in _modules(folder)]
    return _table(("module", "job"), rows)


def _layers_diagram() -> str:
    """Which folder imports which, as a Mermaid diagram; an arrow that follows from others is left out."""
    imports = {
        folder: set().union(*(_imported_folders(path) for path in _modules(folder))) - {folder} for folder in _folders()
    }
    lines = []
    for folder, others in imports.items():
        indirect = set().union(*(_reached(other, imports) for other in others))
        lines += [f"    {_box(folder)} --> {_box(other)}" for other in sorted(others - indirect)]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```"])


def _reached(node: Node, edges: Mapping[Node, set[Node]]) -> set[Node]:
    """Everything that `node` leads to, without itself."""
    others = edges[node]
    return others.union(*(_reached(other, edges) for other in others))


def _box(folder: Path) -> str:
    return f'{_shown(folder).replace("/", "_")}["{_shown(folder)}"]'


def _folders() -> list[Path]:
    return [PACKAGE, *(path.parent for path in sorted(PACKAGE.rglob("*/__init__.py")))]


def _modules(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]


def _shown(folder: Path) -> str:
    return folder.relative_to(REPO).as_posix()


def _first_sentence(module: Path) -> str:
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ")


def _imported_folders(module: Path) -> set[Path]:
    """The folders of our own from which `module` imports, anywhere in its text."""
    nodes = list(ast.walk(ast.parse(module.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    paths = [REPO.joinpath(*name.split(".")) for name in names if name.split(".")[0] == PACKAGE.name]
    return {path.parent for path in paths if path.with_suffix(".py").is_file()}


def _resources_table() -> str:
    lists = "1 for each 200, and 1 or 2 for the lookback of a later run"
    rows = [(f"`{ACTIVITIES}`", "`id`", lists, "yes")]
    for endpoint in ENDPOINTS:
        key = (endpoint.key,) if isinstance(endpoint.key, str) else endpoint.key
        named = ", ".join(f"`{field}`" for field in key)
        rows.append((f"`{endpoint.name}`", named, endpoint.cost, "yes" if endpoint.selected else ""))
    return _table(("resource", "key", "requests", "selected"), rows)


def _env_example() -> str:
    lines = [
        "# Copy to .env and fill in the first two settings; the rest are the defaults.",
        "# The environment overrides this file, and this file overrides .dlt/secrets.toml and .dlt/config.toml.",
    ]
    for field, setting in SETTINGS.items():
        default = getattr(StravaSettings, field)
        value = "" if default is None else _as_typed(default)
        lines += ["", f"# {setting.help}", f"{'' if default is None else '# '}{setting.names[0]}={value}"]
    return "\n".join(lines) + "\n"


def _as_typed(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@cache
def _declared(folder: str, kind: str) -> list[dict[str, Any]]:
    """The declarations of a kind in the YAML files of a folder of models, by file and in their order."""
    files = sorted((DBT_PROJECT / "models" / folder).rglob("_*.yml"))
    return [each for file in files for each in yaml.safe_load(file.read_text(encoding="utf-8")).get(kind, [])]


def _inputs_table() -> str:
    (source,) = _declared("staging", "sources")
    rows = [
        (f"`{table['name']}`", "may be missing" if "enabled" in table.get("config", {}) else "", table["description"])
        for table in source["tables"]
    ]
    return _table(("input", "", "what it is"), [(*row[:2], " ".join(row[2].split())) for row in rows])


def _models_table() -> str:
    rows = []
    for model in _declared("marts", "models"):
        # the first sentence; a point after an initial does not end it
        grain = re.split(r"(?<=[^A-Z]\.) ", " ".join(model["description"].split()))[0]
        rows.append((f"`{model['name']}`", grain))
    return _table(("model", "its rows"), rows)


def _tables_and_columns() -> str:
    """Every model of the marts, by folder: its description, then its columns."""
    texts = dict(
        re.findall(
            r"{% docs (\w+) %}\n(.*?)\n{% enddocs %}",
            (DBT_PROJECT / "models" / "docs.md").read_text(encoding="utf-8"),
            re.DOTALL,
        )
    )

    def resolved(description: str) -> str:
        whole = re.sub(r"""{{ doc\(["'](\w+)["']\) }}""", lambda match: texts[match[1]], description)
        return " ".join(whole.split())

    parts = []
    for folder, title in MART_FOLDERS.items():
        parts.append(f"## {title}")
        for model in _declared(f"marts/{folder}", "models"):
            columns = [
                (f"`{column['name']}`", f"`{column.get('data_type', '')}`", resolved(column.get("description", "")))
                for column in model["columns"]
            ]
            head = ("column", "type", "what it is")
            parts += [f"### {model['name']}", resolved(model["description"]), _table(head, columns)]
    return "\n\n".join(parts)


def lineage() -> Mapping[str, set[str]]:
    """The models of dbt, each with the models and sources (`staging.…`) that its SQL names, also through a macro."""
    macros: dict[str, str] = {}
    for path in sorted((DBT_PROJECT / "macros").glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        macros.update(re.findall(r"{%-? macro (\w+)\(.*?%}(.*?){%-? endmacro -?%}", text, re.DOTALL))
    calls = {name: _called(text) & macros.keys() - {name} for name, text in macros.items()}
    found = {}
    for path in sorted((DBT_PROJECT / "models").rglob("*.sql")):
        text = path.read_text(encoding="utf-8")
        called = _called(text) & macros.keys()
        called |= set().union(*(_reached(name, calls) for name in called))
        found[path.stem] = _named(text).union(*(_named(macros[name]) for name in called))
        # only staging calls source()
        found[path.stem] |= _named_sources(text) if path.stem.startswith("stg_") else set()
    return found


def _called(sql: str) -> set[str]:
    return set(re.findall(r"\b(\w+)\(", sql))


def _named(sql: str) -> set[str]:
    """The models that a text of SQL names."""
    return set(re.findall(r"""\bref\(['"](\w+)['"]\)""", sql))


def _named_sources(sql: str) -> set[str]:
    """The sources that a staging model reads, as `staging.…`: the first argument of a macro says which."""
    (source,) = _declared("staging", "sources")
    named = re.findall(r"""\w\((?:['"]strava['"],\s*)?['"](\w+)['"]""", sql)
    return {f"staging.{table['name']}" for table in source["tables"] if table["name"] in named}


def _lineage_of_dbt() -> str:
    reads = lineage()
    shown = {
        model: {other for other in others if other in reads and not other.startswith("stg_")}
        for model, others in reads.items()
        if not model.startswith("stg_")
    }
    arrows = []
    for model, others in shown.items():
        indirect = set().union(*(_reached(other, shown) for other in others))
        arrows += [f"    {other} --> {model}" for other in sorted(others - indirect)]
    rows = []
    for model, others in reads.items():
        readers = sorted(reader for reader, of in reads.items() if model in of)
        rows.append((f"`{model}`", *(", ".join(f"`{each}`" for each in some) for some in (sorted(others), readers))))
    diagram = "\n".join(["```mermaid", "flowchart LR", *arrows, "```"])
    return f"{diagram}\n\n{_table(('model', 'reads', 'is read by'), rows)}"


TABLES: Mapping[Path, Mapping[str, Callable[[], str]]] = {
    REFERENCE / "commands.md": {
        "commands": _commands_table,
        "options": _options_tables,
        "exit codes": _exit_codes_table,
    },
    REFERENCE / "settings.md": {"settings": _settings_table},
    REFERENCE / "tables.md": {"tables": _tables_and_columns},
    REFERENCE / "lineage.md": {"lineage": _lineage_of_dbt},
    DOCS / "develop" / "index.md": {"layers": _layers_diagram, "modules": _modules_table},
    SOURCE_README: {"resources": _resources_table},
    DBT_PROJECT / "README.md": {"inputs": _inputs_table, "models": _models_table},
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
