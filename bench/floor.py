"""The floor: what the job costs at least, as a program without dlt, dbt, hashes, cursor or safety.

Run as a process of its own: `python -m bench.floor list|details API_URL FOLDER`, the access token on standard input.
"""

import sys
import time
from pathlib import Path

import duckdb
import requests

PER_PAGE = 200


def list_into_parquet(session: requests.Session, api_url: str, folder: Path) -> None:
    """Fetch every page of the list into a file, read them all into a DuckDB table, copy that to Parquet."""
    number = 1
    while True:
        page = session.get(
            f"{api_url}/athlete/activities", params={"after": 0, "per_page": PER_PAGE, "page": number}, timeout=60
        )
        page.raise_for_status()
        if page.content == b"[]":
            break
        (folder / f"{number:06}.json").write_bytes(page.content)
        number += 1
    with duckdb.connect(str(folder / "floor.duckdb")) as connection:
        connection.execute(
            f"create table activities as select * from read_json('{folder}/*.json', union_by_name = true)"
        )
        connection.execute(f"copy activities to '{folder}/activities.parquet' (format parquet, compression zstd)")


def details(session: requests.Session, api_url: str, ids: list[int]) -> float:
    """Fetch the details of `ids` and keep nothing; seconds of the loop alone."""
    began_at_s = time.perf_counter()
    for id_ in ids:
        session.get(
            f"{api_url}/activities/{id_}", params={"include_all_efforts": "true"}, timeout=60
        ).raise_for_status()
    return time.perf_counter() - began_at_s


def main() -> None:
    """`list` leaves its files in FOLDER; `details` fetches the ids in FOLDER/ids.txt and prints the loop's seconds."""
    what, api_url, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {sys.stdin.readline().strip()}"
        if what == "list":
            list_into_parquet(session, api_url, folder)
        else:
            print(details(session, api_url, [int(line) for line in (folder / "ids.txt").read_text().splitlines()]))


if __name__ == "__main__":
    main()
