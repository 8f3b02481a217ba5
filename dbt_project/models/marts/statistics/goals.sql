{{ config(materialized='table' if target.type == 'spark' else 'view') }}

with goals as (
    select * from {{ ref('stg_strava__goals') }}
),

athletes as (
    select * from {{ ref('int_athletes__today') }}
),

days as (
    select * from {{ ref('int_days__grouped') }}
),

periods as (
    {%- for period in ('week', 'month', 'year') %}
    {% if not loop.first %}union all{% endif %}
    select
        athlete_id,
        today,
        '{{ period }}' as period,
        cast({{ dbt.date_trunc(period, 'today') }} as date) as period_start_date,
        cast({{ dbt.dateadd('day', -1, dbt.dateadd(period, 1, dbt.date_trunc(period, 'today'))) }} as date)
            as period_end_date
    from athletes
    {%- endfor %}
),

sought as (
    select
        periods.*,
        goals.sport_group,
        goals.measure,
        goals.target
    from goals
    inner join periods on goals.athlete_id = periods.athlete_id and goals.period = periods.period
),

added as (
    select
        sought.athlete_id,
        sought.sport_group,
        sought.measure,
        sought.period,
        sum(case sought.measure
            when 'distance_m' then days.distance_m
            when 'moving_time_s' then days.moving_time_s
            when 'total_elevation_gain_m' then days.total_elevation_gain_m
            when 'activities' then days.activities
            when 'active_days' then 1
        end) as achieved
    from sought
    inner join days
        on
            sought.athlete_id = days.athlete_id
            and sought.sport_group = days.sport_group
            and days.activity_date between sought.period_start_date and sought.period_end_date
    group by sought.athlete_id, sought.sport_group, sought.measure, sought.period
),

final as (
    select
        sought.athlete_id,
        sought.sport_group,
        sought.measure,
        sought.period,
        sought.period_start_date,
        sought.period_end_date,
        sought.target,
        cast(round(coalesce(added.achieved, 0), 3) as double) as achieved,
        cast(round(coalesce(added.achieved, 0), 3) / sought.target as double) as share,
        cast(
            ({{ dbt.datediff('sought.period_start_date', 'sought.today', 'day') }} + 1e0)
            / ({{ dbt.datediff('sought.period_start_date', 'sought.period_end_date', 'day') }} + 1) as double
        ) as expected_share
    from sought
    left join added
        on
            sought.athlete_id = added.athlete_id
            and sought.sport_group = added.sport_group
            and sought.measure = added.measure
            and sought.period = added.period
)

select * from final
