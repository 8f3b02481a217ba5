{#
    The schema of the models if this is the project that dbt runs. In an installed package dbt does not call this: the
    rule of the installing project decides, of which this is a default.

    DuckDB names the catalog after the file. In a catalog `strava` a schema `strava` would make
    `strava.activities` ambiguous, so there the models are in `main`; in any other, in `strava`.

    Spark's own catalog has the views of staging, beside their sources: it analyses its own views much faster than Iceberg's.
#}
{% macro default__generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name == 'strava_staging' and target.type == 'spark' and 'staging' in node.fqn -%}
        spark_catalog.staging
    {%- elif custom_schema_name == 'strava_staging' -%}
        staging
    {%- elif custom_schema_name not in (none, 'strava') -%}
        {{ custom_schema_name | trim }}
    {%- elif target.database | lower == 'strava' -%}
        main
    {%- else -%}
        strava
    {%- endif -%}
{%- endmacro %}
