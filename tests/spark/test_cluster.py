"""A cluster on this machine builds the same rows as DuckDB, although a worker dies in the middle."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from home import Athlete
from landed import until
from processes import inherited
from sparks import FEW_ROWS, compared, settings_of

from spark.build import build
from spark.places import PYTHON, Places
from spark.session import open_session

pytestmark = pytest.mark.cluster

WORKERS = 2
# of the 43 tables of a build
TABLES_BEFORE_THE_KILL = 12


@dataclass
class Cluster:
    """A master's address, and the processes of its workers, each of which leads a group."""

    master: str
    workers: list[subprocess.Popen[bytes]]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A master and two workers on the loopback, with a core each."""
    [spark_home] = PYTHON.parent.parent.glob("lib/python*/site-packages/pyspark")
    environment = inherited() | FEW_ROWS | {"SPARK_HOME": str(spark_home), "SPARK_DAEMON_MEMORY": "256m"}
    folder = tmp_path / "cluster"
    folder.mkdir()

    def start(stack: ExitStack, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        log = stack.enter_context((folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            [str(spark_home / "bin" / "spark-class"), f"org.apache.spark.deploy.{arguments[0]}", *arguments[1:]],
            env=environment,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
        )
        stack.callback(stop, process)
        return process

    port = free_port()
    master = f"spark://127.0.0.1:{port}"
    with ExitStack() as stack:
        start(stack, "master", "master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0")
        log = folder / "master.log"
        until(lambda: "New state: ALIVE" in log.read_text())
        size = ("--cores", "1", "--memory", "1g", "--webui-port", "0", "--work-dir", str(folder / "work"))
        workers = [
            start(stack, f"worker{number}", "worker.Worker", "--host", "127.0.0.1", *size, master)
            for number in range(WORKERS)
        ]
        until(lambda: log.read_text().count("Registering worker") == WORKERS)
        yield Cluster(master, workers)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_build_survives_the_death_of_a_worker(settled: Athlete, cluster: Cluster) -> None:
    killed = []

    def kill_in_the_middle(tables: Path) -> None:
        until(lambda: len(list(tables.glob("*/*/metadata"))) >= TABLES_BEFORE_THE_KILL, within_s=280)
        # with the executor that it started
        os.killpg(cluster.workers[0].pid, signal.SIGKILL)
        killed.append(len(list(tables.glob("*/*/metadata"))))

    with settings_of(settled, STRAVA_SPARK_MASTER=cluster.master) as settings:
        places = Places(settings)
        killer = threading.Thread(target=kill_in_the_middle, args=(places.folder / "tables",), daemon=True)
        killer.start()
        with open_session(places) as session:
            build(settings, session)
            killer.join()
            comparison = compared(session, settings)
    assert comparison.differences == ()
    assert comparison.relations > 40
    # it was in the middle, the executor was in use, and the other worker did the rest
    assert TABLES_BEFORE_THE_KILL <= killed[0] < comparison.relations - 5
    assert "Lost executor" in (places.logs / "driver.log").read_text()
    assert cluster.workers[0].wait() == -signal.SIGKILL
    assert cluster.workers[1].poll() is None
