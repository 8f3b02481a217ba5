"""The driver: dbt and Spark in one process of `.venv-spark`, which answers commands until its input ends.

A command is a line of JSON on standard input, an answer a line of JSON on standard output. One process serves many
commands, because Spark takes some ten seconds to start. It imports nothing else of ours: our packages are elsewhere.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from dbt.cli.main import dbtRunner
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

Answer = dict[str, Any]
TARGET = ("--target", "spark")


def run_dbt(arguments: list[str]) -> Answer:
    """Run dbt with these arguments; `results` has what became of each node."""
    ran = dbtRunner().invoke([*arguments, *TARGET])
    results = [
        {
            "id": getattr(result, "node", result).unique_id,
            "status": str(result.status),
            "message": result.message,
            "seconds": result.execution_time,
        }
        for result in getattr(ran.result, "results", None) or ()
    ]
    return {"ok": ran.success, "results": results, "error": str(ran.exception) if ran.exception else None}


def query(sql: str) -> Answer:
    """The rows of a query, once dbt has made a session."""
    return {
        "ok": True,
        "rows": [row.asDict(recursive=True) for row in SparkSession.builder.getOrCreate().sql(sql).collect()],
    }


def forget(_argument: None) -> Answer:
    """Remove what tables no longer contain: old snapshots, and files of builds that were killed.

    Not by Iceberg's procedure, which leaves such files for a day: nothing else writes here while we do.
    """
    session = SparkSession.builder.getOrCreate()
    jvm = session.sparkContext._jvm  # noqa: SLF001 - pyspark's door to Java
    java_session = session._jsparkSession  # noqa: SLF001
    now_ms = int(time.time() * 1000) + 1
    tables = [
        f"iceberg.{row.namespace}.{row.tableName}"
        for schema in ("strava", "staging")
        for row in session.sql(f"show tables in iceberg.{schema}").collect()
    ]
    for name in tables:
        table = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(java_session, name)
        # not Iceberg's action, which takes a job of Spark for each table
        table.expireSnapshots().expireOlderThan(now_ms).retainLast(1).commit()
        actions = jvm.org.apache.iceberg.spark.actions.SparkActions.get(java_session)
        actions.deleteOrphanFiles(table).olderThan(now_ms).execute()
    return {"ok": True, "tables": tables}


COMMANDS: dict[str, Callable[[Any], Answer]] = {"dbt": run_dbt, "query": query, "forget": forget}


def main() -> None:
    """Answer commands until the input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    # whatever else prints belongs into the log
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        [(name, argument)] = json.loads(line).items()
        try:
            answer = COMMANDS[name](argument)
        except (Py4JError, PySparkException) as error:
            answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer, default=str), file=answers, flush=True)


if __name__ == "__main__":
    main()
