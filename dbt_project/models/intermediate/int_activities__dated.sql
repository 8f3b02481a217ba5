with activities as (
    select * from {{ ref('activities') }}
),

sport_groups as (
    select * from {{ ref('sport_groups') }}
),

named as (
    select
        activity_id,
        gear_name
    from {{ ref('export_details') }}
    where gear_name <> ''
),

-- Exports from before 2025 round the ids of gear, so one pair of shoes has two: its name tells which is which.
gear as (
    select
        athlete_id,
        gear_name,
        gear_id
    from (
        select
            activities.athlete_id,
            named.gear_name,
            activities.gear_id,
            row_number() over (
                partition by activities.athlete_id, named.gear_name
                -- The API's ids are exact, and newer exports'.
                order by
                    case when activities.doors like 'api%' then 0 else 1 end asc,
                    activities.start_date desc nulls last,
                    activities.id desc
            ) as place
        from activities
        inner join named on activities.id = named.activity_id
        where activities.gear_id <> ''
    ) as ranked
    where place = 1
),

dated as (
    select
        activities.*,
        -- The athlete's own calendar. UTC stands in only where Strava's local time could not be read.
        coalesce(activities.start_date_local, activities.start_date) as started_local,
        coalesce(activities.sport_type, activities.type, 'Unknown') as sport,
        case
            when activities.doors like 'api%' then activities.gear_id
            when activities.gear_id is null then coalesce(gear.gear_id, 'name:' || named.gear_name)
            when {{ is_same_gear('activities.gear_id', 'gear.gear_id') }} then gear.gear_id
            else activities.gear_id
        end as exact_gear_id
    from activities
    left join named on activities.id = named.activity_id
    left join gear on activities.athlete_id = gear.athlete_id and named.gear_name = gear.gear_name
),

final as (
    select
        ---------- ids
        dated.id,
        dated.athlete_id,
        nullif(dated.exact_gear_id, '') as gear_id,

        ---------- when
        cast(dated.started_local as date) as activity_date,
        dated.started_local,
        dated.start_date,
        dated.utc_offset as utc_offset_s,

        ---------- what
        dated.sport as sport_type,
        coalesce(sport_groups.sport_group, 'Other') as sport_group,
        dated.name,

        ---------- measures
        dated.distance as distance_m,
        dated.moving_time as moving_time_s,
        dated.elapsed_time as elapsed_time_s,
        dated.total_elevation_gain as total_elevation_gain_m,
        dated.elev_high as elev_high_m,
        dated.average_speed as average_speed_m_s,
        dated.max_speed as max_speed_m_s,
        {{ heart_rate('dated.average_heartrate') }} as average_heartrate,
        {{ heart_rate('dated.max_heartrate') }} as max_heartrate,
        case
            when dated.average_heartrate not between {{ lowest_heart_rate() }} and {{ highest_heart_rate() }}
                then dated.average_heartrate
        end as no_heartrate,
        dated.average_watts,
        dated.weighted_average_watts,
        dated.suffer_score,
        dated.kudos_count as kudos,

        ---------- what to make of them
        dated.device_watts,
        dated.trainer,
        dated.manual,
        dated.flagged,
        dated.map.summary_polyline,
        coalesce(dated.map.summary_polyline, '') <> '' as has_route
    from dated
    left join sport_groups on dated.sport = sport_groups.sport_type
    where dated.started_local is not null
)

select * from final
