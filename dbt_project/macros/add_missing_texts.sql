{#
    A hook before a merge whose query reads columns of its own table: it adds text columns that a table of an older
    version lacks, empty, because `on_schema_change` comes after the query.
#}
{% macro add_missing_texts(names) %}
    {%- set relation = load_relation(this) if execute -%}
    {%- if relation and relation.is_table and not flags.FULL_REFRESH -%}
        {%- set present = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
        {%- set missing = [] -%}
        {%- for name in names if name not in present -%}
            {%- do missing.append(api.Column(name, dbt.type_string())) -%}
        {%- endfor -%}
        {%- if missing -%}
            {%- do alter_relation_add_remove_columns(relation, missing, none) -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
