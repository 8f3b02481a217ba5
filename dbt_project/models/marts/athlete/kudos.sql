{{ config(enabled=var('strava__using_activity_kudos', false)) }}

with final as (
    select
        athlete_id,
        activity_id,
        position,
        item.firstname,
        item.lastname,
        fetched_at
    from {{ ref('stg_strava__activity_kudos') }}
    where activity_id in (select live.id from {{ ref('activities') }} as live)
)

select * from final
