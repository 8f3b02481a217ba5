{# Everything that differs between DuckDB and Spark, and nothing else. #}


{#
    A JSON object as a struct, parsed once, however many fields are read.

    fields: name -> type. A type is bigint, integer, double, boolean, string, timestamp, `array<double>`, a mapping
    for a nested object, or a list of one mapping for an array of objects. Missing fields and values that do not fit
    become NULL, also within an element of an array, whose neighbours keep theirs; so does the whole struct if the text
    is not JSON.
#}
{% macro parse_json(column, fields) -%}
    {{ return(adapter.dispatch('parse_json', 'strava_stats')(column, fields)) }}
{%- endmacro %}

{# try: a text that is not JSON is not an error. #}
{% macro duckdb__parse_json(column, fields) -%}
    try(from_json({{ column }}, '{{ tojson(duckdb_json_structure(fields)) }}'))
{%- endmacro %}

{% macro duckdb_json_structure(fields) -%}
    {%- set structure = {} -%}
    {%- for name, type in fields.items() -%}
        {%- if type is mapping -%}
            {%- do structure.update({name: duckdb_json_structure(type)}) -%}
        {%- elif type is not string -%}
            {%- do structure.update({name: [duckdb_json_structure(type[0])]}) -%}
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
        {%- if type is mapping -%}
            {%- set spark_type = 'struct<' ~ spark_struct_members(type) ~ '>' -%}
        {%- elif type is not string -%}
            {%- set spark_type = 'array<struct<' ~ spark_struct_members(type[0]) ~ '>>' -%}
        {%- else -%}
            {%- set spark_type = type -%}
        {%- endif -%}
        {%- do members.append('`' ~ name ~ '`: ' ~ spark_type) -%}
    {%- endfor -%}
    {{ return(members | join(', ')) }}
{%- endmacro %}


{#
    A query with a row for each element of an array: the columns of `kept`, `item`, and `position`, which counts from 1.
    A row whose array is NULL or empty has no elements.
#}
{% macro elements_of(relation, array, kept) -%}
    {{ return(adapter.dispatch('elements_of', 'strava_stats')(relation, array, kept)) }}
{%- endmacro %}

{% macro duckdb__elements_of(relation, array, kept) -%}
    select
        {{ kept | join(', ') }},
        unnest({{ array }}) as item,
        cast(generate_subscripts({{ array }}, 1) as bigint) as position
    from {{ relation }}
{%- endmacro %}

{% macro spark__elements_of(relation, array, kept) -%}
    select
        {{ kept | join(', ') }},
        item,
        cast(position + 1 as bigint) as position
    from {{ relation }}
    lateral view posexplode({{ array }}) as position, item
{%- endmacro %}


{#
    JSON text as the engine can read it: half a surrogate pair, which JSON permits as an escape but which makes DuckDB
    refuse the whole text, becomes U+FFFD. Everything else stays unchanged.

    For DuckDB, it splits the text into parts without a backslash, whole pairs, halves and other escapes. Bronze reads
    payloads in the same way (READABLE in pipelines/bronze/store.py).
#}
{% macro readable_json(column) -%}
    {{ return(adapter.dispatch('readable_json', 'strava_stats')(column)) }}
{%- endmacro %}

{% macro duckdb__readable_json(column) -%}
    case
        when regexp_matches({{ column }}, '\\u[dD]') and not json_valid({{ column }})
            then array_to_string(list_transform(
                regexp_extract_all(
                    {{ column }},
                    '(?s)[^\\]+|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u[dD][89a-fA-F]..|\\.'
                ),
                lambda part: case when regexp_full_match(part, '\\u[dD]...') then '\ufffd' else part end
            ), '')
        else {{ column }}
    end
{%- endmacro %}

{% macro spark__readable_json(column) -%}
    {{ column }}
{%- endmacro %}


{# A column of JSON text as the engine's own JSON, NULL if it is not JSON; Spark keeps JSON as text. #}
{% macro as_json(column) -%}
    {{ return(adapter.dispatch('as_json', 'strava_stats')(column)) }}
{%- endmacro %}

{% macro duckdb__as_json(column) -%}
    try_cast({{ column }} as json)
{%- endmacro %}

{% macro spark__as_json(column) -%}
    {{ column }}
{%- endmacro %}


{# The members of a JSON object, name -> JSON, for `changed_members`; NULL if the text is not an object. #}
{% macro members_of_json(column) -%}
    {{ return(adapter.dispatch('members_of_json', 'strava_stats')(column)) }}
{%- endmacro %}

{# try: an object that names a member twice cannot become a map. #}
{% macro duckdb__members_of_json(column) -%}
    try(cast(cast({{ column }} as json) as map(varchar, json)))
{%- endmacro %}

{% macro spark__members_of_json(column) -%}
    from_json({{ column }}, 'map<string, variant>')
{%- endmacro %}


{#
    Names of the members that only one of two objects has or whose values differ, in order, comma-separated; empty
    if there are none, `payload` if one of the two is not an object.

    Values are compared as JSON: neither the order of members nor the spelling of a number (1, 1.0, 1e0) is a
    difference. DuckDB has no such comparison, so for DuckDB it compares two levels of a value (summaries have one), and
    what is deeper as text: that can name a member too many, never one too few.

    before, after: columns of `members_of_json`; columns, because each is used for every member.
#}
{% macro changed_members(before, after) -%}
    {{ return(adapter.dispatch('changed_members', 'strava_stats')(before, after)) }}
{%- endmacro %}

{% macro duckdb__changed_members(before, after) -%}
    {%- set old = 'map_extract(' ~ before ~ ', name)' -%}
    {%- set new = 'map_extract(' ~ after ~ ', name)' -%}
    case when {{ before }} is null or {{ after }} is null then 'payload' else array_to_string(list_sort(list_filter(
        list_distinct(list_concat(map_keys({{ before }}), map_keys({{ after }}))),
        -- A list of one value, or of none if the name is missing. Only texts that differ are compared more closely.
        lambda name: case
            when {{ old }} is not distinct from {{ new }} then false
            when len({{ old }}) <> len({{ new }}) then true
            else {{ duckdb_canonical_json(old ~ '[1]') }} is distinct from {{ duckdb_canonical_json(new ~ '[1]') }}
        end
    )), ', ') end
{%- endmacro %}

{# A text that is equal for equal JSON, `levels` deep. #}
{% macro duckdb_canonical_json(value, levels=2) -%}
    {%- set text = 'cast(' ~ value ~ ' as varchar)' -%}
    {%- set number = 'cast(try_cast(' ~ text ~ ' as decimal(38, 9)) as varchar)' -%}
    case
        when starts_with({{ text }}, '"') then {{ text }}
        {%- if levels > 0 %}
        when starts_with({{ text }}, '{') then '{' || cast(list_sort(list_transform(
            map_entries({{ duckdb__members_of_json(text) }}),
            lambda member{{ levels }}:
                member{{ levels }}.key || ':' || {{ duckdb_canonical_json('member' ~ levels ~ '.value', levels - 1) }}
        )) as varchar)
        when starts_with({{ text }}, '[') then cast(list_transform(
            cast(cast({{ text }} as json) as json []),
            lambda item{{ levels }}: {{ duckdb_canonical_json('item' ~ levels, levels - 1) }}
        ) as varchar)
        {%- endif %}
        else coalesce({{ number }}, {{ text }}, 'null')
    end
{%- endmacro %}

{% macro spark__changed_members(before, after) -%}
    coalesce(array_join(array_sort(filter(
        array_union(map_keys({{ before }}), map_keys({{ after }})),
        name ->
            map_contains_key({{ before }}, name) <> map_contains_key({{ after }}, name)
            or not to_json({{ before }}[name]) <=> to_json({{ after }}[name])
    )), ', '), 'payload')
{%- endmacro %}


{# Identifies a row of a table while one statement runs. #}
{% macro row_locator() -%}
    {{ return(adapter.dispatch('row_locator', 'strava_stats')()) }}
{%- endmacro %}

{% macro duckdb__row_locator() -%}
    rowid
{%- endmacro %}

{% macro spark__row_locator() -%}
    concat(_file, ':', cast(_pos as string))
{%- endmacro %}


{# The instant of the statement, in UTC without zone. #}
{% macro utc_now() -%}
    {{ return(adapter.dispatch('utc_now', 'strava_stats')()) }}
{%- endmacro %}

{# Not a cast of the instant: that would be the wall clock of the session's time zone. #}
{% macro duckdb__utc_now() -%}
    make_timestamp(epoch_us(current_timestamp))
{%- endmacro %}

{% macro spark__utc_now() -%}
    to_utc_timestamp(current_timestamp(), current_timezone())
{%- endmacro %}


{# An instant, in UTC without zone, on the wall clock of a named zone; NULL if the engine does not know the zone. #}
{% macro local_time(instant, zone) -%}
    {{ return(adapter.dispatch('local_time', 'strava_stats')(instant, zone)) }}
{%- endmacro %}

{% macro duckdb__local_time(instant, zone) -%}
    case
        when {{ zone }} in (select name from pg_timezone_names())
            then timezone({{ zone }}, timezone('UTC', {{ instant }}))
    end
{%- endmacro %}

{% macro spark__local_time(instant, zone) -%}
    from_utc_timestamp({{ instant }}, {{ zone }})
{%- endmacro %}


{# Makes a row of each day from the first to the last date, both included. #}
{% macro each_day(first, last) -%}
    {{ return(adapter.dispatch('each_day', 'strava_stats')(first, last)) }}
{%- endmacro %}

{% macro duckdb__each_day(first, last) -%}
    unnest(generate_series({{ first }}, {{ last }}, interval 1 day))
{%- endmacro %}

{% macro spark__each_day(first, last) -%}
    explode(sequence({{ first }}, {{ last }}, interval 1 day))
{%- endmacro %}


{# Makes a row of each whole number from 1 to the last. #}
{% macro each_number(last) -%}
    {{ return(adapter.dispatch('each_number', 'strava_stats')(last)) }}
{%- endmacro %}

{% macro duckdb__each_number(last) -%}
    unnest(generate_series(1, {{ last }}))
{%- endmacro %}

{% macro spark__each_number(last) -%}
    explode(sequence(1, {{ last }}))
{%- endmacro %}
