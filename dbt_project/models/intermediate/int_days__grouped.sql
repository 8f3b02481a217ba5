with days as (
    select * from {{ ref('activities_daily') }}
),

sport_groups as (
    select * from {{ ref('sport_groups') }}
),

grouped as (
    select
        days.*,
        coalesce(sport_groups.sport_group, 'Other') as sport_group
    from days
    left join sport_groups on days.sport_type = sport_groups.sport_type
),

with_all as (
    select * from grouped
    union all
    select
        days.*,
        'All' as sport_group
    from days
),

final as (
    select
        athlete_id,
        activity_date,
        sport_group,
        cast(sum(activities) as bigint) as activities,
        cast(round(sum(distance_m), 3) as double) as distance_m,
        cast(sum(moving_time_s) as bigint) as moving_time_s,
        cast(round(sum(total_elevation_gain_m), 3) as double) as total_elevation_gain_m,
        cast(sum(kudos) as bigint) as kudos
    from with_all
    group by athlete_id, activity_date, sport_group
)

select * from final
