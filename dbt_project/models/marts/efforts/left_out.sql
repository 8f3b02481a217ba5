{{ config(materialized='table' if target.type == 'spark' else 'view') }}

with activities as (
    select * from {{ ref('int_activities__plausibility') }}
),

efforts as (
    select
        activity_id,
        cast(null as bigint) as effort_id,
        effort,
        distance_m,
        elapsed_time_s
    from {{ ref('best_efforts') }}
    union all
    select
        activity_id,
        effort_id,
        segment_name as effort,
        distance_m,
        elapsed_time_s
    from {{ ref('segment_efforts') }}
),

judged_efforts as (
    select
        activities.*,
        efforts.effort_id,
        efforts.effort,
        efforts.distance_m as effort_distance_m,
        activities.distance_m as activity_distance_m,
        efforts.distance_m / nullif(cast(efforts.elapsed_time_s as double), 0) as effort_speed_m_s,
        {{ highest_average_speed('activities.way', 'efforts.distance_m') }} as effort_speed_limit_m_s,
        {{ is_effort_too_fast('activities.way', 'efforts.distance_m', 'efforts.elapsed_time_s') }}
            as is_effort_too_fast,
        {{ is_effort_too_long('efforts.distance_m', 'activities.distance_m') }} as is_effort_too_long
    from efforts
    inner join activities on efforts.activity_id = activities.id
),

listed as (
    {%- for of, relation in {'activity': 'activities', 'effort': 'judged_efforts'}.items() %}
    {%- set first = loop.first %}
    {%- for reason, rule in plausibility_reasons(of).items() %}
    {% if not (first and loop.first) %}union all{% endif %}
    select
        athlete_id,
        id as activity_id,
        name as activity_name,
        activity_date,
        sport_group,
        {{ 'effort_id' if of == 'effort' else 'null' }} as effort_id,
        {{ 'effort' if of == 'effort' else 'null' }} as effort,
        '{{ reason }}' as reason,
        {%- if of == 'effort' %}
        case when effort_id is null then 'best_efforts, race_predictions' else 'segment_efforts' end as left_out_of,
        {%- else %}
        '{{ rule.left_out_of | join(", ") }}' as left_out_of,
        {%- endif %}
        '{{ rule.why }}' as explanation,
        {{ 'null' if rule.value is none else rule.value }} as value,
        {{ 'null' if rule.limit is none else rule.limit }} as limit_value,
        {{ 'null' if rule.unit is none else "'" ~ rule.unit ~ "'" }} as unit
    from {{ relation }}
    where is_{{ reason }}
    {%- endfor %}
    {%- endfor %}
),

final as (
    select
        athlete_id,
        activity_id,
        activity_name,
        activity_date,
        sport_group,
        cast(effort_id as bigint) as effort_id,
        cast(effort as {{ dbt.type_string() }}) as effort,
        reason,
        left_out_of,
        explanation,
        cast(value as double) as value,
        cast(limit_value as double) as limit_value,
        cast(unit as {{ dbt.type_string() }}) as unit
    from listed
)

select * from final
