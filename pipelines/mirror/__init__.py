"""What is decided: what to ask for, what is new, what counts as deleted, what waits."""
