with geared as (
    select * from {{ ref('int_activities__geared') }}
),

used as (
    select
        athlete_id,
        gear_id,
        cast(count(*) as bigint) as activities,
        cast(round(coalesce(sum(distance_m), 0), 3) as double) as distance_m,
        cast(coalesce(sum(moving_time_s), 0) as bigint) as moving_time_s,
        cast(round(coalesce(sum(total_elevation_gain_m), 0), 3) as double) as total_elevation_gain_m,
        min(activity_date) as first_used_date,
        max(activity_date) as last_used_date
    from geared
    group by athlete_id, gear_id
),

told as (
    select
        athlete_id,
        gear,
        -- Newest by when it was fetched: details of an old activity tell of the gear as it is now.
        row_number() over (
            partition by athlete_id, gear.id
            order by fetched_at desc, payload_hash desc
        ) as recency
    from {{ ref('int_details__parsed') }}
    where gear.id is not null
),

-- Without details an export names it.
named as (
    select
        athlete_id,
        gear_id,
        gear_name,
        row_number() over (
            partition by athlete_id, gear_id
            order by exported_at desc, start_date desc, id desc
        ) as recency
    from geared
    where gear_name is not null
),

final as (
    select
        used.athlete_id,
        used.gear_id,
        coalesce(told.gear.name, named.gear_name) as name,
        told.gear.retired,
        told.gear.primary as is_primary,
        case substr(used.gear_id, 1, 1) when 'b' then 'bike' when 'g' then 'shoes' end as kind,
        used.activities,
        used.distance_m,
        used.moving_time_s,
        used.total_elevation_gain_m,
        used.first_used_date,
        used.last_used_date,
        told.gear.distance as strava_distance_m
    from used
    left join told on used.athlete_id = told.athlete_id and used.gear_id = told.gear.id and told.recency = 1
    left join named on used.athlete_id = named.athlete_id and used.gear_id = named.gear_id and named.recency = 1
)

select * from final
