with source as (
    {%- if var('strava__using_athlete_settings', true) %}
    select * from {{ source('strava', 'athlete_settings') }}
    {%- else %}
    -- Without settings there is a row too.
    select
        null as rest_hr,
        null as max_hr,
        null as threshold_hr,
        null as ftp_w,
        null as sex,
        'km' as units
    {%- endif %}
),

typed as (
    select
        cast(rest_hr as double) as rest_hr,
        cast(max_hr as double) as max_hr,
        cast(threshold_hr as double) as threshold_hr,
        cast(ftp_w as double) as ftp_w,
        cast(sex as {{ dbt.type_string() }}) as sex,
        cast(units as {{ dbt.type_string() }}) as units
    from source
)

select * from typed
