{#
    Names without a database, so that a view finds its tables whatever the file is called, and under whatever name
    somebody attaches it: DuckDB looks them up where the view is. Installed as a package, names are dbt's own, for the
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
