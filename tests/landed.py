"""What landed, read from the files themselves; and what Strava would say, asked over HTTP as anyone may."""

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from pipelines.bronze.tables import TABLES
from simulator import Simulator

LIST = "/athlete/activities"
DETAIL = "/api/v3/activities/"
NO_LIMITS = {"read_15min": 10**6, "read_day": 10**6, "overall_15min": 10**6, "overall_day": 10**6}


def versions(athlete: Any, table: str = "activities") -> list[tuple[Any, ...]]:
    """(id, payload as text) of every row of every shard, in the order in which they were fetched."""
    rows = [row for path in athlete.shards(table) for row in pq.ParquetFile(path).read().to_pylist()]
    rows.sort(key=lambda row: (row["fetched_at"], row["start_date"] or datetime.min))
    return [(row["id"], row["payload"]) for row in rows]


def ids(athlete: Any, table: str = "activities") -> list[int]:
    """The ids of those rows."""
    return [id_ for id_, _ in versions(athlete, table)]


def names(athlete: Any, id_: int) -> list[str]:
    """The names that the versions of one activity bear, oldest version first."""
    return [json.loads(payload)["name"] for key, payload in versions(athlete) if key == id_]


def all_ids(strava: Simulator) -> set[int]:
    """The ids of all activities there are."""
    return {activity["id"] for activity in strava.activities()}


def pages_asked(athlete: Any) -> list[int]:
    """The page numbers of all requests for the list so far."""
    return [int(request.query["page"]) for request in athlete.requests(LIST)]


def details_asked(athlete: Any) -> list[int]:
    """The ids of all requests for details so far."""
    return [int(request.path.rpartition("/")[2]) for request in athlete.requests(DETAIL)]


def ask(athlete: Any, path: str, **query: Any) -> bytes:
    """The body with which Strava answers a request of ours."""
    token = json.loads(athlete.token_file.read_text())["access_token"]
    response = requests.get(
        athlete.strava.api_url + path, params=query, headers={"Authorization": f"Bearer {token}"}, timeout=10
    )
    response.raise_for_status()
    return response.content


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of each file directly in `folder`, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@contextmanager
def small_disk_at(folder: Path) -> Iterator[Callable[[str], None]]:
    """A small disk at `folder`, as the function that gives it another size; the test is skipped where none may be."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only a superuser may mount a small disk")

    def resize(size: str) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True, capture_output=True)

    try:
        yield resize
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def open_files(process_id: int | str) -> list[Path]:
    """What a process has open; nothing when it has ended."""
    try:
        return list(Path(f"/proc/{process_id}/fd").iterdir())
    except OSError:
        return []


def until(condition: Callable[[], Any], within_s: float = 120) -> None:
    """Wait for something that another process does; what vanishes while `condition` looks is not there yet."""
    ends_at_s = time.monotonic() + within_s
    while True:
        with suppress(FileNotFoundError):
            if condition():
                return
        assert time.monotonic() < ends_at_s, "it did not come to that"
        time.sleep(0.002)


def assert_one_sentence(ran: Any, code: int, *words: str) -> None:
    """The command ended with `code` and one clear sentence that has `words` in it."""
    errors = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert ran.code == code, ran.err
    assert len(errors) == 1, ran.err
    assert "Traceback" not in ran.out + ran.err
    assert "[Errno" not in errors[0]
    for word in words:
        assert word in errors[0]


def write_shard(data: Path, table: str, rows: list[dict[str, Any]], name: str = "one") -> None:
    """Write a shard of `table` of athlete 7 below `data`; each row has an id, fetched_at, and a payload if not {}."""
    usual = {"athlete_id": 7, "start_date": None, "payload": b"{}", "shard": name}
    whole = [usual | row for row in rows]
    for row in whole:
        row["payload_hash"] = hashlib.sha256(row["payload"]).hexdigest()
    schema = TABLES[table].schema
    arrays = [pa.array([row[field.name] for row in whole], field.type) for field in schema]
    (data / table).mkdir(parents=True)
    pq.write_table(pa.table(arrays, schema=schema), data / table / f"{name}.parquet")
