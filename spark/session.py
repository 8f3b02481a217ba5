"""A session: the process of `.venv-spark` in which dbt and Spark run, and what its failures mean."""

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipelines.ground.errors import BadSetting, BuildFailed, StorageFailed, StravaError, WarehouseBusy
from pipelines.ground.settings import REPO
from pipelines.warehouse.build import variables
from spark.java import require_java
from spark.places import PROJECT, PYTHON, Places

SPARK = "3.5."
JARS = "snowpark_connect_deps_iceberg/jars/iceberg-spark-runtime-3.5_2.12-*.jar"
MASTER = re.compile(r"spark://([^:/]+):(\d+)")
SECONDS_TO_ANSWER = 5
LONGEST_TEXT = 2000
# what is in an error of Spark -> what it means, and what to do
KNOWN: tuple[tuple[str, type[StravaError], str], ...] = (
    (
        r"Another instance of Derby|ERROR XSDB6",
        WarehouseBusy,
        "Spark's metastore is open in another process: wait until that ends. The embedded one serves one process at a "
        "time; docs/guides/spark.md says how to use another.",
    ),
    (
        r"All masters are unresponsive|Unable to create executor",
        BadSetting,
        "The Spark master does not answer: start it, or unset STRAVA_SPARK_MASTER.",
    ),
    (
        r"InvalidClassException|incompatible: stream classdesc",
        BadSetting,
        f"The Spark of the cluster is another version: it must be {SPARK}x, like the one here.",
    ),
    (
        r"UnknownHostException|ConnectException|Connect to .* failed|SdkClientException|NoSuchBucket|AccessDenied|"
        r"S3AFileSystem not found|No FileSystem for scheme",
        StorageFailed,
        "Spark cannot reach the bucket: check STRAVA_SPARK_BRONZE and the keys, and that Spark has hadoop-aws.",
    ),
    (
        r"is not a Parquet file|Could not read footer",
        StorageFailed,
        "Spark cannot read a shard: run make flow, which restores or sets aside damaged ones.",
    ),
)


class Session:
    """The driver of one home. Use it as a context."""

    def __init__(self, places: Places, process: "subprocess.Popen[str]", log: Path) -> None:
        self._places = places
        self._process = process
        self._log = log

    def dbt(self, *arguments: str) -> list[dict[str, Any]]:
        """Run dbt and return what became of each node.

        Raises:
            BuildFailed: a model or a test failed, or the driver ended.
            StravaError: a known cause, like a metastore that is in use.
        """
        folders = ("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT))
        answer = self._ask(dbt=["--quiet", "--no-use-colors", *arguments, *folders])
        results: list[dict[str, Any]] = answer.get("results", [])
        if not answer["ok"]:
            failed = [f"{each['id']}: {each['message']}" for each in results if each["status"] in ("error", "fail")]
            raise self._failed("\n".join(failed) or answer["error"] or "")
        return results

    def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query, after dbt has run.

        Raises:
            StravaError: it failed.
        """
        answer = self._ask(query=sql)
        if not answer["ok"]:
            raise self._failed(answer["error"])
        rows: list[dict[str, Any]] = answer["rows"]
        return rows

    def export(self, folder: str) -> None:
        """Write all marts as Parquet into `folder`, one folder each.

        Raises:
            StravaError: it failed.
        """
        # without the variables, dbt knows no marts of what was fetched on demand
        known = variables(self._places.settings)
        self.dbt("run-operation", "export_marts", "--args", json.dumps({"folder": folder}), *known)

    def forget(self) -> None:
        """Remove old snapshots and files without a table, after dbt has run.

        Raises:
            StravaError: it failed.
        """
        answer = self._ask(forget=None)
        if not answer["ok"]:
            raise self._failed(answer["error"])

    def _ask(self, **command: Any) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        line = ""
        if stdin is not None and stdout is not None:
            with suppress(BrokenPipeError):
                stdin.write(json.dumps(command) + "\n")
                stdin.flush()
                line = stdout.readline()
        if not line:
            code = self._process.wait()
            raise self._failed(
                f"Spark's driver ended in the middle ({f'signal {-code}' if code < 0 else f'code {code}'}). Run it "
                "again: what was committed stays, and the rest is built."
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _failed(self, why: str) -> StravaError:
        return known_error(why) or BuildFailed(f"dbt build on Spark failed. {why[:LONGEST_TEXT]}\nIts log: {self._log}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        if kind is not None:
            # its JVM ends when its input does
            self._process.terminate()
        self._process.wait()


def known_error(why: str) -> StravaError | None:
    """The error that a text of Spark means; None if it is unknown."""
    return next((error(sentence) for pattern, error, sentence in KNOWN if re.search(pattern, why)), None)


@contextmanager
def open_session(places: Places) -> Iterator[Session]:
    """A session for the home of `places`.

    Raises:
        BadSetting: Java, the packages or the master are missing, or have another version.
    """
    require_java()
    jars = _require_packages()
    environment = places.environment(jars)
    _require_master(environment.get("STRAVA_SPARK_MASTER", ""))
    places.logs.mkdir(parents=True, exist_ok=True)
    log = places.logs / "driver.log"
    with log.open("w") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [str(PYTHON), str(REPO / "spark" / "driver.py")],
            env=environment,
            cwd=places.logs,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        with process, Session(places, process, log) as session:
            yield session


def _require_packages() -> str:
    """The path of Iceberg's package in `.venv-spark`, beside a Spark of the right version."""
    make = "make spark-packages installs what it needs"
    if not PYTHON.exists():
        raise BadSetting(f"Spark is not installed in {PYTHON.parent.parent}: {make}.")
    [packages] = PYTHON.parent.parent.glob("lib/python*/site-packages")
    versions = [
        path.name.removeprefix("pyspark-").removesuffix(".dist-info") for path in packages.glob("pyspark-*.dist-info")
    ]
    if not any(version.startswith(SPARK) for version in versions):
        raise BadSetting(f"Spark must be {SPARK}x, and it is {', '.join(versions) or 'missing'}: {make}.")
    jars = sorted(packages.glob(JARS))
    if not jars:
        raise BadSetting(f"There is no Iceberg for Spark {SPARK}x in {packages}: {make}.")
    return str(jars[-1])


def _require_master(master: str) -> None:
    found = MASTER.fullmatch(master)
    if found is None:
        return
    try:
        socket.create_connection((found[1], int(found[2])), SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise BadSetting(f"No Spark master answers at {master}: start it, or unset STRAVA_SPARK_MASTER.") from error
