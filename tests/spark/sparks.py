"""What the tests on Spark share: a home's settings, bronze with nonsense, and what a folder's files contain."""

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from home import OUR_SETTINGS, Athlete
from landed import write_shard

from pipelines.ground.settings import StravaSettings, read_settings
from spark.compare import Comparison, compare
from spark.places import Places
from spark.session import Session

CONF = Path(__file__).with_name("conf")
# a JVM that starts fast and compiles little
FEW_ROWS = {
    "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "SPARK_CONF_DIR": str(CONF),
    "SPARK_LOCAL_IP": "127.0.0.1",
    "STRAVA_SPARK_PARTITIONS": "2",
    "STRAVA_SPARK_DRIVER_MEMORY": "1500m",
}
NONSENSE_ATHLETE = 9
STARTED_AT = datetime(2025, 3, 1, 10)


@contextmanager
def settings_of(user: Athlete, **more: str) -> Iterator[StravaSettings]:
    """The settings of a home; meanwhile they are in the environment, for Spark's driver too."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith((*OUR_SETTINGS, "SPARK_"))]:
            patch.delenv(name)
        for name, value in (user.settings | FEW_ROWS | more).items():
            patch.setenv(name, value)
        yield read_settings()


def compared(session: Session, settings: StravaSettings) -> Comparison:
    """Each relation of DuckDB and the same of Spark, as they are now."""
    places = Places(settings)
    session.export(str(places.exported))
    return compare(settings.warehouse_path, places.exported)


def add_nonsense(home: Path, summary: dict[str, Any]) -> None:
    """Land activities of one more athlete, each with something that no API should say; `summary` is a sound one."""
    spoilt = {
        # of two members of a name the first counts
        1: ('"name": "Plain"', '"name": "First", "name": "Second"'),
        # a count has no halves
        2: ('"kudos_count": 7, "comment_count": 7', '"kudos_count": 2.5, "comment_count": 3.5'),
        3: ('"map": {"id": "a7"}', '"map": "a7"'),
        4: ('"map": {"id": "a7"}', '"map": [7]'),
        5: ('"name": "Plain"', r'"name": "Half \ud83d pair"'),
        6: ("(GMT+01:00) Europe/Berlin", "(GMT+01:00) Nowhere/Atlantis"),
        7: ('"kudos_count": 7', '"kudos_count": "many"'),
        8: ('"kudos_count": 7', '"kudos_count": 1e30'),
        # the same in all but the id
        9: ("", ""),
        10: ("", ""),
    }
    rows = []
    for id_, (sound, nonsense) in spoilt.items():
        started_at = STARTED_AT + timedelta(days=min(id_, 9))
        plain = summary | {
            "id": id_,
            "athlete": {"id": NONSENSE_ATHLETE},
            "name": "Plain",
            "start_date": f"{started_at:%Y-%m-%dT%H:%M:%SZ}",
            "start_date_local": f"{started_at + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
            "timezone": "(GMT+01:00) Europe/Berlin",
            "utc_offset": 3600.0,
            "gear_id": None,
            "map": {"id": "a7"},
            "kudos_count": 7,
        }
        del plain["comment_count"]
        text = json.dumps(plain).replace('"kudos_count": 7', '"kudos_count": 7, "comment_count": 7')
        assert sound in text
        rows.append(_row(id_, started_at, text.replace(sound, nonsense)))
    # two versions of the same instant
    rows += [_row(11, STARTED_AT, text.replace('"id": 10,', '"id": 11,').replace("Plain", name)) for name in "AB"]
    write_shard(home / "nonsense", "activities", rows, "nonsense")
    (home / "nonsense" / "activities" / "nonsense.parquet").rename(home / "data" / "activities" / "nonsense.parquet")


def _row(id_: int, started_at: datetime, text: str) -> dict[str, Any]:
    return {
        "id": id_,
        "athlete_id": NONSENSE_ATHLETE,
        "start_date": started_at,
        "fetched_at": datetime(2025, 6, 1),
        "payload": text.encode(),
    }


def files_with(folder: Path, text: str) -> list[str]:
    """The files below `folder` that contain `text`, also where they are compressed."""
    wanted = text.encode()
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(wanted in part for part in _contents(path))
    ]


def _contents(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    yield data
    if data.startswith(b"PAR1"):
        # the rows, and the footer's bounds, which are as they are
        yield repr(pq.ParquetFile(path).read().to_pylist()).encode()
    elif data.startswith(b"Obj\x01"):
        # Avro: each block is deflated, after how many rows and bytes it has, and before a mark
        mark = data[-16:]
        for block in data.split(mark)[1:-1]:
            yield zlib.decompress(block[_after_number(block, _after_number(block, 0)) :], -15)
    elif data.startswith(b"\x1f\x8b"):
        with suppress(OSError):
            yield gzip.decompress(data)


def _after_number(block: bytes, at: int) -> int:
    while block[at] & 0x80:
        at += 1
    return at + 1
