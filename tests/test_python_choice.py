"""Which Python `make` takes: stand-ins on the path say that they are of a version, and make a .venv of themselves."""

import os
import shutil
import subprocess
import sys

import pytest
from home import REPO

STAND_IN = """#!/bin/sh
case $1 in
  -c) exec {python} -c "import sys; sys.version_info = ({version}); $2" ;;
  -m) case $2 in venv) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;; esac ;;
esac
"""
NAMES = ("python3.14", "python3.13", "python3.12", "python3.11", "python3")


@pytest.fixture
def make(tmp_path):
    """`make target` in a clone, with no Python but those given: name -> version; the others are broken."""
    clone, programs = tmp_path / "clone", tmp_path / "bin"
    clone.mkdir()
    programs.mkdir()
    for file in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(REPO / file, clone)

    def call(*arguments, target=".venv/.runtime", **versions):
        for name in NAMES:
            version = versions.get(name.replace(".", "_"))
            script = STAND_IN.format(python=sys.executable, version=version) if version else "#!/bin/sh\nexit 127\n"
            (programs / name).write_text(script)
            (programs / name).chmod(0o755)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PYTHON"))}
        return subprocess.run(
            ["make", target, *arguments],
            cwd=clone,
            env=inherited | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return call


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        ({"python3": "3, 14", "python3_14": "3, 14", "python3_12": "3, 12"}, "python3.12"),
        ({"python3": "3, 14", "python3_11": "3, 11", "python3_13": "3, 13"}, "python3.13"),
        ({"python3": "3, 12"}, "python3"),
        # a broken one under its name, as pyenv's shims are
        ({"python3_13": "3, 10", "python3_11": "3, 11"}, "python3.11"),
    ],
)
def test_the_newest_supported_python_is_used(make, there, taken):
    ran = make(**there)
    assert ran.returncode == 0, ran.stderr
    assert f"with {taken}," in ran.stdout


@pytest.mark.parametrize(
    ("there", "arguments"),
    [
        ({"python3": "3, 14", "python3_14": "3, 14"}, []),
        ({"python3": "3, 14", "python3_14": "3, 14", "python3_13": "3, 13"}, ["PYTHON=python3.14"]),
        ({"python3": "3, 10"}, []),
        ({}, []),
    ],
)
def test_without_a_supported_python_make_names_the_supported_ones(make, tmp_path, there, arguments):
    ran = make(*arguments, **there)
    assert ran.returncode == 2
    assert "Python 3.11, 3.12 or 3.13 is needed" in ran.stdout
    assert "PYTHON=" in ran.stdout
    assert not (tmp_path / "clone" / ".venv").exists()


def test_the_requirements_of_developers_are_announced_before_they_are_installed_and_once(make):
    announced = "Installing the requirements of developers, once …"
    assert make(target=".venv/.dev", python3_13="3, 13").stdout.splitlines()[-1] == announced
    assert announced not in make(target=".venv/.dev", python3_13="3, 13").stdout


def test_a_venv_of_another_python_is_refused_with_the_way_out(make, tmp_path):
    assert make(python3_13="3, 13").returncode == 0
    python = tmp_path / "clone" / ".venv" / "bin" / "python"
    python.write_text(STAND_IN.format(python=sys.executable, version="3, 14"))
    (tmp_path / "clone" / ".venv" / ".runtime").unlink()
    ran = make(python3_13="3, 13")
    assert ran.returncode == 2
    assert "make clean" in ran.stdout


def test_the_package_says_the_same():
    import tomllib

    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
