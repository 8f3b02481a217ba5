"""Where activities come from; nothing in here knows bronze, DuckDB or dbt."""
