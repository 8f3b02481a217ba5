{{ config(materialized='table' if target.type == 'spark' else 'view') }}

with activities as (
    select * from {{ ref('int_activities__dated') }}
),

final as (
    select
        ---------- ids
        id,
        athlete_id,

        ---------- when
        activity_date,
        started_local,

        ---------- what
        sport_type,
        sport_group,
        name,

        ---------- measures
        distance_m,
        moving_time_s,
        elapsed_time_s,
        total_elevation_gain_m,
        average_heartrate,
        max_heartrate,
        average_watts,
        weighted_average_watts,
        kudos,

        ---------- how it came
        device_watts,
        doors,

        ---------- where
        summary_polyline
    from activities
)

select * from final
