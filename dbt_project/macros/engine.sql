{# Everything that DuckDB and Spark spell differently, and nothing else. #}


{#
    A JSON object as a struct, parsed once, however many fields are asked for.

    fields: name -> type. A type is bigint, integer, double, boolean, string, timestamp, `array<double>`, or a
    mapping for a nested object. Fields the text does not hold, and values that do not fit, become NULL; so does the
    whole struct when the text is no JSON.
#}
{% macro parse_json(column, fields) -%}
    {{ return(adapter.dispatch('parse_json')(column, fields)) }}
{%- endmacro %}

{# try: DuckDB refuses what Python's json lets through, a lone surrogate in a name for one. #}
{% macro duckdb__parse_json(column, fields) -%}
    try(from_json({{ column }}, '{{ tojson(duckdb_json_structure(fields)) }}'))
{%- endmacro %}

{% macro duckdb_json_structure(fields) -%}
    {%- set structure = {} -%}
    {%- for name, type in fields.items() -%}
        {%- if type is mapping -%}
            {%- do structure.update({name: duckdb_json_structure(type)}) -%}
        {%- elif type.startswith('array<') -%}
            {%- do structure.update({name: [type[6:-1]]}) -%}
        {%- else -%}
            {%- do structure.update({name: type}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(structure) }}
{%- endmacro %}

{% macro spark__parse_json(column, fields) -%}
    from_json({{ column }}, '{{ spark_struct_members(fields) }}')
{%- endmacro %}

{% macro spark_struct_members(fields) -%}
    {%- set members = [] -%}
    {%- for name, type in fields.items() -%}
        {%- set spark_type = 'struct<' ~ spark_struct_members(type) ~ '>' if type is mapping else type -%}
        {%- do members.append('`' ~ name ~ '`: ' ~ spark_type) -%}
    {%- endfor -%}
    {{ return(members | join(', ')) }}
{%- endmacro %}


{# A column of JSON text as the engine's own JSON, NULL when it is no JSON; Spark keeps JSON as text. #}
{% macro as_json(column) -%}
    {{ return(adapter.dispatch('as_json')(column)) }}
{%- endmacro %}

{% macro duckdb__as_json(column) -%}
    try_cast({{ column }} as json)
{%- endmacro %}

{% macro spark__as_json(column) -%}
    {{ column }}
{%- endmacro %}


{# Tells one row of a table from all others while one statement runs. #}
{% macro row_locator() -%}
    {{ return(adapter.dispatch('row_locator')()) }}
{%- endmacro %}

{% macro duckdb__row_locator() -%}
    rowid
{%- endmacro %}

{% macro spark__row_locator() -%}
    concat(_file, ':', cast(_pos as string))
{%- endmacro %}
