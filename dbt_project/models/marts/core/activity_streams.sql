{{ config(materialized='view') }}

-- One origin for each activity: its newest file that has samples.
with newest as (
    {{ newest_of_live(ref('stg_strava__activity_point_files')) }}
),

files as (
    select
        files.file_id,
        activities.id as activity_id,
        activities.athlete_id,
        files.payload_hash,
        files.started_at
    from {{ ref('stg_strava__activity_point_files') }} as files
    inner join newest on files.row_id = newest.row_id
    inner join {{ ref('activities') }} as activities on files.id = activities.id
),

final as (
    select
        files.activity_id,
        files.athlete_id,
        cast('file' as {{ dbt.type_string() }}) as origin,
        files.payload_hash as file_hash,
        samples.t_s,
        samples.dt_s,
        cast(
            {{ dbt.dateadd('second', 'samples.t_s', 'files.started_at') }} as {{ dbt.type_timestamp() }}
        ) as sampled_at,
        samples.latitude_deg,
        samples.longitude_deg,
        samples.distance_m,
        samples.altitude_m,
        samples.speed_m_s,
        samples.heart_rate_bpm,
        samples.cadence_rpm,
        samples.power_w,
        samples.temperature_c
    from {{ ref('stg_strava__activity_points') }} as samples
    inner join files on samples.file_id = files.file_id
)

select * from final
