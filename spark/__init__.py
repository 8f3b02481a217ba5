"""The same warehouse on Spark and Iceberg: see docs/guides/spark.md."""
