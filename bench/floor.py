"""The floor: what the job costs at least, as a program without dlt, dbt, hashes, cursor or safety.

Run as a process of its own: `python -m bench.floor list|details|original API_URL FOLDER`, the access token on standard
input.
"""

import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import duckdb
import requests

PER_PAGE = 200


def _pages(session: requests.Session, api_url: str, folder: Path) -> Iterator[Path]:
    """Every page of the list, in a file each."""
    for number in count(1):
        page = session.get(
            f"{api_url}/athlete/activities", params={"after": 0, "per_page": PER_PAGE, "page": number}, timeout=60
        )
        page.raise_for_status()
        if page.content == b"[]":
            return
        path = folder / f"{number:06}.json"
        path.write_bytes(page.content)
        yield path


def list_into_parquet(session: requests.Session, api_url: str, folder: Path) -> None:
    """Fetch every page of the list into a file, read them all into a DuckDB table, copy that to Parquet."""
    for _ in _pages(session, api_url, folder):
        pass
    with duckdb.connect(str(folder / "floor.duckdb")) as connection:
        connection.execute(
            f"create table activities as select * from read_json('{folder}/*.json', union_by_name = true)"
        )
        connection.execute(f"copy activities to '{folder}/activities.parquet' (format parquet, compression zstd)")


def original(session: requests.Session, api_url: str, folder: Path) -> None:
    """What the program did that this one replaces: each page as JSON and Parquet, then all into a table with a key."""
    with duckdb.connect(str(folder / "original.duckdb")) as connection:
        for page in _pages(session, api_url, folder):
            connection.execute(
                f"copy (select * from read_json('{page}')) to '{page.with_suffix('.parquet')}' (format parquet)"
            )
        pages = f"read_json('{folder}/*.json', union_by_name = true)"
        connection.execute(f"create table activities as select * from {pages} limit 0")
        connection.execute("alter table activities add primary key (id)")
        connection.execute(f"insert or replace into activities by name select * from {pages}")


def details(session: requests.Session, api_url: str, ids: list[int]) -> float:
    """Fetch the details of `ids` and keep nothing; seconds of the loop alone."""
    began_at_s = time.perf_counter()
    for id_ in ids:
        session.get(
            f"{api_url}/activities/{id_}", params={"include_all_efforts": "true"}, timeout=60
        ).raise_for_status()
    return time.perf_counter() - began_at_s


def main() -> None:
    """`list` and `original` write to FOLDER; `details` fetches the ids in FOLDER/ids.txt and prints its seconds."""
    what, api_url, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {sys.stdin.readline().strip()}"
        if what == "list":
            list_into_parquet(session, api_url, folder)
        elif what == "original":
            original(session, api_url, folder)
        else:
            print(details(session, api_url, [int(line) for line in (folder / "ids.txt").read_text().splitlines()]))


if __name__ == "__main__":
    main()
