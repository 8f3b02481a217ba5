{# What replaces macros of dbt-spark, which assume timestamps with a zone, whole seconds, and Spark's own types. #}


{# A wall clock without a zone, as in DuckDB: most are in UTC, and local times are local for every reader. #}
{% macro spark__type_timestamp() -%}
    timestamp_ntz
{%- endmacro %}

{# dbt-spark's own cuts off fractions of seconds. #}
{% macro spark__dateadd(datepart, interval, from_date_or_timestamp) -%}
    timestampadd({{ datepart }}, cast({{ interval }} as int), cast({{ from_date_or_timestamp }} as timestamp_ntz))
{%- endmacro %}

{# How many borders of days, seconds … are between the two, as in DuckDB. #}
{% macro spark__datediff(first_date, second_date, datepart) -%}
    timestampdiff(
        {{ datepart }}, date_trunc('{{ datepart }}', {{ first_date }}), date_trunc('{{ datepart }}', {{ second_date }})
    )
{%- endmacro %}

{# A query without rows that has the columns of a contract, whose types are in the words of DuckDB. #}
{% macro spark__get_empty_schema_sql(columns) -%}
    select
    {%- for column in columns.values() %}
        cast(null as {{ spark_type(column.data_type) }}) as {{ column.name }}{{ ',' if not loop.last }}
    {%- endfor %}
    where false
{%- endmacro %}

{% macro spark_type(type) -%}
    {%- if type == 'json' -%}
        string
    {%- elif type == 'timestamp' -%}
        {{ dbt.type_timestamp() }}
    {%- elif type.endswith('[]') -%}
        array<{{ spark_type(type[:-2]) }}>
    {%- elif type.startswith('struct(') -%}
        {%- set members = [] -%}
        {%- for member in type[7:-1].split(', ') -%}
            {%- do members.append(member.split(' ')[0] ~ ': ' ~ spark_type(member.split(' ')[1])) -%}
        {%- endfor -%}
        struct<{{ members | join(', ') }}>
    {%- else -%}
        {{ type }}
    {%- endif -%}
{%- endmacro %}


{# The values of unit tests. DuckDB casts a text to a list or a struct, which for Spark is read here. #}
{% macro spark__safe_cast(field, type) -%}
    {%- if field is string and field.startswith("'") and type.startswith(('array<', 'struct<')) -%}
        {%- set text = json_of(fromyaml(field[1:-1] | replace("\\'", "'"))) -%}
        from_json('{{ text | replace('\\', '\\\\') | replace("'", "\\'") }}', '{{ type }}')
    {%- else -%}
        cast({{ field }} as {{ type }})
    {%- endif -%}
{%- endmacro %}

{% macro json_of(value) -%}
    {%- if value is mapping -%}
        { {%- for name, member in value.items() -%}
            {{ tojson(name) }}: {{ json_of(member) }}{{ ', ' if not loop.last }}
        {%- endfor -%} }
    {%- elif value is sequence and value is not string -%}
        [{%- for element in value -%}{{ json_of(element) }}{{ ', ' if not loop.last }}{%- endfor -%}]
    {%- elif value is string or value is number or value is boolean or value is none -%}
        {{ tojson(value) }}
    {%- else -%}
        {{ tojson(value | string) }}
    {%- endif -%}
{%- endmacro %}
