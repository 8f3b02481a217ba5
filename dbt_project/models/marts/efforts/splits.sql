{{ config(materialized='table' if target.type == 'spark' else 'view') }}

with unnested as (
    {%- for system in ('metric', 'standard') %}
    {% if not loop.first %}union all{% endif %}
    select
        *,
        '{{ system }}' as system
    from (
        {{ elements_of(ref('int_details__parsed'), 'splits_' ~ system, ['id', 'athlete_id']) }}
    ) as elements
    {%- endfor %}
),

final as (
    select
        athlete_id,
        id as activity_id,
        system,
        position as split,
        item.distance as distance_m,
        item.moving_time as moving_time_s,
        item.elapsed_time as elapsed_time_s,
        item.elevation_difference as elevation_difference_m,
        item.average_speed as average_speed_m_s,
        item.average_grade_adjusted_speed as average_grade_adjusted_speed_m_s,
        {{ heart_rate('item.average_heartrate') }} as average_heartrate,
        item.pace_zone
    from unnested
    -- An element with neither is not a split.
    where coalesce(item.distance, item.elapsed_time, item.moving_time) is not null
)

select * from final
