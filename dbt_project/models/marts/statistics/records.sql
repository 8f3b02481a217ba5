{#- record -> unit, value, and what an activity must be to compete. -#}
{%- set records = {
    'longest_distance': ('m', 'distance_m', 'distance_m > 0'),
    'longest_time': ('s', 'cast(moving_time_s as double)', 'moving_time_s > 0'),
    'most_elevation': ('m', 'total_elevation_gain_m', 'total_elevation_gain_m > 0'),
    'highest_point': ('m', 'elev_high_m', 'elev_high_m is not null'),
    'fastest': ('m/s', 'distance_m / moving_time_s', 'is_timed and distance_m / moving_time_s < too_fast_m_s'),
} -%}

with activities as (
    select * from {{ ref('int_activities__dated') }}
),

measured as (
    select
        *,
        cast(extract(year from activity_date) as integer) as year,
        -- A speed is one of ten minutes and more, outdoors, recorded and not disputed.
        coalesce(
            distance_m > 0
            and moving_time_s >= 600
            and not coalesce(trainer, false)
            and not coalesce(manual, false)
            and not coalesce(flagged, false)
            and sport_type not like 'Virtual%',
            false
        ) as is_timed,
        -- What nobody has kept up for ten minutes: a drive home, or another sport's recording.
        case sport_group
            when 'Run' then 7
            when 'Walk' then 4
            when 'Swim' then 2.2
            when 'Ride' then 25
            else 45
        end as too_fast_m_s
    from activities
),

candidates as (
    {%- for record, (unit, value, condition) in records.items() %}
    {% if not loop.first %}union all{% endif %}
    select
        athlete_id,
        sport_group,
        year,
        '{{ record }}' as record,
        {{ value }} as value,
        '{{ unit }}' as unit,
        id as activity_id,
        name as activity_name,
        activity_date,
        started_local
    from measured
    where {{ condition }}
    {%- endfor %}
),

ranked as (
    select
        *,
        -- A record stands until it is beaten.
        row_number() over (
            partition by athlete_id, sport_group, year, record
            order by value desc, started_local asc, activity_id asc
        ) as place
    from candidates
),

-- The best of a year and group; the few from which the wider records come.
best as (
    select * from ranked
    where place = 1
),

widened as (
    {%- for sport_group in ('sport_group', "'All'") %}
    {%- for year in ('year', 'cast(null as integer)') %}
    {% if not (loop.first and sport_group == 'sport_group') %}union all{% endif %}
    select
        athlete_id,
        {{ sport_group }} as sport_group,
        {{ year }} as year,
        record,
        value,
        unit,
        activity_id,
        activity_name,
        activity_date,
        started_local
    from best
    {%- endfor %}
    {%- endfor %}
),

placed as (
    select
        *,
        row_number() over (
            partition by athlete_id, sport_group, year, record
            order by value desc, started_local asc, activity_id asc
        ) as place
    from widened
),

final as (
    select
        athlete_id,
        sport_group,
        year,
        record,
        value,
        unit,
        activity_id,
        activity_name,
        activity_date
    from placed
    where place = 1
)

select * from final
