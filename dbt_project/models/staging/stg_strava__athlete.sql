{%- set fields = {
    'username': 'string',
    'firstname': 'string',
    'lastname': 'string',
    'city': 'string',
    'state': 'string',
    'country': 'string',
    'sex': 'string',
    'weight': 'double',
    'ftp': 'double',
    'measurement_preference': 'string',
    'premium': 'boolean',
    'summit': 'boolean',
    'created_at': 'timestamp',
    'bikes': [{
        'id': 'string',
        'name': 'string',
        'nickname': 'string',
        'primary': 'boolean',
        'retired': 'boolean',
        'distance': 'double',
    }],
    'shoes': [{
        'id': 'string',
        'name': 'string',
        'nickname': 'string',
        'primary': 'boolean',
        'retired': 'boolean',
        'distance': 'double',
    }],
} %}

with source as (
    {%- if has_source('athlete') %}
    select * from {{ source('strava', 'athlete') }}
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
