"""Withdrawals: which rows of bronze a person wanted erased because of the door through which they came.

A withdrawal is a row of bronze and names the shards that it erases, so what lands later is not affected.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from pipelines.bronze.shard import Erases
from pipelines.bronze.tables import DOORS, TABLES, Door
from pipelines.sources.strava_api.payloads import Payload

# identifies a row within its table, whichever shard it is in
Key = tuple[int | None, str]


@dataclass(frozen=True)
class Withdrawal:
    """All rows of `shards` (by table, the names inside) except those that other doors prove too (`kept`)."""

    door: Door
    shards: Mapping[str, frozenset[str]]
    kept: Mapping[str, frozenset[Key]] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> "Withdrawal | None":
        """The withdrawal in a payload of bronze; None if its version is unknown."""
        try:
            noted = json.loads(text)
            door: Door = DOORS[DOORS.index(noted["door"])]
            shards = {str(table): frozenset(map(str, names)) for table, names in noted["shards"].items()}
            kept = {
                str(table): frozenset((None if id_ is None else int(id_), str(sha256)) for id_, sha256 in keys)
                for table, keys in noted["kept"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return cls(door, shards, kept)

    def payload(self, athlete_id: int) -> Payload:
        """As bronze keeps it."""
        noted = {
            "door": self.door,
            "shards": {table: sorted(names) for table, names in self.shards.items() if names},
            "kept": {table: sorted(keys, key=repr) for table, keys in self.kept.items() if keys},
        }
        text = json.dumps(noted).encode()
        return Payload(None, athlete_id, None, text, hashlib.sha256(text).digest())

    def takes(self, table: str, shard: str, key: Key) -> bool:
        """Whether it is to erase a row of `table`."""
        return shard in self.shards.get(table, ()) and key not in self.kept.get(table, ())


class Withdrawn:
    """All withdrawals together; the newest was at `newest_at` (UTC)."""

    def __init__(self, withdrawals: Iterable[Withdrawal], newest_at: datetime) -> None:
        self.withdrawals = tuple(withdrawals)
        self.newest_at = newest_at
        self.tables = tuple(table for table in TABLES if any(each.shards.get(table) for each in self.withdrawals))

    def shards(self, table: str) -> frozenset[str]:
        """The names of the shards of `table` with rows to be erased."""
        return frozenset().union(*(each.shards.get(table, frozenset()) for each in self.withdrawals))

    def takes(self, table: str, shard: str, key: Key) -> bool:
        """Whether a row of `table` is to be erased."""
        return any(each.takes(table, shard, key) for each in self.withdrawals)

    def takes_all_of(self, table: str, shard: str) -> bool:
        """Whether every row of that shard is to be erased."""
        return any(shard in each.shards.get(table, ()) and not each.kept.get(table) for each in self.withdrawals)

    def erases(self, table: str) -> Erases:
        """Which rows of a shard of `table` are to be erased."""

        def erases(rows: pa.Table) -> list[bool]:
            columns = (rows[name].to_pylist() for name in ("shard", "id", "payload_hash"))
            return [self.takes(table, shard, (id_, sha256)) for shard, id_, sha256 in zip(*columns, strict=True)]

        return erases
