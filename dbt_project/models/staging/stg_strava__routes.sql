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

with source as (
    select * from {{ source('strava', 'routes') }}
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
        cast(athlete_id as bigint) as athlete_id,
        cast(fetched_at as timestamp) as fetched_at,
        said.items
    from parsed
    where recency = 1
),

unnested as (
    {{ elements_of('newest', 'items', ['athlete_id', 'fetched_at']) }}
)

select * from unnested
