with activities as (
    select * from {{ ref('activities') }}
),

sport_groups as (
    select * from {{ ref('sport_groups') }}
),

dated as (
    select
        *,
        -- The athlete's own calendar; UTC only if Strava's local time could not be read.
        coalesce(start_date_local, start_date) as started_local,
        coalesce(sport_type, type, 'Unknown') as sport
    from activities
),

final as (
    select
        ---------- ids
        dated.id,
        dated.athlete_id,
        nullif(dated.gear_id, '') as gear_id,

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

        ---------- flags
        dated.doors,
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
