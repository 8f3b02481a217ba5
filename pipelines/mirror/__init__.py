"""The decisions: what to request, what is new, what counts as deleted, what has to wait."""
