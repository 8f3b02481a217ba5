{#
    The daily rollup by a longer period: week (ISO, from Monday), month or year, identified by its first day. There is one
    definition, so that a measure that is added to the days reaches all three.
#}
{% macro roll_up_daily(period) -%}
with days as (
    select * from {{ ref('activities_daily') }}
),

dated as (
    select
        *,
        cast({{ dbt.date_trunc(period, 'activity_date') }} as date) as {{ period }}_start_date
    from days
),

final as (
    select
        athlete_id,
        {{ period }}_start_date,
        sport_type,
        cast(sum(activities) as bigint) as activities,
        cast(round(sum(distance_m), 3) as double) as distance_m,
        cast(sum(moving_time_s) as bigint) as moving_time_s,
        cast(round(sum(total_elevation_gain_m), 3) as double) as total_elevation_gain_m,
        cast(sum(kudos) as bigint) as kudos,
        cast(sum(active_days) as bigint) as active_days
    from dated
    group by athlete_id, {{ period }}_start_date, sport_type
)

select * from final
{%- endmacro %}
