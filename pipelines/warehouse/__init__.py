"""What is built: staging, dbt, the published copy, queries on the sealed file."""
