"""Mutants: one small change each, of one module; a sample of them, spread over the modules by their size."""

import ast
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import Visitor
from cosmic_ray.mutating import mutate_code

from mutation.operators import OPERATORS, parse

LEAST_PER_MODULE = 3


class Gone(Exception):
    """What a mutant changes is no longer there."""


@dataclass(frozen=True)
class Mutant:
    """`before`, lines of `function` in `module`, becomes `after`; both without the indentation of their first line.

    So it is still known when other lines of the file have changed.
    """

    module: str
    function: str
    before: str
    after: str
    operator: str

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it this one."""
        return self.module, self.function, self.before, self.after

    def place(self, source: str) -> tuple[int, int]:
        """The first and the last line, from 1, of what it changes in `source`.

        Raises:
            Gone: it is not there.
        """
        lines = source.splitlines()
        wanted = self.before.splitlines()
        functions = _functions(source)
        for start in range(len(lines) - len(wanted) + 1):
            if functions[start] == self.function and _dedented(lines[start : start + len(wanted)]) == self.before:
                return start + 1, start + len(wanted)
        raise Gone(self.before)

    def applied(self, source: str) -> str:
        """`source` with its change.

        Raises:
            Gone: it cannot be made any more.
        """
        first, last = self.place(source)
        lines = source.splitlines()
        indentation = lines[first - 1][: len(lines[first - 1]) - len(lines[first - 1].lstrip())]
        after = [indentation + line if line else line for line in self.after.splitlines()]
        return "\n".join([*lines[: first - 1], *after, *lines[last:], ""])


def sample(root: Path, paths: list[str], number: int, seed: int) -> list[Mutant]:
    """`number` mutants, the same ones for the same seed, drawn line by line."""
    places = {path: _places((root / path).read_text()) for path in paths}
    quotas = _quotas({path: len(lines) for path, lines in places.items()}, number)
    found = []
    for path in paths:
        draw = random.Random(f"{seed} {path}")  # noqa: S311 - a sample, no secret
        drawn = _drawn((root / path).read_text(), path, places[path], draw)
        found += [mutant for mutant, _ in zip(drawn, range(quotas[path]), strict=False)]
    return found


def _quotas(sizes: dict[str, int], number: int) -> dict[str, int]:
    least = min(LEAST_PER_MODULE, number // len(sizes))
    rest = number - least * len(sizes)
    shares = {path: rest * size / sum(sizes.values()) for path, size in sizes.items()}
    quotas = {path: least + int(share) for path, share in shares.items()}
    by_fraction = sorted(shares, key=lambda path: int(shares[path]) - shares[path])
    for path in by_fraction[: number - sum(quotas.values())]:
        quotas[path] += 1
    return quotas


def _places(source: str) -> dict[int, list[tuple[str, int]]]:
    """(operator, occurrence) of all that can be done, by line."""
    tree = parse(source)
    silent = _silent(source)
    places = defaultdict(list)
    for name, operator in OPERATORS.items():
        positions = _Positions(operator)
        positions.walk(tree)
        for occurrence, (start, _) in enumerate(positions.found):
            if not any(first <= start < last for first, last in silent):
                places[start[0]].append((name, occurrence))
    return dict(places)


class _Positions(Visitor):
    """Counts as cosmic-ray's own visitor does."""

    def __init__(self, operator):
        self.operator = operator
        self.found = []

    def visit(self, node):
        self.found += self.operator.mutation_positions(node)
        return node


def _silent(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where a change means nothing, or breaks the import: annotations and decorators."""
    nodes: list[ast.expr | None] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.arg | ast.AnnAssign):
            nodes.append(node.annotation)
        elif isinstance(node, ast.FunctionDef):
            nodes += [node.returns, *node.decorator_list]
        elif isinstance(node, ast.ClassDef):
            nodes += node.decorator_list
    return [((n.lineno, n.col_offset), (n.end_lineno, n.end_col_offset)) for n in nodes if n is not None]


def _drawn(source: str, path: str, places: dict[int, list[tuple[str, int]]], draw: random.Random) -> Iterator[Mutant]:
    left = {line: draw.sample(found, len(found)) for line, found in places.items()}
    seen = set()
    while left:
        for line in draw.sample(sorted(left), len(left)):
            operator, occurrence = left[line].pop()
            if not left[line]:
                del left[line]
            mutant = _mutant(source, path, operator, occurrence)
            if mutant is not None and mutant.key not in seen:
                seen.add(mutant.key)
                yield mutant


def _mutant(source: str, path: str, operator: str, occurrence: int) -> Mutant | None:
    """None where it would change nothing, or nothing that Python understands."""
    mutated = mutate_code(source, OPERATORS[operator], occurrence)
    assert mutated is not None
    try:
        if ast.dump(ast.parse(mutated)) == ast.dump(ast.parse(source)):
            return None
        compile(mutated, path, "exec")
    except SyntaxError:
        return None
    lines, changed = source.splitlines(), mutated.splitlines()
    first = next(i for i, (one, other) in enumerate(zip(lines, changed, strict=False)) if one != other)
    same = 0
    while same < min(len(lines), len(changed)) - first and lines[-1 - same] == changed[-1 - same]:
        same += 1
    before, after = lines[first : len(lines) - same], changed[first : len(changed) - same]
    # there is no place for lines that appear between others
    if not before:
        before, after = [lines[first]], [*after, lines[first]]
    return Mutant(path, _functions(source)[first], _dedented(before), _dedented(after, before[0]), operator)


def _dedented(lines: list[str], like: str | None = None) -> str:
    first = lines[0] if like is None else like
    indentation = len(first) - len(first.lstrip())
    return "\n".join(line[indentation:].rstrip() if not line[:indentation].strip() else line for line in lines)


def _functions(source: str) -> list[str]:
    """The function, with what it is in, that each line belongs to; empty where there is none."""
    names = [""] * len(source.splitlines())

    def name(node: ast.AST, within: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = within
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inner = f"{within}.{child.name}".lstrip(".")
                names[child.lineno - 1 : child.end_lineno] = [inner] * (child.end_lineno - child.lineno + 1)
            name(child, inner)

    name(ast.parse(source), "")
    return names


def covering_lines(source: str, first: int, last: int) -> tuple[list[int], set[str]]:
    """The lines that are run when these are, and the names that are bound there at import.

    A statement of several lines is one. What a signature says matters where its function is run.
    """
    lines: set[int] = set()
    names: set[str] = set()

    def look(node: ast.AST, in_function: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
                look(child, in_function)
                continue
            body = getattr(child, "body", None)
            start = getattr(child, "lineno", first)
            end = getattr(child, "end_lineno", last)
            header_end = body[0].lineno - 1 if body else end
            if start <= last and header_end >= first:
                if isinstance(child, ast.FunctionDef):
                    lines.update(range(child.body[0].lineno, child.end_lineno + 1))
                elif in_function:
                    lines.update(range(start, max(header_end, start) + 1))
                else:
                    names.update(_bound(child))
            look(child, in_function or isinstance(child, ast.FunctionDef))

    look(ast.parse(source), False)
    return sorted(lines), names


def lines_of_function(source: str, line: int) -> list[int]:
    """The lines of the function that this line is in; none where it is in none."""
    functions = _functions(source)
    within = functions[line - 1]
    return [number for number, function in enumerate(functions, 1) if within and function == within]


def _bound(statement: ast.AST) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.ClassDef):
            yield node.name
