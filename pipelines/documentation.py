"""README's tables and `.env.example`, written from the code: `python -m pipelines.documentation [--check]`."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence

from pipelines.ground.errors import exit_codes
from pipelines.ground.settings import REPO, SETTINGS, StravaSettings
from pipelines.strava import COMMANDS

README = REPO / "README.md"
ENV_EXAMPLE = REPO / ".env.example"
# of a setting whose default would say nothing
SHOWN_DEFAULTS = {"home": "this repository"}


def main(arguments: list[str]) -> int:
    """Write what is out of date, or with --check only say so; the exit code."""
    wanted = {README: _with_tables(README.read_text(encoding="utf-8")), ENV_EXAMPLE: _env_example()}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path.name} does not say what the code says: run `make docs`.\n")
        return 1 if stale else 0
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")
    return 0


def _with_tables(text: str) -> str:
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}: from the code, by `make docs` -->", f"<!-- /{name} -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"README.md has lost the place of its table of {name}: {begin} … {end}")
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
    rows += [(f"`make {target}`", "", told) for target, told in targets.items() if target not in known]
    return _table(("make", "without make, for example", "what it does"), rows)


def _exit_codes_table() -> str:
    return _table(("exit code", "meaning"), [(str(code), meaning) for code, meaning in exit_codes().items()])


def _env_example() -> str:
    lines = [
        "# Copy to .env and fill in the first two lines; the rest are the defaults.",
        "# The environment beats this file, this file beats .dlt/secrets.toml and .dlt/config.toml.",
    ]
    for field, setting in SETTINGS.items():
        default = getattr(StravaSettings, field)
        value = "" if default is None else _as_typed(default)
        lines += ["", f"# {setting.help}", f"{'' if default is None else '# '}{setting.names[0]}={value}"]
    return "\n".join(lines) + "\n"


def _as_typed(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


TABLES: Mapping[str, Callable[[], str]] = {
    "commands": _commands_table,
    "settings": _settings_table,
    "exit codes": _exit_codes_table,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
