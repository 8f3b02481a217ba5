"""The page of marts that Spark built, read from the Parquet that `python -m spark export` wrote."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.ground.durable import entries
from pipelines.ground.engine import literal, quoted
from pipelines.ground.errors import BadSetting
from pipelines.ground.progress import Report
from pipelines.ground.settings import StravaSettings
from pipelines.page.html import make_page
from pipelines.warehouse.database import DATASET, open_warehouse
from spark.session import BESIDE_MARTS

MARTS = "strava"


def make_page_of(
    settings: StravaSettings, exported: Path, report: Report, public: bool = False, path: Path | None = None
) -> None:
    """Write the page of the marts in `exported`; it needs neither Spark nor a DuckDB file.

    path: where to write it instead of in the site.

    Raises:
        BadSetting: the folder was not written by an export; something else is where the page goes.
        StorageFailed: a file cannot be read or written.
    """
    with _as_warehouse(exported) as file:
        make_page(settings, report, public, path, marts=file)


@contextmanager
def _as_warehouse(exported: Path) -> Iterator[Path]:
    """A DuckDB file whose views are the Parquet in `exported`."""
    names = [
        entry.name
        for entry in (entries(exported) if exported.is_dir() else ())
        if (entry.name in BESIDE_MARTS or "." not in entry.name) and any(Path(entry.path).glob("*.parquet"))
    ]
    if missing := sorted({*BESIDE_MARTS, "activities"} - set(names)):
        raise BadSetting(f"{exported} is not a folder that `make spark-export` wrote: it has no {', '.join(missing)}.")
    with TemporaryDirectory() as folder:
        file = Path(folder) / "marts.duckdb"
        with open_warehouse(file) as connection:
            for schema in (MARTS, DATASET):
                connection.execute(f"create schema {schema}")
            for name in names:
                schema, _, table = name.rpartition(".")
                files = quoted(f"{literal(exported / name)}/*.parquet")
                connection.execute(f'create view {schema or MARTS}."{table}" as from read_parquet({files})')
        yield file
