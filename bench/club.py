"""Bronze of many athletes, written at once: `python -m bench.club first|more DATA ACTIVITIES`.

`first` writes a shard of the list for each athlete, and one of details of their newest activities, as if all had been
pulled an hour ago. `more` lands what ten of them bring later: new activities, and new versions of old ones.
"""

import hashlib
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.bronze.shard import PARQUET
from pipelines.bronze.tables import ACTIVITIES, ACTIVITY_DETAILS, SCHEMA
from simulator import World
from simulator.json_text import dump, parse

# an athlete of 16 years
EACH = 5000
# one in twenty activities has details
WITH_DETAILS = 20
# so few that their shards are not compacted first
BRING_MORE = 10
CHANGED, NEW = 300, 200
DATE = "%Y-%m-%dT%H:%M:%SZ"


def _rows(world: World, texts: Iterable[tuple[int, bytes]], fetched_at: datetime) -> list[dict[str, Any]]:
    return [
        {
            "id": id_,
            "athlete_id": world.athlete_id,
            "start_date": datetime.strptime(str(parse(text)["start_date"]), DATE),
            "fetched_at": fetched_at,
            "payload_hash": hashlib.sha256(text).hexdigest(),
            "payload": text.decode(),
        }
        for id_, text in texts
    ]


def _write(data: Path, table: str, rows: list[dict[str, Any]]) -> None:
    name = f"{table}_{rows[0]['athlete_id']}_{rows[0]['fetched_at']:%Y%m%d%H%M%S}_00000000"
    shard = pa.Table.from_pylist([row | {"shard": name} for row in rows], SCHEMA)
    (data / table).mkdir(parents=True, exist_ok=True)
    pq.write_table(shard, data / table / f"{name}.parquet", **PARQUET)


def _write_athlete(data: Path, number: int, athletes: int, activities: int, now: datetime) -> None:
    """Write the shards of one athlete. Ids of athletes differ by their remainders, as no two are equal at Strava."""
    world = World(number, activities, clock=now - timedelta(days=1))
    ids: set[int] = set()
    texts = []
    for key, text in world.summary_texts().items():
        id_ = key - key % athletes + number
        while id_ in ids:
            id_ += athletes
        ids.add(id_)
        # also the ids of its map and its upload
        texts.append((key, id_, text.replace(str(key).encode(), str(id_).encode())))
    fetched_at = now - timedelta(hours=1)
    _write(data, ACTIVITIES, _rows(world, ((id_, text) for _, id_, text in texts), fetched_at))
    details = []
    for key, id_, text in texts[-max(1, activities // WITH_DETAILS) :]:
        world.set_summary(key, text)
        details.append((id_, dump(world.detail(key))))
    _write(data, ACTIVITY_DETAILS, _rows(world, details, fetched_at))


def write_first(data: Path, activities: int) -> None:
    """Write the bronze of so many activities into the folder `data`."""
    now = datetime.now(UTC).replace(tzinfo=None)
    athletes = -(-activities // EACH)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        written = [
            pool.submit(
                _write_athlete, data, number, athletes, activities // athletes + (number < activities % athletes), now
            )
            for number in range(athletes)
        ]
        for each in written:
            each.result()


def write_more(data: Path) -> None:
    """Add a shard for each of the first athletes; all together bring 300 changed and 200 new activities."""
    now = datetime.now(UTC).replace(tzinfo=None)
    paths = sorted((data / ACTIVITIES).glob("*.parquet"))[:BRING_MORE]
    for path in paths:
        rows = pq.read_table(path).to_pylist()
        changed, new = (rows[-count // len(paths) :] for count in (CHANGED, NEW))
        more = [_changed(row, kudos_count=1000) for row in changed]
        later = timedelta(days=1)
        highest = max(row["id"] for row in rows)
        for number, row in enumerate(new, start=1):
            more.append(_changed(row, id=highest + number * 1000, name="New", start_date=row["start_date"] + later))
        _write(data, ACTIVITIES, [row | {"fetched_at": now} for row in more])


def _changed(row: dict[str, Any], **members: Any) -> dict[str, Any]:
    said = parse(row["payload"].encode()) | members
    if "start_date" in members:
        local = members["start_date"] + timedelta(seconds=said.get("utc_offset") or 0)
        said |= {"start_date": f"{members['start_date']:{DATE}}", "start_date_local": f"{local:{DATE}}"}
    text = dump(said)
    keys = {name: members[name] for name in ("id", "start_date") if name in members}
    return row | keys | {"payload": text.decode(), "payload_hash": hashlib.sha256(text).hexdigest()}


if __name__ == "__main__":
    if sys.argv[1] == "first":
        write_first(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        write_more(Path(sys.argv[2]))
