"""What Spark needs and does not find is one sentence with the next step and an exit code, before Spark starts.

The command runs in a copy of the code, beside which the test puts a `.venv-spark` and a Java of its own.
"""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from home import REPO, Ran
from processes import inherited

pytestmark = pytest.mark.spark
INSTALL = "install openjdk-17-jre-headless or openjdk-21-jre-headless, or name another one in JAVA_HOME"


class Machine:
    """A machine with what Spark needs, of which a test takes something away."""

    def __init__(self, folder: Path) -> None:
        self.repo = folder / "repo"
        for name in ("pipelines", "spark"):
            shutil.copytree(REPO / name, self.repo / name, ignore=shutil.ignore_patterns("__pycache__"))
        self.venv = self.repo / ".venv-spark"
        self.packages = self.venv / "lib" / "python3.11" / "site-packages"
        self.spark = self.packages / "pyspark-3.5.7.dist-info"
        self.spark.mkdir(parents=True)
        self.iceberg = self.packages / "snowpark_connect_deps_iceberg/jars/iceberg-spark-runtime-3.5_2.12-1.10.2.jar"
        self.iceberg.parent.mkdir(parents=True)
        self.iceberg.touch()
        # it ends at once, as a driver that was killed does
        self.python = self.script(self.venv / "bin" / "python", "exit 1")
        self.java_home = folder / "java"
        self.java('echo "openjdk version \\"17.0.15\\" 2025-04-15" >&2')
        self.home = folder / "home"
        (self.home / "warehouse").mkdir(parents=True)
        (self.home / "warehouse" / "strava.duckdb").touch()

    @staticmethod
    def script(path: Path, body: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    def java(self, body: str) -> Path:
        return self.script(self.java_home / "bin" / "java", body)

    def run(self, *arguments: str, **settings: str) -> Ran:
        ran = subprocess.run(
            [sys.executable, "-m", "spark", *arguments],
            cwd=self.repo,
            env=inherited() | {"STRAVA_HOME": str(self.home), "JAVA_HOME": str(self.java_home)} | settings,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def refused(self, *arguments: str, **settings: str) -> str:
        """The sentence of a command that a setting or the machine does not allow."""
        ran = self.run(*(arguments or ("build",)), **settings)
        assert (ran.code, ran.out) == (2, ""), ran.err
        assert ran.err.startswith("error: ")
        assert ran.err.count("\n") == 1
        return ran.err.removeprefix("error: ").rstrip("\n")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_machine_without_java_says_what_to_install(machine, tmp_path):
    (machine.java_home / "bin" / "java").unlink()
    assert machine.refused() == (
        f"Spark needs Java 17 or 21, and there is none in JAVA_HOME ({machine.java_home}): {INSTALL}."
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    assert machine.refused(JAVA_HOME="", PATH=str(empty)) == (
        f"Spark needs Java 17 or 21, and there is none on this machine: {INSTALL}."
    )


@pytest.mark.parametrize(
    ("says", "which"),
    [
        ('echo "openjdk version \\"11.0.22\\" 2024-01-16" >&2', "is Java 11"),
        ('echo "java version \\"1.8.0_292\\"" >&2', "is Java 8"),
        ('echo "openjdk version \\"25\\" 2025-09-16" >&2', "is Java 25"),
        ("exit 127", "does not start"),
    ],
)
def test_a_java_that_spark_does_not_run_on_is_named(machine, says, which):
    java = machine.java(says)
    assert machine.refused() == f"Spark needs Java 17 or 21, and {java} {which}: {INSTALL}."


def test_a_java_for_another_processor_does_not_start(machine):
    java = machine.java("")
    java.write_bytes(b"\x7fELF" + bytes(60))
    assert machine.refused() == f"Spark needs Java 17 or 21, and {java} does not start: {INSTALL}."


def test_without_packages_the_target_that_installs_them_is_named(machine):
    shutil.rmtree(machine.venv)
    assert machine.refused() == (
        f"Spark is not installed in {machine.venv}: make spark-packages installs what it needs."
    )


def test_packages_whose_python_is_gone_count_as_missing(machine):
    machine.python.unlink()
    machine.python.symlink_to("/nowhere/python3")
    assert machine.refused().startswith(f"Spark is not installed in {machine.venv}: ")


@pytest.mark.parametrize(("name", "is_"), [("pyspark-4.0.1.dist-info", "4.0.1"), ("other", "missing")])
def test_another_spark_is_refused(machine, name, is_):
    machine.spark.rename(machine.packages / name)
    assert machine.refused() == f"Spark must be 3.5.x, and it is {is_}: make spark-packages installs what it needs."


@pytest.mark.parametrize("name", ["iceberg-spark-runtime-4.0_2.13-1.10.2.jar", "other.jar"])
def test_an_iceberg_for_another_spark_is_refused(machine, name):
    machine.iceberg.rename(machine.iceberg.parent / name)
    assert machine.refused() == (
        f"There is no Iceberg for Spark 3.5.x in {machine.venv}: make spark-packages installs what it needs."
    )


@pytest.mark.parametrize("master", ["spark://127.0.0.1:{port}", "spark://127.0.0.1:{port},127.0.0.1:99999"])
def test_a_master_that_does_not_answer_is_named(machine, master):
    with socket.socket() as free:
        # bound, but nobody listens
        free.bind(("127.0.0.1", 0))
        master = master.format(port=free.getsockname()[1])
        assert machine.refused(STRAVA_SPARK_MASTER=master) == (
            f"No Spark master answers at {master}: start it, or unset STRAVA_SPARK_MASTER."
        )


def test_of_two_masters_one_has_to_answer(machine):
    with socket.create_server(("127.0.0.1", 0)) as server:
        master = f"spark://127.0.0.1:1,127.0.0.1:{server.getsockname()[1]}"
        ran = machine.run("build", STRAVA_SPARK_MASTER=master)
    assert "No Spark master" not in ran.err


@pytest.mark.parametrize("master", ["spark://host", "spark://:7077", "local[many]", "http://host:7077", "here"])
def test_what_is_not_a_master_is_refused(machine, master):
    assert machine.refused(STRAVA_SPARK_MASTER=master) == (
        f'STRAVA_SPARK_MASTER must be like local[2], spark://host:7077, yarn or k8s://…; it is "{master}".'
    )


@pytest.mark.parametrize("variable", ["STRAVA_SPARK_BRONZE", "STRAVA_SPARK_STAGED", "STRAVA_SPARK_POINTS"])
@pytest.mark.parametrize("place", ["data", "", "~/data"])
def test_a_place_that_spark_cannot_find_is_refused(machine, variable, place):
    assert machine.refused(**{variable: place}) == (
        f'{variable} must be a path from the root, or an address like s3a://bucket/folder; it is "{place}".'
    )


def test_a_folder_to_export_to_that_spark_cannot_find_is_refused(machine):
    assert machine.refused("export", "marts") == (
        'The folder must be a path from the root, or an address like s3a://bucket/folder; it is "marts".'
    )


@pytest.mark.parametrize("command", [["build"], ["export", "/nowhere"], ["compare"]])
def test_without_a_warehouse_there_is_nothing_to_build_from(machine, command):
    (machine.home / "warehouse" / "strava.duckdb").unlink()
    assert machine.refused(*command).startswith(
        f"There is no warehouse at {machine.home}/warehouse/strava.duckdb yet. Run `make flow`, "
    )


def test_an_empty_folder_has_no_marts_for_a_page(machine, tmp_path):
    for folder in (tmp_path / "nothing", machine.home):
        assert machine.refused("page", str(folder)) == (
            f"{folder} is not a folder that `make spark-export` wrote: it has no activities, staging.athlete_settings, "
            "staging.dbt_builds, staging.goals."
        )


@pytest.mark.spark
def test_the_installed_packages_are_those_that_are_required(machine, tmp_path):
    shutil.rmtree(machine.venv)
    machine.venv.symlink_to(REPO / ".venv-spark")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        master = f"spark://127.0.0.1:{free.getsockname()[1]}"
        assert machine.refused(STRAVA_SPARK_MASTER=master).startswith("No Spark master answers at ")


@pytest.fixture
def makefile(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder with the Makefile and nothing installed, and the environment of a user who is not root, without Java."""
    folder = tmp_path / "clone"
    (folder / "spark").mkdir(parents=True)
    shutil.copy(REPO / "Makefile", folder)
    for name in ("requirements.txt", "spark/requirements.txt"):
        (folder / name).touch()
    (folder / ".venv").mkdir()
    (folder / ".venv" / ".runtime").touch()
    programs = tmp_path / "bin"
    for name in ("bash", "sh", "make", "awk"):
        found = shutil.which(name)
        assert found
        programs.mkdir(exist_ok=True)
        (programs / name).symlink_to(found)
    Machine.script(programs / "id", "echo 1000")
    return folder, {name: value for name, value in os.environ.items() if name == "HOME"} | {"PATH": str(programs)}


def test_make_says_which_java_to_install_to_who_may_not_install_it(makefile):
    folder, environment = makefile
    ran = subprocess.run(
        ["make", "spark-packages"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert ran.stdout == f"Spark needs Java 17 or 21, and there is none: {INSTALL}.\n"
    assert not (folder / ".venv-spark").exists()
