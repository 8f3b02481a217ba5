{{ config(materialized='table' if target.type == 'spark' else 'view') }}

{#-
    x_t = x_(t-1) + (load_t - x_(t-1)) (1 - e^(-1/tau)) from 0 is the sum of all loads up to t, each weighted by
    (1 - e^(-1/tau)) e^(-age/tau). Taken as a running sum of load e^(day/tau), it needs no recursion; the days are
    counted anew every 350, so that the powers stay within what a double holds.
-#}
{%- set fitness_days = 42 -%}
{%- set fatigue_days = 7 -%}
{%- set block_days = 350 -%}
{%- set block_so_far =
    'partition by athlete_id, block order by date rows between unbounded preceding and current row' -%}
{%- set last_42_days =
    'partition by athlete_id order by date rows between ' ~ (fitness_days - 1) ~ ' preceding and current row' -%}
{%- set last_7_days = 'partition by athlete_id order by date rows between 6 preceding and current row' -%}

with loads as (
    select
        athlete_id,
        activity_date,
        -- The last bits of a sum of doubles depend on the order of the rows.
        round(sum(load), 6) as load,
        cast(coalesce(sum(moving_time_s), 0) as bigint) as moving_time_s,
        cast(coalesce(sum(case when load is not null then moving_time_s end), 0) as bigint) as moving_time_with_load_s
    from {{ ref('activity_load') }}
    group by athlete_id, activity_date
),

numbered as (
    select
        calendar.athlete_id,
        calendar.calendar_date,
        row_number() over (partition by calendar.athlete_id order by calendar.calendar_date) - 1 as day_number
    from {{ ref('calendar') }} as calendar
    inner join {{ ref('int_athletes__today') }} as today on calendar.athlete_id = today.athlete_id
    where calendar.calendar_date <= today.today
),

days as (
    select
        numbered.athlete_id,
        numbered.calendar_date as date,
        numbered.day_number,
        floor(numbered.day_number / {{ block_days }}) as block,
        numbered.day_number % {{ block_days }} as day_of_block,
        loads.load,
        coalesce(loads.load, 0) as counted_load,
        coalesce(loads.moving_time_s, 0) as moving_time_s,
        coalesce(loads.moving_time_with_load_s, 0) as moving_time_with_load_s,
        -- The averages start with the first load: what came before is unknown, not rest.
        numbered.day_number - min(case when loads.load > 0 then numbered.day_number end) over (
            partition by numbered.athlete_id
        ) as days_since_first_load
    from numbered
    left join loads on numbered.athlete_id = loads.athlete_id and numbered.calendar_date = loads.activity_date
),

within_blocks as (
    select
        *,
        sum(counted_load * exp(1e0 * day_of_block / {{ fitness_days }})) over ({{ block_so_far }})
        * exp(-1e0 * day_of_block / {{ fitness_days }}) * (1 - exp(-1e0 / {{ fitness_days }})) as fitness_of_block,
        sum(counted_load * exp(1e0 * day_of_block / {{ fatigue_days }})) over ({{ block_so_far }})
        * exp(-1e0 * day_of_block / {{ fatigue_days }}) * (1 - exp(-1e0 / {{ fatigue_days }})) as fatigue_of_block
    from days
),

block_ends as (
    select
        *,
        block + 1 as next_block
    from within_blocks
    where day_of_block = {{ block_days }} - 1
),

blocks as (
    select distinct
        athlete_id,
        block
    from days
),

-- The result of all earlier blocks, at their end.
carried as (
    select
        blocks.athlete_id,
        blocks.block,
        sum(ends.fitness_of_block * exp((ends.next_block - blocks.block) * {{ block_days }}e0 / {{ fitness_days }}))
            as fitness,
        sum(ends.fatigue_of_block * exp((ends.next_block - blocks.block) * {{ block_days }}e0 / {{ fatigue_days }}))
            as fatigue
    from blocks
    inner join block_ends as ends on blocks.athlete_id = ends.athlete_id and blocks.block >= ends.next_block
    group by blocks.athlete_id, blocks.block
),

joined as (
    select
        within_blocks.*,
        within_blocks.fitness_of_block
        + coalesce(carried.fitness, 0) * exp(-1e0 * (within_blocks.day_of_block + 1) / {{ fitness_days }}) as fitness,
        within_blocks.fatigue_of_block
        + coalesce(carried.fatigue, 0) * exp(-1e0 * (within_blocks.day_of_block + 1) / {{ fatigue_days }}) as fatigue
    from within_blocks
    left join carried on within_blocks.athlete_id = carried.athlete_id and within_blocks.block = carried.block
),

varied as (
    select
        *,
        lag(fitness - fatigue, 1, 0) over (partition by athlete_id order by date) as form,
        sum(counted_load) over ({{ last_7_days }}) as load_of_7_days,
        -- The days up to this one do not show its fitness: there was activity, but its load is unknown.
        case
            when sum(moving_time_s) over ({{ last_42_days }}) > 0 and count(load) over ({{ last_42_days }}) = 0
                then day_number
        end as unknown_day_number,
        case
            when
                days_since_first_load >= 6
                and max(counted_load) over ({{ last_7_days }}) > min(counted_load) over ({{ last_7_days }})
                then avg(counted_load) over ({{ last_7_days }}) / stddev_pop(counted_load) over ({{ last_7_days }})
        end as monotony
    from joined
),

warmed as (
    select
        *,
        day_number - max(unknown_day_number) over (
            partition by athlete_id order by date rows between unbounded preceding and current row
        ) as days_since_unknown
    from varied
),

final as (
    select
        athlete_id,
        date,
        cast(load as double) as load,
        moving_time_s,
        moving_time_with_load_s,
        cast(round(moving_time_with_load_s / nullif(cast(moving_time_s as double), 0), 6) as double) as coverage,
        cast(case when days_since_first_load >= 0 then round(fitness, 6) end as double) as fitness,
        cast(case when days_since_first_load >= 0 then round(fatigue, 6) end as double) as fatigue,
        cast(case when days_since_first_load >= 0 then round(form, 6) end as double) as form,
        cast(round(monotony, 6) as double) as monotony,
        cast(round(load_of_7_days * monotony, 6) as double) as strain,
        coalesce(days_since_first_load < {{ fitness_days }}, true)
        or coalesce(days_since_unknown <= {{ fitness_days }}, false) as is_warm_up
    from warmed
)

select * from final
