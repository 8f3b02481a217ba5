{#
    Replaces dbt's own macro, with which `on_schema_change='sync_all_columns'` changes the type of a column: that copies
    into a new column, drops the old one and renames, after which DuckDB refuses the merge in the same transaction. DuckDB
    can alter a type, including fields of nested structs.
#}
{% macro duckdb__alter_column_type(relation, column_name, new_column_type) -%}
    {% do run_query(
        'alter table ' ~ relation ~ ' alter column ' ~ adapter.quote(column_name) ~ ' set data type ' ~ new_column_type
    ) %}
{%- endmacro %}
