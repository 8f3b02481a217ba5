{%- set fields = {
    'heart_rate': {'custom_zones': 'boolean', 'zones': [{'min': 'bigint', 'max': 'bigint'}]},
    'power': {'zones': [{'min': 'bigint', 'max': 'bigint'}]},
} %}

with source as (
    {%- if has_source('athlete_zones') %}
    select * from {{ source('strava', 'athlete_zones') }}
    {%- else %}
    {{ no_rows(columns_of_notes()) }}
    {%- endif %}
),

-- These are few: here the payload is parsed in the view.
parsed as (
    select
        *,
        {{ parse_json('payload', fields) }} as said
    from source
),

typed as (
    select
        ---------- ids
        cast(id as bigint) as id,
        cast(athlete_id as bigint) as athlete_id,

        ---------- which version
        cast(fetched_at as timestamp) as fetched_at,
        cast(payload_hash as {{ dbt.type_string() }}) as payload_hash,

        ---------- what Strava sent
        said
    from parsed
)

select * from typed
