{{ config(materialized='table' if target.type == 'spark' else 'view') }}

with zone_times as (
    select * from {{ ref('zone_times') }}
),

final as (
    select
        athlete_id,
        cast({{ dbt.date_trunc('month', 'activity_date') }} as date) as month_start_date,
        sport_group,
        zone,
        lowest_bpm,
        highest_bpm,
        cast(sum(moving_time_s) as double) as moving_time_s,
        source
    from zone_times
    group by
        athlete_id,
        {{ dbt.date_trunc('month', 'activity_date') }},
        sport_group,
        zone,
        lowest_bpm,
        highest_bpm,
        source
)

select * from final
