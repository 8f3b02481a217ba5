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

{#
    Spark's own types for JSON would refuse a whole number that is written 13.0, and one bad value in an array would cost
    its neighbours theirs: so each value is read as text, then cast as DuckDB does. A map has the first of two members of
    one name in front, which counts in DuckDB too.

    `transform` over an array of one object parses it once. Members of one type are cast together: Spark takes seconds to
    analyse the same SQL with an expression for each.
#}
{% macro spark__parse_json(column, fields) -%}
    case when {{ column }} is not null then {{ spark_object(column, fields, 1) }} end
{%- endmacro %}

{# The struct of `fields` from a text; all NULL if the text is not an object. #}
{% macro spark_object(text, fields, depth) -%}
    {%- set object = 'object' ~ depth -%}
    {%- set cast_ = 'cast' ~ depth -%}
    {%- set by_type = {'double': [], 'bigint': [], 'integer': [], 'boolean': [], 'timestamp': []} -%}
    {%- for name, type in fields.items() if type is string and type in by_type -%}
        {%- do by_type[type].append(name) -%}
    {%- endfor -%}
    transform(
        transform(array(from_json({{ text }}, 'map<string, string>')), {{ object }} -> named_struct(
            'object', {{ object }}
            {%- for type, names in by_type.items() if names %},
            '{{ type }}', transform(
                array({% for name in names %}{{ object }}['{{ name }}']{{ ', ' if not loop.last }}{% endfor %}),
                text -> {{ spark_value('text', type, depth + 1) }}
            )
            {%- endfor %}
        )),
        {{ cast_ }} -> named_struct(
        {%- for name, type in fields.items() %}
            '{{ name }}',
            {%- if type is string and type in by_type %} {{ cast_ }}.{{ type }}[{{ by_type[type].index(name) }}]
            {%- else %} {{ spark_value(cast_ ~ ".object['" ~ name ~ "']", type, depth + 1) }}
            {%- endif %}
            {{- ',' if not loop.last }}
        {%- endfor %}
        )
    )[0]
{%- endmacro %}

{# A member's value, whose text is that of a string, or the JSON of anything else, as `type`. #}
{% macro spark_value(text, type, depth) -%}
    {%- set element = 'element' ~ depth -%}
    {%- if type is mapping -%}
        if({{ text }} is null, null, {{ spark_object(text, type, depth) }})
    {%- elif type is not string -%}
        transform({{ spark_list(text) }}, {{ element }} ->
            if({{ element }} is null, null, {{ spark_object(element, type[0], depth) }}))
    {%- elif type.startswith('array<') -%}
        transform({{ spark_list(text) }}, {{ element }} -> {{ spark_value(element, type[6:-1], depth) }})
    {%- elif type == 'double' -%}
        {{ spark_number(text) }}
    {%- elif type in ('integer', 'bigint') -%}
        {{ spark_integer(text, type) }}
    {%- elif type == 'boolean' -%}
        coalesce(cast({{ text }} as boolean), {{ spark_number(text) }} <> 0)
    {%- elif type == 'timestamp' -%}
        if({{ text }} rlike '^[0-9]{4,}-[0-9]{1,2}-[0-9]{1,2}', cast({{ text }} as timestamp_ntz), null)
    {%- else -%}
        {{ text }}
    {%- endif -%}
{%- endmacro %}

{% macro spark_list(text) -%}
    if(startswith({{ text }}, '['), from_json({{ text }}, 'array<string>'), null)
{%- endmacro %}

{# Not Java's numbers, which may end in d or f. #}
{% macro spark_number(text) -%}
    case
        when {{ text }} = 'true' then 1e0
        when not {{ text }} rlike '[dDfF]$' or {{ text }} rlike '[iI][nN][fF]$' then cast({{ text }} as double)
    end
{%- endmacro %}

{# Halves go to the even neighbour; what does not fit becomes NULL. #}
{% macro spark_integer(text, type) -%}
    {%- set limit = '2147483647' if type == 'integer' else '9223372036854775807' -%}
    case
        when {{ text }} rlike '^-?[0-9]{1,9}$' then cast({{ text }} as {{ type }})
        when {{ text }} = 'true' then 1
        when abs(bround(cast({{ text }} as decimal(38, 9)))) <= {{ limit }}
            then cast(bround(cast({{ text }} as decimal(38, 9))) as {{ type }})
    end
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
    lateral view posexplode({{ array }}) elements as position, item
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

{# Java would make a question mark of half a pair. Before the escape is an even number of backslashes. #}
{% macro spark__readable_json(column) -%}
    case
        when {{ column }} rlike r'\\u[dD][89a-fA-F]'
            then regexp_replace(
                {{ column }},
                r'((?<!\\)(?:\\\\)*)(?:\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]..)',
                '$1\ufffd'
            )
        else {{ column }}
    end
{%- endmacro %}


{# A column of JSON text as the engine's own JSON, NULL if it is not JSON; Spark keeps JSON as text. #}
{% macro as_json(column) -%}
    {{ return(adapter.dispatch('as_json', 'strava_stats')(column)) }}
{%- endmacro %}

{% macro duckdb__as_json(column) -%}
    try_cast({{ column }} as json)
{%- endmacro %}

{% macro spark__as_json(column) -%}
    case when get_json_object({{ column }}, '$') is not null then {{ column }} end
{%- endmacro %}


{# The members of a JSON object, name -> JSON, for `changed_members`; NULL if the text is not an object. #}
{% macro members_of_json(column) -%}
    {{ return(adapter.dispatch('members_of_json', 'strava_stats')(column)) }}
{%- endmacro %}

{# try: an object that names a member twice cannot become a map. #}
{% macro duckdb__members_of_json(column) -%}
    try(cast(cast({{ column }} as json) as map(varchar, json)))
{%- endmacro %}

{#
    The values in a map of text do not show which were strings: a string gets a tilde in front, and so does each name,
    which `changed_members` removes. For that, escapes must not contain quotes: two characters for private use
    stand in for them.
#}
{% macro spark__members_of_json(column) -%}
    filter(array(from_json(
        regexp_replace(
            replace(replace({{ column }}, r'\\', '\ue000'), r'\"', '\ue001'), '"([^"]*+)"', '"~$1"'
        ),
        'map<string, string>'
    )), members -> size(array_distinct(map_keys(members))) = size(members))[0]
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
    {%- set old = before ~ '[name]' -%}
    {%- set new = after ~ '[name]' -%}
    coalesce(array_join(array_sort(transform(filter(
        array_union(map_keys({{ before }}), map_keys({{ after }})),
        name ->
            map_contains_key({{ before }}, name) <> map_contains_key({{ after }}, name)
            or case
                when {{ old }} <=> {{ new }} then false
                else not {{ spark_canonical_json(old) }} <=> {{ spark_canonical_json(new) }}
            end
    ), name -> substr(name, 2))), ', '), 'payload')
{%- endmacro %}

{% macro spark_canonical_json(value, levels=2) -%}
    case
        when startswith({{ value }}, '~') then {{ value }}
        {%- if levels > 0 %}
        {%- set member = 'member' ~ levels %}
        when startswith({{ value }}, '{') then '{' || array_join(array_sort(transform(
            map_entries(from_json({{ value }}, 'map<string, string>')),
            {{ member }} -> {{ member }}.key || ':' || {{ spark_canonical_json(member ~ '.value', levels - 1) }}
        )), ',')
        {%- set item = 'item' ~ levels %}
        when startswith({{ value }}, '[') then '[' || array_join(transform(
            from_json({{ value }}, 'array<string>'),
            {{ item }} -> {{ spark_canonical_json(item, levels - 1) }}
        ), ',')
        {%- endif %}
        else coalesce(cast(cast({{ value }} as decimal(38, 9)) as string), {{ value }}, 'null')
    end
{%- endmacro %}


{# Identifies a row of a table while one statement runs. #}
{% macro row_locator() -%}
    {{ return(adapter.dispatch('row_locator', 'strava_stats')()) }}
{%- endmacro %}

{% macro duckdb__row_locator() -%}
    rowid
{%- endmacro %}

{# The name of the shard's file and the row in it: see macros/sources_of_spark.sql. #}
{% macro spark__row_locator() -%}
    locator
{%- endmacro %}


{# The type of a row's locator. #}
{% macro type_of_row_locator() -%}
    {{ return(adapter.dispatch('type_of_row_locator', 'strava_stats')()) }}
{%- endmacro %}

{% macro duckdb__type_of_row_locator() -%}
    bigint
{%- endmacro %}

{% macro spark__type_of_row_locator() -%}
    string
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
    cast(to_utc_timestamp(current_timestamp(), current_timezone()) as timestamp_ntz)
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

{# An unknown zone is an error, but in a text it makes NULL. #}
{% macro spark__local_time(instant, zone) -%}
    case
        when cast(concat('2000-01-01 00:00:00 ', {{ zone }}) as timestamp_ltz) is not null
            then cast(from_utc_timestamp({{ instant }}, {{ zone }}) as timestamp_ntz)
    end
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
