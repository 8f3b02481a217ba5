{#
    Writes all marts as Parquet, each into a folder of its name, for programs that read files:
    `dbt run-operation export_marts --args '{folder: /path}' --target spark`
#}
{% macro export_marts(folder) %}
    {#- not the graph, which lacks what needs a source that is switched off now -#}
    {%- for row in run_query('show tables in ' ~ target.schema) if not row['isTemporary'] -%}
        {%- set rows = api.Relation.create(schema=target.schema, identifier=row['tableName']) -%}
        {%- do run_query(
            "insert overwrite directory '" ~ folder ~ "/" ~ row['tableName'] ~ "' using parquet select * from " ~ rows
        ) -%}
    {%- endfor -%}
{% endmacro %}
