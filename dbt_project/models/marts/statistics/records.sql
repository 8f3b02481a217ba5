{#- record -> unit, and value of an activity that is not left out; NULL and 0 do not count. -#}
{%- set records = {
    'longest_distance': ('m', 'case when distance_m > 0 then distance_m end'),
    'longest_time': ('s', 'case when moving_time_s > 0 then moving_time_s end'),
    'most_elevation': ('m', 'case when climbed_m > 0 then climbed_m end'),
    'highest_point': ('m', 'high_point_m'),
    'fastest': ('m/s', 'speed_m_s'),
} -%}

with activities as (
    select
        *,
        cast(extract(year from activity_date) as integer) as year
    from {{ ref('int_activities__plausibility') }}
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
        {%- for record, (unit, value) in records.items() %}
        cast(case when {{ counts_for(record) }} then {{ value }} end as double) as {{ record }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from activities
),

-- One pass over all activities for all records.
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

-- The best of each year and group; the records of all years and sports are among these few.
best as (
    {%- for record, (unit, value) in records.items() %}
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
