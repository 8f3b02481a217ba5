"""What is typed after `make` arrives byte for byte: by the real make, with a stand-in for what it calls."""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from home import REPO

STAND_IN = "#!/bin/bash\nprintf '%s\\0' \"$@\" > argv\nenv -0 > environ\n"
NASTY = [
    *("$", "$$", "a$b", "${HOME}", "$(shell touch made)", "`touch made`", "$(touch made)", "$@", "$(Q)", "$(value Q)"),
    *("'", '"', "'\"'", "\\", "a\\", "\\n", "a\nb\n", "a\n\n  b", "a \t ", "\r\n", "#c", "a # b", "=x", ":=x", "%"),
    *(
        "-x",
        "--",
        "-- a comment\nselect 1",
        "--format",
        "; touch made",
        "& touch made",
        "| cat",
        "> made",
        "!!",
        "*",
        "~",
    ),
    *("$(call as_typed,HOME)", "$(eval X = 1)", "endef", "define\nX", ",", "a,b", "{a,b}", "é漢😀", "\x01\x1b[31m"),
    "SELECT json->>'$.map.id' FROM t -- `date` $(shell date)\nWHERE name LIKE '%$5%' AND \"name\" <> '\\'",
    "x" * 50_000,
]
CHOICE = random.Random(11)  # noqa: S311 - no secrets
RANDOM = ["".join(CHOICE.choices("$(){}'\"`\\\n\t #=:%,-~!*?&|;<>@aX1é", k=CHOICE.randint(2, 40))) for _ in range(12)]


class Playground:
    """A folder with the Makefile, where runner.sh and Python only write down what they are called with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copy(REPO / "Makefile", folder)
        (folder / "spark").mkdir()
        for name in ("requirements.txt", "requirements-dev.txt", "spark/requirements.txt"):
            (folder / name).touch()
        (folder / ".venv" / "bin").mkdir(parents=True)
        for program in (folder / "runner.sh", folder / ".venv" / "bin" / "python"):
            program.write_text(STAND_IN)
            program.chmod(0o755)
        (folder / "web" / "node_modules").mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            (folder / "web" / name).touch()
        (folder / ".venv-spark").mkdir()
        for stamp in (".venv/.runtime", ".venv/.dev", ".venv-spark/.installed", "web/node_modules/.package-lock.json"):
            (folder / stamp).touch()

    def make(self, target: str, typed: dict[str, bytes], exported: dict[str, bytes]) -> list[bytes]:
        """The arguments that the command of `target` gets; `environ` then says its environment."""
        environment = {os.fsencode(k): os.fsencode(v) for k, v in os.environ.items() if not k.startswith("MAKE")}
        environment |= {name.encode(): value for name, value in exported.items()}
        before = {path.name for path in self.folder.iterdir()}
        ran = subprocess.run(
            [b"make", target.encode(), *(name.encode() + b"=" + value for name, value in typed.items())],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            check=False,
        )
        assert (ran.returncode, ran.stderr, ran.stdout) == (0, b"", b"")
        assert {path.name for path in self.folder.iterdir()} <= before | {"argv", "environ"}, "nothing else was run"
        return (self.folder / "argv").read_bytes().split(b"\0")[:-1]

    def environ(self, name: str) -> bytes | None:
        """What the command saw as variable `name`."""
        pairs = (line.partition(b"=") for line in (self.folder / "environ").read_bytes().split(b"\0"))
        return {name: value for name, _, value in pairs}.get(name.encode())


@pytest.fixture(scope="module")
def playground(tmp_path_factory):
    return Playground(tmp_path_factory.mktemp("playground"))


@pytest.mark.parametrize("way", ["typed", "exported"])
def test_a_query_arrives_byte_for_byte(playground, way):
    for value in (*(text.encode() for text in NASTY + RANDOM), b"\xff\xfe\x80"):
        # make itself takes the blanks away that a value on its command line begins with
        wanted = value.lstrip(b" \t\r\n") if way == "typed" else value
        given = ({"Q": value}, {}) if way == "typed" else ({}, {"Q": value})
        assert playground.make("sql", *given) == ([b"sql", b"--", wanted] if wanted else [b"sql"]), value


@pytest.mark.parametrize(
    ("target", "name", "arguments", "variable"),
    [
        ("backup", "FILE", [b"pipelines/strava.py", b"backup", b"--", b"%s"], "FILE"),
        ("restore", "FILE", [b"pipelines/strava.py", b"restore", b"--", b"%s"], "FILE"),
        ("serve", "PORT", [b"serve", b"--port=%s"], "PORT"),
        ("import", "WATCH", [b"import", b"--watch=%s"], "WATCH"),
        ("spark-export", "FOLDER", [b"-m", b"spark", b"export", b"--", b"%s"], "FOLDER"),
        ("spark-page", "FOLDER", [b"-m", b"spark", b"page", b"--", b"%s"], "FOLDER"),
        ("sql", "FORMAT", [b"sql", b"--format=%s"], "FORMAT"),
        ("soak", "SEED", [b"-m", b"soak", b"--seed=%s"], "SEED"),
        ("soak", "SECONDS", [b"-m", b"soak", b"--seconds=%s"], "SOAK_SECONDS"),
        ("run", "PER_PAGE", [b"pull"], "PER_PAGE"),
        ("run", "DAYS", [b"pull"], "STRAVA_LOOKBACK_DAYS"),
        ("enrich", "ENRICH_LIMIT", [b"enrich"], "ENRICH_LIMIT"),
        ("flow", "STRAVA_GOALS", [b"flow"], "STRAVA_GOALS"),
        ("status", "RUNNER", [b"status"], "RUNNER"),
    ],
)
def test_whatever_else_is_typed_arrives_byte_for_byte_too(playground, target, name, arguments, variable):
    for text in ("$(shell touch made)`touch made`", "a$b \"'\\ ", "-x\n$$"):
        for given in (({name: text.encode()}, {}), ({}, {name: text.encode()})):
            called = playground.make(target, *given)
            assert called == [argument.replace(b"%s", text.encode()) for argument in arguments]
            assert playground.environ(variable) == text.encode()


def test_flags_are_flags_and_what_is_not_given_is_not_passed_on(playground):
    assert playground.make("sql", {}, {}) == [b"sql"]
    assert playground.make("page", {}, {}) == [b"page"]
    assert playground.make("page", {"PUBLIC": b"1"}, {}) == [b"page", b"--public"]
    assert playground.make("restore", {"FORCE": b"1"}, {})[1:] == [b"restore", b"--force", b"--", b"strava.bundle"]
    assert playground.make("serve", {}, {}) == [b"serve"]
    assert playground.make("flow", {}, {}) == [b"flow"]
    assert playground.make("flow", {"BACKFILL": b"1"}, {}) == [b"flow", b"--backfill"]
    assert playground.make("bench", {}, {}) == [b"-m", b"bench"]
    assert playground.make("bench", {"SPARK": b"1"}, {}) == [b"-m", b"bench", b"--spark"]
    assert playground.make("bench", {}, {"SPARK": b"1"}) == [b"-m", b"bench", b"--spark"]
    for target, command in (
        ("run", [b"pull"]),
        ("run-all", [b"pull", b"--all"]),
        ("flow", [b"flow"]),
        ("import", [b"import"]),
    ):
        assert playground.make(target, {"CONFIRM": b"1"}, {}) == [*command, b"--confirm-deletions"]
    assert playground.environ("STRAVA_LOOKBACK_DAYS") is None


def test_a_mistyped_target_is_named_with_the_next_step(playground):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    ran = subprocess.run(
        ["make", "statsu"], cwd=playground.folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "There is no target statsu; make help lists all." in ran.stderr
