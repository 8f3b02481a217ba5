{#- The fields that are compared, and how: as `text`, `gear`, `sport`, `instant`, or as a `number` that may differ by a
    step, the last digit that the API sends; and by how much, and by which share of the value, a file may be off. -#}
{%- set fields = {
    'name': ('text', 0, 0, 0),
    'sport_type': ('sport', 0, 0, 0),
    'commute': ('text', 0, 0, 0),
    'gear_id': ('gear', 0, 0, 0),
    'manual': ('text', 0, 0, 0),
    'flagged': ('text', 0, 0, 0),
    'start_date': ('instant', 0, 0, 0),
    'elapsed_time': ('number', 1, 2, 0),
    'distance': ('number', 0.1, 1, 0.01),
    'moving_time': ('number', 1, 0, 0),
    'total_elevation_gain': ('number', 0.1, 0, 0),
    'elev_high': ('number', 0.1, 0, 0),
    'elev_low': ('number', 0.1, 0, 0),
    'average_speed': ('number', 0.001, 0, 0),
    'max_speed': ('number', 0.001, 0, 0),
    'average_heartrate': ('number', 0.1, 0, 0),
    'max_heartrate': ('number', 1, 0, 0),
    'average_cadence': ('number', 0.1, 0, 0),
    'average_temp': ('number', 1, 0, 0),
    'average_watts': ('number', 0.1, 0, 0),
    'weighted_average_watts': ('number', 1, 0, 0),
    'max_watts': ('number', 1, 0, 0),
    'kilojoules': ('number', 0.1, 0, 0),
    'suffer_score': ('number', 1, 0, 0),
} -%}
{%- set asked_of_a_file = ['start_date', 'elapsed_time', 'distance'] -%}
{%- set kinds = {'number': 'double', 'instant': 'timestamp'} -%}
{%- set types = {'type': 'string'} -%}
{%- for field, how in fields.items() %}{% do types.update({field: kinds.get(how[0], 'string')}) %}{% endfor -%}
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
    where doors not in ('api', 'export', 'file')
),

fields (field, compared_as, step, file_step, file_share) as (
    values
    {%- for field, how in fields.items() %}
    ('{{ field }}', '{{ how[0] }}', {{ how[1] }}e0, {{ how[2] }}e0, {{ how[3] }}e0){{ ',' if not loop.last }}
    {%- endfor %}
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
    select
        several.id as activity_id,
        several.athlete_id,
        fields.*,
        {%- for door in doors %}
        case fields.field
            {%- for field in (fields if door != 'file' else asked_of_a_file) %}
            {%- set value = 'of_' ~ door ~ '.typed.' ~ field %}
            {%- if field == 'sport_type' %}
            when 'sport_type' then coalesce({{ value }}, of_{{ door }}.typed.type)
            {%- elif field == 'name' %}
            when 'name' then nullif({{ value }}, '')
            {%- else %}
            when '{{ field }}' then cast({{ value }} as {{ dbt.type_string() }})
            {%- endif %}
            {%- endfor %}
        end as {{ door }}_value,
        {%- endfor %}
        {{ is_other_sport('of_api.typed', 'of_export.typed') }} as is_other_sport,
        coalesce(of_export.fetched_at > of_api.fetched_at, false) as is_export_newer
    from several
    cross join fields
    left join of_api on several.id = of_api.id
    left join of_export on several.id = of_export.id
    left join of_file on several.id = of_file.id
),

compared as (
    select
        *,
        compared_as in ('text', 'gear', 'sport') and field not in ('manual', 'flagged') as is_edited,
        coalesce(case compared_as
            when 'sport' then is_other_sport
            when 'gear' then api_value <> export_value and not {{ is_same_gear('api_value', 'export_value') }}
            when 'number'
                then
                    abs(try_cast(api_value as double) - try_cast(export_value as double))
                    > step + {{ float32_error('try_cast(api_value as double)') }}
            else api_value <> export_value
        end, false) as doors_differ,
        coalesce(case compared_as
            when 'number'
                then
                    abs(try_cast(coalesce(api_value, export_value) as double) - try_cast(file_value as double))
                    > file_step + file_share * abs(try_cast(coalesce(api_value, export_value) as double))
            else coalesce(api_value, export_value) <> file_value
        end, false) as file_differs
    from side_by_side
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
            when doors_differ and is_edited and is_export_newer then 'export'
            when api_value is not null then 'api'
            else 'export'
        end as winner,
        case
            when not doors_differ then 'a file is the original, and the figure of Strava counts'
            when not is_edited then 'the API knows the activity'
            when is_export_newer then 'edited, and the export is newer'
            else 'edited, and the version of the API is newer'
        end as reason
    from compared
    where doors_differ or file_differs
)

select * from final
