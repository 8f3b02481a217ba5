"""The driver: dbt and Spark in one process of `.venv-spark`, which answers commands until its input ends.

A command is a line of JSON on standard input, an answer a line of JSON on standard output. One process serves many
commands, because Spark takes some ten seconds to start. It imports nothing else of ours: our packages are elsewhere.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner
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


COMMANDS: dict[str, Callable[[Any], Answer]] = {"dbt": run_dbt, "query": query}


def main() -> None:
    """Answer commands until the input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    # whatever else prints belongs into the log
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        [(name, argument)] = json.loads(line).items()
        try:
            answer = COMMANDS[name](argument)
        except Exception as error:
            answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer, default=str), file=answers, flush=True)


if __name__ == "__main__":
    main()
