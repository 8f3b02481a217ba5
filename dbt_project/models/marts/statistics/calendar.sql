{{ config(materialized='table' if target.type == 'spark' else 'view') }}

with active_days as (
    select distinct
        athlete_id,
        activity_date
    from {{ ref('activities_daily') }}
),

athletes as (
    select * from {{ ref('int_athletes__today') }}
),

spans as (
    select
        active_days.athlete_id,
        min(active_days.activity_date) as first_date,
        greatest(max(active_days.activity_date), max(athletes.today)) as last_date
    from active_days
    inner join athletes on active_days.athlete_id = athletes.athlete_id
    -- A watch with a wrong clock: a date in the year 1, or 9999, would fill the calendar with empty days.
    where
        active_days.activity_date >= {{ dbt.dateadd('year', -100, 'athletes.today') }}
        and active_days.activity_date <= {{ dbt.dateadd('year', 1, 'athletes.today') }}
    group by active_days.athlete_id
),

days as (
    select
        athlete_id,
        {{ each_day('first_date', 'last_date') }} as day_start
    from spans
),

dated as (
    select
        athlete_id,
        cast(day_start as date) as calendar_date,
        cast({{ dbt.date_trunc('week', 'day_start') }} as date) as week_start_date,
        cast({{ dbt.date_trunc('month', 'day_start') }} as date) as month_start_date
    from days
),

final as (
    select
        dated.athlete_id,
        dated.calendar_date,
        -- An ISO week belongs to the year of its Thursday.
        cast(extract(year from {{ dbt.dateadd('day', 3, 'dated.week_start_date') }}) as integer) as iso_year,
        cast(extract(week from dated.calendar_date) as integer) as iso_week,
        dated.week_start_date,
        dated.month_start_date,
        cast(extract(year from dated.calendar_date) as integer) as year,
        {{ weekday('dated.calendar_date') }} as weekday,
        active_days.activity_date is not null as is_active
    from dated
    left join active_days
        on
            dated.athlete_id = active_days.athlete_id
            and dated.calendar_date = active_days.activity_date
)

select * from final
