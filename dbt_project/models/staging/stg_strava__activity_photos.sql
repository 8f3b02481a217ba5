{{ config(enabled=var('strava__using_activity_photos', false)) }}

{%- set fields = {
    'unique_id': 'string',
    'caption': 'string',
    'created_at': 'timestamp',
    'created_at_local': 'timestamp',
    'default_photo': 'boolean',
    'location': 'array<double>',
    'urls': 'string',
} %}

{{ elements_of_newest_lists('activity_photos', fields, {'activity_id': 'id', 'athlete_id': 'athlete_id'}) }}
