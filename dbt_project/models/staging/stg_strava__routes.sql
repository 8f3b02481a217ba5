{{ config(enabled=var('strava__using_routes', false)) }}

{%- set fields = {
    'id': 'bigint',
    'name': 'string',
    'description': 'string',
    'type': 'integer',
    'sub_type': 'integer',
    'distance': 'double',
    'elevation_gain': 'double',
    'private': 'boolean',
    'starred': 'boolean',
    'created_at': 'timestamp',
    'updated_at': 'timestamp',
    'estimated_moving_time': 'bigint',
    'map': {'summary_polyline': 'string'},
} %}

{{ elements_of_newest_lists('routes', fields, {'athlete_id': 'athlete_id'}) }}
