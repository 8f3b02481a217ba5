{{ config(enabled=var('strava__using_activity_laps', false)) }}

{%- set fields = {
    'id': 'bigint',
    'name': 'string',
    'start_date_local': 'timestamp',
    'distance': 'double',
    'moving_time': 'bigint',
    'elapsed_time': 'bigint',
    'total_elevation_gain': 'double',
    'average_speed': 'double',
    'max_speed': 'double',
    'average_heartrate': 'double',
    'max_heartrate': 'double',
    'average_cadence': 'double',
    'average_watts': 'double',
} %}

{{ elements_of_newest_lists('activity_laps', fields, {'activity_id': 'id', 'athlete_id': 'athlete_id'}) }}
