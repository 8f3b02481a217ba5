{{ config(enabled=var('strava__using_activity_comments', false)) }}

{%- set fields = {
    'id': 'bigint',
    'text': 'string',
    'created_at': 'timestamp',
    'athlete': {'firstname': 'string', 'lastname': 'string'},
} %}

{{ elements_of_newest_lists('activity_comments', fields, {'activity_id': 'id', 'athlete_id': 'athlete_id'}) }}
