with activities as (
    select
        *,
        {{ way_of_moving('sport_type') }} as way
    from {{ ref('int_activities__dated') }}
),

measured as (
    select
        *,
        -- A speed in sports that are about speed, a climb in those that can climb, a highest point in those on land.
        case
            when sport_group <> 'Gym' and coalesce(way, '') not in ('exercise', 'play') and distance_m > 0
                then distance_m / nullif(moving_time_s, 0)
        end as speed_m_s,
        case when sport_group not in ('Swim', 'Water') then total_elevation_gain_m end as climbed_m,
        case when sport_group not in ('Swim', 'Water', 'Gym') then elev_high_m end as high_point_m,
        total_elevation_gain_m / nullif(cast(moving_time_s as double), 0) as climb_m_s
    from activities
),

limited as (
    select
        *,
        {{ highest_average_speed('way', 'distance_m') }} as speed_limit_m_s,
        {{ highest_top_speed('way') }} as top_speed_limit_m_s,
        {{ average_of_a_vehicle('way') }} as vehicle_m_s,
        {{ highest_climb('way') }} as climb_limit_m_s,
        {{ longest_recording('way', 'distance_m', 'total_elevation_gain_m', 'moving_time_s') }} as recording_limit_s,
        case
            when no_heartrate < {{ lowest_heart_rate() }} then {{ lowest_heart_rate() }}
            else {{ highest_heart_rate() }}
        end as heartrate_limit,
        case when weighted_average_watts < 1 then 1 else 2500 end as power_limit_w
    from measured
),

{#- reason -> the condition; NULL is not a reason. -#}
{%- set conditions = {
    'short': 'speed_m_s > 0 and moving_time_s < 600',
    'indoors': 'trainer and coalesce(speed_m_s, high_point_m) is not null',
    'virtual': "sport_type like 'Virtual%' and coalesce(speed_m_s, high_point_m) is not null",
    'manual': 'manual and speed_m_s > 0',
    'flagged': 'flagged',
    'too_fast': 'speed_m_s > speed_limit_m_s',
    'beyond_top_speed': 'max_speed_m_s > top_speed_limit_m_s',
    'by_vehicle': 'max_speed_m_s > top_speed_limit_m_s and speed_m_s >= vehicle_m_s',
    'left_recording': 'moving_time_s >= recording_limit_s and not coalesce(manual, false)',
    'too_steep': 'climb_m_s > climb_limit_m_s',
    'too_high': 'high_point_m > 8849 and way is not null',
    'no_heart_rate': 'no_heartrate is not null',
    'no_power': 'device_watts and weighted_average_watts not between 1 and 2500',
} %}

final as (
    select
        *,
        {%- for reason in plausibility_reasons('activity') %}
        coalesce({{ conditions[reason] }}, false) as is_{{ reason }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from limited
)

select * from final
