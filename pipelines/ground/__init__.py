"""What all of the above stands on: settings, folders and locks, progress, signals, DuckDB as we open it."""
