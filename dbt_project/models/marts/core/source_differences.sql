{#- field -> how values are compared: `text`, `gear`, `sport`, or as numbers that may differ by so much, which is the last
    digit that the API sends. A file is asked for the fields with a second number: by so much, and so much of the value,
    it may be off what Strava makes of it. -#}
{%- set fields = {
    'name': 'text',
    'sport_type': 'sport',
    'commute': 'text',
    'gear_id': 'gear',
    'start_date': 'text',
    'moving_time': (1,),
    'elapsed_time': (1, 2, 0),
    'distance': (0.1, 1, 0.01),
    'total_elevation_gain': (0.1,),
    'elev_high': (0.1,),
    'elev_low': (0.1,),
    'average_speed': (0.001,),
    'max_speed': (0.001,),
    'average_heartrate': (0.1,),
    'max_heartrate': (1,),
    'average_cadence': (0.1,),
    'average_temp': (1,),
    'average_watts': (0.1,),
    'weighted_average_watts': (1,),
    'max_watts': (1,),
    'kilojoules': (0.1,),
    'suffer_score': (1,),
    'manual': 'text',
    'flagged': 'text',
} -%}
{%- set edited = ['name', 'sport_type', 'commute', 'gear_id'] -%}
{%- set types = {'type': 'string'} -%}
{%- for field, how in fields.items() -%}
    {%- if field == 'start_date' -%}
        {%- do types.update({field: 'timestamp'}) -%}
    {%- elif how is string -%}
        {%- do types.update({field: 'string'}) -%}
    {%- else -%}
        {%- do types.update({field: 'double'}) -%}
    {%- endif -%}
{%- endfor -%}
{%- set doors = {
    'api': ref('stg_strava__activities'),
    'export': ref('stg_strava__export_activities'),
    'file': ref('stg_strava__activity_files'),
} -%}

with several as (
    select
        id,
        athlete_id
    from {{ ref('activities') }}
    where export_hash is not null and doors <> 'export' or file_hash is not null and doors <> 'file'
),
{%- for door, relation in doors.items() %}

newest_{{ door }} as (
    {{ newest_of_live(relation, 'several') }}
),

of_{{ door }} as (
    select
        versions.id,
        versions.fetched_at,
        {{ parse_json('versions.payload', types) }} as typed
    from {{ relation }} as versions
    inner join newest_{{ door }} as newest on versions.row_id = newest.row_id
),
{%- endfor %}

side_by_side as (
    {%- for field, how in fields.items() %}
    {% if not loop.first %}union all{% endif %}
    select
        several.id as activity_id,
        several.athlete_id,
        '{{ field }}' as field,
        {%- for door in doors %}
        {%- set value = 'of_' ~ door ~ '.typed.' ~ field %}
        {%- if field == 'sport_type' %}
        {%- set value = 'coalesce(' ~ value ~ ', of_' ~ door ~ '.typed.type)' %}
        {%- elif field == 'name' %}
        {%- set value = "nullif(" ~ value ~ ", '')" %}
        {%- endif %}
        {%- if door == 'file' and (how is string and field != 'start_date' or how is not string and how | length == 1) %}
        cast(null as {{ dbt.type_string() }}) as file_value,
        {%- else %}
        cast({{ value }} as {{ dbt.type_string() }}) as {{ door }}_value,
        {%- endif %}
        {%- endfor %}
        {%- if field in edited %}
        coalesce(of_export.fetched_at > of_api.fetched_at, false) as is_edited_later,
        {%- else %}
        false as is_edited_later,
        {%- endif %}
        {%- set api = 'of_api.typed.' ~ field %}
        {%- set export = 'of_export.typed.' ~ field %}
        {%- if how == 'sport' %}
        coalesce(
            coalesce(of_export.typed.sport_type, of_export.typed.type)
            not in (coalesce(of_api.typed.sport_type, ''), coalesce(of_api.typed.type, ''))
            and of_export.typed.type not in (coalesce(of_api.typed.sport_type, ''), coalesce(of_api.typed.type, ''))
            and coalesce(of_api.typed.sport_type, of_api.typed.type) is not null,
            false
        ) as doors_differ,
        {%- elif how == 'gear' %}
        coalesce(not {{ is_same_gear(api, export) }} and {{ api }} <> {{ export }}, false) as doors_differ,
        {%- elif how == 'text' %}
        {%- set empty = "''" if field == 'name' else 'null' %}
        coalesce(nullif({{ api }}, {{ empty }}) <> nullif({{ export }}, {{ empty }}), false) as doors_differ,
        {%- else %}
        coalesce(abs({{ api }} - {{ export }}) > {{ how[0] }}e0 + {{ float32_error(api) }}, false) as doors_differ,
        {%- endif %}
        {%- set known = 'coalesce(' ~ api ~ ', ' ~ export ~ ')' %}
        {%- if field == 'start_date' %}
        coalesce({{ known }} <> of_file.typed.start_date, false) as file_differs
        {%- elif how is not string and how | length == 3 %}
        coalesce(
            abs({{ known }} - of_file.typed.{{ field }}) > {{ how[1] }}e0 + {{ how[2] }}e0 * abs({{ known }}), false
        ) as file_differs
        {%- else %}
        false as file_differs
        {%- endif %}
    from several
    left join of_api on several.id = of_api.id
    left join of_export on several.id = of_export.id
    left join of_file on several.id = of_file.id
    {%- endfor %}
),

final as (
    select
        activity_id,
        athlete_id,
        field,
        api_value,
        export_value,
        file_value,
        case
            when doors_differ and is_edited_later then 'export'
            when api_value is not null then 'api'
            else 'export'
        end as winner,
        case
            when doors_differ and is_edited_later then 'edited, and the export is newer'
            when doors_differ and field in ('{{ edited | join("', '") }}') then 'edited, and the API''s version is newer'
            when doors_differ then 'the API knows the activity'
            else 'a file is the original, without crops and edits'
        end as reason
    from side_by_side
    where doors_differ or file_differs
)

select * from final
