{{ config(enabled=var('strava__using_activity_photos', false)) }}

with final as (
    select
        athlete_id,
        activity_id,
        item.unique_id as photo_id,
        item.caption,
        item.urls,
        item.default_photo as is_default,
        item.location,
        item.created_at,
        item.created_at_local,
        fetched_at
    from {{ ref('stg_strava__activity_photos') }}
    where item.unique_id is not null and activity_id in (select live.id from {{ ref('activities') }} as live)
)

select * from final
