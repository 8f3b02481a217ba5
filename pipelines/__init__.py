"""The way of the data: Strava API → bronze shards → staging tables; dbt takes it from there."""
