{%- set fields = {
    'id': 'string',
    'name': 'string',
    'nickname': 'string',
    'primary': 'boolean',
    'retired': 'boolean',
    'distance': 'double',
    'brand_name': 'string',
    'model_name': 'string',
    'description': 'string',
} %}

with source as (
    {%- if has_source('gear') %}
    select * from {{ source('strava', 'gear') }}
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
