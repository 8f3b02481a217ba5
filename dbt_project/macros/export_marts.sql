{#
    Writes all marts as Parquet, each into a folder of its name, for programs that read files:
    `dbt run-operation export_marts --args '{folder: /path}' --target spark`
#}
{% macro export_marts(folder) %}
    {%- for node in graph.nodes.values() | sort(attribute='name')
        if node.resource_type in ('model', 'seed') and node.schema == target.schema -%}
        {%- set rows = api.Relation.create(schema=node.schema, identifier=node.alias) -%}
        {%- do run_query(
            "insert overwrite directory '" ~ folder ~ "/" ~ node.alias ~ "' using parquet select * from " ~ rows
        ) -%}
    {%- endfor -%}
{% endmacro %}
