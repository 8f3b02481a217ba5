"""The athlete's own export of Strava: its ZIP and the files in it; needs nothing else of this project."""
