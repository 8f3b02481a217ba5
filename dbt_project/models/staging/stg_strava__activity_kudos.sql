{{ config(enabled=var('strava__using_activity_kudos', false)) }}

{%- set fields = {'firstname': 'string', 'lastname': 'string'} %}

{{ elements_of_newest_lists('activity_kudos', fields, {'activity_id': 'id', 'athlete_id': 'athlete_id'}) }}
