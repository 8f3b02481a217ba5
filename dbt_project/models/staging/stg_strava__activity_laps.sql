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

with source as (
    select * from {{ source('strava', 'activity_laps') }}
),

-- The payload is a list, and what parses it takes objects.
parsed as (
    select
        *,
        {{ parse_json('concat(\'{"items":\', ' ~ readable_json('payload') ~ ', \'}\')', {'items': [fields]}) }} as said,
        row_number() over (partition by id order by fetched_at desc, payload_hash desc) as recency
    from source
),

newest as (
    select
        cast(id as bigint) as activity_id,
        cast(athlete_id as bigint) as athlete_id,
        cast(fetched_at as timestamp) as fetched_at,
        said.items
    from parsed
    where recency = 1
),

unnested as (
    {{ elements_of('newest', 'items', ['activity_id', 'athlete_id', 'fetched_at']) }}
)

select * from unnested
