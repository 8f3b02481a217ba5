{#
    The rows of a source, or none with the same columns if `strava__using_<table>` is false: what depends on it exists
    nevertheless, and is empty.

    columns: name -> type.
#}
{% macro optional_source(table, columns) -%}
    {%- if var('strava__using_' ~ table, true) -%}
    select * from {{ source('strava', table) }}
    {%- else -%}
    {{ no_rows(columns) }}
    {%- endif -%}
{%- endmacro %}

{#
    Versions with typed keys from the CTE `source`, which has their `row_id`. The payload is as the engine can read it;
    the marts parse it, for the versions that they merge.
#}
{% macro typed_versions() -%}
typed as (
    select
        ---------- ids
        cast(id as bigint) as id,
        cast(athlete_id as bigint) as athlete_id,

        ---------- which version
        cast(fetched_at as {{ dbt.type_timestamp() }}) as fetched_at,
        cast(payload_hash as {{ dbt.type_string() }}) as payload_hash,
        row_id,

        ---------- what Strava sent, or our reader made of an export or a file
        cast({{ readable_json('payload') }} as {{ dbt.type_string() }}) as payload
    from source
)

select * from typed
{%- endmacro %}

{# The rows of a source with their locators, for tables whose versions are merged. #}
{% macro located_rows(table) -%}
    select
        *,
        {{ row_locator() }} as row_id
    -- render(): dbt's --empty and --sample would insert a subquery, whose rows have no locator.
    from {{ source('strava', table).render() }}
{%- endmacro %}

{#
    Versions through a door that a warehouse may never have had: none if the table is missing or `strava__using_<table>`
    is false. This checks whether the table exists, so that a warehouse from before that door needs no variable.
#}
{% macro optional_versions(table) -%}
with source as (
    {%- if has_source(table) %}
    {{ located_rows(table) }}
    {%- else %}
    {{ no_rows(dict(columns_of_notes(), row_id=type_of_row_locator())) }}
    {%- endif %}
),

{{ typed_versions() }}
{%- endmacro %}

{#
    The rows of a source that a warehouse may never have had, or none with the same columns; checked as above.

    columns: name -> type.
#}
{% macro optional_rows(table, columns) -%}
    {%- if has_source(table) -%}
    select * from {{ source('strava', table) }}
    {%- else -%}
    {{ no_rows(columns) }}
    {%- endif -%}
{%- endmacro %}

{# Versions in small tables: typed keys, and `said`, the payload's `fields` (see `parse_json`) as a struct. #}
{% macro parsed_versions(table, fields) -%}
with source as (
    {{ optional_rows(table, columns_of_notes()) }}
),

typed as (
    select
        ---------- ids
        cast(id as bigint) as id,
        cast(athlete_id as bigint) as athlete_id,

        ---------- which version
        cast(fetched_at as {{ dbt.type_timestamp() }}) as fetched_at,
        cast(payload_hash as {{ dbt.type_string() }}) as payload_hash,

        ---------- what Strava sent
        {{ parse_json(readable_json('payload'), fields) }} as said
    from source
)

select * from typed
{%- endmacro %}

{#
    A row for each element of the newest list of each `id`: its `item` as a struct of `fields`, its `position`, and the
    `keys` of the row with the list (name -> column).
#}
{% macro elements_of_newest_lists(table, fields, keys) -%}
{%- set items = {'items': [fields]} -%}
with source as (
    {{ optional_rows(table, columns_of_notes()) }}
),

-- The payload is a list, but the macro that parses it takes objects.
parsed as (
    select
        *,
        {{ parse_json('concat(\'{"items":\', ' ~ readable_json('payload') ~ ', \'}\')', items) }} as said,
        row_number() over (partition by id order by fetched_at desc, payload_hash desc) as recency
    from source
),

newest as (
    select
        {%- for name, column in keys.items() %}
        cast({{ column }} as bigint) as {{ name }},
        {%- endfor %}
        cast(fetched_at as {{ dbt.type_timestamp() }}) as fetched_at,
        said.items
    from parsed
    where recency = 1
),

unnested as (
    {{ elements_of('newest', 'items', (keys | list) + ['fetched_at']) }}
)

select * from unnested
{%- endmacro %}

{# Whether there is such a table, once dbt has connected. #}
{% macro has_source(table) -%}
    {%- if not var('strava__using_' ~ table, true) -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set relation = source('strava', table) -%}
    {%- if not execute -%}
        {{ return(true) }}
    {%- endif -%}
    {{ return(load_relation(relation) is not none) }}
{%- endmacro %}

{# A query of `columns` (name -> type) without rows. #}
{% macro no_rows(columns) -%}
    select
    {%- for name, type in columns.items() %}
        cast(null as {{ dbt.type_timestamp() if type == 'timestamp' else type }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
    where 1 = 0
{%- endmacro %}

{# The columns of the pipeline's own records that the models read. #}
{% macro columns_of_notes() -%}
    {{ return({
        'id': 'bigint',
        'athlete_id': 'bigint',
        'fetched_at': 'timestamp',
        'payload_hash': dbt.type_string(),
        'payload': dbt.type_string(),
    }) }}
{%- endmacro %}

{# The tables of what is fetched on demand: used if a variable says so. #}
{% macro tables_on_demand() -%}
    {{ return([
        'activity_kudos', 'activity_comments', 'activity_photos', 'activity_zones', 'activity_laps', 'routes'
    ]) }}
{%- endmacro %}
