with days as (
    select * from {{ ref('int_days__grouped') }}
),

-- Millimetres are whole numbers: a day of exactly ten miles is not one of 9.999….
reached as (
    {%- for unit, millimetres in {'km': 1000000, 'mi': 1609344}.items() %}
    {% if not loop.first %}union all{% endif %}
    select
        athlete_id,
        sport_group,
        '{{ unit }}' as unit,
        cast(floor(least(round(distance_m * 1000) / {{ millimetres }}, 2000)) as bigint) as distance
    from days
    {%- endfor %}
),

counted as (
    select
        athlete_id,
        sport_group,
        unit,
        distance,
        count(*) as days
    from reached
    where distance >= 1
    group by athlete_id, sport_group, unit, distance
),

spans as (
    select
        athlete_id,
        sport_group,
        unit,
        max(distance) as furthest
    from counted
    group by athlete_id, sport_group, unit
),

distances as (
    select
        athlete_id,
        sport_group,
        unit,
        {{ each_number('furthest') }} as distance
    from spans
),

final as (
    select
        distances.athlete_id,
        distances.sport_group,
        distances.unit,
        cast(distances.distance as bigint) as distance,
        cast(sum(coalesce(counted.days, 0)) over (
            partition by distances.athlete_id, distances.sport_group, distances.unit
            order by distances.distance desc
        ) as bigint) as days
    from distances
    left join counted
        on
            distances.athlete_id = counted.athlete_id
            and distances.sport_group = counted.sport_group
            and distances.unit = counted.unit
            and distances.distance = counted.distance
)

select * from final
