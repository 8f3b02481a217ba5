"""What everything stands on: errors, settings, durable files, payloads, progress, signals, DuckDB as we open it."""
