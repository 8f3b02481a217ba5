"""The base of all other folders: settings, folders and locks, progress, signals, and how we open DuckDB."""
