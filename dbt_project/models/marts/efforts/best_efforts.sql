{{ config(materialized='view') }}

with unnested as (
    {{ elements_of(ref('int_details__parsed'), 'best_efforts', ['id', 'athlete_id']) }}
),

activities as (
    select * from {{ ref('int_activities__dated') }}
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
        coalesce(unnested.item.elapsed_time > 0, false) and not coalesce(activities.flagged, false) as is_ranked,
        -- Should an activity name an effort twice, the faster one is its best.
        row_number() over (
            partition by unnested.id, unnested.item.name
            order by unnested.item.elapsed_time nulls last, unnested.position
        ) as place
    from unnested
    inner join activities on unnested.id = activities.id
    where unnested.item.name is not null
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
        case when is_ranked then row_number() over (
            partition by athlete_id, sport_group, effort, is_ranked
            order by elapsed_time_s, activity_date, activity_id
        ) end as rank_all_time,
        case when is_ranked then row_number() over (
            partition by athlete_id, sport_group, effort, year, is_ranked
            order by elapsed_time_s, activity_date, activity_id
        ) end as rank_in_year
    from efforts
    where place = 1
)

select * from final
