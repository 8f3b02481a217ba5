{{ config(materialized='table' if target.type == 'spark' else 'view') }}

{#- period -> its number, one more than that of the period before. Mondays are seven days apart. -#}
{%- set day = dbt.datediff("cast('1970-01-05' as date)", 'start_date', 'day') -%}
{%- set periods = {
    'day': day,
    'week': 'cast(floor(' ~ day ~ ' / 7.0) as bigint)',
    'month': '12 * extract(year from start_date) + extract(month from start_date)',
} -%}

with days as (
    select * from {{ ref('int_days__grouped') }}
),

athletes as (
    select * from {{ ref('int_athletes__today') }}
),

started as (
    {%- for period in periods %}
    {% if not loop.first %}union all{% endif %}
    select distinct
        athlete_id,
        sport_group,
        '{{ period }}' as period,
        cast({{ dbt.date_trunc(period, 'activity_date') }} as date) as start_date
    from days
    {%- endfor %}
),

numbered as (
    {%- for period, number in periods.items() %}
    {% if not loop.first %}union all{% endif %}
    select
        *,
        {{ number }} as number
    from started
    where period = '{{ period }}'
    {%- endfor %}
),

todays as (
    {%- for period in periods %}
    {% if not loop.first %}union all{% endif %}
    select
        athlete_id,
        '{{ period }}' as period,
        cast({{ dbt.date_trunc(period, 'today') }} as date) as start_date,
        -- A run up to the period before is still current, because this period may yet become active.
        cast({{ dbt.date_trunc(period, dbt.dateadd(period, -1, 'today')) }} as date) as previous_start_date
    from athletes
    {%- endfor %}
),

-- Within a run, the period's number and the row's number grow alike: their difference is constant.
placed as (
    select
        *,
        number - row_number() over (partition by athlete_id, sport_group, period order by number asc) as run
    from numbered
),

runs as (
    select
        athlete_id,
        sport_group,
        period,
        count(*) as length,
        min(start_date) as first_start_date,
        max(start_date) as last_start_date
    from placed
    group by athlete_id, sport_group, period, run
),

ranked as (
    select
        runs.*,
        runs.last_start_date >= todays.previous_start_date and runs.first_start_date <= todays.start_date as is_current,
        -- A longest run stays the longest until it is beaten.
        row_number() over (
            partition by runs.athlete_id, runs.sport_group, runs.period
            order by runs.length desc, runs.first_start_date asc
        ) as place
    from runs
    inner join todays on runs.athlete_id = todays.athlete_id and runs.period = todays.period
),

summed as (
    select
        athlete_id,
        sport_group,
        period,
        max(length) as longest,
        max(case when place = 1 then first_start_date end) as longest_start_date,
        max(case when place = 1 then last_start_date end) as longest_last_start_date,
        max(case when is_current then length else 0 end) as current_length,
        max(case when is_current then first_start_date end) as current_start_date
    from ranked
    group by athlete_id, sport_group, period
),

final as (
    select
        athlete_id,
        sport_group,
        period,
        cast(longest as bigint) as longest,
        longest_start_date,
        cast(case period
            {%- for period in periods %}
            when '{{ period }}'
                then {{ dbt.dateadd('day', -1, dbt.dateadd(period, 1, 'longest_last_start_date')) }}
            {%- endfor %}
        end as date) as longest_end_date,
        cast(current_length as bigint) as current,
        current_start_date
    from summed
)

select * from final
