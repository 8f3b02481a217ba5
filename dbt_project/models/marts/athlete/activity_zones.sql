{{ config(enabled=var('strava__using_activity_zones', false)) }}

with lists as (
    select
        athlete_id,
        activity_id,
        fetched_at,
        position as list_position,
        item.type as kind,
        item.sensor_based as is_sensor_based,
        item.custom_zones as is_custom,
        item.distribution_buckets as buckets
    from {{ ref('stg_strava__activity_zones') }}
    where activity_id in (select live.id from {{ ref('activities') }} as live)
),

unnested as (
    {{ elements_of(
        'lists',
        'buckets',
        ['athlete_id', 'activity_id', 'fetched_at', 'list_position', 'kind', 'is_sensor_based', 'is_custom'],
    ) }}
),

final as (
    select
        athlete_id,
        activity_id,
        list_position,
        kind,
        position as zone,
        item.min as lowest,
        nullif(item.max, -1) as highest,
        item.time as time_s,
        is_sensor_based,
        is_custom,
        fetched_at
    from unnested
)

select * from final
