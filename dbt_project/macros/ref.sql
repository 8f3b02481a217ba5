{#
    Names without a database, so that a view finds its tables whatever the name of the file, and under whatever name it is
    attached: DuckDB looks them up in the view's own catalog. In an installed package, names are dbt's own, because the
    installing project may have its models and sources in any database.
#}
{% macro ref() %}
    {%- set relation = builtins.ref(*varargs, **kwargs) -%}
    {{ return(relation.include(database=false) if project_name == 'strava_stats' else relation) }}
{% endmacro %}

{% macro source() %}
    {%- set relation = builtins.source(*varargs, **kwargs) -%}
    {{ return(relation.include(database=false) if project_name == 'strava_stats' else relation) }}
{% endmacro %}
