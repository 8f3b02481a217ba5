{%- set fields = {
    'rest_hr': 'double',
    'max_hr': 'double',
    'threshold_hr': 'double',
    'ftp_w': 'double',
    'sex': 'string',
    'units': 'string',
} %}

with versions as (
    {{ parsed_versions('athlete_settings', fields) }}
),

ranked as (
    select
        *,
        row_number() over (partition by athlete_id order by fetched_at desc, payload_hash desc) as recency
    from versions
),

newest as (
    select
        athlete_id,
        {%- for field in fields %}
        said.{{ field }},
        {%- endfor %}
        fetched_at
    from ranked
    where recency = 1
)

select * from newest
