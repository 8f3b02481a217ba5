with eddington_days as (
    select * from {{ ref('eddington_days') }}
),

-- An athlete who never covered a distance of 1 has a number too: 0.
sought as (
    {%- for unit in ('km', 'mi') %}
    {% if not loop.first %}union all{% endif %}
    select distinct
        athlete_id,
        sport_group,
        '{{ unit }}' as unit
    from {{ ref('int_days__grouped') }}
    {%- endfor %}
),

found as (
    select
        sought.athlete_id,
        sought.sport_group,
        sought.unit,
        coalesce(max(eddington_days.distance), 0) as eddington
    from sought
    left join eddington_days
        on
            sought.athlete_id = eddington_days.athlete_id
            and sought.sport_group = eddington_days.sport_group
            and sought.unit = eddington_days.unit
            and eddington_days.days >= eddington_days.distance
    group by sought.athlete_id, sought.sport_group, sought.unit
),

final as (
    select
        found.athlete_id,
        found.sport_group,
        found.unit,
        cast(found.eddington as bigint) as eddington,
        cast(found.eddington + 1 - coalesce(eddington_days.days, 0) as bigint) as days_needed_for_next
    from found
    left join eddington_days
        on
            found.athlete_id = eddington_days.athlete_id
            and found.sport_group = eddington_days.sport_group
            and found.unit = eddington_days.unit
            and found.eddington + 1 = eddington_days.distance
)

select * from final
