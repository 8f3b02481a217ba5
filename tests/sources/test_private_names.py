"""What dlt calls its own with an underscore may change with any release: nothing here uses it."""

import ast
from pathlib import Path

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
# Python's own
KNOWN = {"_exit", "_asdict", "_replace"}


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def test_every_private_name_that_is_used_is_one_of_ours():
    ours, used = set(), {}
    for path in PIPELINES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                ours.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                ours.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                ours.add(node.attr)
            elif isinstance(node, ast.Attribute) and is_private(node.attr):
                used.setdefault(node.attr, f"{path}:{node.lineno}")
            elif isinstance(node, ast.ImportFrom | ast.Import):
                names = [name for alias in node.names for name in alias.name.split(".")]
                names += (getattr(node, "module", None) or "").split(".")
                used |= {name: f"{path}:{node.lineno}" for name in names if is_private(name)}
    assert {name: place for name, place in used.items() if name not in ours | KNOWN} == {}
