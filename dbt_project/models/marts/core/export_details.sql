{#- Fields without a name in the API's summaries, named as in pipelines/sources/strava_export/seeds/columns.csv. -#}
{%- set fields = {
    'description': 'string',
    'private_note': 'string',
    'gear_name': 'string',
    'calories_kcal': 'double',
    'perceived_exertion': 'double',
    'prefer_perceived_exertion': 'boolean',
    'perceived_relative_effort': 'double',
    'athlete_weight_kg': 'double',
    'bike_weight_kg': 'double',
    'total_steps': 'double',
    'timer_time_s': 'double',
    'uphill_time_s': 'double',
    'downhill_time_s': 'double',
    'other_time_s': 'double',
    'number_of_runs': 'double',
    'elevation_loss_m': 'double',
    'max_grade_percent': 'double',
    'average_grade_percent': 'double',
    'average_positive_grade_percent': 'double',
    'average_negative_grade_percent': 'double',
    'max_cadence': 'double',
    'max_temperature_c': 'double',
    'grade_adjusted_distance_m': 'double',
    'average_grade_adjusted_speed_m_s': 'double',
    'average_elapsed_speed_m_s': 'double',
    'dirt_distance_m': 'double',
    'newly_explored_distance_m': 'double',
    'newly_explored_dirt_distance_m': 'double',
    'downhill_distance_m': 'double',
    'pool_length_m': 'double',
    'total_cycles': 'double',
    'jump_count': 'double',
    'total_grit': 'double',
    'average_flow': 'double',
    'total_weight_lifted_kg': 'double',
    'total_sets': 'double',
    'total_reps': 'double',
    'training_load': 'double',
    'intensity': 'double',
    'power_count': 'double',
    'carbon_saved': 'double',
    'competition': 'boolean',
    'long_run': 'boolean',
    'recovery': 'boolean',
    'for_a_cause': 'boolean',
    'with_pet': 'boolean',
    'with_kid': 'boolean',
    'weather_observed_at': 'timestamp',
    'weather_condition': 'double',
    'weather_temperature_c': 'double',
    'apparent_temperature_c': 'double',
    'dewpoint_c': 'double',
    'humidity': 'double',
    'weather_pressure_hpa': 'double',
    'wind_speed_m_s': 'double',
    'wind_gust_m_s': 'double',
    'wind_bearing_degrees': 'double',
    'precipitation_intensity': 'double',
    'precipitation_probability': 'double',
    'precipitation_type': 'double',
    'cloud_cover': 'double',
    'weather_visibility_m': 'double',
    'uv_index': 'double',
    'weather_ozone': 'double',
    'sunrise_at': 'timestamp',
    'sunset_at': 'timestamp',
    'moon_phase': 'double',
    'media': 'string',
} -%}

with newest as (
    {{ newest_of_live(ref('stg_strava__export_activities')) }}
),

parsed as (
    select
        versions.id,
        versions.athlete_id,
        versions.fetched_at,
        {{ parse_json('versions.payload', fields) }} as typed
    from {{ ref('stg_strava__export_activities') }} as versions
    inner join newest on versions.row_id = newest.row_id
),

final as (
    select
        id as activity_id,
        athlete_id,
        {%- for field in fields %}
        typed.{{ field }},
        {%- endfor %}
        fetched_at as exported_at
    from parsed
)

select * from final
