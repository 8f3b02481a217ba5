"""Strava's API: its client, its list and its details, OAuth, rate limits."""
