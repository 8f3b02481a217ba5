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

profiles as (
    select
        athlete_id,
        fetched_at,
        payload_hash,
        said.bikes,
        said.shoes
    from {{ ref('stg_strava__athlete') }}
),

listed as (
    {{ elements_of('profiles', 'bikes', ['athlete_id', 'fetched_at', 'payload_hash']) }}
    union all
    {{ elements_of('profiles', 'shoes', ['athlete_id', 'fetched_at', 'payload_hash']) }}
),

-- The state of gear is in details of an activity with it, even an old one, in the profile, which lists what is in use,
-- and in the gear itself, which is fetched if the profile lacks it.
sayings as (
    select
        athlete_id,
        fetched_at,
        payload_hash,
        gear.id as gear_id,
        gear.name,
        gear.retired,
        gear.primary as is_primary,
        gear.distance as strava_distance_m
    from {{ ref('int_details__parsed') }}
    union all
    select
        athlete_id,
        fetched_at,
        payload_hash,
        item.id as gear_id,
        item.name,
        coalesce(item.retired, false) as retired,
        item.primary as is_primary,
        item.distance as strava_distance_m
    from listed
    union all
    select
        athlete_id,
        fetched_at,
        payload_hash,
        said.id as gear_id,
        said.name,
        said.retired,
        said.primary as is_primary,
        said.distance as strava_distance_m
    from {{ ref('stg_strava__gear') }}
),

newest as (
    select * from (
        select
            *,
            row_number() over (partition by athlete_id, gear_id order by fetched_at desc, payload_hash desc) as recency
        from sayings
        where gear_id is not null
    ) as ranked
    where recency = 1
),

catalogued as (
    select * from (
        select
            athlete_id,
            said.id as gear_id,
            said.brand_name,
            said.model_name,
            said.description,
            row_number() over (partition by athlete_id, said.id order by fetched_at desc, payload_hash desc) as recency
        from {{ ref('stg_strava__gear') }}
    ) as ranked
    where recency = 1
),

-- Without details, an export has the name.
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
        coalesce(newest.name, named.gear_name) as name,
        newest.retired,
        newest.is_primary,
        case substr(used.gear_id, 1, 1) when 'b' then 'bike' when 'g' then 'shoes' end as kind,
        used.activities,
        used.distance_m,
        used.moving_time_s,
        used.total_elevation_gain_m,
        used.first_used_date,
        used.last_used_date,
        newest.strava_distance_m,
        catalogued.brand_name,
        catalogued.model_name,
        catalogued.description
    from used
    left join newest on used.athlete_id = newest.athlete_id and used.gear_id = newest.gear_id
    left join catalogued on used.athlete_id = catalogued.athlete_id and used.gear_id = catalogued.gear_id
    left join named on used.athlete_id = named.athlete_id and used.gear_id = named.gear_id and named.recency = 1
)

select * from final
