"""Where Spark's part of a warehouse is, and the environment from which dbt's profile reads it."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from pipelines.ground.settings import REPO, StravaSettings
from pipelines.warehouse.dbt_process import passed_on
from pipelines.warehouse.points import PointLayer

PYTHON = REPO / ".venv-spark" / "bin" / "python"
PROJECT = REPO / "dbt_project"
# of our variables, those that Spark and its bucket read: keys of a bucket, and none of Strava's
FOR_SPARK = re.compile(r"(STRAVA_SPARK|JAVA|JDK|SPARK|PYSPARK|HADOOP|AWS)_\w+")


@dataclass(frozen=True)
class Places:
    """The folders of one home. Everything here can be made again."""

    settings: StravaSettings

    @property
    def folder(self) -> Path:
        """The folder of everything that only Spark needs: tables, metastore, and what is staged for it."""
        return self.settings.warehouse_path.parent / "spark"

    @property
    def staged(self) -> Path:
        """What the pipeline made of the shards, as Parquet."""
        return self.folder / "staged"

    @property
    def exported(self) -> Path:
        """The marts as Parquet."""
        return self.folder / "exported"

    @property
    def logs(self) -> Path:
        """The logs of dbt, Spark and the metastore."""
        return self.settings.state_path / "spark" / "logs"

    def environment(self, jars: str) -> dict[str, str]:
        """The environment of the driver; of the caller's variables, those for Spark stay, for clusters and buckets."""
        given = {name: value for name, value in os.environ.items() if FOR_SPARK.fullmatch(name)}
        return (
            {
                "STRAVA_SPARK_JARS": jars,
                "STRAVA_SPARK_BRONZE": str(self.settings.bronze_path),
                "STRAVA_SPARK_STAGED": str(self.staged),
                "STRAVA_SPARK_POINTS": str(PointLayer(self.settings.warehouse_path).folder),
                "STRAVA_SPARK_WAREHOUSE": str(self.folder / "tables"),
                "STRAVA_SPARK_METASTORE": str(self.folder / "metastore"),
                "DBT_TARGET_PATH": str(self.settings.state_path / "spark" / "target"),
                "DBT_LOG_PATH": str(self.logs),
            }
            | passed_on()
            | given
        )
