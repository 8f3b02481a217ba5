with activities as (
    select * from {{ ref('int_activities__dated') }}
),

final as (
    select
        athlete_id,
        activity_date,
        sport_type,
        cast(count(*) as bigint) as activities,
        -- To the millimetre: the last bits of a sum of doubles depend on the order of the rows.
        cast(round(coalesce(sum(distance_m), 0), 3) as double) as distance_m,
        cast(coalesce(sum(moving_time_s), 0) as bigint) as moving_time_s,
        cast(round(coalesce(sum(total_elevation_gain_m), 0), 3) as double) as total_elevation_gain_m,
        -- Only the API knows them: from exports alone the sum is unknown, not 0.
        cast(sum(kudos) as bigint) as kudos,
        cast(1 as bigint) as active_days
    from activities
    group by athlete_id, activity_date, sport_type
)

select * from final
