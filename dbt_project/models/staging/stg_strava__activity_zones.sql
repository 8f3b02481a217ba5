{{ config(enabled=var('strava__using_activity_zones', false)) }}

{%- set fields = {
    'type': 'string',
    'score': 'double',
    'sensor_based': 'boolean',
    'custom_zones': 'boolean',
    'distribution_buckets': [{'min': 'double', 'max': 'double', 'time': 'double'}],
} %}

{{ elements_of_newest_lists('activity_zones', fields, {'activity_id': 'id', 'athlete_id': 'athlete_id'}) }}
