with source as (
    {{ optional_rows('activity_points', {
        'file_id': 'bigint',
        't_s': 'integer',
        'dt_s': 'integer',
        'lat_e6': 'integer',
        'lng_e6': 'integer',
        'distance_dm': 'integer',
        'altitude_dm': 'integer',
        'speed_mm_s': 'integer',
        'heart_rate': 'integer',
        'cadence': 'integer',
        'power_w': 'integer',
        'temperature_c': 'integer',
    }) }}
),

measured as (
    select
        ---------- which sample
        cast(file_id as bigint) as file_id,
        cast(t_s as integer) as t_s,
        cast(dt_s as integer) as dt_s,

        ---------- where
        cast(lat_e6 as double) / 1e6 as latitude_deg,
        cast(lng_e6 as double) / 1e6 as longitude_deg,
        cast(distance_dm as double) / 10 as distance_m,
        cast(altitude_dm as double) / 10 as altitude_m,

        ---------- how
        cast(speed_mm_s as double) / 1000 as speed_m_s,
        cast(heart_rate as integer) as heart_rate_bpm,
        cast(cadence as integer) as cadence_rpm,
        cast(power_w as integer) as power_w,
        cast(temperature_c as integer) as temperature_c
    from source
)

select * from measured
