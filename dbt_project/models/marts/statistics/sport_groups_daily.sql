{{ config(materialized='table' if target.type == 'spark' else 'view') }}

with days as (
    select * from {{ ref('int_days__grouped') }}
),

final as (
    select
        athlete_id,
        activity_date,
        sport_group,
        activities,
        distance_m,
        moving_time_s,
        total_elevation_gain_m,
        kudos
    from days
)

select * from final
