with activities as (
    select * from {{ ref('int_activities__dated') }}
),

placed as (
    select
        athlete_id,
        sport_group,
        moving_time_s,
        cast(extract(year from activity_date) as integer) as year,
        {{ weekday('activity_date') }} as weekday,
        cast(extract(hour from started_local) as integer) as hour
    from activities
),

final as (
    select
        athlete_id,
        year,
        sport_group,
        weekday,
        hour,
        cast(count(*) as bigint) as activities,
        cast(coalesce(sum(moving_time_s), 0) as bigint) as moving_time_s
    from placed
    group by athlete_id, year, sport_group, weekday, hour
)

select * from final
