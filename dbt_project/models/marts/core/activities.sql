{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key='id',
        on_schema_change='append_new_columns',
        post_hook='{{ delete_buried() }}',
    )
}}

{#- Strava's fields and their types. Strava writes a number as int in one row and as float in the next: only ids,
    counts and seconds are integers here. -#}
{%- set fields = {
    'id_str': 'string',
    'resource_state': 'integer',
    'athlete': {'id': 'bigint', 'resource_state': 'integer'},
    'external_id': 'string',
    'upload_id': 'bigint',
    'upload_id_str': 'string',
    'gear_id': 'string',
    'device_name': 'string',

    'name': 'string',
    'type': 'string',
    'sport_type': 'string',
    'workout_type': 'integer',

    'start_date': 'timestamp',
    'start_date_local': 'timestamp',
    'timezone': 'string',
    'utc_offset': 'double',
    'moving_time': 'bigint',
    'elapsed_time': 'bigint',

    'distance': 'double',
    'total_elevation_gain': 'double',
    'elev_high': 'double',
    'elev_low': 'double',
    'average_speed': 'double',
    'max_speed': 'double',

    'has_heartrate': 'boolean',
    'average_heartrate': 'double',
    'max_heartrate': 'double',
    'heartrate_opt_out': 'boolean',
    'display_hide_heartrate_option': 'boolean',
    'average_cadence': 'double',
    'average_temp': 'double',
    'average_watts': 'double',
    'weighted_average_watts': 'double',
    'max_watts': 'double',
    'kilojoules': 'double',
    'device_watts': 'boolean',
    'suffer_score': 'double',

    'start_latlng': 'array<double>',
    'end_latlng': 'array<double>',
    'start_latitude': 'double',
    'start_longitude': 'double',
    'location_city': 'string',
    'location_state': 'string',
    'location_country': 'string',
    'map': {'id': 'string', 'summary_polyline': 'string', 'resource_state': 'integer'},

    'achievement_count': 'bigint',
    'kudos_count': 'bigint',
    'comment_count': 'bigint',
    'athlete_count': 'bigint',
    'photo_count': 'bigint',
    'total_photo_count': 'bigint',
    'pr_count': 'bigint',
    'has_kudoed': 'boolean',

    'trainer': 'boolean',
    'commute': 'boolean',
    'manual': 'boolean',
    'private': 'boolean',
    'visibility': 'string',
    'hide_from_home': 'boolean',
    'flagged': 'boolean',
    'from_accepted_tag': 'boolean',
} -%}
{#- No activity has as many metres, seconds or kudos, and no upload has such an id. Sums of less cannot overflow. -#}
{%- set too_much = '1e15' -%}
{%- set texts = {'id': 'string'} -%}
{%- for field in fields %}{% do texts.update({field: 'string'}) %}{% endfor -%}

with to_merge as (
    {{ newest_versions(ref('stg_strava__activities')) }}
),

parsed as (
    select
        versions.id,
        versions.athlete_id,
        versions.fetched_at,
        versions.payload_hash,
        {{ parse_json('versions.payload', fields) }} as typed,
        {{ parse_json('versions.payload', texts) }} as sent
    -- The view, not a CTE of it: DuckDB materialises a CTE that is read twice, with all payloads of the history.
    from {{ ref('stg_strava__activities') }} as versions
    inner join to_merge on versions.row_id = to_merge.row_id
),

fitted as (
    select
        id,
        athlete_id,
        fetched_at,
        payload_hash,
        sent,
        {%- for field, type in fields.items() %}
        {%- if type in ('integer', 'bigint') %}
        {#- Engines round 12.7 into an integer: that is another number, hence no fit. #}
        case
            when typed.{{ field }} = try_cast(sent.{{ field }} as double) and abs(typed.{{ field }}) < {{ too_much }}
                then typed.{{ field }}
        end as {{ field }}
        {%- elif type == 'double' %}
        case when abs(typed.{{ field }}) < {{ too_much }} then typed.{{ field }} end as {{ field }}
        {%- elif type is mapping %}
        case when substr(sent.{{ field }}, 1, 1) = '{' then typed.{{ field }} end as {{ field }}
        {%- else %}
        typed.{{ field }}
        {%- endif %}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from parsed
),

final as (
    select
        id,
        athlete_id,
        {%- for field in fields %}
        {{ field }},
        {%- endfor %}
        fetched_at,
        payload_hash,
        nullif(concat_ws(
            ', ',
            case when sent.id is null then 'payload' end
            {%- for field in fields %},
            case when {{ field }} is null and sent.{{ field }} is not null then '{{ field }}' end
            {%- endfor %}
        ), '') as misfit_fields
    from fitted
)

select * from final
