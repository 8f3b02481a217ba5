{{ config(enabled=var('strava__using_activity_comments', false)) }}

with final as (
    select
        athlete_id,
        activity_id,
        item.id as comment_id,
        item.text,
        item.athlete.firstname,
        item.athlete.lastname,
        item.created_at,
        fetched_at
    from {{ ref('stg_strava__activity_comments') }}
    where item.id is not null and activity_id in (select live.id from {{ ref('activities') }} as live)
)

select * from final
