{{ config(materialized='table' if target.type == 'spark' else 'view') }}

with sweeps as (
    select * from {{ ref('stg_strava__sweeps') }}
),

final as (
    select
        athlete_id,
        started_at,
        ended_at,
        after_start_date,
        reached_start_date,
        activities_listed,
        versions_landed,
        activities_gone,
        complete,
        reason
    from sweeps
)

select * from final
