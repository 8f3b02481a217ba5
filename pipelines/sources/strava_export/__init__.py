"""A dlt source for Strava's bulk export: `pipeline.run(strava_export("export.zip"))`. See README.md."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import dlt
import pyarrow as pa
import pyarrow.parquet as pq
from dlt.extract import DltResource
from dlt.extract.items import DataItemWithMeta

from . import seeds
from .archive import Member
from .errors import (
    AnotherAthlete,
    DamagedExport,
    EncryptedExport,
    ExportError,
    NotAnExport,
    Problem,
    UnknownLayout,
)
from .export import Export, ExportFile, ExportRow
from .rows import date_text, read_row, upload_id_of
from .texts import DateOrder

__all__ = [
    "AnotherAthlete",
    "DamagedExport",
    "DateOrder",
    "EncryptedExport",
    "Export",
    "ExportError",
    "ExportFile",
    "ExportRow",
    "Member",
    "NotAnExport",
    "Problem",
    "UnknownLayout",
    "date_text",
    "read_row",
    "strava_export",
    "upload_id_of",
]

_CONTENT_BYTES: Final = 2**24
_DATA_TYPES: Final = {"int": "bigint", "float": "double", "bool": "bool", "epoch": "timestamp", "date": "timestamp"}
_OF_AN_EXPORT: Final = {"athlete_id": "bigint", "exported_at": "timestamp", "origin": "text"}
_CONTENTS: Final = pa.schema([pa.field("sha256", pa.string(), nullable=False), pa.field("content", pa.large_binary())])

Rows = Iterator[dict[str, Any]]


@dlt.source
def strava_export(path: str = dlt.config.value, athlete_id: int | None = None) -> list[DltResource]:
    """Strava's bulk export as tables.

    `path` is the ZIP as Strava sent it, with or without a folder on top, or the unpacked folder. `athlete_id` is the
    athlete to whom it has to belong, if that matters.

    Raises:
        ExportError: it cannot be read at all. The table `export_problems` has the parts that cannot be read.
    """
    with Export(path, athlete_id) as export:
        # an error that concerns all of it is raised here, not during an extraction
        _ = export.layout

    def table(
        name: str, rows_of: Callable[[Export], Rows], types: dict[str, str], *key: str, of_an_export: bool = True
    ) -> DltResource:
        def rows() -> Rows:
            with Export(path, athlete_id) as export:
                its = {"athlete_id": export.athlete_id, "exported_at": export.exported_at, "origin": export.origin}
                for row in rows_of(export):
                    yield its | row

        columns = {name: {"name": name, "data_type": type_} for name, type_ in (_OF_AN_EXPORT | types).items()}
        keys = [*(("exported_at", "origin") if of_an_export else ()), *key]
        return dlt.resource(rows, name=name, write_disposition="merge", primary_key=keys, columns=columns)  # type: ignore[call-overload, no-any-return]

    @dlt.resource(
        name="export_file_contents",
        write_disposition="merge",
        primary_key="sha256",
        columns={"sha256": {"data_type": "text"}, "content": {"data_type": "binary"}},
    )
    def contents() -> Iterator[DataItemWithMeta]:
        # a file instead of rows: dlt would keep 5,000 of them in memory, a gigabyte
        with Export(path, athlete_id) as export, TemporaryDirectory() as folder:
            for number, batch in enumerate(_batches(export)):
                parquet = Path(folder) / f"{number}.parquet"
                pq.write_table(batch, parquet, compression="zstd")
                yield dlt.mark.with_file_import(str(parquet), "parquet", batch.num_rows, hints=batch.schema)
                parquet.unlink()

    text = dict.fromkeys
    return [
        table("exports", _exports, {"width": "bigint", "language": "text", "titles": "text"}),
        table(
            "export_activities",
            _activities,
            _activity_types(),
            *("activity_id", "exported_at", "payload_sha256"),
            of_an_export=False,
        ),
        table(
            "export_files",
            _files,
            {
                "activity_id": "bigint",
                "upload_id": "bigint",
                "size": "bigint",
                **text(("name", "sha256", "kind"), "text"),
            },
            *("name", "sha256"),
            of_an_export=False,
        ),
        contents,
        table("gear", Export.gear, text(_GEAR, "text"), "kind", "row_number"),
        table("profile", Export.profile, {"sex": "text", "weight_kg": "double"}, "row_number"),
        table("preferences", Export.preferences, {"payload": "text"}, "row_number"),
        table("goals", Export.goals, {"payload": "text"}, "row_number"),
        table("media", Export.media, text(("file_name", "caption", "payload"), "text"), "row_number"),
        table("export_problems", _problems, {"lost": "bool", "text": "text"}, "kind", "name", "reason"),
    ]


_GEAR: Final = ("kind", "name", "brand", "model", "sport_types", "bike", "component_type", "payload")


def _activity_types() -> dict[str, str]:
    typed = {
        column.name: _DATA_TYPES.get(column.kind, "text")
        for column in seeds.columns()
        if column.name and column.kind != "displayed"
    }
    return typed | {"row_number": "bigint", "type": "text", "payload": "text", "payload_sha256": "text"}


def _exports(export: Export) -> Rows:
    layout = export.layout
    yield {"width": layout.width, "language": layout.language, "titles": "\n".join(layout.titles)}


def _activities(export: Export) -> Rows:
    for row in export.rows():
        yield row.values | {"row_number": row.number, "payload": row.payload.decode(), "payload_sha256": row.sha256}


def _files(export: Export) -> Rows:
    for file in export.files():
        yield {
            "name": file.name,
            "sha256": file.sha256,
            "size": len(file.content),
            "kind": file.kind,
            "activity_id": file.activity_id,
            "upload_id": file.upload_id,
        }


def _problems(export: Export) -> Rows:
    for problem in export.check():
        yield vars(problem)


def _batches(export: Export) -> Iterator[pa.Table]:
    """The files' bytes, once per content, some megabytes at a time."""
    seen: set[str] = set()
    batch: dict[str, bytes] = {}
    for file in export.files():
        if file.sha256 not in seen:
            seen.add(file.sha256)
            batch[file.sha256] = file.content
        if sum(map(len, batch.values())) > _CONTENT_BYTES:
            yield _table_of(batch)
            batch = {}
    if batch:
        yield _table_of(batch)


def _table_of(batch: dict[str, bytes]) -> pa.Table:
    return pa.table({"sha256": list(batch), "content": list(batch.values())}, schema=_CONTENTS)
