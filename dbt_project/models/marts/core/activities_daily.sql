with activities as (
    select * from {{ ref('activities') }}
),

dated as (
    select
        athlete_id,
        -- The athlete's own calendar. UTC stands in only where Strava's local time could not be read.
        cast(coalesce(start_date_local, start_date) as date) as activity_date,
        coalesce(sport_type, type, 'Unknown') as sport_type,
        distance,
        moving_time,
        total_elevation_gain,
        kudos_count
    from activities
),

final as (
    select
        athlete_id,
        activity_date,
        sport_type,
        cast(count(*) as bigint) as activities,
        -- To the millimetre: the last bits of a sum of doubles hang on the order in which rows are met.
        cast(round(coalesce(sum(distance), 0), 3) as double) as distance_m,
        cast(coalesce(sum(moving_time), 0) as bigint) as moving_time_s,
        cast(round(coalesce(sum(total_elevation_gain), 0), 3) as double) as total_elevation_gain_m,
        cast(coalesce(sum(kudos_count), 0) as bigint) as kudos,
        cast(1 as bigint) as active_days
    from dated
    where activity_date is not null
    group by athlete_id, activity_date, sport_type
)

select * from final
