{#
    The rows of a source, or none with the same columns where `strava__using_<table>` is false: what stands on it is
    there all the same, and empty.

    columns: name -> type.
#}
{% macro optional_source(table, columns) -%}
    {%- if var('strava__using_' ~ table, true) -%}
    select * from {{ source('strava', table) }}
    {%- else -%}
    {{ no_rows(columns) }}
    {%- endif -%}
{%- endmacro %}

{# A query of `columns` (name -> type) without rows. #}
{% macro no_rows(columns) -%}
    select
    {%- for name, type in columns.items() %}
        cast(null as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
    where 1 = 0
{%- endmacro %}

{# The columns of what the pipeline has to say of itself, as far as the models read them. #}
{% macro columns_of_notes() -%}
    {{ return({
        'id': 'bigint',
        'athlete_id': 'bigint',
        'fetched_at': 'timestamp',
        'payload_hash': dbt.type_string(),
        'payload': dbt.type_string(),
    }) }}
{%- endmacro %}

{# The tables of what is fetched on demand, as far as this project was said to use them. #}
{% macro tables_on_demand() -%}
    {%- set used = [] -%}
    {%- for table in [
        'activity_kudos', 'activity_comments', 'activity_photos', 'activity_zones', 'activity_laps', 'routes'
    ] if var('strava__using_' ~ table, false) -%}
        {%- do used.append(table) -%}
    {%- endfor -%}
    {{ return(used) }}
{%- endmacro %}
