{{ config(materialized='table' if target.type == 'spark' else 'view') }}

{#- The distances of races: Strava's names and metres. -#}
{%- set races = {
    '1 mile': 1609,
    '5K': 5000,
    '10K': 10000,
    '15K': 15000,
    '10 mile': 16090,
    'Half-Marathon': 21097,
    'Marathon': 42195,
} -%}

with races as (
    {%- for race, metres in races.items() %}
    {% if not loop.first %}union all{% endif %}
    select
        '{{ race }}' as to_effort,
        cast({{ metres }} as double) as to_distance_m
    {%- endfor %}
),

recent as (
    select
        best_efforts.*,
        row_number() over (
            partition by best_efforts.athlete_id, best_efforts.effort
            order by best_efforts.elapsed_time_s, best_efforts.activity_date, best_efforts.activity_id
        ) as place
    from {{ ref('best_efforts') }} as best_efforts
    inner join {{ ref('int_athletes__today') }} as today on best_efforts.athlete_id = today.athlete_id
    where
        best_efforts.sport_group = 'Run'
        and best_efforts.rank_all_time is not null
        and best_efforts.distance_m > 0
        -- Today is the last of 365 days.
        and best_efforts.activity_date > {{ dbt.dateadd('day', -365, 'today.today') }}
        and best_efforts.activity_date <= today.today
),

predicted as (
    select
        recent.athlete_id,
        recent.effort as from_effort,
        recent.activity_date as from_activity_date,
        recent.distance_m as from_distance_m,
        recent.elapsed_time_s as from_time_s,
        races.to_effort,
        races.to_distance_m,
        recent.elapsed_time_s * power(races.to_distance_m / recent.distance_m, 1.06) as predicted_time_s
    from recent
    cross join races
    where recent.place = 1 and recent.effort <> races.to_effort
),

final as (
    select
        athlete_id,
        from_effort,
        from_activity_date,
        from_distance_m,
        from_time_s,
        to_effort,
        to_distance_m,
        cast(round(predicted_time_s, 6) as double) as predicted_time_s
    from predicted
    -- 3.5 to 230 min: beyond that, the exponent is not valid (Riegel 1981).
    where from_time_s between 210 and 13800 and predicted_time_s between 210 and 13800
)

select * from final
