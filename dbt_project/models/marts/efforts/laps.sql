{{ config(materialized='table' if target.type == 'spark' else 'view') }}

with of_details as (
    {{ elements_of(ref('int_details__parsed'), 'laps', ['id', 'athlete_id']) }}
),

unnested as (
    select * from of_details
    {%- if var('strava__using_activity_laps', false) %}
    -- Details contain laps: these are for activities without details.
    union all
    select
        activity_id as id,
        athlete_id,
        item,
        position
    from {{ ref('stg_strava__activity_laps') }}
    where
        activity_id in (select live.id from {{ ref('activities') }} as live)
        and activity_id not in (select of_details.id from of_details)
    {%- endif %}
),

final as (
    select
        athlete_id,
        id as activity_id,
        position as lap_index,
        item.id as lap_id,
        item.name,
        item.start_date_local,
        item.distance as distance_m,
        item.moving_time as moving_time_s,
        item.elapsed_time as elapsed_time_s,
        item.total_elevation_gain as total_elevation_gain_m,
        item.average_speed as average_speed_m_s,
        item.max_speed as max_speed_m_s,
        {{ heart_rate('item.average_heartrate') }} as average_heartrate,
        {{ heart_rate('item.max_heartrate') }} as max_heartrate,
        item.average_cadence,
        item.average_watts
    from unnested
    where coalesce(item.distance, item.elapsed_time, item.moving_time) is not null
)

select * from final
