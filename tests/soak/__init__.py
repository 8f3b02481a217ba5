"""Random histories against the mirror: whatever happened, one quiet flow later the warehouse equals Strava."""
