"""The warehouse: staging, dbt, the published copy, queries on the sealed file."""
