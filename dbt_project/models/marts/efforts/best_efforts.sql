{{ config(materialized='table' if target.type == 'spark' else 'view') }}

with unnested as (
    {{ elements_of(ref('int_details__parsed'), 'best_efforts', ['id']) }}
),

activities as (
    select
        *,
        {{ counts_for('best_efforts') }} as counts
    from {{ ref('int_activities__plausibility') }}
),

efforts as (
    select
        activities.athlete_id,
        activities.id as activity_id,
        activities.name as activity_name,
        activities.activity_date,
        cast(extract(year from activities.activity_date) as integer) as year,
        activities.sport_group,
        unnested.item.name as effort,
        unnested.item.distance as distance_m,
        unnested.item.elapsed_time as elapsed_time_s,
        unnested.item.moving_time as moving_time_s,
        unnested.position,
        coalesce(unnested.item.elapsed_time > 0, false)
        and activities.counts
        and not {{ is_effort_too_fast('activities.way', 'unnested.item.distance', 'unnested.item.elapsed_time') }}
        and not {{ is_effort_too_long('unnested.item.distance', 'activities.distance_m') }} as is_ranked
    from unnested
    inner join activities on unnested.id = activities.id
    where unnested.item.name is not null
),

placed as (
    select
        *,
        -- If an activity has an effort twice, the faster of those that count is its best.
        row_number() over (
            partition by activity_id, effort
            order by is_ranked desc, elapsed_time_s asc nulls last, position asc
        ) as place
    from efforts
),

final as (
    select
        athlete_id,
        activity_id,
        activity_name,
        activity_date,
        year,
        sport_group,
        effort,
        distance_m,
        elapsed_time_s,
        moving_time_s,
        case when is_ranked then cast(row_number() over (
            partition by athlete_id, sport_group, effort, is_ranked
            order by elapsed_time_s, activity_date, activity_id
        ) as bigint) end as rank_all_time,
        case when is_ranked then cast(row_number() over (
            partition by athlete_id, sport_group, effort, year, is_ranked
            order by elapsed_time_s, activity_date, activity_id
        ) as bigint) end as rank_in_year
    from placed
    where place = 1
)

select * from final
