{{ config(enabled=var('strava__using_routes', false)) }}

with final as (
    select
        athlete_id,
        item.id as route_id,
        item.name,
        item.description,
        item.type as route_type,
        item.sub_type as route_sub_type,
        item.distance as distance_m,
        item.elevation_gain as elevation_gain_m,
        item.estimated_moving_time as estimated_moving_time_s,
        item.private as is_private,
        item.starred as is_starred,
        item.map.summary_polyline,
        item.created_at,
        item.updated_at,
        fetched_at
    from {{ ref('stg_strava__routes') }}
    where item.id is not null
)

select * from final
