"""`make mutate` itself: what it does to the code, which tests it runs against that, and what it makes of them."""

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import ClassVar

import pytest
from home import REPO
from landed import until

from mutation import covering, rounds
from mutation.copies import Copy, Ended
from mutation.modules import DECIDE, modules
from mutation.mutants import Gone, Mutant, covering_lines, lines_of_function, sample
from mutation.recorder import hash_of

SOURCE = '''\
import os
from contextlib import suppress

LIMIT = 3


def keep(path, lock, rows):
    """Keep them."""
    if not rows:
        raise ValueError
    with lock:
        os.fsync(path)
        os.rename(path, path)
    try:
        os.unlink(path)
    except OSError:
        return None
    return "select id from rows where id < 3 order by id desc" if len(rows) > LIMIT else sorted(rows)
'''


@pytest.fixture
def mutants(tmp_path):
    (tmp_path / "keep.py").write_text(SOURCE)
    return sample(tmp_path, ["keep.py"], 200, 1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    os.fsync(path)", "    pass"),
        ("    raise ValueError", "    pass"),
        ("with lock:", "if True:"),
        ("if not rows:", "if False:"),
        ("if not rows:", "if not not rows:"),
        ("    return None", "    raise"),
        ("    os.fsync(path)\n    os.rename(path, path)", "    os.rename(path, path)\n    os.fsync(path)"),
        (SOURCE.splitlines()[-1], SOURCE.splitlines()[-1].replace(" desc", "")),
        (SOURCE.splitlines()[-1], SOURCE.splitlines()[-1].replace("id < 3", "id <= 3")),
        (SOURCE.splitlines()[-1], SOURCE.splitlines()[-1].replace("sorted", "list")),
        (SOURCE.splitlines()[-1], SOURCE.splitlines()[-1].replace("> LIMIT", ">= LIMIT")),
        ("LIMIT = 3", "LIMIT = 4"),
    ],
)
def test_locks_guards_order_calls_and_sql_are_broken(mutants, before, after):
    changes = {tuple(line.strip() for line in (one.before, one.after)) for one in mutants}
    assert (_dedented(before), _dedented(after)) in changes


def _dedented(text):
    lines = text.splitlines()
    indentation = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indentation:] for line in lines)


def test_each_mutant_is_python_that_differs_from_the_source_and_comes_once(mutants):
    assert len(mutants) > 20
    assert len({one.key for one in mutants}) == len(mutants)
    for mutant in mutants:
        changed = mutant.applied(SOURCE)
        assert changed != SOURCE
        compile(changed, "keep.py", "exec")


def test_a_seed_gives_the_same_sample_and_another_one_another(tmp_path):
    (tmp_path / "keep.py").write_text(SOURCE)
    once, again, other = (sample(tmp_path, ["keep.py"], 9, seed) for seed in (1, 1, 2))
    assert once == again
    assert once != other


def test_a_large_module_gets_more_and_a_small_one_a_few(tmp_path):
    (tmp_path / "large.py").write_text("\n".join(SOURCE.replace("keep", f"keep_{n}") for n in range(9)))
    (tmp_path / "small.py").write_text(SOURCE)
    counts = Counter(one.module for one in sample(tmp_path, ["large.py", "small.py"], 40, 1))
    assert counts.total() == 40
    assert 3 <= counts["small.py"] < counts["large.py"]


def test_a_mutant_is_made_where_its_lines_have_moved_to_and_not_where_they_have_changed():
    mutant = Mutant("keep.py", "keep", "with lock:", "if True:", "drop_context")
    assert "if True:" in mutant.applied("# another line\n" + SOURCE)
    with pytest.raises(Gone):
        mutant.applied(SOURCE.replace("with lock", "with the_lock"))


def test_a_line_is_covered_with_its_statement_a_signature_with_its_function_a_constant_by_its_name():
    [raises, signature, constant] = [SOURCE[: SOURCE.index(text)].count("\n") + 1 for text in ("raise", "def", "LIMIT")]
    assert covering_lines(SOURCE, raises, raises) == ([raises], set())
    assert covering_lines(SOURCE, signature, signature) == (list(range(signature + 1, 19)), set())
    assert covering_lines(SOURCE, constant, constant) == ([], {"LIMIT"})
    assert lines_of_function(SOURCE, raises) == list(range(signature, 19))
    assert lines_of_function(SOURCE, constant) == []


class Covered:
    seconds: ClassVar = {"tests/test_other.py::a": 0.1, "tests/test_keep.py::b": 0.2, "tests/test_other.py::c": 70.0}

    def tests(self, module, lines):
        return set(self.seconds)

    def tests_of_names(self, module, names):
        return set()

    def concern(self, tests, module, function):
        return dict.fromkeys(tests, 1.0)


def test_cheap_tests_come_first_and_none_that_costs_more_than_is_left():
    tests = dict.fromkeys(Covered.seconds, 1.0)
    assert rounds.staged(tests, Covered(), 100) == [
        ["tests/test_other.py::a", "tests/test_keep.py::b"],
        ["tests/test_other.py::c"],
    ]
    assert rounds.staged(tests, Covered(), 20) == [["tests/test_other.py::a", "tests/test_keep.py::b"]]


def test_of_tests_that_cover_a_line_the_most_specific_comes_first():
    tests = {"tests/test_other.py::a": 0.1, "tests/test_keep.py::b": 0.1, "tests/test_other.py::c": 20.0}
    assert rounds.staged(tests, Covered(), 100)[-1] == [
        "tests/test_other.py::c",
        "tests/test_other.py::a",
        "tests/test_keep.py::b",
    ]


class Tree:
    """A copy of a tree in which pytest ends as it is told to."""

    def __init__(self, root, *codes):
        self.root = root
        self.codes = list(codes)
        self.seen = []

    def write(self, file, text):
        (self.root / file).write_text(text)

    def pytest(self, arguments, timeout_s):
        self.seen.append((self.root / "keep.py").read_text())
        return Ended(self.codes.pop(0), "FAILED tests/test_keep.py::b - assert 1 == 2\n")


@pytest.mark.parametrize(
    ("codes", "outcome"),
    [
        ((0, 0), "survived"),
        ((1, 1), "noticed"),
        ((0, 1, 1), "noticed"),
        ((2, 2), "noticed"),
        # alone it does not fail, nor when all are tried again
        ((1, 0, 0, 0), "survived"),
        ((None,), "hung"),
    ],
)
def test_a_mutant_is_noticed_when_a_test_fails_twice_or_hangs_and_the_tree_is_whole_again(tmp_path, codes, outcome):
    (tmp_path / "keep.py").write_text(SOURCE)
    mutant = Mutant("keep.py", "keep", "with lock:", "if True:", "drop_context")
    tree = Tree(tmp_path, *codes)
    assert rounds.try_mutant(mutant, tree, Covered(), 100)["outcome"] == outcome
    assert all("if True:" in seen for seen in tree.seen)
    assert not tree.codes
    assert (tmp_path / "keep.py").read_text() == SOURCE


def test_a_test_that_cannot_run_does_not_count_as_noticing(tmp_path):
    (tmp_path / "keep.py").write_text(SOURCE)
    mutant = Mutant("keep.py", "keep", "with lock:", "if True:", "drop_context")
    with pytest.raises(RuntimeError, match="pytest ended with 4"):
        rounds.try_mutant(mutant, Tree(tmp_path, 4), Covered(), 100)


def test_lines_are_followed_to_where_they_are_now(tmp_path, monkeypatch):
    monkeypatch.setattr(covering, "SOURCES", tmp_path)
    (tmp_path / "before").write_text("one\ntwo\nthree\n")
    assert covering.lines_now("before", "zero\none\n2\nthree\n") == {1: 2, 3: 4}


@pytest.fixture
def covered(tmp_path, monkeypatch):
    """A map of `keep.py`, which has got a line more since: one test raises, another returns, a fixture does both."""
    now = "# a line more\n" + SOURCE
    for name, value in (
        ("SOURCES", tmp_path),
        ("MAP", tmp_path),
        ("REPO", tmp_path),
        ("modules", lambda _: ["keep.py"]),
    ):
        monkeypatch.setattr(covering, name, value)
    (tmp_path / "before").write_text(SOURCE)
    (tmp_path / "keep.py").write_text(now)
    tests = {
        "tests/test_a.py::raises": {"seconds": 1.0, "passed": True},
        "tests/test_a.py::returns": {"seconds": 2.0, "passed": True},
        "tests/test_a.py::fails": {"seconds": 0.1, "passed": False},
        "tests/test_b.py::other": {"seconds": 3.0, "passed": True},
    }
    lines = {
        "tests/test_a.py::raises": [9, 10],
        "tests/test_a.py::returns": [9, 11, 18],
        "tests/test_a.py::fails": [9],
        "tests/test_b.py": [9, 14],
    }
    part = {
        "digest": "",
        "tests": tests,
        "shared": {"tests/test_b.py": 40.0},
        "sources": {"keep.py": "before"},
        "lines": {hash_of(name): {"keep.py": numbers} for name, numbers in lines.items()},
    }
    (tmp_path / "fast a.json").write_text(json.dumps(part))
    return covering.Map()


def test_the_map_has_the_passing_tests_of_each_line_and_their_time_with_fixtures(covered):
    raises, returns, other = "tests/test_a.py::raises", "tests/test_a.py::returns", "tests/test_b.py::other"
    assert covered.tests("keep.py", [10]) == {raises, returns, other}
    assert covered.tests("keep.py", [11]) == {raises}
    assert covered.tests("keep.py", [15]) == {other}, "what a fixture does, each test of its file may notice"
    assert covered.seconds == {raises: 1.0, returns: 2.0, other: 43.0}
    # LIMIT is read in the last line
    assert covered.tests_of_names("keep.py", {"LIMIT"}) == {returns}
    assert covered.tests_of_names("keep.py", set()) == set()


def test_a_test_is_specific_to_a_function_if_few_others_cover_it(covered):
    concern = covered.concern(covered.tests("keep.py", [10]), "keep.py", range(9, 20))
    assert concern["tests/test_a.py::returns"] > concern["tests/test_a.py::raises"] > 1


def test_each_module_that_decides_is_there_and_each_equivalent_mutant_has_a_reason():
    assert len(modules(REPO)) == sum(map(len, DECIDE.values()))
    assert all(why.strip() for why in rounds.equivalents().values())


def test_each_equivalent_mutant_can_still_be_made():
    for module, function, before, after in rounds.equivalents():
        Mutant(module, function, before, after, "").applied((REPO / module).read_text())


def test_a_run_of_pytest_ends_with_all_that_it_started(tmp_path, monkeypatch):
    monkeypatch.setattr("mutation.copies.WORK", tmp_path)
    monkeypatch.setattr("mutation.copies.REPO", tmp_path / "repo")
    (tmp_path / "repo").mkdir()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path / "repo", check=True)
    (tmp_path / "repo" / "test_it.py").write_text(
        "import subprocess, pathlib\n"
        "def test_it():\n"
        "    left = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        f"    pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(left.pid))\n"
    )
    assert Copy("copy").pytest(["test_it.py"], 60).code == 0
    left = Path("/proc") / (tmp_path / "pid").read_text()
    until(lambda: not left.exists() or "Z" in (left / "stat").read_text().split(), within_s=20)
