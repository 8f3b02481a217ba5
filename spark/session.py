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

from pipelines.bronze.tables import ATHLETE_SETTINGS, GOALS
from pipelines.ground.errors import BadSetting, BuildFailed, StorageFailed, StravaError, WarehouseBusy
from pipelines.ground.settings import REPO
from pipelines.warehouse.database import BUILDS, DATASET
from pipelines.warehouse.dbt_process import variables
from spark.java import require_java
from spark.places import PROJECT, PYTHON, Places

SPARK = "3.5."
JARS = "snowpark_connect_deps_iceberg/jars/iceberg-spark-runtime-3.5_2.12-*.jar"
# what Spark takes as a master; that of a cluster may have stand-bys
MASTER = re.compile(
    r"local(\[(\*|\d+)(, ?\d+)?\])?|yarn|k8s://.+|spark://(?P<hosts>[^:/,]+:\d{1,5}(,[^:/,]+:\d{1,5})*)"
)
# where Spark reads, from the environment
READ_PLACES = ("STRAVA_SPARK_BRONZE", "STRAVA_SPARK_STAGED", "STRAVA_SPARK_POINTS")
SECONDS_TO_ANSWER = 5
LONGEST_TEXT = 2000
# what the page reads besides marts, by the name of its folder beside theirs; when the marts were built is in the
# snapshots of one that each build makes again
BESIDE_MARTS = {
    **{
        f"{DATASET}.{table}": f"select athlete_id, fetched_at, payload_hash, payload from spark_catalog.staging.{table}"
        for table in (ATHLETE_SETTINGS, GOALS)
    },
    f"{DATASET}.{BUILDS}": "select cast(max(committed_at) as timestamp_ntz) as built_at "
    "from iceberg.strava.activities_local.snapshots",
}
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
        """Write all marts as Parquet into `folder`, one folder each, and beside them what else the page reads.

        folder: a path or an address for which `require_place` has passed.

        Raises:
            StravaError: it failed.
        """
        # in a text of Spark's SQL
        folder = folder.rstrip("/").replace("\\", "\\\\").replace("'", "\\'")
        # without the variables, dbt knows no marts of what was fetched on demand
        known = variables(self._places.settings)
        self.dbt("run-operation", "export_marts", "--args", json.dumps({"folder": folder}), *known)
        for name, query in BESIDE_MARTS.items():
            self.query(f"insert overwrite directory '{folder}/{name}' using parquet {query}")

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
        BadSetting: Java, the packages or the master are missing or have another version, or a place is not a path.
    """
    require_java()
    jars = _require_packages()
    environment = places.environment(jars)
    if master := environment.get("STRAVA_SPARK_MASTER"):
        _require_master(master)
    for variable in READ_PLACES:
        require_place(variable, environment[variable])
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
    site_packages = "lib/python*/site-packages"
    versions = [
        path.name.removeprefix("pyspark-").removesuffix(".dist-info")
        for path in PYTHON.parent.parent.glob(f"{site_packages}/pyspark-*.dist-info")
    ]
    if not any(version.startswith(SPARK) for version in versions):
        raise BadSetting(f"Spark must be {SPARK}x, and it is {', '.join(versions) or 'missing'}: {make}.")
    jars = sorted(PYTHON.parent.parent.glob(f"{site_packages}/{JARS}"))
    if not jars:
        raise BadSetting(f"There is no Iceberg for Spark {SPARK}x in {PYTHON.parent.parent}: {make}.")
    return str(jars[-1])


def require_place(name: str, place: str) -> None:
    """Check that Spark can tell where `place` is, wherever its parts run.

    Raises:
        BadSetting: it is neither a path from the root nor an address.
    """
    if not (place.startswith("/") or "://" in place):
        raise BadSetting(
            f'{name} must be a path from the root, or an address like s3a://bucket/folder; it is "{place}".'
        )


def _require_master(master: str) -> None:
    """Check that Spark knows such a master, and that one of a cluster answers."""
    found = MASTER.fullmatch(master)
    if found is None:
        raise BadSetting(
            f'STRAVA_SPARK_MASTER must be like local[2], spark://host:7077, yarn or k8s://…; it is "{master}".'
        )
    addresses = [host.rsplit(":", 1) for host in (found["hosts"] or "").split(",") if host]
    if addresses and not any(_answers(host, int(port)) for host, port in addresses):
        raise BadSetting(f"No Spark master answers at {master}: start it, or unset STRAVA_SPARK_MASTER.")


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError, UnicodeError):
        # also a port or a name that there cannot be
        return False
    return True
