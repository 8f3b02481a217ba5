"""The commands' work: the flow and its steps, purge, status, schedule, backup."""
