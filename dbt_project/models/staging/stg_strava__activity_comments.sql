{{ config(enabled=var('strava__using_activity_comments', false)) }}

{%- set fields = {
    'id': 'bigint',
    'text': 'string',
    'created_at': 'timestamp',
    'athlete': {'firstname': 'string', 'lastname': 'string'},
} %}

with source as (
    select * from {{ source('strava', 'activity_comments') }}
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
