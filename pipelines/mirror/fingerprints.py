"""Hashes of what versions say, to find details that contradict their summary.

They are a cache beside the warehouse: reading all payloads in each enrichment would take longer than the requests that
it fetches.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.bronze.liveness import with_enriched
from pipelines.bronze.store import READABLE, Bronze
from pipelines.bronze.tables import ACTIVITIES, ACTIVITY_DETAILS
from pipelines.ground.durable import written_whole
from pipelines.ground.engine import literal, read_parquet

_FIELDS = f"cast(json_extract({READABLE}, $paths) as varchar[])"
# null for a payload that is not JSON (a wrong bit in a shard)
_SAID = f"try(list_transform({_FIELDS}, lambda each: nullif(each, 'null')))"
# 1 and 1.0 are equal
_HASH = f"hash(list_transform({_SAID}, lambda each: coalesce(cast(try_cast(each as double) as varchar), each)))"
_KEPT = pa.schema({"file": pa.string(), "id": pa.int64(), "fetched_at": pa.timestamp("us"), "said": pa.uint64()})


@dataclass(frozen=True)
class Version:
    """What a summary or details fetched at an instant say: some fields as JSON; None if the payload is not JSON."""

    fetched_at: datetime
    fields: list[str | None] | None


@dataclass(frozen=True)
class Enriched:
    """An activity with details: all versions of its summary and of its details, oldest first."""

    id: int
    summaries: list[Version]
    details: list[Version]


class Differing:
    """What the versions in `bronze` say at the JSON `paths`; the hashes are kept in `folder`."""

    def __init__(self, bronze: Bronze, folder: Path, paths: list[str]) -> None:
        self._bronze = bronze
        self._folder = folder
        self._paths = paths
        # a hash depends on the version of DuckDB
        self._made_by = f"{duckdb.__version__} {_HASH} {paths}"

    def from_summaries(self, athlete_id: int) -> list[Enriched]:
        """Live activities whose details differ from their summary, newest first."""
        summaries, details = (literal(self._kept(table)) for table in (ACTIVITIES, ACTIVITY_DETAILS))
        rows = self._bronze.query(
            f"""
            {with_enriched()}
            select enriched.id
            from enriched
            inner join {read_parquet("$summaries")} as summaries
                on summaries.id = enriched.id and summaries.fetched_at = enriched.fetched_at
            inner join {read_parquet("$details")} as details
                on details.id = enriched.id and details.fetched_at = enriched.enriched_at
            where summaries.said != details.said
            order by enriched.start_date desc nulls last, enriched.id desc
            """,
            athlete_id=athlete_id,
            summaries=summaries,
            details=details,
        )
        ids = list(dict.fromkeys(id_ for (id_,) in rows))
        versions = [self._versions(table, ids) for table in (ACTIVITIES, ACTIVITY_DETAILS)]
        return [Enriched(id_, *(of[id_] for of in versions)) for id_ in ids]

    def _versions(self, table: str, ids: list[int]) -> dict[int, list[Version]]:
        """All versions of `ids` in `table`, oldest first."""
        versions: dict[int, list[Version]] = {id_: [] for id_ in ids}
        if ids:
            rows = self._bronze.query(
                f"select id, fetched_at, {_SAID} from {{{table}}} "
                "where list_contains($ids, id) order by fetched_at, payload_hash",
                ids=ids,
                paths=self._paths,
            )
            for id_, *said in rows:
                versions[id_].append(Version(*said))
        return versions

    def _kept(self, table: str) -> Path:
        """The file of `table`'s hashes, brought up to date; shards do not change, so each is read once."""
        path = self._folder / f"told_{table}.parquet"
        shards = {shard.name: shard for shard in self._bronze.shards(table)}
        kept = self._read(path)
        known = set(pc.unique(kept.column("file")).to_pylist())
        if known == shards.keys() and path.exists():
            return path
        tables = [kept.filter(pc.is_in(kept.column("file"), pa.array(shards, pa.string())))]
        for name in shards.keys() - known:
            query = f"select $file, id, fetched_at, {_HASH} from {{{table}}}"
            rows = self._bronze.query_shard(table, shards[name], query, file=name, paths=self._paths)
            tables += [pa.table(list(zip(*rows, strict=True)), schema=_KEPT)] if rows else []
        with written_whole(path, durable=False) as file:
            pq.write_table(pa.concat_tables(tables).replace_schema_metadata({"made_by": self._made_by}), file)
        return path

    def _read(self, path: Path) -> pa.Table:
        """The content of `path`; nothing if it is missing, made in another way or unreadable."""
        try:
            kept = pq.read_table(path)
        except (OSError, ValueError):
            return _KEPT.empty_table()
        made_by = (kept.schema.metadata or {}).get(b"made_by")
        return kept.replace_schema_metadata(None) if made_by == self._made_by.encode() else _KEPT.empty_table()
