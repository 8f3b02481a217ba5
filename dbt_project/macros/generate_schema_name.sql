{#
    DuckDB names the catalog after the file. In a catalog `strava` a schema `strava` would make
    `strava.activities` ambiguous, so there the models live in `main`; in any other, in `strava`.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name is not none -%}
        {{ custom_schema_name | trim }}
    {%- elif target.database | lower == 'strava' -%}
        main
    {%- else -%}
        strava
    {%- endif -%}
{%- endmacro %}
