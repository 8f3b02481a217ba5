{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key='id',
        on_schema_change='sync_all_columns',
        post_hook="delete from {{ this }} where id not in (select id from {{ ref('activity_details') }})",
    )
}}

{%- set fields = {
    'splits_metric': [{
        'distance': 'double',
        'moving_time': 'bigint',
        'elapsed_time': 'bigint',
        'elevation_difference': 'double',
        'average_speed': 'double',
        'average_grade_adjusted_speed': 'double',
        'average_heartrate': 'double',
        'pace_zone': 'integer',
    }],
    'laps': [{
        'id': 'bigint',
        'name': 'string',
        'start_date_local': 'timestamp',
        'distance': 'double',
        'moving_time': 'bigint',
        'elapsed_time': 'bigint',
        'total_elevation_gain': 'double',
        'average_speed': 'double',
        'max_speed': 'double',
        'average_heartrate': 'double',
        'max_heartrate': 'double',
        'average_cadence': 'double',
        'average_watts': 'double',
    }],
    'segment_efforts': [{
        'id': 'bigint',
        'name': 'string',
        'segment': {'id': 'bigint', 'name': 'string'},
        'start_date_local': 'timestamp',
        'distance': 'double',
        'moving_time': 'bigint',
        'elapsed_time': 'bigint',
        'average_heartrate': 'double',
        'average_watts': 'double',
        'pr_rank': 'integer',
        'kom_rank': 'integer',
        'hidden': 'boolean',
    }],
    'best_efforts': [{
        'name': 'string',
        'distance': 'double',
        'moving_time': 'bigint',
        'elapsed_time': 'bigint',
    }],
    'gear': {
        'id': 'string',
        'name': 'string',
        'primary': 'boolean',
        'retired': 'boolean',
        'distance': 'double',
    },
} -%}
{%- do fields.update({'splits_standard': fields['splits_metric']}) -%}
{#- If the fields change, the next build parses all details again, without a full refresh. -#}
{%- set parsed_as = dbt.hash("'" ~ tojson(fields) ~ "'") -%}

with to_parse as (
    select details.id
    from {{ ref('activity_details') }} as details
    {% if is_incremental() %}
    left join {{ this }} as merged on details.id = merged.id
    where
        merged.id is null
        -- Any other version, not only a newer one: details that were purged and came back may be older.
        or merged.fetched_at <> details.fetched_at
        or merged.payload_hash <> details.payload_hash
        or merged.parsed_as <> {{ parsed_as }}
    {% endif %}
),

parsed as (
    select
        details.id,
        details.athlete_id,
        details.fetched_at,
        details.payload_hash,
        {{ parse_json('details.json', fields) }} as typed
    -- The table, not a CTE of it: the texts of parsed details are not read.
    from {{ ref('activity_details') }} as details
    inner join to_parse on details.id = to_parse.id
),

final as (
    select
        id,
        athlete_id,
        {%- for field in fields %}
        typed.{{ field }},
        {%- endfor %}
        {{ parsed_as }} as parsed_as,
        fetched_at,
        payload_hash
    from parsed
)

select * from final
