"""The eleventh measure: the same bronze built by both engines, DuckDB and Spark with Iceberg (docs/guides/spark.md)."""

import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.athlete import clean_environment
from bench.measures import MB, Lab, Result
from bench.processes import REPO, CommandFailed, run_timed, watching_all

POINT = 11
SIZES = (100_000, 1_000_000)
# 5 GB for a million
ACTIVITIES_PER_GB = 200_000
LEAST_GB = 2
SPARK_PACKAGES = ("pyspark", "dbt_spark", "snowpark_connect_deps_iceberg")
# DuckDB first: Spark's build asks its file for what was erased
ENGINES = ("DuckDB", "Spark")
# what bench.club writes -> what is built then
LANDED = {"first": "everything", "more": "500 rows more"}
BUILT = "models built"
# of the caller's variables: which Java, and where Spark's own settings are
OF_JAVA_AND_SPARK = ("JAVA_HOME", "JDK_JAVA_OPTIONS", "SPARK_CONF_DIR")


def spark_packages() -> dict[str, str]:
    """The versions of the packages with which Spark builds; none if they are not installed."""
    found = (REPO / ".venv-spark").glob("lib/python*/site-packages/*.dist-info")
    versions = dict(path.name.removesuffix(".dist-info").split("-", 1) for path in found)
    return {name: versions[name] for name in SPARK_PACKAGES if name in versions}


@dataclass(frozen=True)
class Build:
    """One build by one engine: the time of the whole process, what all its processes spent, and its tables' bytes."""

    seconds: float
    cpu_s: float
    peak_bytes: int
    stored_bytes: int

    def __str__(self) -> str:
        spent = f"{self.seconds:.1f} s, {self.cpu_s:.1f} s of processor time, {self.peak_bytes / MB:,.0f} MB of memory"
        return f"{spent}, {self.stored_bytes / MB:,.0f} MB on disk"


class Club:
    """A home with the bronze of many athletes, which both engines build, each with all cores."""

    def __init__(self, folder: Path, activities: int) -> None:
        self._activities = activities
        self._home = folder / "club"
        self._scratch = folder / "scratch"
        for each in (self._home, self._scratch):
            each.mkdir()

    def write(self, what: str) -> None:
        """Write the `first` bronze, or what lands `more`."""
        command = [sys.executable, "-m", "bench.club", what, str(self._home / "data"), str(self._activities)]
        run_timed(command, self._environment())

    def build(self, engine: str) -> Build:
        """Let an engine build what has landed.

        Raises:
            CommandFailed: it failed, or had nothing to build.
        """
        warehouse = self._home / "warehouse"
        command, stored = {
            "DuckDB": (["pipelines/strava.py", "build"], warehouse / "strava.duckdb"),
            "Spark": (["-m", "spark", "build"], warehouse / "spark" / "tables"),
        }[engine]
        with watching_all() as spent:
            finished = run_timed([sys.executable, *command], self._environment())
        if BUILT not in finished.printed:
            raise CommandFailed(f"{engine} built nothing:\n{finished.printed[-2000:]}")
        files = [stored] if stored.is_file() else [path for path in stored.rglob("*") if path.is_file()]
        stored_bytes = sum(path.stat().st_size for path in files)
        return Build(
            finished.seconds,
            max(spent.cpu_s, finished.cpu_s),
            max(spent.peak_bytes, finished.peak_bytes),
            stored_bytes,
        )

    def remove(self) -> None:
        """Remove all its files."""
        for each in (self._home, self._scratch):
            shutil.rmtree(each)

    def _environment(self) -> dict[str, str]:
        given = {name: value for name, value in os.environ.items() if name.startswith(OF_JAVA_AND_SPARK)}
        memory_gb = max(LEAST_GB, math.ceil(self._activities / ACTIVITIES_PER_GB))
        return (
            clean_environment(self._home)
            | {
                # each is given, so that none comes from a .env or config.toml of this checkout
                "STRAVA_HOME": str(self._home),
                "STRAVA_WAREHOUSE": "warehouse/strava.duckdb",
                "STRAVA_BRONZE_URL": "data",
                "STRAVA_SPARK_MASTER": "local[*]",
                "STRAVA_SPARK_DRIVER_MEMORY": f"{memory_gb}g",
                "SPARK_LOCAL_IP": "127.0.0.1",
                # what is written when memory runs out is removed with the rest, also after a kill
                "SPARK_LOCAL_DIRS": str(self._scratch),
            }
            | given
        )


def engines(lab: Lab, sizes: Sequence[int]) -> Iterator[Result]:
    """Point 11: Spark with Iceberg against DuckDB: a build of everything, and one after 300 changed and 200 new.

    Raises:
        CommandFailed: Spark is not installed, or a build failed.
    """
    if not spark_packages():
        raise CommandFailed("Spark is not installed: make spark-packages does that.")
    for activities in sizes:
        samples: dict[str, dict[str, list[Build]]] = {what: {} for what in LANDED.values()}
        for _ in range(lab.repeat):
            club = Club(lab.folder, activities)
            for step, what in LANDED.items():
                lab.show(f"writing bronze, {activities:,} activities, {what}")
                club.write(step)
                for engine in ENGINES:
                    build = club.build(engine)
                    samples[what].setdefault(engine, []).append(build)
                    lab.show(f"{activities:,} activities, {what}, {engine}: {build}")
            club.remove()
        for what, builds in samples.items():
            yield from compared(f"{activities:,} activities, {what}", builds)


def compared(what: str, builds: dict[str, list[Build]]) -> Iterator[Result]:
    """The ratios of one build: of the best times, the highest peaks, and the bytes."""
    measures: tuple[tuple[str, str, Callable[[list[float]], float], Callable[[Build], float]], ...] = (
        ("time", "s", min, lambda build: build.seconds),
        ("processor time", "s", min, lambda build: build.cpu_s),
        ("peak memory", "MB", max, lambda build: build.peak_bytes / MB),
        ("bytes on disk", "MB", max, lambda build: build.stored_bytes / MB),
    )
    for name, unit, choose, measure in measures:
        samples = {engine: [measure(build) for build in of_engine] for engine, of_engine in builds.items()}
        chosen = {engine: choose(values) for engine, values in samples.items()}
        how = ", ".join(f"{engine} {value:,.1f} {unit}" for engine, value in chosen.items())
        yield Result(POINT, f"{what}, {name}", chosen["Spark"] / chosen["DuckDB"], None, "x DuckDB", how, samples)
