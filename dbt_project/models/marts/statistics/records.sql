{#- record -> unit, value, and what an activity must be to compete. -#}
{%- set records = {
    'longest_distance': ('m', 'distance_m', 'distance_m > 0'),
    'longest_time': ('s', 'moving_time_s', 'moving_time_s > 0'),
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

values_of_records as (
    select
        id as activity_id,
        athlete_id,
        sport_group,
        year,
        name as activity_name,
        activity_date,
        started_local,
        {%- for record, (unit, value, condition) in records.items() %}
        cast(case when {{ condition }} then {{ value }} end as double) as {{ record }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from measured
),

-- One pass over all activities, whatever there is to compete for.
highest as (
    select
        athlete_id,
        sport_group,
        year,
        {%- for record in records %}
        max({{ record }}) as {{ record }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from values_of_records
    group by athlete_id, sport_group, year
),

-- Who has the best of a year and group; the few from which the wider records come.
best as (
    {%- for record, (unit, value, condition) in records.items() %}
    {% if not loop.first %}union all{% endif %}
    select
        competing.athlete_id,
        competing.sport_group,
        competing.year,
        '{{ record }}' as record,
        competing.{{ record }} as value,
        '{{ unit }}' as unit,
        competing.activity_id,
        competing.activity_name,
        competing.activity_date,
        competing.started_local
    from values_of_records as competing
    inner join highest
        on
            competing.athlete_id = highest.athlete_id
            and competing.sport_group = highest.sport_group
            and competing.year = highest.year
            and competing.{{ record }} = highest.{{ record }}
    {%- endfor %}
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
        -- A record stands until it is beaten.
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
