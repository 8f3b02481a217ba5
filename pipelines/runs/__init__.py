"""What is run: the flow and its steps, purge, status, schedule, backup."""
